"""Series as numbers relative to their own past, one value at a time.

Data flow: a value → asinh (a logarithm that takes zeros) → its difference from a season ago and from the value before,
over the mean size of such differences so far. Nothing looks ahead, and the memory is one season, so a stream in any
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

from suite.codecs.parsing import ParseError
from suite.errors import CheckpointError, DataError

FILE = "forecast.json"
#: Deviations are clipped to this many mean differences.
CLIP = 8.0


@dataclass(frozen=True)
class Series:
    """Values in order, and the length of a season (1: none)."""

    values: tuple[float, ...]
    period: int = 1
    name: str = ""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Step:
    """One value of a stream, and the base and scale that the next one is relative to."""

    value: float
    base: float
    scale: float


class Reader:
    """Values one by one to features, with one season and the mean size of its differences as memory."""

    def __init__(self, period: int, kept: Mapping[str, Any] | None = None) -> None:
        self.period: int = kept["period"] if kept else period
        self.last: list[float] = list(kept["last"]) if kept else []
        self.total: float = kept["total"] if kept else 0.0
        self.count: int = kept["count"] if kept else 0

    @property
    def kept(self) -> dict[str, Any]:
        """The memory, as JSON."""
        return {"period": self.period, "last": list(self.last), "total": self.total, "count": self.count}

    @property
    def scale(self) -> float:
        """The mean size of a difference so far."""
        return max(self.total / self.count, 1e-4) if self.count else 1.0

    @property
    def base(self) -> float:
        """What the next value is relative to: the one a season before it, or the last if there is none."""
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
    """Series → features, float32 ``[T, 3]``; ``period`` is that of values that are not a `Series`."""

    period: int = 1

    def opened(self, raw: Any) -> Series:
        """What is given as a series. Raises DataError if it is not one."""
        if isinstance(raw, Series):
            series = raw
        else:
            try:
                series = Series(tuple(map(float, np.asarray(raw, np.float64).ravel())), self.period)
            except (TypeError, ValueError):
                raise DataError(f"{raw!r:.40} is not a series; give numbers") from None
        if not series.values or not np.isfinite(series.values).all():
            raise DataError("the series is empty, or has values that are not numbers")
        return series

    def encode(self, raw: Any) -> np.ndarray:
        """One series."""
        series = self.opened(raw)
        reader = Reader(series.period)
        return np.stack([reader.read(value) for value in series.values])

    def steps(self, raw: Any) -> list[Step]:
        """Each value, and what the one after it is relative to."""
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
    """Values in any pieces to steps; the raw step is a `Step` as JSON, so that a session can be saved."""

    def __init__(self, period: int, pending: Any = None) -> None:
        self._reader = Reader(period, pending)

    @property
    def pending(self) -> Any:
        return self._reader.kept if self._reader.last else None

    def feed(self, piece: Any) -> list[tuple[dict[str, float], np.ndarray]]:
        if isinstance(piece, Series):
            if not self._reader.last:
                self._reader.period = piece.period
            piece = piece.values
        found = []
        for value in np.asarray(piece, np.float64).ravel().tolist():
            array = self._reader.read(value)[None]
            found.append(({"value": value, "base": self._reader.base, "scale": self._reader.scale}, array))
        return found

    def flush(self) -> list[tuple[dict[str, float], np.ndarray]]:
        return []


class ValueParser:
    """A stream of lines, each a value. Raises DataError, with the line, for one that is not a number."""

    def __init__(self) -> None:
        self._rest, self._line = b"", 0

    def feed(self, data: bytes) -> list[Any]:
        """The values of the lines that ``data`` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return self._values(lines)

    def finish(self) -> list[Any]:
        """The value of a last line without an end."""
        lines, self._rest = [self._rest] if self._rest else [], b""
        return self._values(lines)

    def _values(self, lines: Sequence[bytes]) -> list[Any]:
        found: list[Any] = []
        for line in lines:
            self._line += 1
            value = number(line.decode("utf-8", "replace").strip())
            if value is None:
                raise ParseError(f"line {self._line}: not a number", found)
            found.append(value)
        return found


def number(text: str) -> float | None:
    """A text as a number; None if it is not one."""
    try:
        return float(text)
    except ValueError:
        return None


class NextValue:
    """What is learned: at each step the next value, in scales above its base; ``[T − 1]`` of a series ``[T]``."""

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
    return np.asarray(np.sinh(np.clip(step.base + step.scale * deviations, -40, 40)))


def mean_scaled_error(series: Sequence[float], period: int, wanted: Sequence[float], found: Sequence[float]) -> float:
    """MASE (Hyndman and Koehler, 2006): the mean error over that of the seasonal naive forecast inside ``series``."""
    values = np.asarray(series, np.float64)
    naive = float(np.abs(values[period:] - values[:-period]).mean()) or 1.0
    return float(np.abs(np.asarray(wanted) - np.asarray(found)).mean()) / naive
