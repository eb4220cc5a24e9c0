"""What all laws share: how one is broken, and when two ways to the same number agree."""

from __future__ import annotations

import numpy as np

from suite.checkpoint.arrays import row_scale

#: How far two ways to the same number may be apart, relative to max(1, |value|).
DOUBLE, SINGLE = 1e-9, 1e-4


class LawBroken(AssertionError):
    """A law does not hold; the message says which, where and by how much."""


def same(
    law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float, *, rows: bool = False
) -> None:  # fmt: skip
    """Raise LawBroken unless two arrays agree to ``tolerance · max(1, |wanted|)`` everywhere.

    Of a model's outputs, ``rows``, |wanted| is the largest of a row (`suite.checkpoint.arrays.row_scale`).
    """
    if found.shape != wanted.shape:
        raise LawBroken(f"{law}: {where} has shape {found.shape}, expected {wanted.shape}")
    if not found.size:
        return
    scale = row_scale(wanted) if rows else np.maximum(1, np.abs(wanted))
    error = np.abs(found.astype(np.float64) - wanted) / scale
    error = np.where(np.isfinite(error), error, np.inf)
    if float(error.max()) > tolerance:
        at = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
        raise LawBroken(
            f"{law}: {where} differs by {float(error.max()):.1e} at {list(at)}: {float(found[at]):.6g} where "
            f"{float(wanted[at]):.6g} is expected (allowed: {tolerance:.0e})"
        )
