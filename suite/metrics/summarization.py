"""ROUGE: how many words, pairs of words and ordered words a text shares with a reference (Lin, 2004)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from suite.metrics.porter_stemmer import stem


class Rouge(TypedDict):
    """F1 of single words, of pairs of words, and of the longest common subsequence, 0 … 1."""

    rouge1: float
    rouge2: float
    rougeL: float


def rouge(found: Sequence[str], wanted: Sequence[str]) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L (of the whole text, not sentence by sentence), F1 averaged over items, 0 … 1.

    Words are runs of a … z and 0 … 9 in lower case, those of more than three letters stemmed, as in Google's
    ``rouge_score``. F1 is 2 P R / (P + R), with precision P and recall R the shares of the text's and of the
    reference's units that match; 0 where nothing does. NaN for no items.

    Args:
        found: The generated texts.
        wanted: The reference of each.
    """
    scores = []
    for text, reference in zip(found, wanted, strict=True):
        a, b = words(text), words(reference)
        scores.append((_overlap(a, b, 1), _overlap(a, b, 2), _f1(longest_common_subsequence(a, b), len(a), len(b))))
    if not scores:
        return {"rouge1": float("nan"), "rouge2": float("nan"), "rougeL": float("nan")}
    one, two, longest = np.mean(scores, axis=0).tolist()
    return {"rouge1": one, "rouge2": two, "rougeL": longest}


def words(text: str) -> list[str]:
    """The stemmed words of a text."""
    return [stem(word) if len(word) > 3 else word for word in re.findall(r"[a-z0-9]+", text.lower())]


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest sequence that both contain in this order, gaps allowed."""
    before = [0] * (len(b) + 1)
    for item in a:
        row = [0]
        for j, other in enumerate(b, 1):
            row.append(before[j - 1] + 1 if item == other else max(before[j], row[-1]))
        before = row
    return before[-1]


def _overlap(a: Sequence[str], b: Sequence[str], n: int) -> float:
    """F1 of n-grams, each counted as often as both have it."""
    ours, theirs = (Counter(tuple(side[i : i + n]) for i in range(len(side) - n + 1)) for side in (a, b))
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def _f1(matching: int, ours: int, theirs: int) -> float:
    return 2 * matching / (ours + theirs) if matching else 0.0
