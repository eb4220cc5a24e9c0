"""Audio from one sample rate to another by a windowed sinc filter, in pieces of any size."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from suite.data.audio import Samples

#: Zero crossings of the resampling filter on either side, its Kaiser window, and its corner as a share of the band.
CROSSINGS, KAISER, CORNER = 24, 9.0, 0.93
#: Outputs that are computed together.
OUTPUTS_PER_BLOCK = 4096


class SincResampler:
    """From one sample rate to another, in pieces of any size: ``feed``, then ``flush``; the same bits for any pieces.

    Output k lies at input ``k · rate_from / rate_to`` and is a weighted sum of the inputs around it, by a sinc under
    a Kaiser window that passes what both rates can hold (Smith and Gossett, 1984). The ratio is kept as whole numbers,
    so that no length drifts. ``pending`` is all that it holds, as JSON, which a C library's stream cannot say.
    """

    def __init__(self, rate_from: int, rate_to: int, pending: Any = None) -> None:
        common = math.gcd(rate_from, rate_to)
        self.up, self.down = rate_to // common, rate_from // common
        self._table = _filter(self.up, self.down)
        self._reach = self._table.shape[1] // 2
        # Before the first sample there is silence; held[0] is input number start.
        pending = pending or {"held": [0.0] * self._reach, "start": -self._reach, "done": 0}
        self._held, self._start = np.asarray(pending["held"], np.float32), int(pending["start"])
        self._done = int(pending["done"])

    @property
    def pending(self) -> dict[str, Any]:
        """What is held back, as JSON."""
        return {"held": self._held.tolist(), "start": self._start, "done": self._done}

    def feed(self, samples: Samples) -> Samples:
        """The outputs ``[n]`` that these samples ``[m]`` complete."""
        self._held = np.concatenate([self._held, samples])
        # An output is complete when the last input that it reaches is there.
        known = self._start + len(self._held) - self._reach
        return self._until(max(0, -(-known * self.up // self.down)))

    def flush(self) -> Samples:
        """The outputs that waited for samples that never came."""
        total = self._start + len(self._held)
        self._held = np.concatenate([self._held, np.zeros(self._reach, np.float32)])
        return self._until(max(0, -(-total * self.up // self.down)))

    def _until(self, end: int) -> Samples:
        outputs = np.arange(self._done, max(end, self._done), dtype=np.int64)
        at, phases = np.divmod(outputs * self.down, self.up)
        found = np.empty(len(outputs), np.float32)
        windows = None
        for start in range(0, len(outputs), OUTPUTS_PER_BLOCK):
            if windows is None:
                windows = np.lib.stride_tricks.sliding_window_view(self._held, self._table.shape[1])
            some = slice(start, start + OUTPUTS_PER_BLOCK)
            found[some] = (windows[at[some] - self._reach - self._start] * self._table[phases[some]]).sum(axis=1)
        self._done += len(outputs)
        # What no later output reaches is let go.
        drop = max(0, self._done * self.down // self.up - self._reach - self._start)
        self._held, self._start = self._held[drop:], self._start + min(drop, len(self._held))
        return found


@cache
def _filter(up: int, down: int) -> Samples:
    """The weights ``[up, K]`` of the K inputs around an output, for each place that it can have between two."""
    wide = max(1.0, down / up)  # the corner is that of the lower rate
    reach = math.ceil(CROSSINGS * wide)
    apart = np.arange(-reach, reach + 1)[None, :] - np.arange(up)[:, None] / up
    inside = np.sqrt(np.maximum(0, 1 - (apart / (CROSSINGS * wide)) ** 2))
    shape = np.sinc(apart * CORNER / wide) * np.i0(KAISER * inside) * (np.abs(apart) <= CROSSINGS * wide)
    # Silence stays silence and a constant a constant, at every place.
    found: Samples = (shape / shape.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def resample_audio(samples: Samples, rate_from: int, rate_to: int) -> Samples:
    """Samples ``[n]`` of one rate at another, ``ceil(n · rate_to / rate_from)`` of them."""
    if rate_from == rate_to:
        return samples
    resampler = SincResampler(rate_from, rate_to)
    return np.concatenate([resampler.feed(samples), resampler.flush()])
