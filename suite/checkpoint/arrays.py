"""Arrays as a file of a checkpoint; and the scale of rounding errors."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

import numpy as np

from suite.errors import CheckpointError, one_line


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of an ``.npz`` file of arrays, the same for the same arrays."""
    place = io.BytesIO()
    np.savez_compressed(place, **arrays)  # type: ignore[arg-type]
    return place.getvalue()


def unpacked(files: Mapping[str, bytes], name: str) -> dict[str, np.ndarray]:
    """The arrays of one of a checkpoint's files. Raises CheckpointError if it is missing or damaged."""
    import zipfile  # imported here, since most commands read no arrays

    try:
        with np.load(io.BytesIO(files[name]), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (
        KeyError, ValueError, TypeError, AttributeError, NotImplementedError, OSError, EOFError, zlib.error,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise CheckpointError(f"{name}: not an array file ({one_line(error)}); copy the checkpoint again") from error


def row_scale(right: np.ndarray) -> np.ndarray:
    """The scale of rounding errors of ``right``: 1, or the largest magnitude of its row if that is more.

    A value is rounded as part of a row whose terms are as large as the largest: among scores of several hundred, one
    near zero has an error as large as the others.

    Args:
        right: The reference values, ``[…, K]``, or ``[N]`` for one value per row.

    Returns:
        The scale of each row, ``[…, 1]``, or ``[N]``.
    """
    sizes = np.abs(right.astype(np.float64))  # of booleans too
    largest = sizes.max(axis=-1, keepdims=True, initial=0) if right.ndim > 1 else sizes
    return np.asarray(np.maximum(1, largest))
