"""Tasks with one answer for a whole input: a label, a value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from suite.codecs import CalibratedCodec
from suite.data.examples import Example
from suite.task.base import Config, Mappings, R, Task
from suite.task.codecs import Codecs, In

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel


OneTarget = TypeVar("OneTarget", bound=CalibratedCodec)


class ManyToOneTask(Task[Config, In, OneTarget, R]):
    """A task whose model gives one output ``[K]`` an input; in a stream, one after every step."""

    mapping: ClassVar[Mappings] = "many-to-one"

    @abstractmethod
    def decode(
        self, outputs: np.ndarray, codecs: Codecs[In, OneTarget], item: Any, *, final: bool | None = None,
        **options: Any,
    ) -> R:  # fmt: skip
        """A result from the outputs ``[K]``; ``final`` goes into the result as it is.

        ``item`` is the input, or in a stream the step that was read last.
        """

    def augment(self, item: Any, config: Config, random: np.random.Generator, codecs: Codecs[In, OneTarget]) -> Any:
        """A training input, changed a little before it is encoded (``augments`` is True)."""
        raise self._missing("augment", "augments is True")

    def predict(
        self, model: LoadedModel[In, OneTarget], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> Sequence[R]:
        """What ``decode`` makes of each output."""
        outputs = model.outputs(list(arrays))
        return [self.decode(row, model.codecs, piece, **options) for piece, row in zip(pieces, outputs, strict=True)]

    def calibrate(
        self, model: LoadedModel[In, OneTarget], examples: Sequence[Example],
        predict: Callable[[], Sequence[Any]],
    ) -> Codecs[In, OneTarget]:  # fmt: skip
        """The codecs with the target codec's probabilities calibrated on held-out outputs."""
        outputs = model.outputs_of([example.input for example in examples])
        target = model.codecs.target
        encoded = target.encode([example.target for example in examples])
        return model.codecs.replace(target=target.calibrated(outputs, encoded))
