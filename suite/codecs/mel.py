"""Mel filter banks: the weights that sum a power spectrum into bands evenly spaced in mels."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from suite.data.audio import Samples


@cache
def mel_bank(mels: int, size: int, rate: int, low: float, high: float) -> Samples:
    """Triangles ``[size / 2 + 1, mels]`` that overlap by half, evenly spaced in mels (O'Shaughnessy, 1987).

    The weights of a band add up to one: a band's energy is a mean power.
    """

    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    edges = 700 * (10 ** (np.linspace(mel(low), mel(high), mels + 2) / 2595) - 1)
    places = np.linspace(0, rate / 2, size // 2 + 1)[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    bank = np.maximum(0, np.minimum(rising, falling))
    # A band that lies between two frequencies takes the nearer one.
    for band in np.flatnonzero(bank.sum(0) == 0):
        bank[np.abs(places[:, 0] - edges[band + 1]).argmin(), band] = 1.0
    found: Samples = (bank / bank.sum(0)).astype(np.float32)
    return found
