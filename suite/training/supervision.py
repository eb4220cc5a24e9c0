"""How the examples of each family of tasks supervise a model: which losses, over what, and what picks the best epoch.

One class a family; ``supervise(task)`` gives the one of a task. A plugin whose family is its own registers its class:
``supervise.register(MyFamily, lambda task: MySupervision(task))``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.codecs import SequenceTargetCodec
from suite.errors import DataError, UsageError
from suite.task import AlignedTask, AnyTask, Codecs, ManyToOneTask
from suite.task.seq2seq import Seq2SeqTask

if TYPE_CHECKING:
    from suite.training.encoded import EncodedSet
    from suite.training.objectives import Objective

#: ``augment(index, random)`` gives the arrays of an item, changed.
Augment = Callable[[int, np.random.Generator], Any]


class Supervision(ABC):
    """How examples supervise the models of a family."""

    def __init__(self, task: AnyTask) -> None:
        self.task = task

    @abstractmethod
    def objective(self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, *, augment: bool) -> Objective:
        """What is minimized over the items of ``data``; with ``augment`` they are changed each time they are used."""

    def augmentation(self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any) -> Augment | None:
        """``augment(index, random)``: the arrays of an item changed by the task; None if it changes nothing."""
        return partial(self.augmented, data, codecs, config) if self.task.augments else None

    def augmented(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, index: int, random: np.random.Generator
    ) -> Any:
        """The arrays of an item that the task changed; asked for only if ``task.augments``."""
        raise NotImplementedError(f"{type(self).__name__}.augmented must be overridden, since augments is True")

    def stack(self, targets: Sequence[np.ndarray]) -> Any:
        """The encoded targets of all items."""
        return list(targets)

    def unusable(self, codecs: Codecs[Any, Any], array: np.ndarray, target: np.ndarray) -> str:
        """Why an item is left out; empty if it can be used. Raises DataError for one that is wrong."""
        return ""

    def continued_codecs(self, fitted: Codecs[Any, Any], initial: Codecs[Any, Any]) -> Codecs[Any, Any]:
        """The codecs of a model that starts from another's weights: the input codec is the one the weights know."""
        return fitted.replace(input=initial.input)

    def selection(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, metrics: Callable[[], dict[str, Any]]
    ) -> Callable[[Any], float]:
        """``score(model)`` on dev, higher better, which picks the best epoch; ``metrics()`` are the dev metrics."""
        return lambda model: self.task.score(metrics())[1]

    def selection_metric(self, metrics: dict[str, Any]) -> str:
        """The name of what ``selection`` scores."""
        return self.task.score(metrics)[0]


class LabelSupervision(Supervision):
    """Many-to-one: one loss an item."""

    task: ManyToOneTask[Any, Any, Any, Any]

    def stack(self, targets: Sequence[np.ndarray]) -> Any:
        return np.stack(targets) if targets else []

    def objective(self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, *, augment: bool) -> Objective:
        from suite.training.losses import resolve_loss
        from suite.training.objectives import many_to_one

        spec = config.training
        return many_to_one(
            data.inputs, data.targets, resolve_loss(codecs.target.loss, spec.label_smoothing),
            weights=balanced([e.target for e in data.examples], spec.balance) if augment else None,
            vary=self.augmentation(data, codecs, config) if augment else None,
        )  # fmt: skip

    def augmented(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, index: int, random: np.random.Generator
    ) -> np.ndarray:
        array: np.ndarray = codecs.input.encode(self.task.augment(data.examples[index].input, config, random, codecs))
        return array


class StepSupervision(Supervision):
    """Aligned: a loss a step; or for targets of their own length (CTC, transducers) a loss an item."""

    task: AlignedTask[Any, Any, Any, Any]

    def unusable(self, codecs: Codecs[Any, Any], array: np.ndarray, target: np.ndarray) -> str:
        if self._of_their_own_length(codecs.target):
            least = codecs.target.least(target)
            if len(array) < least:
                return (
                    f"{len(array)} steps of input are too few for its text, which takes {least}; is it the right text?"
                )
        elif len(target) != len(array):
            raise DataError(
                f"{len(target)} targets for {len(array)} steps of input; give one a step, or a target codec with "
                "least() (suite.codecs.SequenceTargetCodec)"
            )
        return ""

    def objective(self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, *, augment: bool) -> Objective:
        from suite.training.losses import resolve_loss, resolve_sequence_loss
        from suite.training.objectives import aligned, sequence_loss

        named, vary = codecs.target.loss, self.augmentation(data, codecs, config) if augment else None
        if self._of_their_own_length(codecs.target):
            return sequence_loss(data.inputs, data.targets, resolve_sequence_loss(named), vary=vary)
        row_loss = resolve_loss(named, config.training.label_smoothing)
        return aligned(data.inputs, data.targets, row_loss, vary=vary)

    def _of_their_own_length(self, codec: Any) -> bool:
        """Whether targets have a length of their own. Raises UsageError if the loss asks for that and there is none."""
        if isinstance(codec, SequenceTargetCodec):
            return True
        from suite.training.losses import SEQUENCE_LOSSES

        if codec.loss in SEQUENCE_LOSSES:
            raise UsageError(
                f"{self.task.name}: the loss {codec.loss!r} needs a target codec with least(target), the fewest steps "
                "a target takes (suite.codecs.SequenceTargetCodec)"
            )
        return False

    def augmented(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, index: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        item = data.examples[index]
        changed = self.task.augment(item.input, config, random, codecs)
        # A language model's targets are its inputs, and change with them.
        (wanted,) = codecs.target.encode([changed if item.target is item.input else item.target])
        return codecs.input.encode(changed), wanted


class Seq2SeqSupervision(Supervision):
    """Sequence to sequence: a loss a target token, with teacher forcing."""

    task: Seq2SeqTask[Any, Any, Any, Any]

    def continued_codecs(self, fitted: Codecs[Any, Any], initial: Codecs[Any, Any]) -> Codecs[Any, Any]:
        # Outputs are written in the tokens that the weights know.
        return initial

    def objective(self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, *, augment: bool) -> Objective:
        from suite.training.objectives import unaligned

        return unaligned(
            data.inputs, data.targets, start=codecs.target.start,
            smoothing=config.training.label_smoothing if augment else 0.0,
            vary=self.augmentation(data, codecs, config) if augment else None,
        )  # fmt: skip

    def augmented(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, index: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        item = data.examples[index]
        given = data.inputs[index] if self.task.augments_arrays else item.input
        return self.task.augment(given, item.target, config, random, codecs)

    def selection(
        self, data: EncodedSet, codecs: Codecs[Any, Any], config: Any, metrics: Callable[[], dict[str, Any]]
    ) -> Callable[[Any], float]:
        # Searching for every output takes long: epochs are compared by the log-probability of the references.
        from suite.training.objectives import mean_loss

        held_out = self.objective(data, codecs, config, augment=False)
        return lambda model: -mean_loss(model, held_out, config.training)

    def selection_metric(self, metrics: dict[str, Any]) -> str:
        return "log_probability"


@singledispatch
def supervise(task: AnyTask) -> Supervision:
    """The supervision of a task, by its family."""
    raise UsageError(
        f"{task.name}: no family says how it is trained; subclass ManyToOneTask, AlignedTask or Seq2SeqTask, or "
        "register a Supervision (suite.training.supervision.supervise.register)"
    )


supervise.register(ManyToOneTask, LabelSupervision)
supervise.register(AlignedTask, StepSupervision)
supervise.register(Seq2SeqTask, Seq2SeqSupervision)


def balanced(targets: Sequence[Any], power: float) -> np.ndarray | None:
    """Weights ``[N]`` with mean 1 that count a label by its frequency to the minus ``power``; None for 0."""
    if not power or not all(isinstance(target, str) for target in targets):
        return None
    counts = Counter(targets)
    weights = np.asarray([counts[target] ** -power for target in targets], np.float32)
    weights /= weights.mean()
    return weights
