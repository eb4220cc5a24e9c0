"""What a many-to-one model learns: one of several labels, or a value with its spread."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from suite.errors import CheckpointError, DataError, nearest

FILE = "target.json"


@dataclass(frozen=True)
class Labels:
    """A fixed set of labels; K outputs are their logits."""

    names: tuple[str, ...]
    loss = "cross_entropy"

    @classmethod
    def fit(cls, targets: Iterable[str]) -> Self:
        """The labels seen in training, sorted. Raises DataError unless there are at least two."""
        counts = Counter(targets)
        if len(counts) < 2:
            only = f"only {next(iter(counts))!r}" if counts else "none at all"
            raise DataError(f"training needs at least two different labels; the data has {only}")
        return cls(tuple(sorted(counts)))

    @property
    def size(self) -> int:
        return len(self.names)

    def encode(self, targets: Iterable[str]) -> np.ndarray:
        """Label indices, int64 ``[N]``."""
        index = {name: i for i, name in enumerate(self.names)}
        found = []
        for target in targets:
            if target not in index:
                raise DataError(f"unknown label {target!r}; {nearest(str(target), self.names)}")
            found.append(index[target])
        return np.asarray(found, dtype=np.int64)

    def probabilities(self, outputs: np.ndarray) -> dict[str, float]:
        """Softmax of the logits ``[K]`` by label."""
        shifted = np.exp(outputs.astype(np.float64) - float(outputs.max()))
        return dict(zip(self.names, (shifted / shifted.sum()).tolist(), strict=True))

    def files(self) -> dict[str, bytes]:
        return {FILE: _json({"kind": "labels", "names": list(self.names)})}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = _read(files, "labels", {"names"})
        return cls(tuple(values["names"]))


@dataclass(frozen=True)
class Value:
    """A number in ``[low, high]`` with its spread; the two outputs are its mean and the log of its spread.

    The spread makes probabilities possible: ``cuts`` divide the range into named classes, and a class has the
    normal distribution's mass between its cuts. A value's label is the class that its mean falls in.
    """

    low: float
    high: float
    cuts: tuple[float, ...]
    classes: tuple[str, ...]
    loss = "normal"

    @property
    def size(self) -> int:
        return 2

    def encode(self, targets: Iterable[float]) -> np.ndarray:
        """The values, float32 ``[N]``. Raises DataError for one that is not finite or out of range."""
        values = np.asarray(list(targets), dtype=np.float32)
        bad = ~np.isfinite(values) | (values < self.low - 1e-6) | (values > self.high + 1e-6)
        if bad.any():
            raise DataError(f"{values[bad][0]:g} is outside {self.low:g} … {self.high:g}; rescale the column")
        return values

    def value(self, outputs: np.ndarray) -> float:
        """The mean, held inside the range."""
        return min(max(float(outputs[0]), self.low), self.high)

    def label(self, value: float) -> str:
        """The class a value falls in; on a cut it is the class nearer the middle of the range."""
        middle = (self.low + self.high) / 2
        above = sum(value > cut if cut >= middle else value >= cut for cut in self.cuts)
        return self.classes[above]

    def probabilities(self, outputs: np.ndarray) -> dict[str, float]:
        """The mass of each class under a normal distribution with the model's mean and spread."""
        mean, scale = self.value(outputs), math.exp(min(max(float(outputs[1]), -7.0), 3.0))
        edges = [0.0, *(0.5 * (1 + math.erf((cut - mean) / (scale * math.sqrt(2)))) for cut in self.cuts), 1.0]
        return {name: edges[i + 1] - edges[i] for i, name in enumerate(self.classes)}

    def files(self) -> dict[str, bytes]:
        values = {"kind": "value", "low": self.low, "high": self.high}
        return {FILE: _json({**values, "cuts": list(self.cuts), "classes": list(self.classes)})}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = _read(files, "value", {"low", "high", "cuts", "classes"})
        return cls(values["low"], values["high"], tuple(values["cuts"]), tuple(values["classes"]))


class Target:
    """Either of the two, as a checkpoint says: the codec class a many-to-one task names."""

    @staticmethod
    def from_files(files: Mapping[str, bytes]) -> Labels | Value:
        kind = _object(files).get("kind")
        if kind == "labels":
            return Labels.from_files(files)
        if kind == "value":
            return Value.from_files(files)
        raise CheckpointError(f"{FILE}: unknown kind {kind!r}; this checkpoint is from another version or altered")


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode()


def _object(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        values = json.loads(files[FILE])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{FILE}: missing or not JSON; the checkpoint is incomplete") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{FILE}: not an object; the checkpoint is damaged")
    return values


def _read(files: Mapping[str, bytes], kind: str, keys: set[str]) -> dict[str, Any]:
    values = _object(files)
    if values.get("kind") != kind or values.keys() - {"kind"} != keys:
        raise CheckpointError(f"{FILE}: expected a {kind} target with {sorted(keys)}, got {sorted(values)}")
    return values
