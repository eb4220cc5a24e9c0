"""What all laws share: how one is broken, and when two ways to the same number agree."""

from __future__ import annotations

import numpy as np

from suite.arrays import row_scale

#: How far two ways to the same number may be apart, relative to max(1, the largest of its row).
DOUBLE, SINGLE = 1e-9, 1e-4


class LawBroken(AssertionError):
    """A law does not hold; the message says which, where and by how much."""


def same(law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Raise LawBroken unless two arrays agree to ``tolerance`` times `suite.arrays.row_scale` everywhere."""
    if found.shape != wanted.shape:
        raise LawBroken(f"{law}: {where} has shape {found.shape}, expected {wanted.shape}")
    if not found.size:
        return
    error = np.abs(found.astype(np.float64) - wanted) / row_scale(wanted)
    error = np.where(np.isfinite(error), error, np.inf)
    if float(error.max()) > tolerance:
        at = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
        raise LawBroken(
            f"{law}: {where} differs by {float(error.max()):.1e} at {list(at)}: {float(found[at]):.6g} where "
            f"{float(wanted[at]):.6g} is expected (allowed: {tolerance:.0e})"
        )
