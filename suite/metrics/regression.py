"""Metrics of numbers: correlation, and agreement in sign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pearson_r(truth: Sequence[float], found: Sequence[float]) -> float:
    """Pearson's correlation coefficient, −1 … 1; NaN where either side does not vary."""
    a, b = np.asarray(truth, np.float64), np.asarray(found, np.float64)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def sign_accuracy(truth: Sequence[float], found: Sequence[float]) -> float:
    """The share of values whose sign is right, 0 … 1, over items whose true value is not zero; NaN for none."""
    pairs = [(a, b) for a, b in zip(truth, found, strict=True) if a != 0]
    return float(np.mean([np.sign(a) == np.sign(b) for a, b in pairs])) if pairs else float("nan")
