"""Recordings changed a little, as another take of the same movement would differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from suite.augment.specs import SeriesChanges
from suite.data.series import Array

#: The pace changes from one of these to the next.
BENDS = 6


def augment_series(
    array: Array, spec: SeriesChanges, middle: Array, spread: Array, random: np.random.Generator
) -> Array:
    """A recording ``[T, C]``, randomly augmented to another, ``[T', C]`` with T' ≥ 1; missing values stay missing.

    ``middle`` and ``spread`` ``[C]`` are the channels' own, over all recordings.
    """
    changed: npt.NDArray[Any] = _cropped(array, spec.crop, random)
    if (spec.speed or spec.warp) and len(changed) > 1:
        changed = _warped(changed, spec, random)
    channels = array.shape[1]
    if spec.scale:
        changed = middle + (changed - middle) * np.exp(spec.scale * random.normal(size=channels))
    if spec.shift:
        changed = changed + spec.shift * spread * random.normal(size=channels)
    if spec.noise:
        changed = changed + spec.noise * spread * random.normal(size=changed.shape)
    if spec.drop and channels > 1:
        still = np.asarray(random.random(channels) < spec.drop)
        if not still.all():
            changed = np.where(still, middle, changed)
    found: Array = changed.astype(np.float32)
    return found


def _cropped(array: Array, share: float, random: np.random.Generator) -> Array:
    most = int(len(array) * share)
    if not most:
        return array
    first, last = random.integers(0, most + 1, size=2)
    left = array[int(first) : len(array) - int(last)]
    return left if len(left) > 1 else array


def _warped(array: Array, spec: SeriesChanges, random: np.random.Generator) -> Array:
    """The same movement at another pace, read off between the samples."""
    steps = max(2, round(len(array) * math.exp(spec.speed * random.normal())))
    pace = np.exp(np.interp(np.linspace(0, BENDS - 1, steps), np.arange(BENDS), spec.warp * random.normal(size=BENDS)))
    at = np.cumsum(pace)
    at = (at - at[0]) / (at[-1] - at[0]) * (len(array) - 1)
    before = np.minimum(at.astype(np.int64), len(array) - 2)
    share = (at - before)[:, None]
    with np.errstate(invalid="ignore"):
        found: Array = array[before] * (1 - share) + array[before + 1] * share
    return found
