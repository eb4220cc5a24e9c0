"""Text as word pieces."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.codecs import Codec
from suite.codecs.wordpieces import (
    CAPITALS,
    LINK,
    MAX_WORD_LENGTH,
    MENTION,
    PAD,
    SPECIAL,
    STRETCHED,
    UNKNOWN,
    WordPieceCodec,
    WordPieceSpec,
)
from suite.errors import CheckpointError, DataError

TEXTS = [
    "What a lovely film, I adore it!", "The soup was bad and we were sad :(", "a good day, a good night",
    "it isn't good; don't buy it", "lovely lovely café café", "GOOD film good film", "so sad, so bad :( :(",
]  # fmt: skip


@pytest.fixture(scope="module")
def codec() -> WordPieceCodec:
    return WordPieceCodec.fit(TEXTS, WordPieceSpec(vocabulary=100, pieces=40, min_count=1))


def tokens(codec: WordPieceCodec, text: str) -> list[str]:
    return [codec.vocabulary[i] for i in codec.encode(text)]


# --- fitting ------------------------------------------------------------------------------------------------


def test_the_special_tokens_come_first(codec: WordPieceCodec) -> None:
    assert tuple(codec.vocabulary[: len(SPECIAL)]) == SPECIAL
    assert codec.vocabulary[0] == PAD
    assert codec.size == len(codec.vocabulary)


def test_the_vocabulary_is_bounded_and_words_come_by_how_often() -> None:
    small = WordPieceCodec.fit(TEXTS, WordPieceSpec(vocabulary=3, pieces=0, min_count=1))
    whole = [w for w in small.vocabulary[len(SPECIAL) :] if len(w.removeprefix("##")) > 1]
    assert len(whole) <= 3 + 2  # punctuation may count among the three
    assert "good" in whole
    rare = WordPieceCodec.fit(TEXTS, WordPieceSpec(vocabulary=100, pieces=0, min_count=2))
    assert "adore" not in rare.vocabulary
    assert "good" in rare.vocabulary


def test_words_given_beside_the_texts_come_after_theirs() -> None:
    made = WordPieceCodec.fit(TEXTS, WordPieceSpec(vocabulary=100, pieces=0), words=["zebra", PAD, "good"])
    assert "zebra" in made.vocabulary
    assert made.vocabulary.count("good") == made.vocabulary.count(PAD) == 1
    tight = WordPieceCodec.fit(TEXTS, WordPieceSpec(vocabulary=2, pieces=0), words=["zebra"])
    assert "zebra" not in tight.vocabulary


@pytest.mark.parametrize("texts", [[], [""], ["  \n"]])
def test_no_words_at_all(texts: list[str]) -> None:
    with pytest.raises(DataError, match="the training texts have no words; check that the text column"):
        WordPieceCodec.fit(texts, WordPieceSpec())


def test_the_same_texts_give_the_same_codec_in_every_process() -> None:
    """The seed decides everything, and a resumed run fits anew: no tie may be broken by chance."""
    program = (
        "import sys; from suite.codecs.wordpieces import WordPieceCodec as Codec, WordPieceSpec as Spec\n"
        "texts = sys.stdin.read().splitlines()\n"
        "made = {b''.join(Codec.fit(texts, Spec(50, 30, 2)).files().values()) for _ in range(10)}\n"
        "assert len(made) == 1; sys.stdout.buffer.write(made.pop())"
    )
    words = [f"{a}{b}{c}" for a in "lmnrs" for b in "aeiou" for c in ("tle", "nd", "ra", "mpo", "ss")]
    texts = "\n".join(" ".join(words[i::3]) for i in range(3)).encode()
    runs = [
        subprocess.run([sys.executable, "-c", program], input=texts, capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


# --- text to ids --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good", ["good"]),
        ("Good", ["good"]),
        ("GOOD", [CAPITALS, "good"]),
        ("I", ["i"]),
        ("goooood", [STRETCHED, "good"]),
        ("don't", ["do", "n't"]),
        ("don’t", ["do", "n't"]),
        ("isn't", ["is", "n't"]),
        (":(", [":("]),
        ("good,", ["good", ","]),
        ("https://example.org/good?a=b", [LINK]),
        ("@somebody", [MENTION]),
        ("bad&amp;sad", ["bad", UNKNOWN, "sad"]),
        ("café", ["café"]),
        ("<pad>", None),
    ],
)
def test_tokens(codec: WordPieceCodec, text: str, expected: list[str] | None) -> None:
    if expected is None:
        assert codec.encode(text).size
    else:
        assert tokens(codec, text) == expected


def test_a_word_that_was_never_seen_is_made_of_pieces(codec: WordPieceCodec) -> None:
    found = tokens(codec, "goodbad")
    assert found[0] == "good"
    assert "".join(piece.removeprefix("##") for piece in found) == "goodbad"
    assert tokens(codec, "你好") == [UNKNOWN]


def test_encoded_text(codec: WordPieceCodec) -> None:
    ids = codec.encode("What a  lovely\n\tfilm")
    assert (ids.dtype, ids.ndim) == (np.int64, 1)
    np.testing.assert_array_equal(ids, np.concatenate([codec.encode(w) for w in ("What", "a", "lovely", "film")]))
    assert isinstance(codec, Codec)


@pytest.mark.parametrize("raw", ["", " ", "\n\t\r", "\u00a0\u2003"])
def test_empty_text(codec: WordPieceCodec, raw: str) -> None:
    with pytest.raises(DataError, match=r"^the text is empty; give at least one word$"):
        codec.encode(raw)


@pytest.mark.parametrize("raw", [None, 5, 1.5, b"good", ["good"], {"text": "good"}])
def test_not_text(codec: WordPieceCodec, raw: Any) -> None:
    with pytest.raises(DataError, match=r"^expected a text, got "):
        codec.encode(raw)


@pytest.mark.parametrize("raw", ["good \udcff bad", "\ud83d"])
def test_half_a_surrogate_pair(codec: WordPieceCodec, raw: str) -> None:
    with pytest.raises(DataError, match=r"^'\\ud...' is not UTF-8 text; convert it first$"):
        codec.encode(raw)
    with pytest.raises(DataError, match="is not UTF-8 text"):
        codec.incremental().feed(f"{raw} ")


def test_what_is_too_long_for_a_word_is_cut(codec: WordPieceCodec) -> None:
    ids = codec.encode("x" * (3 * MAX_WORD_LENGTH + 5))
    np.testing.assert_array_equal(ids, codec.encode(" ".join(["x" * MAX_WORD_LENGTH] * 3 + ["x" * 5])))


@pytest.mark.parametrize(
    "text", ["a" * 5_000_000, "&" * 1_000_000, "((((" * 100_000, "a." * 200_000, "good " * 1_000_000]
)
def test_long_text_takes_time_in_proportion(codec: WordPieceCodec, text: str) -> None:
    started = time.monotonic()
    codec.encode(text)
    assert time.monotonic() - started < 20


def test_what_was_seen_is_remembered_within_bounds(codec: WordPieceCodec) -> None:
    fresh = WordPieceCodec(codec.tokenizer, codec.spec)
    for i in range(20_000):
        fresh.word(f"word{i}")
    fresh.word("y" * 200)
    assert len(fresh._seen) <= 16_384
    assert max(map(len, fresh._seen)) <= 32


# --- in pieces ----------------------------------------------------------------------------------------------


def fed(codec: WordPieceCodec, pieces: list[Any]) -> list[tuple[str, list[int]]]:
    feeder = codec.incremental()
    steps = [step for piece in pieces for step in feeder.feed(piece)] + feeder.flush()
    assert feeder.pending is None
    return [(word, ids.tolist()) for word, ids in steps]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.text(st.sampled_from("ab é😀!.:(\u2028&;#x1 \n"), max_size=40),
    st.lists(st.integers(0, 12), max_size=12),
    st.booleans(),
)
def test_any_pieces_give_the_same_words(text: str, sizes: list[int], as_bytes: bool) -> None:
    codec = shared()
    raw: Any = text.encode() if as_bytes else text
    pieces, at = [], 0
    for size in sizes:
        pieces.append(raw[at : at + size])
        at += size
    steps = fed(codec, [*pieces, raw[at:]])
    assert steps == fed(codec, [raw])
    ids = [i for _, step in steps for i in step]
    if ids:
        assert ids == codec.encode(text).tolist()


_shared: list[WordPieceCodec] = []


def shared() -> WordPieceCodec:
    if not _shared:
        _shared.append(WordPieceCodec.fit(TEXTS, WordPieceSpec(100, 40, 1)))
    return _shared[0]


@pytest.mark.parametrize(
    "length", [MAX_WORD_LENGTH - 1, MAX_WORD_LENGTH, MAX_WORD_LENGTH + 1, 3 * MAX_WORD_LENGTH, 1000]
)
@pytest.mark.parametrize("size", [1, 7, 255, 256, 257, 999])
def test_a_long_word_in_pieces_is_cut_as_in_a_whole(codec: WordPieceCodec, length: int, size: int) -> None:
    text = "a " + "bcdefgh" * length
    text = f"{text[: length + 2]} end"
    assert fed(codec, [text[i : i + size] for i in range(0, len(text), size)]) == fed(codec, [text])
    assert [i for _, ids in fed(codec, [text]) for i in ids] == codec.encode(text).tolist()


def test_what_is_held_back_is_json_and_goes_on(codec: WordPieceCodec) -> None:
    raw = "naïve 😀 café".encode()
    whole = fed(codec, [raw])
    for at in range(len(raw)):
        first = codec.incremental()
        steps = first.feed(raw[:at])
        second = codec.incremental(json.loads(json.dumps(first.pending)))
        steps += second.feed(raw[at:]) + second.flush()
        assert [(word, ids.tolist()) for word, ids in steps] == whole


# --- files --------------------------------------------------------------------------------------------------


def test_round_trip(codec: WordPieceCodec) -> None:
    again = WordPieceCodec.from_files(codec.files())
    assert again.spec == codec.spec
    assert again.vocabulary == codec.vocabulary
    assert again.files() == codec.files()
    for text in [*TEXTS, "GOOOOD 😀 unseen https://x.y"]:
        np.testing.assert_array_equal(again.encode(text), codec.encode(text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.json": None}, r"^tokenizer\.json: missing; the checkpoint is incomplete"),
        ({"words.json": None}, r"^words\.json: missing; the checkpoint is incomplete"),
        ({"tokenizer.json": b"{}"}, r"^tokenizer\.json: .*; copy the checkpoint again"),
        ({"tokenizer.json": b"\xff"}, r"^tokenizer\.json: .*; copy the checkpoint again"),
        ({"words.json": b"{"}, r"^words\.json: .*; copy the checkpoint again"),
        ({"words.json": b"[]"}, r"^words\.json: expected the keys words, got"),
        (
            {"words.json": b'{"words": {"vocab": 1}}'},
            r"^words\.json\.vocab: no such setting; did you mean 'vocabulary'",
        ),
        ({"words.json": b'{"words": {"pieces": "many"}}'}, r"^words\.json\.pieces: expected int"),
        ({"words.json": b'{"words": {"vocabulary": 0}}'}, r"^words\.json: vocabulary must be 1 or more"),
    ],
)
def test_files_that_are_wrong(codec: WordPieceCodec, change: dict[str, bytes | None], message: str) -> None:
    files = {name: content for name, content in {**codec.files(), **change}.items() if content is not None}
    with pytest.raises(CheckpointError, match=message):
        WordPieceCodec.from_files(files)
