"""The texts of the grammar."""

from __future__ import annotations

import re

import numpy as np
import pytest
from suite_speech.texts import KINDS, cardinal, digits_apart, plain_sentences

from suite.codecs.characters import spoken_form


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"), (17, "seventeen"), (40, "forty"), (83, "eighty three"), (100, "one hundred"),
        (412, "four hundred twelve"), (70_000, "seventy thousand"),
        (999_999, "nine hundred ninety nine thousand nine hundred ninety nine"),
    ],
)  # fmt: skip
def test_whole_numbers_in_words(number: int, words: str) -> None:
    assert cardinal(number) == words


def test_british_english() -> None:
    assert cardinal(105, joined=True) == "one hundred and five"
    assert cardinal(12_003, joined=True) == "twelve thousand and three"
    assert cardinal(1_200, joined=True) == "one thousand two hundred"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_gives_many_texts_of_letters(kind: str) -> None:
    found = [KINDS[kind](np.random.default_rng([1, i])) for i in range(300)]
    assert found[:5] == [KINDS[kind](np.random.default_rng([1, i])) for i in range(5)]
    assert len(set(found)) > 100
    for text in found:
        assert re.fullmatch(r"[A-Za-z' ,.]+", text)
        assert spoken_form(text)


def test_numbers_have_one_to_six_digits() -> None:
    found = [KINDS["numbers"](np.random.default_rng(i)).split() for i in range(200)]
    digits = {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
    alone = [words for words in found if set(words) <= digits]
    assert {len(words) for words in alone} == {1, 2, 3, 4, 5, 6}


def test_digits_are_words() -> None:
    assert spoken_form(digits_apart("Press 12.")) == "press one two"


def test_only_sentences_that_are_read_as_they_are_written() -> None:
    texts = ["It works well. Mr Who isn't here!", "Buy 2 now.", "The US army is big.", "Too short.", "A b c, d e f."]
    assert plain_sentences(texts) == ["It works well.", "A b c, d e f."]
