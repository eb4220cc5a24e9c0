"""CIDEr against the values that the COCO challenge's own code gives for the same words."""

from __future__ import annotations

import math

import pytest

from suite.metrics import cider

FOUND = [
    "a man riding a wave on top of a surfboard", "a cat sitting on a bench", "two dogs play in the green grass",
    "a plate of food with meat and vegetables", "a red bus",
]  # fmt: skip
REFERENCES = [
    ["a man rides a wave on a surfboard", "a surfer riding a big wave in the ocean", "a man riding a wave on top of a "
     "surfboard"],
    ["a cat sits on a wooden bench", "a grey cat lying on a bench outside"],
    ["two dogs are playing in the grass", "a couple of dogs running through green grass", "dogs"],
    ["a plate with meat and potatoes", "a dinner plate of food with vegetables"],
    ["a double decker bus on a city street"],
]  # fmt: skip

# What the package pycocoevalcap, version 1.2, gives for these words.
PUBLISHED = 2.5842937859623776
BY_ITSELF = {0: 4.806376228259609, 1: 2.1491426396349738, 3: 3.900024575128003, 4: 0.5531103334639202}


def test_it_is_what_the_challenges_own_code_gives() -> None:
    assert cider(FOUND, REFERENCES) == pytest.approx(PUBLISHED, abs=1e-12)
    last = [texts[-1] for texts in REFERENCES]
    assert cider(last, REFERENCES) == pytest.approx(5.419985796675967, abs=1e-12)
    stuttering = ["a a a a a cat", *FOUND[1:]]
    assert cider(stuttering, REFERENCES) == pytest.approx(1.6230185403104556, abs=1e-12)


@pytest.mark.parametrize("item", BY_ITSELF)
def test_each_item_has_the_published_share(item: int) -> None:
    blanked = [text if number == item else "" for number, text in enumerate(FOUND)]
    assert cider(blanked, REFERENCES) * len(FOUND) == pytest.approx(BY_ITSELF[item], abs=1e-12)


def test_the_same_words_are_ten_and_others_nothing() -> None:
    texts = ["one two three four", "five six seven eight"]
    assert cider(texts, [[text] for text in texts]) == pytest.approx(10)
    assert cider(texts[::-1], [[text] for text in texts]) == 0
    assert cider(["", ""], [[text] for text in texts]) == 0


def test_what_all_say_says_nothing() -> None:
    assert cider(["a cat", "a cat"], [["a cat"], ["a cat"]]) == 0


def test_case_and_punctuation_do_not_count_and_parts_of_a_word_do() -> None:
    wanted = [["woman: medium-dark skin tone"], ["the man's big dog"]]
    assert cider(["Woman, medium-dark skin tone!", "the man's big dog."], wanted) == pytest.approx(10)
    assert cider(["woman: medium skin tone", "the man's big dog"], wanted) < 9


def test_of_no_items_there_is_none() -> None:
    assert math.isnan(cider([], []))
