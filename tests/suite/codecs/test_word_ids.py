"""Whole words, one id each."""

from __future__ import annotations

import pytest

from suite.codecs.word_ids import FILE, UNKNOWN, WordIdCodec
from suite.errors import CheckpointError, DataError
from suite.testing import check_codec

CODEC = WordIdCodec.fit(["the dog sees The cat", "a dog, a café"])


def test_a_word_is_one_id_whatever_its_case() -> None:
    assert CODEC.words == ("a", "the", "café", "cat", "dog", "dog,", "sees")
    assert CODEC.size == 8
    assert CODEC.encode("THE dog\n saw").tolist() == [2, 5, UNKNOWN]
    assert WordIdCodec.fit(["b a b"], min_count=2).words == ("b",)


def test_pieces_are_read_as_the_whole() -> None:
    check_codec(CODEC, ["the dog sees a café", "x", " unknown  words "])


def test_what_is_no_text() -> None:
    for raw, reason in ((5, "expected a text, got int"), (" ", "give at least one word"), ("\ud800", "not UTF-8")):
        with pytest.raises(DataError, match=reason):
            CODEC.encode(raw)
    with pytest.raises(DataError, match="have no words"):
        WordIdCodec.fit(["", " "])


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"words": "abc"}', b'{"words": [1]}'])
def test_a_damaged_file(text: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"tokens\.json: .*copy the checkpoint again"):
        WordIdCodec.from_files({FILE: text})
    with pytest.raises(CheckpointError):
        WordIdCodec.from_files({})
