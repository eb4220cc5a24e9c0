"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.metrics import accuracy, bleu_and_chrf, confusion, macro_f1, pearson_r, sign_accuracy

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


def test_confusion() -> None:
    table = confusion(TRUTH, FOUND, ["a", "b", "c"])
    np.testing.assert_array_equal(table, [[2, 1, 0], [0, 1, 1], [0, 1, 0]])
    np.testing.assert_array_equal(confusion([], [], ["a"]), [[0]])


@pytest.mark.parametrize("metric", [accuracy, macro_f1, sign_accuracy])
def test_lists_of_different_lengths(metric: object) -> None:
    with pytest.raises(ValueError):
        metric([1.0], [])  # type: ignore[operator]


def test_bleu_and_chrf_take_the_references_that_each_text_has() -> None:
    texts = ["the cat sat on the mat", "a dog ran in the park"]
    same = bleu_and_chrf(texts, [["another text", texts[0]], [texts[1]]], "judging")
    assert same["bleu"] == same["chrf"] == 100
    assert bleu_and_chrf(texts, [["nothing of it here"], ["nor of this"]], "judging")["bleu"] < 5
    assert bleu_and_chrf(texts, [[text] for text in texts], "judging")["bleu_signature"].startswith("nrefs:1|")
