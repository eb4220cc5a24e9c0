"""Arrays as a file of a checkpoint, the same bytes for the same arrays; and what their errors are held to."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

import numpy as np

from suite.errors import CheckpointError, one_line


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The content of an ``.npz`` with some arrays."""
    place = io.BytesIO()
    np.savez_compressed(place, **arrays)  # type: ignore[arg-type]
    return place.getvalue()


def unpacked(files: Mapping[str, bytes], name: str) -> dict[str, np.ndarray]:
    """The arrays of one of a checkpoint's files. Raises CheckpointError where it is not there, or holds none."""
    import zipfile  # only where there are arrays: a command that reads none starts without it

    try:
        with np.load(io.BytesIO(files[name]), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (
        KeyError, ValueError, TypeError, AttributeError, NotImplementedError, OSError, EOFError, zlib.error,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise CheckpointError(f"{name}: not arrays ({one_line(error)}); copy the checkpoint again") from error


def row_scale(right: np.ndarray) -> np.ndarray:
    """What a difference from ``right`` is held to: 1, or the largest of its row if that is more, ``[…, 1]``.

    Of one number an item, ``[N]``, each is held to itself.

    What is rounded are sums whose terms are as large as the row's values: of scores of several hundred, one that comes
    out near zero is as far off as the others.
    """
    sizes = np.abs(right.astype(np.float64))  # a mask has sizes too
    largest = sizes.max(axis=-1, keepdims=True, initial=0) if right.ndim > 1 else sizes
    return np.asarray(np.maximum(1, largest))
