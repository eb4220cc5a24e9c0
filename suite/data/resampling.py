"""Series from one sample rate to another, in pieces of any size."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suite.errors import DataError

Array = npt.NDArray[np.float32]


class LinearResampler:
    """From one sample rate to another, in pieces of any size: ``feed``, then ``flush``.

    A sample stands for the stretch of time halfway to its neighbours; output k lies at source position
    ``k · rate_from / rate_to``. Going up, it is interpolated between the two samples around it. Going down, it
    is the mean over its own stretch of time, which keeps out what the lower rate cannot hold (a box filter;
    simple, and enough for movements). Missing values do not count; where nothing counts the result is missing.
    An output waits for the samples it needs, at most one of its own stretches; memory is bounded by that.
    """

    def __init__(self, rate_from: float, rate_to: float, held: Array | None = None, start: int = 0, done: int = 0):
        if not (0 < rate_from < math.inf and 0 < rate_to < math.inf):
            raise DataError(f"cannot resample from {rate_from:g} to {rate_to:g} samples a second; give rates above 0")
        self.ratio = rate_from / rate_to
        self.held, self.start, self.done = held, start, done  # samples kept, the first one's number, outputs given

    def feed(self, rows: Array) -> Array:
        """The outputs ``[n, C]`` that these samples ``[m, C]`` complete."""
        self.held = rows if self.held is None else np.concatenate([self.held, rows])
        total = self.start + len(self.held)
        # An output is complete when no later sample can touch it.
        reach = (total - 1.5 if self.ratio > 1 else total - 2) - (self.ratio / 2 if self.ratio > 1 else 0)
        return self._until(math.floor(reach / self.ratio) + 1, total)

    def flush(self) -> Array:
        """The outputs that waited for samples that never came."""
        if self.held is None:
            return np.zeros((0, 0), dtype=np.float32)
        total = self.start + len(self.held)
        return self._until(math.floor((total - 1) / self.ratio + 1e-9) + 1 if total else 0, total)

    def _until(self, end: int, total: int) -> Array:
        assert self.held is not None
        outputs = np.arange(self.done, max(end, self.done), dtype=np.float64)
        at = outputs * self.ratio
        wide = max(self.ratio, 1.0)
        low = np.floor(at - wide / 2 + 0.5).astype(np.int64) if self.ratio > 1 else np.floor(at).astype(np.int64)
        sums = np.zeros((len(at), self.held.shape[1]))
        weights = np.zeros_like(sums)
        for tap in range(math.ceil(wide) + 1):
            index = low + tap
            if self.ratio > 1:
                weight = np.minimum(at + wide / 2, index + 0.5) - np.maximum(at - wide / 2, index - 0.5)
            else:
                weight = 1 - np.abs(at - index)
            weight = np.where((index >= 0) & (index < total), np.maximum(weight, 0), 0)[:, None]
            values = self.held[np.clip(index - self.start, 0, len(self.held) - 1)] if len(at) else sums
            there = ~np.isnan(values)
            sums += np.where(there, values, 0) * weight
            weights += there * weight
        self.done += len(at)
        # Keep what the next output may still touch.
        keep = math.floor(self.done * self.ratio - (wide / 2 if self.ratio > 1 else 0)) - 1
        drop = min(max(keep - self.start, 0), len(self.held))
        self.held, self.start = self.held[drop:], self.start + drop
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = np.where(weights > 1e-9, sums / weights, np.nan).astype(np.float32)
        return found


def resample_series(array: Array, rate_from: float, rate_to: float) -> Array:
    """``[T, C]`` at one sample rate to another: interpolated going up, averaged going down. See ``LinearResampler``.

    Gives ``floor((T − 1) · rate_to / rate_from) + 1`` samples; the first one stays where it is.
    """
    if rate_from == rate_to or not len(array):
        return array
    resampler = LinearResampler(rate_from, rate_to)
    return np.concatenate([resampler.feed(array), resampler.flush()])
