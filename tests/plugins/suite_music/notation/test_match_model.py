"""What came next the last time."""

from __future__ import annotations

import json
import random

import pytest
from suite_music.notation.match_model import CLASSES, MatchModel


def hints(tokens: list[int]) -> list[tuple[int, int]]:
    reader = MatchModel()
    return [reader.read(token) for token in tokens]


def slow(tokens: list[int]) -> int:
    """What followed the longest earlier stretch that ends like the tokens; the latest of several."""
    best, hint = 1, -1
    for place in range(len(tokens) - 1, 1, -1):
        length = 0
        while length < place and tokens[place - 1 - length] == tokens[-1 - length]:
            length += 1
        if length > best:
            best, hint = length, tokens[place]
    return hint


def test_the_token_after_the_same_stretch_is_hinted_at() -> None:
    found = hints([1, 2, 3, 4, 9, 1, 2, 3, 4])
    assert found[:6] == [(-1, 0)] * 6
    assert found[6:] == [(3, 1), (4, 2), (9, 3)]


def test_the_longest_stretch_wins() -> None:
    assert hints([5, 1, 2, 3, 7, 1, 2, 8, 5, 1, 2])[-1] == (3, 2)
    assert hints([5, 1, 2, 3, 7, 1, 2, 8, 6, 1, 2])[-1] == (8, 1)


def test_hints_are_those_of_a_search_through_everything() -> None:
    """While few places are alike, the fast search finds what a slow one does."""
    generator = random.Random(0)
    tokens: list[int] = []
    for _ in range(40):
        start = generator.randrange(len(tokens)) if tokens and generator.random() < 0.6 else None
        piece = tokens[start : start + 9] if start is not None else [generator.randrange(60) for _ in range(5)]
        tokens += piece
    found = hints(tokens)
    agree = [found[i][0] == slow(tokens[: i + 1]) for i in range(len(tokens))]
    assert sum(agree) / len(agree) > 0.97


def test_classes_of_length_are_all_used_and_in_order() -> None:
    tokens = list(range(40)) * 2
    classes = [length for _, length in hints(tokens)][41:]
    assert classes == sorted(classes)
    assert set(classes) == set(range(1, CLASSES))


def test_memory_is_bounded_and_the_near_past_is_kept() -> None:
    reader = MatchModel(history=32)
    for token in range(200):
        reader.read(token)
    assert len(reader._tokens) <= 64
    assert len(reader._before) <= 65
    assert len(reader._latest) <= 65
    reader.read(190)
    assert reader.read(191) == (192, 1)
    reader.read(2)
    assert reader.read(3) == (-1, 0)


@pytest.mark.parametrize("count", [0, 1, 3, 50, 63, 64, 65, 200])
def test_hints_continue_from_a_saved_state(count: int) -> None:
    generator = random.Random(2)
    tokens = [generator.randrange(6) for _ in range(300)]
    reader = MatchModel(32)
    whole = [reader.read(token) for token in tokens]
    first = MatchModel(32)
    found = [first.read(token) for token in tokens[:count]]
    second = MatchModel(32, state=json.loads(json.dumps(first.state)))
    assert found + [second.read(token) for token in tokens[count:]] == whole
    with pytest.raises(ValueError, match="place 9 of"):
        MatchModel(32, state={"tokens": [1, 2], "place": 9, "length": 2})
