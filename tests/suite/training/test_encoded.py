"""Encoded inputs: kept while there is room, and encoded again beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suite.training.encoded import EncodedInputs

ITEMS = ["a", "abcd", "", "ab", "abcdefgh", "abc"]


class CharacterCodec:
    """Texts as numbers, eight bytes a letter; ``asked`` are those that were encoded."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, text: str) -> np.ndarray:
        self.asked.append(text)
        return np.array([ord(letter) for letter in text], np.int64)


def made(room: int) -> tuple[EncodedInputs, CharacterCodec]:
    codec = CharacterCodec()
    inputs = EncodedInputs(codec.encode, room)
    for item in ITEMS:
        inputs.append(item, codec.encode(item))
    codec.asked.clear()
    return inputs, codec


@pytest.mark.parametrize("room", [0, 7, 8, 60, 10**6])
def test_it_is_the_sequence_of_all_arrays_whatever_is_kept(room: int) -> None:
    inputs, _ = made(room)
    wanted = [CharacterCodec().encode(item).tolist() for item in ITEMS]
    assert len(inputs) == len(ITEMS)
    assert inputs.lengths == [1, 4, 0, 2, 8, 3]
    assert [array.tolist() for array in inputs] == wanted
    assert [inputs[i].tolist() for i in range(len(ITEMS))] == wanted
    assert inputs[-1].tolist() == wanted[-1]
    assert [array.tolist() for array in inputs[1:5:2]] == wanted[1:5:2]
    assert [array.tolist() for array in inputs[:4]] == wanted[:4]
    with pytest.raises(IndexError):
        inputs[len(ITEMS)]


@pytest.mark.parametrize(
    ("room", "again"),
    [(0, ["a", "abcd", "ab", "abcdefgh", "abc"]), (40, ["ab", "abcdefgh", "abc"]), (56, ["abcdefgh", "abc"]),
     (144, []), (10**6, [])],
)  # fmt: skip
def test_what_does_not_fit_is_encoded_again_each_time(room: int, again: list[str]) -> None:
    inputs, codec = made(room)
    assert inputs.lengths
    assert codec.asked == []
    for _ in range(2):
        list(inputs)
    assert codec.asked == 2 * again


def test_a_small_input_is_kept_after_a_large_one_that_does_not_fit() -> None:
    codec = CharacterCodec()
    inputs = EncodedInputs(codec.encode, 16)
    for item in ("abcdefgh", "ab", "c"):
        inputs.append(item, codec.encode(item))
    codec.asked.clear()
    assert [len(array) for array in inputs] == [8, 2, 1]
    assert codec.asked == ["abcdefgh", "c"]


def test_an_input_whose_array_is_kept_is_not_kept_itself() -> None:
    """A file that was read, say, is as large as its array."""

    class Item(str):
        pass

    import gc
    import weakref

    alive: Any = weakref.WeakSet()
    inputs = EncodedInputs(CharacterCodec().encode, 16)
    for text in ("ab", "abcd"):
        item = Item(text)
        alive.add(item)
        inputs.append(item, CharacterCodec().encode(item))
    del item
    gc.collect()
    assert list(alive) == ["abcd"]
    assert len(inputs) == 2
