"""Batches of like length, and padding. Shapes: B rows, T steps, the longest row of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Items are sorted by length inside windows of this many batches: enough for little padding, few enough that
# a batch's company still changes from epoch to epoch.
BUCKET_BATCHES = 50
# The same where batches are filled by tokens, in items.
BUCKET_ITEMS = 25_000

#: How long an item is; or, where it is a pair, how long each side is.
Length = int | tuple[int, ...]


def batches_by_length(
    lengths: Sequence[Length], batch_size: int, seed: int, epoch: int, window: int = BUCKET_BATCHES
) -> list[list[int]]:
    """Batches of indices into ``lengths``, items of like length together, every index exactly once.

    The items are shuffled by (seed, epoch), sorted by length inside windows of ``window`` batches, cut into
    batches, and the batches are shuffled. The same arguments give the same batches. One batch may be short.
    Raises ValueError for a batch size or a window below one or a negative seed or epoch.
    """
    if min(batch_size, window) < 1:
        raise ValueError(f"batch_size and window must be at least 1, not {batch_size} and {window}")
    if seed < 0 or epoch < 0:
        raise ValueError(f"seed and epoch must not be negative, not {seed} and {epoch}")
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths)).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * window):
        near = sorted(order[start : start + batch_size * window], key=lambda index: _sides(lengths[index]))
        batches.extend(near[at : at + batch_size] for at in range(0, len(near), batch_size))
    return [batches[index] for index in random.permutation(len(batches)).tolist()]


def batches_by_tokens(lengths: Sequence[Length], tokens: int, seed: int, epoch: int) -> list[list[int]]:
    """Batches as `batches_by_length` makes them, each with as many items as make at most ``tokens`` when padded.

    The sides of a pair are padded each by itself and counted together. An item that is longer than ``tokens`` is a
    batch of its own. Raises ValueError for fewer tokens than one or a negative seed or epoch.
    """
    if tokens < 1:
        raise ValueError(f"tokens must be at least 1, not {tokens}")
    if seed < 0 or epoch < 0:
        raise ValueError(f"seed and epoch must not be negative, not {seed} and {epoch}")
    sides = [_sides(length) for length in lengths]
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(sides)).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), BUCKET_ITEMS):
        # By the longer side first, a batch has little padding on both.
        window = sorted(order[start : start + BUCKET_ITEMS], key=lambda i: (max(sides[i]), sum(sides[i])))
        batch: list[int] = []
        longest = (0,) * len(sides[0])
        for index in window:
            longest = tuple(map(max, longest, sides[index]))
            if batch and (len(batch) + 1) * sum(longest) > tokens:
                batches.append(batch)
                batch, longest = [], sides[index]
            batch.append(index)
        batches.append(batch)
    return [batches[index] for index in random.permutation(len(batches)).tolist()]


def pad(
    arrays: Sequence[npt.NDArray[Any]], value: float = 0, *, least: int = 0
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Rows ``[T_i, …]`` as one ``[B, T, …]`` filled up with ``value``, and their lengths ``[B]`` (int64).

    T is that of the longest row, and no less than ``least``. The dtype is the one that holds all rows'. Raises
    ValueError for no rows, a scalar row, or rows whose other dimensions differ.
    """
    if len(arrays) == 0:
        raise ValueError("nothing to pad: no rows")
    rows = [np.asarray(array) for array in arrays]
    if any(row.ndim == 0 for row in rows):
        raise ValueError("a row to pad needs a time axis: [T, …]")
    shapes = {row.shape[1:] for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"rows differ in more than their length: {sorted(shapes)}")
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    shape = (len(rows), max(int(lengths.max()), least), *rows[0].shape[1:])
    padded = np.full(shape, value, dtype=np.result_type(*rows))
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded, lengths


def padding_share(lengths: Sequence[Length], batches: Sequence[Sequence[int]]) -> float:
    """The share (0…1) of all positions in the padded batches that is padding; 0 where there are none."""
    sides = [_sides(length) for length in lengths]
    used = sum(sum(sides[index]) for batch in batches for index in batch)
    total = sum(
        len(batch) * sum(map(max, zip(*(sides[index] for index in batch), strict=True))) for batch in batches if batch
    )
    return 1 - used / total if total else 0.0


def _sides(length: Length) -> tuple[int, ...]:
    return (length,) if isinstance(length, int) else length
