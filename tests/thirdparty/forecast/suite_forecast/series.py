"""Series as numbers beside their own past, one value at a time.

Data flow: a value → asinh (a logarithm that takes zeros) → its difference from a season ago and from the value before,
over the mean size of such differences so far. Nothing looks ahead, and what is kept is one season, so a stream in any
pieces gives the same arrays. What a model learns at a step is the next value, less the one a season before it, over
the same scale.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.errors import CheckpointError, DataError

FILE = "forecast.json"
#: Larger deviations, in mean differences, say no more.
CLIP = 8.0


@dataclass(frozen=True)
class Series:
    """Values in order, and how many of them make a season (1: none)."""

    values: tuple[float, ...]
    period: int = 1
    name: str = ""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Step:
    """One value of a stream, and what the next one is measured against."""

    value: float
    base: float
    scale: float


class Reader:
    """Values one by one to features; remembers one season and the mean size of its differences."""

    def __init__(self, period: int, kept: Mapping[str, Any] | None = None) -> None:
        self.period = period
        self.last: list[float] = list(kept["last"]) if kept else []
        self.total, self.count = (kept["total"], kept["count"]) if kept else (0.0, 0)

    @property
    def kept(self) -> dict[str, Any]:
        """What it remembers, as JSON."""
        return {"last": list(self.last), "total": self.total, "count": self.count}

    @property
    def scale(self) -> float:
        """The mean size of a difference so far."""
        return max(self.total / self.count, 1e-4) if self.count else 1.0

    @property
    def base(self) -> float:
        """What the next value is measured against: the one a season before it, or the last where there is none."""
        return self.last[0] if len(self.last) == self.period else self.last[-1]

    def read(self, value: float) -> np.ndarray:
        """The features ``[3]`` of a value: of its differences from a season ago and before."""
        x = math.asinh(value)
        whole = len(self.last) == self.period
        season = x - self.base if self.last else 0.0
        before = x - self.last[-1] if self.last else 0.0
        if self.last:
            self.total, self.count = self.total + abs(season), self.count + 1
        self.last = [*self.last, x][-self.period :]
        features = np.asarray([season / self.scale, before / self.scale, whole], np.float32)
        return np.clip(features, -CLIP, CLIP)


@dataclass(frozen=True)
class SeriesCodec:
    """Series → features, float32 ``[T, 3]``; ``period`` is that of a series that does not say its own."""

    period: int = 1

    def opened(self, raw: Any) -> Series:
        """What is given as a series. Raises DataError for what is none."""
        if isinstance(raw, Series):
            series = raw
        else:
            try:
                series = Series(tuple(map(float, np.asarray(raw, np.float64).ravel())), self.period)
            except (TypeError, ValueError):
                raise DataError(f"{raw!r:.40} is no series; give numbers") from None
        if not series.values or not np.isfinite(series.values).all():
            raise DataError("the series is empty, or has values that are no numbers")
        return series

    def encode(self, raw: Any) -> np.ndarray:
        """One series."""
        series = self.opened(raw)
        reader = Reader(series.period)
        return np.stack([reader.read(value) for value in series.values])

    def steps(self, raw: Any) -> list[Step]:
        """Each value, and what the one after it is measured against."""
        series = self.opened(raw)
        reader, found = Reader(series.period), []
        for value in series.values:
            reader.read(value)
            found.append(Step(value, reader.base, reader.scale))
        return found

    def incremental(self, pending: Any = None) -> Feeder:
        return Feeder(self.period, pending)

    def files(self) -> dict[str, bytes]:
        return {FILE: json.dumps({"period": self.period}).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> SeriesCodec:
        try:
            return cls(int(json.loads(files[FILE])["period"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{FILE}: missing or damaged; copy the checkpoint again") from error


class Feeder:
    """Values in any pieces to steps."""

    def __init__(self, period: int, pending: Any = None) -> None:
        self._reader = Reader(period, pending)

    @property
    def pending(self) -> Any:
        return self._reader.kept if self._reader.last else None

    def feed(self, piece: Any) -> list[tuple[Step, np.ndarray]]:
        if isinstance(piece, Series):
            piece = piece.values
        found = []
        for value in np.asarray(piece, np.float64).ravel().tolist():
            array = self._reader.read(value)[None]
            found.append((Step(value, self._reader.base, self._reader.scale), array))
        return found

    def flush(self) -> list[tuple[Step, np.ndarray]]:
        return []


class NextValue:
    """What is learnt: at each step the next value, in scales above its base; ``[T − 1]`` of a series ``[T]``."""

    loss, size = "normal", 2

    def encode(self, targets: Iterable[Series]) -> list[np.ndarray]:
        found = []
        for series in targets:
            steps = SeriesCodec().steps(series)
            following = series.values[1:]
            wanted = [(math.asinh(v) - s.base) / s.scale for s, v in zip(steps, following, strict=False)]
            found.append(np.clip(np.asarray(wanted, np.float32), -CLIP, CLIP))
        return found

    def files(self) -> dict[str, bytes]:
        return {}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> NextValue:
        return cls()


def paths(step: Step, outputs: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Next values of rows ``[B]``, of outputs ``[B, 2]``: the mean, and ``noise [B]`` spreads above it."""
    mean, spread = outputs[:, 0], np.exp(np.clip(outputs[:, 1], -7.0, 3.0))
    deviations = np.clip(mean + noise * spread, -2 * CLIP, 2 * CLIP)
    return np.sinh(np.clip(step.base + step.scale * deviations, -40, 40))


def mean_scaled_error(series: Sequence[float], period: int, wanted: Sequence[float], found: Sequence[float]) -> float:
    """MASE (Hyndman and Koehler, 2006): the mean error over that of the seasonal naive forecast inside ``series``."""
    values = np.asarray(series, np.float64)
    naive = float(np.abs(values[period:] - values[:-period]).mean()) or 1.0
    return float(np.abs(np.asarray(wanted) - np.asarray(found)).mean()) / naive
