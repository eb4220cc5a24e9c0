"""Recordings as feature vectors, one sample at a time.

Data flow: samples ``[T, C]`` → the model's sample rate → missing values carried forward → each channel less its
mean, over its spread, both of the training data → causal differences → marks where a value was missing → how
long it has been. No step looks ahead, and nothing is taken over a whole recording, so a stream in any pieces
gives the same arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from suite.codecs.channel_moments import ChannelMoments
from suite.codecs.serialization import json_file, read_json_file
from suite.config import check_ranges, from_dict, to_dict
from suite.data.resampling import LinearResampler, resample_series
from suite.data.series import (
    Array,
    Recording,
    as_array,
    open_recording,
)
from suite.errors import CheckpointError, DataError, UsageError

FILE = "series.json"


@dataclass(frozen=True)
class SeriesSpec:
    """How a recording becomes features.

    ``normalise``: ``standard`` takes each channel less its mean over its spread, ``none`` leaves it as it is.
    ``derivatives`` adds as many orders of differences between neighbouring samples. ``clip`` bounds every
    feature, in spreads. ``clock`` adds how long the recording has lasted, against the training data's median:
    −2 … 2, 0 at the median, which a recurrence would have to count. ``max_rate`` (Hz) > 0 resamples recordings
    of a higher known rate down to it.
    """

    normalise: Literal["standard", "none"] = "standard"
    derivatives: int = 1
    clip: float = 10.0
    clock: bool = True
    max_rate: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, least={"derivatives": 0, "clip": 1e-3, "max_rate": 0})


@dataclass(frozen=True)
class SeriesCodec:
    """Recordings → ``[T, D]`` float32. Fit it on training recordings.

    D is C values, C differences an order of ``spec.derivatives``, one mark (1: missing) for each channel in
    which training data had missing values, and the clock. ``rate`` (Hz) is that of the training data, None where
    unknown; ``length`` its median number of samples and ``longest`` its largest. ``scales [1 + derivatives, C]``
    are the spreads of the values and of their differences; ``given`` is the rate of what comes in, where it
    differs (see ``at``).
    """

    spec: SeriesSpec
    channels: tuple[str, ...]
    rate: float | None
    mean: tuple[float, ...]
    scales: tuple[tuple[float, ...], ...]
    masked: tuple[bool, ...]
    length: float
    longest: float
    given: float | None = None

    @classmethod
    def fit(cls, recordings: Iterable[Any], spec: SeriesSpec | None = None, *, rate: float | None = None) -> Self:
        """Fit on what ``encode`` takes. Raises DataError if there is none, or if they do not go together.

        Recordings of different known rates are brought to the median one; a recording that does not say its
        rate is taken to have ``rate``, by default that median.
        """
        spec = spec or SeriesSpec()
        given = [as_recording(raw) for raw in recordings]
        if not given:
            raise DataError("no recordings to fit on; give at least one")
        names = next((r.channels for r in given if r.channels), ())
        width = given[0].array.shape[1]
        channels = names if len(names) == width else tuple(str(i + 1) for i in range(width))
        if rate is not None:
            rate = _checked_rate(rate)
            given = [r if r.rate is not None else replace(r, rate=rate) for r in given]
        rates = [r.rate for r in given if r.rate is not None]
        rate = float(np.median(rates)) if rates else None
        if rate is not None and spec.max_rate:
            rate = min(rate, spec.max_rate)
        ones = (1.0,) * width
        scales = tuple(ones for _ in range(spec.derivatives + 1))
        bare = cls(spec, channels, rate, (0.0,) * width, scales, (False,) * width, 1.0, 1.0)
        values, missing = ChannelMoments(width), np.zeros(width, dtype=bool)
        differences = [ChannelMoments(width) for _ in range(spec.derivatives)]
        lengths = []
        for recording in given:
            array = bare._checked(recording)
            missing |= np.isnan(array).any(axis=0)
            values.add(array)
            lengths.append(len(array))
            filled = array
            for moments in differences:
                # Only between neighbours that are both there; what is carried forward does not move.
                filled = np.diff(filled, axis=0)
                moments.add(filled)
        standard = spec.normalise == "standard"
        return cls(
            spec, channels, rate,
            mean=tuple(values.mean.tolist()) if standard else bare.mean,
            scales=tuple(m.spread() for m in (values, *differences)) if standard else scales,
            masked=tuple(missing.tolist()),
            length=float(np.median(lengths)),
            longest=float(max(lengths)),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """How many features a step has (D)."""
        return len(self.channels) * (1 + self.spec.derivatives) + sum(self.masked) + self.spec.clock

    def at(self, rate: float) -> SeriesCodec:
        """This codec for recordings that come at another rate (Hz) and do not say so.

        Raises UsageError if the rate of the training data is not known.
        """
        rate = _checked_rate(rate)
        if self.rate is None:
            raise UsageError(
                f"rate {rate:g}: the model does not know the rate it was trained at, so that it cannot resample; "
                "leave it out, or train on recordings with a rate"
            )
        return replace(self, given=rate)

    # -- whole recordings --------------------------------------------------------------------------------

    def encode(self, raw: Any) -> np.ndarray:
        """One recording as features ``[T, D]``: an array ``[T, C]`` or ``[T]``, a path, or a ``Recording``.

        Raises DataError for one that is empty, has no value at all, other channels, infinite values or text.
        """
        array = self._checked(as_recording(raw))
        if np.isnan(array).all():
            raise DataError("every value of the recording is missing; give one with values")
        return self._features(array, _Carried())

    def incremental(self, pending: Any = None) -> SeriesFeeder:
        """A feeder that takes samples in any pieces and gives a step a sample (of the model's rate)."""
        return SeriesFeeder(self, pending)

    def _checked(self, recording: Recording) -> Array:
        """The samples with their channels in this codec's order, at its rate."""
        array = recording.array
        if not array.size:
            raise DataError("the recording is empty; give at least one sample")
        array = self._ordered(array, recording.channels)
        rate = recording.rate or self.given
        if rate is not None and self.rate is not None and rate != self.rate:
            array = resample_series(array, rate, self.rate)
        return array

    def _ordered(self, array: Array, names: Sequence[str] = ()) -> Array:
        """Check the number of channels, and follow their names where those are the same in another order."""
        steps, width = array.shape
        if width != len(self.channels):
            shown = ", ".join(self.channels[:8]) + (", …" if len(self.channels) > 8 else "")
            advice = "give samples as rows, [T, C]" if steps == len(self.channels) else "give those alone"
            raise DataError(
                f"{width} channel{'s' * (width != 1)} where {len(self.channels)} are expected ({shown}); {advice}"
            )
        if names and tuple(names) != self.channels and sorted(names) == sorted(self.channels):
            return array[:, [list(names).index(name) for name in self.channels]]
        return array

    @cached_property
    def _figures(self) -> tuple[Array, list[Array], npt.NDArray[np.int64]]:
        """Mean, spreads by order, and the channels that are marked, as arrays: a stream needs them at every sample."""
        scales = [np.asarray(row, np.float32) for row in self.scales]
        return np.asarray(self.mean, np.float32), scales, np.flatnonzero(self.masked)

    def _features(self, array: Array, carried: _Carried) -> Array:
        """Samples to features ``[T, D]``; ``carried`` is what the samples before left, and is brought up to date."""
        mean, scales, masked = self._figures
        if carried.last is None:
            carried.last = mean
        missing = np.isnan(array)
        current = filled = _forward(array, missing, carried.last)
        count, width = array.shape
        found: Array = np.empty((count, self.size), dtype=np.float32)
        # Before the second sample nothing has moved, and before the third nothing has gathered speed.
        orders, end = carried.orders, width
        with np.errstate(over="ignore"):  # what a tiny spread blows up is clipped
            np.divide(filled - mean, scales[0], out=found[:, :width])
            for order in range(self.spec.derivatives):
                known = order < len(orders)
                moved = np.empty_like(current)
                moved[0] = current[0] - (orders[order] if known else current[0] if order == 0 else 0)
                moved[1:] = current[1:] - current[:-1]
                orders[order : order + 1] = [current[-1].copy()]
                np.divide(moved, scales[order + 1], out=found[:, end : end + width])
                current, end = moved, end + width
        values = found[:, :end]
        np.minimum(np.maximum(values, -self.spec.clip, out=values), self.spec.clip, out=values)
        if len(masked):
            found[:, end : end + len(masked)] = missing[:, masked]
        if self.spec.clock:
            steps = np.arange(carried.count + 1, carried.count + count + 1, dtype=np.float64)
            found[:, -1] = 4 * steps / (steps + self.length) - 2
        carried.last = filled[-1].copy()
        carried.count += count
        return found

    # -- files -------------------------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        values = {
            "series": to_dict(self.spec), "channels": list(self.channels), "rate": self.rate,
            "mean": list(self.mean), "scales": [list(row) for row in self.scales], "masked": list(self.masked),
            "length": self.length, "longest": self.longest,
        }  # fmt: skip
        return json_file(FILE, values)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        keys = ("series", "channels", "rate", "mean", "scales", "masked", "length", "longest")
        values = read_json_file(files, FILE, *keys)
        spec = from_dict(SeriesSpec, values["series"], where=FILE, error=CheckpointError)
        try:
            codec = cls(
                spec,
                tuple(map(str, values["channels"])),
                None if values["rate"] is None else float(values["rate"]),
                tuple(map(float, values["mean"])),
                tuple(tuple(map(float, row)) for row in values["scales"]),
                tuple(map(bool, values["masked"])),
                float(values["length"]),
                float(values["longest"]),
            )
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{FILE}: not numbers where numbers belong; copy the checkpoint again") from error
        width = len(codec.channels)
        shapes = {len(codec.mean), len(codec.masked), *map(len, codec.scales)}
        if not width or shapes != {width} or len(codec.scales) != 1 + spec.derivatives:
            raise CheckpointError(f"{FILE}: not figures for {width} channels; copy the checkpoint again")
        above = (codec.length, codec.longest, *(scale for row in codec.scales for scale in row))
        if not all(0 < value < math.inf for value in above):
            raise CheckpointError(f"{FILE}: a spread or a length that is not above 0; copy the checkpoint again")
        return codec


@dataclass
class _Carried:
    """What the next sample's features need of those before: the last value known, and of each order of differences."""

    last: Array | None = None
    orders: list[Array] = None  # type: ignore[assignment]
    count: int = 0

    def __post_init__(self) -> None:
        self.orders = self.orders if self.orders is not None else []


class SeriesFeeder:
    """Samples in pieces to steps. A step's raw value is its number, from 0, at the model's rate.

    A piece is ``[n, C]``, one sample ``[C]``, or ``[n]`` of a single channel; None or NaN is a missing value.
    """

    def __init__(self, codec: SeriesCodec, pending: Mapping[str, Any] | None = None) -> None:
        self._codec = codec
        self._carried = _Carried()
        held = None
        if pending:
            rows = [np.asarray(row, dtype=np.float32) for row in (pending["last"], *pending["orders"])]
            self._carried = _Carried(rows[0], rows[1:], pending["count"])
            if pending.get("held") is not None:
                held = np.asarray(pending["held"], dtype=np.float32).reshape(-1, len(codec.channels))
        start, done = (pending["start"], pending["done"]) if pending and held is not None else (0, 0)
        self._resampler = self._resampling(codec.given, held, start, done)

    def _resampling(
        self, rate: float | None, held: Array | None = None, start: int = 0, done: int = 0
    ) -> LinearResampler | None:
        """From ``rate`` to the model's, where both are known and differ."""
        if rate is None or self._codec.rate is None or rate == self._codec.rate:
            return None
        return LinearResampler(rate, self._codec.rate, held, start, done)

    @property
    def pending(self) -> dict[str, Any] | None:
        """What goes on from here, as JSON; None before the first sample."""
        carried, resampler = self._carried, self._resampler
        if carried.last is None and (resampler is None or resampler.held is None):
            return None
        last = carried.last if carried.last is not None else np.asarray(self._codec.mean, np.float32)
        state: dict[str, Any] = {
            "last": last.tolist(), "orders": [row.tolist() for row in carried.orders], "count": carried.count,
        }  # fmt: skip
        if resampler is not None and resampler.held is not None:
            held = [[None if math.isnan(v) else v for v in row] for row in resampler.held.tolist()]
            state |= {"held": held, "start": resampler.start, "done": resampler.done}
        return state

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        width = len(self._codec.channels)
        names: tuple[str, ...] = ()
        where = ""
        if isinstance(piece, Recording):
            if self._carried.last is None and self._resampler is None:
                self._resampler = self._resampling(piece.rate or self._codec.given)
            piece, names, where = piece.array, piece.channels, piece.where
        if isinstance(piece, str | bytes | Path):
            raise DataError(f"expected samples, got {type(piece).__name__}; feed numbers [n, {width}]")
        if isinstance(piece, np.ndarray | list | tuple) and width > 1 and len(piece) and _is_flat(piece):
            piece = piece[None] if isinstance(piece, np.ndarray) else [piece]
        rows = as_array(piece, where or "the samples")
        if not rows.size:
            return []
        try:
            rows = self._codec._ordered(rows, names)
        except DataError as error:
            raise DataError(f"{where}: {error}" if where else str(error)) from None
        return self._steps(rows if self._resampler is None else self._resampler.feed(rows))

    def flush(self) -> list[tuple[Any, np.ndarray]]:
        return [] if self._resampler is None else self._steps(self._resampler.flush())

    def _steps(self, rows: Array) -> list[tuple[Any, np.ndarray]]:
        if not len(rows):
            return []
        first = self._carried.count
        features = self._codec._features(rows, self._carried)
        return [(first + i, features[i : i + 1]) for i in range(len(features))]


def _forward(array: Array, missing: npt.NDArray[np.bool_], last: Array) -> Array:
    """Missing values replaced by the last one known of their channel."""
    if not missing.any():
        return array
    steps = np.where(missing, -1, np.arange(len(array))[:, None])
    known = np.maximum.accumulate(steps, axis=0)
    return np.where(known >= 0, np.take_along_axis(array, np.maximum(known, 0), axis=0), last)


def _is_flat(piece: Any) -> bool:
    return piece.ndim == 1 if isinstance(piece, np.ndarray) else not any(np.ndim(row) for row in piece)


def _checked_rate(rate: float) -> float:
    if not 0 < rate < math.inf:
        raise UsageError(f"rate {rate:g}: give samples a second, above 0")
    return rate


def as_recording(raw: Any) -> Recording:
    """What ``encode`` takes, as a recording. Raises DataError for what is none."""
    if isinstance(raw, Recording):
        return raw
    if isinstance(raw, str | Path):
        return open_recording(raw)
    if isinstance(raw, bytes | Mapping) or raw is None:
        raise DataError(f"expected a recording, got {type(raw).__name__}; pass numbers [T, C] or a path")
    return Recording(array=as_array(raw))
