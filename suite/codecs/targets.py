"""What a model learns: one of several labels, of an input or of each step, or a value with its spread."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from suite.codecs.serialization import json_file, read_json_file
from suite.config import from_dict
from suite.data.natural_order import natural_key
from suite.errors import CheckpointError, DataError, nearest

#: The bounds of a log-spread, in training and at use.
LOG_SPREAD = (-7.0, 3.0)
FILE = "target.json"


class Target:
    """What a many-to-one model learns: `Labels` or a `Value`, as a checkpoint says."""

    #: The name of the loss.
    loss: ClassVar[str]

    @property
    def size(self) -> int:
        """The number of outputs K of the model's head."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that results have."""
        raise NotImplementedError

    def encode(self, targets: Iterable[Any]) -> Any:
        """Targets as one array ``[N, …]``. Raises DataError for one that cannot be learned."""
        raise NotImplementedError

    def decide(self, outputs: np.ndarray) -> tuple[str, dict[str, float]]:
        """The label for a row of outputs ``[K]``, and the probability of each label."""
        raise NotImplementedError

    def calibrated(self, outputs: np.ndarray, targets: np.ndarray) -> Self:
        """The codec calibrated on held-out outputs ``[N, K]`` and encoded targets."""
        raise NotImplementedError

    def files(self) -> dict[str, bytes]:
        """The codec as a checkpoint's file."""
        raise NotImplementedError

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """The codec of a checkpoint. Raises CheckpointError for another kind than the class's."""
        kind = read_json_file(files, FILE).get("kind")
        found = {"labels": Labels, "value": Value}.get(str(kind))
        if found is None or not issubclass(found, cls):
            raise CheckpointError(f"{FILE}: unknown kind {kind!r}; this checkpoint is from another version or altered")
        made: Self = found.from_files(files)
        return made


@dataclass(frozen=True)
class Labels(Target):
    """A fixed set of labels; K outputs are their logits, divided by ``temperature`` for probabilities.

    ``shown`` are the labels' display names, where they have any: results carry those, and data may use either.
    With ``early`` the outputs are two sets of K: the first for an input that is over, the second for one that may
    go on, which is a question of its own. An unfinished input's label is no longer in doubt from the probability
    ``sure`` on.
    """

    names: tuple[str, ...]
    temperature: float = 1.0
    shown: tuple[str, ...] = ()
    early: bool = False
    sure: float = 0.99
    loss: ClassVar[str] = "cross_entropy"

    def __post_init__(self) -> None:
        if self.shown and (len(self.shown) != len(self.names) or len(set(self.shown)) < len(self.shown)):
            raise ValueError("shown must be a different display name for each label")
        if not self.temperature > 0:
            raise ValueError(f"temperature={self.temperature:g} must be above 0")

    @classmethod
    def fit(cls, targets: Iterable[str], shown: Mapping[str, str] | None = None, *, early: bool = False) -> Self:
        """The labels seen in training, in natural order; ``shown`` maps some or all of them to display names.

        Raises DataError unless there are at least two, or where two would be shown alike.
        """
        counts = Counter(targets)
        if len(counts) < 2:
            only = f"only {next(iter(counts))!r}" if counts else "none at all"
            raise DataError(f"training needs at least two different labels, the data has {only}; add items of another")
        names = tuple(sorted(counts, key=natural_key))
        if not shown:
            return cls(names, early=early)
        display = tuple(shown.get(name, name) for name in names)
        for name, seen in zip(names, display, strict=True):
            if display.count(seen) > 1:
                raise DataError(f"the label {name!r} and another are both shown as {seen!r}; give them different names")
        return cls(names, shown=display, early=early)

    @property
    def size(self) -> int:
        return len(self.names) * (2 if self.early else 1)

    @property
    def labels(self) -> tuple[str, ...]:
        """What results say: the display names where there are any."""
        return self.shown or self.names

    def label(self, target: str) -> str:
        """The label as results say it. Raises DataError for one that is not known."""
        return self.labels[int(self.encode([target])[0])]

    def encode(self, targets: Iterable[str]) -> np.ndarray:
        """Label indices, int64 ``[N]``."""
        index = {name: i for i, name in enumerate(self.shown)} | {name: i for i, name in enumerate(self.names)}
        found = []
        for target in targets:
            if target not in index:
                raise DataError(f"unknown label {target!r}; {nearest(str(target), self.labels)}")
            found.append(index[target])
        return np.asarray(found, dtype=np.int64)

    def calibrated(self, outputs: np.ndarray, targets: np.ndarray) -> Self:
        """The same labels with the temperature that makes held-out ``targets [N]`` likeliest (Guo et al., 2017).

        ``outputs`` are logits ``[N, K]``; arXiv:1706.04599.
        """
        logits = outputs[:, : len(self.names)].astype(np.float64)
        rows = np.arange(len(targets))

        def loss(temperature: float) -> float:
            scaled = logits / temperature
            top = scaled.max(axis=1)
            return float((np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top - scaled[rows, targets]).mean())

        return replace(self, temperature=round(float(min(np.geomspace(0.25, 8, 101), key=loss)), 4))

    def probabilities(self, outputs: np.ndarray, *, final: bool = True) -> dict[str, float]:
        """Softmax of the logits ``[K]``, or ``[2K]``, by label; ``final`` says whether the input is over."""
        count = len(self.names)
        logits = outputs[count:] if self.early and not final else outputs[:count]
        # Plain numbers: there are few of them, at every step of a stream.
        values = [value / self.temperature for value in logits.tolist()]
        top = max(values)
        shares = [math.exp(value - top) for value in values]
        total = sum(shares)
        return {label: share / total for label, share in zip(self.labels, shares, strict=True)}

    def decide(self, outputs: np.ndarray) -> tuple[str, dict[str, float]]:
        """The most probable label of logits ``[K]``, and the probability of each label."""
        probabilities = self.probabilities(outputs)
        return max(probabilities, key=probabilities.__getitem__), probabilities

    def files(self) -> dict[str, bytes]:
        values = {"names": list(self.names), "temperature": self.temperature, "shown": list(self.shown)}
        return json_file(FILE, {"kind": "labels", **values, "early": self.early, "sure": self.sure})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return from_dict(cls, _read(files, "labels"), where=FILE, error=CheckpointError)


@dataclass(frozen=True)
class StepLabels(Labels):
    """A label at every step, of a fixed set: what an aligned model learns. K outputs a step are their logits."""

    @classmethod
    def fit(cls, targets: Iterable[Sequence[str]]) -> Self:  # type: ignore[override]
        """The labels seen in training, a list of them an item. Raises DataError unless there are at least two."""
        return super().fit(itertools.chain.from_iterable(targets))

    def encode(self, targets: Iterable[Sequence[str]]) -> list[np.ndarray]:  # type: ignore[override]
        """Label indices, int64 ``[T]`` an item. Raises DataError for an unknown label."""
        return [super(StepLabels, self).encode(labels) for labels in targets]

    def labelled(self, outputs: np.ndarray) -> list[str]:
        """The likeliest label of each step, of logits ``[T, K]``."""
        return [self.labels[int(i)] for i in outputs.argmax(axis=1)]


@dataclass(frozen=True)
class Value(Target):
    """A number in ``[low, high]`` with its spread.

    The model's two outputs are the mean, in units of ``scale`` (the targets' standard deviation in training),
    and the log of the spread in the same units. The spread makes probabilities possible: ``cuts`` divide the
    range into named classes, and a class has the normal distribution's mass between its cuts. A value's label
    is the class that its mean falls in. ``widening`` multiplies every spread: a model is surer of itself than
    it should be, and held-out data says by how much.
    """

    low: float
    high: float
    cuts: tuple[float, ...]
    classes: tuple[str, ...]
    scale: float = 1.0
    widening: float = 1.0
    loss: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.scale > 0 or len(self.classes) != len(self.cuts) + 1:
            raise ValueError("low must be below high, scale above 0, and classes one more than cuts")

    def fit(self, targets: Iterable[float]) -> Value:
        """The same range and classes, with the scale of ``targets``. Raises DataError if they do not vary."""
        values = np.asarray(list(targets), dtype=np.float64)
        scale = float(values.std()) if len(values) else 0.0
        if not scale > 0:
            raise DataError("training needs ratings that differ; all of them are the same")
        return replace(self, scale=round(scale, 6))

    @property
    def size(self) -> int:
        return 2

    def encode(self, targets: Iterable[float]) -> np.ndarray:
        """The values in units of ``scale``, float32 ``[N]``.

        Raises DataError for one that is not finite or out of range.
        """
        values = np.asarray(list(targets), dtype=np.float32)
        bad = ~np.isfinite(values) | (values < self.low - 1e-6) | (values > self.high + 1e-6)
        if bad.any():
            raise DataError(f"{values[bad][0]:g} is outside {self.low:g} … {self.high:g}; rescale the column")
        return values / np.float32(self.scale)

    def calibrated(self, outputs: np.ndarray, targets: np.ndarray) -> Value:
        """The same with the ``widening`` that makes held-out ``targets [N]`` likeliest, given ``outputs [N, 2]``."""
        spread = np.exp(np.clip(outputs[:, 1].astype(np.float64), *LOG_SPREAD))
        widening = float(np.sqrt(np.mean(((targets - outputs[:, 0]) / spread) ** 2)))
        return replace(self, widening=round(min(max(widening, 0.1), 100.0), 4))

    def moments(self, outputs: np.ndarray) -> tuple[float, float]:
        """Mean, held inside the range, and spread, of one row of outputs ``[2]``."""
        mean, log_spread = outputs.tolist()
        low, high = LOG_SPREAD
        spread = math.exp(min(max(log_spread, low), high)) * self.scale * self.widening
        return min(max(mean * self.scale, self.low), self.high), spread

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    def decide(self, outputs: np.ndarray) -> tuple[str, dict[str, float]]:
        """The class that the mean falls in, and the probability of each class."""
        mean, spread = self.moments(outputs)
        return self.label(mean), self.probabilities(mean, spread)

    def label(self, value: float) -> str:
        """The class a value falls in; a value on a cut belongs to the class nearer the middle of the range."""
        middle = (self.low + self.high) / 2
        return self.classes[sum([value > cut if cut >= middle else value >= cut for cut in self.cuts])]

    def probabilities(self, mean: float, spread: float) -> dict[str, float]:
        """The mass of each class under the normal distribution of that mean and spread."""
        width = spread * math.sqrt(2)
        edges = [0.0, *[0.5 + 0.5 * math.erf((cut - mean) / width) for cut in self.cuts], 1.0]
        return {name: edges[i + 1] - edges[i] for i, name in enumerate(self.classes)}

    def files(self) -> dict[str, bytes]:
        values = {"kind": "value", "low": self.low, "high": self.high, "scale": self.scale, "widening": self.widening}
        return json_file(FILE, {**values, "cuts": list(self.cuts), "classes": list(self.classes)})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return from_dict(cls, _read(files, "value"), where=FILE, error=CheckpointError)


def _read(files: Mapping[str, bytes], kind: str) -> dict[str, Any]:
    values = read_json_file(files, FILE)
    if values.pop("kind", None) != kind:
        raise CheckpointError(f"{FILE}: expected a {kind} target; this checkpoint is from another version or altered")
    return values
