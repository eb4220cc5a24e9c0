"""Metrics of numbers against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from suite.metrics import (
    pearson_r,
    sign_accuracy,
)


def test_pearson_r() -> None:
    # Deviations (-1, 0, 1) and (-2, -1, 3): 5 / sqrt(2 · 14).
    assert pearson_r([1, 2, 3], [0, 1, 5]) == pytest.approx(5 / math.sqrt(28))
    assert pearson_r([1, 2, 3], [-1, -2, -3]) == pytest.approx(-1)
    for truth, found in (([1, 1, 1], [1, 2, 3]), ([1, 2], [5, 5]), ([1], [1]), ([], [])):
        assert math.isnan(pearson_r(truth, found))


def test_sign_accuracy() -> None:
    # The third item has no sign to get right.
    assert sign_accuracy([0.5, -0.5, 0.0, 0.1], [0.1, 0.2, 0.3, 0.0]) == pytest.approx(1 / 3)
    assert math.isnan(sign_accuracy([0.0], [1.0]))
    assert math.isnan(sign_accuracy([], []))
