"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.metrics import (
    accuracy,
    bleu_and_chrf,
    confusion,
    edits,
    error_rates,
    macro_f1,
    pearson_r,
    per_source,
    sign_accuracy,
)
from suite.task import Example

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


@pytest.mark.parametrize(
    ("found", "wanted", "count"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("ab", "ba", 2), ("xabc", "abc", 1)],
)
def test_edits_are_the_fewest(found: str, wanted: str, count: int) -> None:
    assert edits(found, wanted) == edits(wanted, found) == count


def test_error_rates_are_over_all_words_and_letters_that_are_wanted() -> None:
    figures = error_rates(["press one", "hello there you"], ["press won", "hello you"])
    assert figures["wer"] == 0.5
    assert figures["cer"] == pytest.approx(8 / 18, abs=1e-4)
    low, high = figures["wer_95"]
    assert low <= 0.5 <= high
    assert error_rates(["a"], ["a"]) == {"wer": 0.0, "cer": 0.0, "wer_95": [0.0, 0.0]}
    assert error_rates(["a b c"], ["a"])["wer"] == 2.0, "there may be more errors than words"
    assert math.isnan(error_rates([], [])["wer"])


def test_an_interval_is_narrower_the_more_texts_there_are() -> None:
    few = error_rates(["a", "b"] * 10, ["a", "c"] * 10)["wer_95"]
    many = error_rates(["a", "b"] * 500, ["a", "c"] * 500)["wer_95"]
    assert many[1] - many[0] < few[1] - few[0] < 0.6


def test_figures_of_each_source_are_apart_and_in_order() -> None:
    examples = [Example(input=i, values={"source": name} if name else {}) for i, name in enumerate("bab")]
    examples.append(Example(input=3, values={}))  # of no source, so in none
    found = per_source("wxyz", examples, lambda results, some: {"found": results, "of": [one.input for one in some]})
    assert list(found) == ["a", "b"]
    assert found["b"] == {"found": ["w", "y"], "of": [0, 2]}
    assert per_source("z", examples[3:], lambda results, some: {}) == {}
