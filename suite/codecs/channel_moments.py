"""Mean and standard deviation of each channel, accumulated array by array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class ChannelMoments:
    """Mean and spread of each channel, over any number of arrays, missing values left out (Chan et al., 1979)."""

    def __init__(self, width: int) -> None:
        self.count, self.mean, self.squares = (np.zeros(width) for _ in range(3))

    def add(self, array: npt.NDArray[Any]) -> None:
        """Take in the rows of ``array [T, C]``; NaN is missing."""
        there = ~np.isnan(array)
        count = there.sum(axis=0)
        values = np.where(there, array, 0).astype(np.float64)
        mean = values.sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(there, values - mean, 0) ** 2).sum(axis=0)
        total = np.maximum(self.count + count, 1)
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count += count

    def spread(self) -> tuple[float, ...]:
        """The standard deviation, or 1 for a channel that stands still."""
        spread = np.sqrt(self.squares / np.maximum(self.count, 1))
        # What is left of a constant after rounding is no spread.
        still = spread <= 1e-6 * np.maximum(np.abs(self.mean), 1e-6)
        return tuple(np.where(still, 1.0, spread).tolist())
