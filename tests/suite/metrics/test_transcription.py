"""Error rates against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from suite.metrics import (
    edit_distance,
    error_rates,
)


@pytest.mark.parametrize(
    ("found", "wanted", "count"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("ab", "ba", 2), ("xabc", "abc", 1)],
)
def test_edits_are_the_fewest(found: str, wanted: str, count: int) -> None:
    assert edit_distance(found, wanted) == edit_distance(wanted, found) == count


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
