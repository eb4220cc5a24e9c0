"""Tasks with an answer at every step: tags, next values, next tokens, letters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from suite.task.base import Config, Mappings, R, Task
from suite.task.codecs import Codecs, In, Target
from suite.task.results import Result

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel


class AlignedTask(Task[Config, In, Target, R]):
    """A task whose model gives an output ``[K]`` at every step of the input."""

    mapping: ClassVar[Mappings] = "aligned"
    per_step: ClassVar[bool] = True
    progress_unit: ClassVar[str] = "steps"

    @abstractmethod
    def decode(
        self, outputs: np.ndarray, codecs: Codecs[In, Target], item: Any, *, final: bool | None = None, **options: Any
    ) -> Result:
        """A result from the outputs ``[T, K]``; ``final`` goes into the result as it is.

        ``item`` is the input, or in a stream the step that was read last.
        """

    def augment(self, item: Any, config: Config, random: np.random.Generator, codecs: Codecs[In, Target]) -> Any:
        """A training input, changed a little before it is encoded (``augments`` is True)."""
        raise self._missing("augment", "augments is True")

    def predict(
        self, model: LoadedModel[In, Target], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> Sequence[Result]:
        """What ``decode`` makes of the outputs of each input."""
        outputs = model.outputs(list(arrays))
        return [self.decode(rows, model.codecs, piece, **options) for piece, rows in zip(pieces, outputs, strict=True)]
