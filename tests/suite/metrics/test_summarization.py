"""ROUGE against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.metrics import rouge
from suite.metrics.summarization import longest_common_subsequence, words


def test_words_are_stemmed_unless_they_are_short() -> None:
    assert words("The libraries' C++20 headers, was: UTF-8") == [
        "the",
        "librari",
        "c",
        "20",
        "header",
        "was",
        "utf",
        "8",
    ]


@pytest.mark.parametrize(("a", "b", "length"), [("abcde", "ace", 3), ("abc", "cba", 1), ("", "a", 0), ("aab", "ab", 2)])
def test_the_longest_common_subsequence(a: str, b: str, length: int) -> None:
    assert longest_common_subsequence(a, b) == longest_common_subsequence(b, a) == length


def test_rouge() -> None:
    # 3 of 4 words and 3 of 5; 1 of 3 pairs (the cat) and 1 of 4; in order "the cat mat".
    found = rouge(["the cat mat red"], ["the cat on big mats"])
    assert found["rouge1"] == pytest.approx(2 * 3 / (4 + 5))
    assert found["rouge2"] == pytest.approx(2 * 1 / (3 + 4))
    assert found["rougeL"] == pytest.approx(2 * 3 / (4 + 5))
    # Another order costs pairs and the subsequence, not words.
    turned = rouge(["mat the cat"], ["the cat mat"])
    assert turned == {"rouge1": 1, "rouge2": pytest.approx(0.5), "rougeL": pytest.approx(2 / 3)}


def test_a_word_counts_as_often_as_both_have_it() -> None:
    assert rouge(["dog dog dog"], ["dog cat"])["rouge1"] == pytest.approx(2 * 1 / (3 + 2))


def test_the_mean_over_items_and_nothing() -> None:
    both = rouge(["a b", "x"], ["a b", "y"])
    assert both == {"rouge1": 0.5, "rouge2": 0.5, "rougeL": 0.5}
    assert rouge([""], ["a b"]) == rouge([""], [""]) == {"rouge1": 0, "rouge2": 0, "rougeL": 0}
    assert all(math.isnan(value) for value in rouge([], []).values())
    with pytest.raises(ValueError):
        rouge(["a"], [])


def test_it_is_what_rouge_score_says() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rougeL"], use_stemmer=True
    )
    random = np.random.default_rng(0)
    vocabulary = "library libraries for reading reads and writing of compressed compression files file format".split()
    for _ in range(100):
        ours, theirs = (" ".join(random.choice(vocabulary, size=random.integers(1, 12))) for _ in range(2))
        wanted = {name: score.fmeasure for name, score in scorer.score(theirs, ours).items()}
        assert rouge([ours], [theirs]) == pytest.approx(wanted)
