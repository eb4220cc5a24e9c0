"""Metrics of labels against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.metrics import (
    accuracy,
    confusion,
    macro_f1,
    per_class,
    sign_accuracy,
)

TRUTH = ["a", "a", "a", "b", "b", "c"]


FOUND = ["a", "a", "b", "b", "c", "b"]


def test_accuracy() -> None:
    assert accuracy(TRUTH, FOUND) == pytest.approx(3 / 6)
    assert accuracy(["a"], ["a"]) == 1
    assert math.isnan(accuracy([], []))


def test_macro_f1() -> None:
    # a: precision 2/2, recall 2/3, F1 4/5. b: precision 1/3, recall 1/2, F1 2/5. c: nothing right, F1 0.
    assert macro_f1(TRUTH, FOUND) == pytest.approx((4 / 5 + 2 / 5 + 0) / 3)
    # A label that is only predicted counts too.
    assert macro_f1(["a", "a"], ["a", "z"]) == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1(["a"], ["a"]) == 1
    assert math.isnan(macro_f1([], []))


def test_confusion() -> None:
    table = confusion(TRUTH, FOUND, ["a", "b", "c"])
    np.testing.assert_array_equal(table, [[2, 1, 0], [0, 1, 1], [0, 1, 0]])
    np.testing.assert_array_equal(confusion([], [], ["a"]), [[0]])


@pytest.mark.parametrize("metric", [accuracy, macro_f1, sign_accuracy])
def test_lists_of_different_lengths(metric: object) -> None:
    with pytest.raises(ValueError):
        metric([1.0], [])  # type: ignore[operator]


def test_figures_of_each_class() -> None:
    found = per_class(TRUTH, FOUND)
    assert found["a"] == {"items": 3, "precision": 1, "recall": pytest.approx(2 / 3), "f1": pytest.approx(4 / 5)}
    assert found["b"] == {"items": 2, "precision": pytest.approx(1 / 3), "recall": 0.5, "f1": pytest.approx(2 / 5)}
    assert np.mean([one["f1"] for one in found.values()]) == pytest.approx(macro_f1(TRUTH, FOUND))
    assert list(per_class(["10", "2"], ["2", "2"])) == ["2", "10"]
    assert math.isnan(per_class(["a"], ["z"])["a"]["precision"])
    assert math.isnan(per_class(["a"], ["z"])["z"]["recall"])
