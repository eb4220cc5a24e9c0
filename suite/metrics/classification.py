"""Metrics of labels: accuracy, F1, precision and recall of each class, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from suite.data.natural_order import natural_key


def accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    """Accuracy: the share of predicted labels that are right, 0 … 1; NaN for no items."""
    return float(np.mean([a == b for a, b in zip(truth, found, strict=True)])) if truth else float("nan")


class _Counts(NamedTuple):
    """How often a label is right, is the true one, and is predicted."""

    right: int
    true: int
    predicted: int

    @property
    def f1(self) -> float:
        """2 · precision · recall / (precision + recall), written so that it is defined for any label that occurs."""
        return 2 * self.right / (self.true + self.predicted)


def _counts(truth: Sequence[str], found: Sequence[str]) -> dict[str, _Counts]:
    """The counts of every label that occurs in either, sorted."""
    pairs = list(zip(truth, found, strict=True))
    return {
        label: _Counts(
            sum(a == b == label for a, b in pairs), sum(a == label for a, _ in pairs), sum(b == label for _, b in pairs)
        )
        for label in sorted({*truth, *found})
    }


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    """Macro F1: the mean of the labels' F1, 0 … 1, over every label that occurs in either; NaN for no items."""
    scores = [counts.f1 for counts in _counts(truth, found).values()]
    return float(np.mean(scores)) if scores else float("nan")


def per_class(truth: Sequence[str], found: Sequence[str]) -> dict[str, dict[str, float]]:
    """Figures of every label that occurs in either, in natural order.

    Returns:
        By label: ``items``, how many have it, and ``precision``, ``recall`` and ``f1``, 0 … 1, NaN for 0 / 0.
    """
    counts = _counts(truth, found)
    return {
        label: {
            "items": counts[label].true,
            "precision": _share(counts[label].right, counts[label].predicted),
            "recall": _share(counts[label].right, counts[label].true),
            "f1": counts[label].f1,
        }
        for label in sorted(counts, key=natural_key)
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def confusion(truth: Sequence[str], found: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Confusion matrix ``[K, K]`` (int64): rows are true labels, columns predicted ones, in the order of ``names``."""
    index = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    for a, b in zip(truth, found, strict=True):
        table[index[a], index[b]] += 1
    return table
