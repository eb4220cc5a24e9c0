from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.codecs.subwords import BYTES, END, SPECIAL, SubwordCodec, SubwordSpec, SubwordTarget
from suite.errors import CheckpointError, DataError, UsageError

TEXTS = [
    "This package contains the shared library.", "Questo pacchetto contiene la libreria condivisa.",
    "This package contains the header files, version 2.0.13.", "Il pacchetto contiene i file header, versione 2.0.13.",
    "The library is not needed.", "È una libreria che non è necessaria; perché c'è?",
] * 4  # fmt: skip
SPEC = SubwordSpec(vocabulary=512, min_count=2)
CODEC = SubwordCodec.fit(TEXTS, SPEC)
ODD = [
    "", " ", "  two  spaces ", "\tab\r\n\nlines\n", "<s> </s> <pad> <0x0A>", "日本語 и 🎉👩‍👩‍👧",
    "a\u0301 ﬁ \x00\x07", "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", [*TEXTS[:6], *ODD])
def test_any_text_comes_back_as_it_was(text: str) -> None:
    ids = CODEC.ids(text)
    assert CODEC.decode(ids) == text
    assert all(len(SPECIAL) <= i < CODEC.size for i in ids)


@given(st.text(st.characters(codec="utf-8")))
def test_nothing_is_unknown(text: str) -> None:
    assert CODEC.decode(CODEC.ids(text)) == text
    random = np.random.default_rng(0)
    assert CODEC.decode(CODEC.ids(text, random, 0.3)) == text


def test_words_that_were_learnt_are_few_pieces_and_others_many() -> None:
    known = CODEC.tokens(CODEC.ids("library"))
    assert known == [" library"]
    assert CODEC.tokens(CODEC.ids("語")) == [" ", "<0xE8>", "<0xAA>", "<0x9E>"]
    assert CODEC.tokens(CODEC.ids("2.0"))[-1] == "0", "digits are read one by one"


def test_an_input_ends_and_a_target_too() -> None:
    (target,) = SubwordTarget(CODEC).encode(["The library"])
    source = CODEC.encode("The library")
    assert source.tolist() == target.tolist() == [*CODEC.ids("The library"), END]
    assert source.dtype == np.int64


def test_the_same_texts_give_the_same_codec_in_any_order() -> None:
    assert SubwordCodec.fit(reversed(TEXTS), SPEC).files() == CODEC.files()


def test_files() -> None:
    again = SubwordCodec.from_files(CODEC.files())
    assert again.files() == CODEC.files()
    assert again.encode("The library").tolist() == CODEC.encode("The library").tolist()
    assert SubwordTarget.from_files(CODEC.files()).files() == CODEC.files()


def test_files_that_do_not_fit() -> None:
    files = CODEC.files()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: missing"):
        SubwordCodec.from_files({"subwords.json": files["subwords.json"]})
    with pytest.raises(CheckpointError, match="copy the checkpoint again"):
        SubwordCodec.from_files({**files, "tokenizer.json": b"{}"})
    with pytest.raises(CheckpointError, match="expected the keys"):
        SubwordCodec.from_files({**files, "subwords.json": b"{}"})
    other = json.loads(files["tokenizer.json"])
    other["model"]["vocab"]["<pad>"], other["model"]["vocab"]["</s>"] = 2, 0
    with pytest.raises(CheckpointError, match="not a tokenizer of sub-words"):
        SubwordCodec.from_files({**files, "tokenizer.json": json.dumps(other).encode()})


def test_dropout_reads_words_in_many_ways_and_chance_is_the_generators() -> None:
    text = TEXTS[0]
    assert CODEC.ids(text, np.random.default_rng(3), 1e-9) == CODEC.ids(text), "merging is tokenizers' own"
    ways = {tuple(CODEC.ids(text, np.random.default_rng(seed), 0.3)) for seed in range(20)}
    assert len(ways) > 10
    assert all(CODEC.decode(way) == text for way in ways)
    assert CODEC.ids(text, np.random.default_rng(5), 0.3) == CODEC.ids(text, np.random.default_rng(5), 0.3)
    assert CODEC.ids(text, np.random.default_rng(5)) == CODEC.ids(text)


def test_writing_token_by_token_is_decoding() -> None:
    for text in [*TEXTS[:6], *ODD]:
        writer = CODEC.writer()
        pieces = [writer.feed(i) for i in CODEC.ids(text)]
        assert "".join(pieces) + writer.flush() == text
        for piece in pieces:
            piece.encode()
    letters = CODEC.writer()
    assert [letters.feed(i) for i in CODEC.ids("é語")] == ["", "é", "", "", "語"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    half = CODEC.ids("語")[:-1]
    assert CODEC.decode(half) == "\ufffd"
    assert CODEC.decode([*CODEC.ids("a"), END]) == "a"


def test_tags_say_what_is_wanted() -> None:
    codec = SubwordCodec.fit(TEXTS, SPEC, tags=("it", "de"))
    first, second = codec.encode(("it", "The library")), codec.encode(("de", "The library"))
    assert first[1:].tolist() == second[1:].tolist()
    assert codec.tokens([first[0], second[0]]) == ["<it>", "<de>"]
    assert codec.decode(first) == "The library"
    assert SubwordCodec.from_files(codec.files()).encode(("de", "a")).tolist() == codec.encode(("de", "a")).tolist()
    assert codec.encode("The library").tolist() == first.tolist()
    assert codec.towards("de").encode("The library").tolist() == second.tolist()
    assert codec.towards("de").encode(("it", "The library")).tolist() == first.tolist()
    for wrong, said in ((("fr", "a"), "no tag 'fr'; known: de, it"), (("it",), "expected a text, got tuple")):
        with pytest.raises(DataError, match=said):
            codec.encode(wrong)
    with pytest.raises(UsageError, match="no tag 'dee'; did you mean 'de'"):
        codec.towards("dee")
    with pytest.raises(DataError, match="no tag 'it'; this model has none"):
        CODEC.encode(("it", "The library"))


def test_what_is_no_text() -> None:
    for wrong, said in ((3, "expected a text, got int"), ("\ud800", "not UTF-8 text"), (" \n", "the text is empty")):
        with pytest.raises(DataError, match=said):
            CODEC.encode(wrong)
    with pytest.raises(DataError, match="a target is empty"):
        SubwordTarget(CODEC).encode([""])


def test_fitting_needs_letters_and_room() -> None:
    with pytest.raises(DataError, match="have no letters"):
        SubwordCodec.fit([], SPEC)
    many = "".join(chr(0x4E00 + i) for i in range(400))
    with pytest.raises(DataError, match=r"raise subwords\.vocabulary"):
        SubwordCodec.fit([many, many], SPEC)


def test_no_piece_is_spelt_like_a_token_that_is_no_text() -> None:
    codec = SubwordCodec.fit(["<0x0A> <s> </s>"] * 50, SubwordSpec(vocabulary=512, min_count=1))
    assert codec.decode(codec.ids("<0x0A> <s>")) == "<0x0A> <s>"
    assert codec.tokens(range(3, 259)) == list(BYTES)


# --- whole words ----------------------------------------------------------------------------------------------

WHOLE = SubwordCodec.fit(TEXTS, SubwordSpec(vocabulary=600, min_count=2, whole=20))


def test_the_commonest_words_are_whole_and_rarer_ones_of_pieces() -> None:
    counts = {word: sum(f" {text}".count(word) for text in TEXTS) for word in (" library", " necessaria", " Il")}
    assert counts[" library"] > counts[" necessaria"]
    assert WHOLE.tokens(WHOLE.ids("library. library")) == [" library", ".", " library"]
    small = SubwordCodec.fit(TEXTS, SubwordSpec(vocabulary=600, min_count=2, whole=5))
    assert len(WHOLE.ids(TEXTS[0])) <= len(small.ids(TEXTS[0]))
    assert small.decode(small.ids("necessaria")) == "necessaria"


def test_a_word_that_is_whole_is_never_put_together_and_one_beside_it_still_is() -> None:
    every = SubwordCodec.fit(TEXTS, SubwordSpec(vocabulary=2000, min_count=2, whole=1000))
    for text in TEXTS[:6]:
        words = every.tokens(every.ids(text))
        assert "".join(words) == f" {text}"
        assert all(word.strip() == word[1:] or word == word.strip() for word in words)
    # There are no pieces but letters: all words are known.
    assert every.tokens(every.ids("librarians"))[-1] == "s"
    assert every.decode(every.ids("librarians")) == "librarians"


@pytest.mark.parametrize("text", [*TEXTS[:6], *ODD])
def test_any_text_comes_back_with_whole_words_too(text: str) -> None:
    again = SubwordCodec.from_files(WHOLE.files())
    assert WHOLE.decode(WHOLE.ids(text)) == text
    assert again.ids(text) == WHOLE.ids(text)
    assert again.spec.whole == 20


def test_whole_words_leave_room_for_letters_and_bytes() -> None:
    crowded = SubwordCodec.fit(TEXTS, SubwordSpec(vocabulary=512, min_count=2, whole=10_000))
    assert crowded.size <= 512
    assert crowded.decode(crowded.ids("№ 7 é")) == "№ 7 é"


def test_whole_words_are_the_same_every_time() -> None:
    again = SubwordCodec.fit(TEXTS[::-1], SubwordSpec(vocabulary=600, min_count=2, whole=20))
    assert again.files() == WHOLE.files()
