"""Word and character error rates, by edit distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np


class ErrorRates(TypedDict):
    """Word error rate, character error rate, and the 95 % interval of the first."""

    wer: float
    cer: float
    wer_95: list[float]


def edit_distance(found: Sequence[object], wanted: Sequence[object]) -> int:
    """Levenshtein distance: the fewest insertions, deletions and substitutions that turn one sequence into another."""
    before = list(range(len(wanted) + 1))
    for i, item in enumerate(found, 1):
        row = [i]
        for j, other in enumerate(wanted, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (item != other)))
        before = row
    return before[-1]


def error_rates(found: Sequence[str], wanted: Sequence[str]) -> ErrorRates:
    """Word and character error rates: edits over all texts, divided by the words (characters) of the references.

    They are 0 for no errors and can exceed 1. Spaces count as characters. ``wer_95`` is the 95 % bootstrap interval
    of ``wer`` over 1000 resamples of the texts (Bisani and Ney, 2004). All are NaN where the references are empty.
    """
    words = np.array(
        [(edit_distance(a.split(), b.split()), len(b.split())) for a, b in zip(found, wanted, strict=True)]
    )
    letters = np.array([(edit_distance(a, b), len(b)) for a, b in zip(found, wanted, strict=True)])
    if not len(words) or not words[:, 1].sum():
        return {"wer": float("nan"), "cer": float("nan"), "wer_95": [float("nan")] * 2}
    drawn = words[np.random.default_rng(0).integers(len(words), size=(1000, len(words)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), (0.025, 0.975))
    return {
        "wer": round(float(words[:, 0].sum() / words[:, 1].sum()), 4),
        "cer": round(float(letters[:, 0].sum() / letters[:, 1].sum()), 4),
        "wer_95": [round(float(low), 4), round(float(high), 4)],
    }
