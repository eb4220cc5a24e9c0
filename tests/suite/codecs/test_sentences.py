from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.codecs.sentences import MAX_LENGTH, SentenceSegmenter, split_sentences
from suite.errors import DataError


def texts(text: str) -> list[str]:
    return [sentence for _, sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "go." Then (he left.) And…  so', ['He said "go."', "Then (he left.)", "And…", "so"]),
        ("See e.g. fig. 3 of J. Smith, i.e. the first.", ["See e.g. fig. 3 of J. Smith, i.e. the first."]),
        ("Version 2.0.1 is out. 3.5 is not.", ["Version 2.0.1 is out.", "3.5 is not."]),
        ("1. First\n2. Second", ["1. First", "2. Second"]),
        ("one line\nanother\r\n\r\nthird", ["one line", "another", "third"]),
        ("これは本です。あれも「本です。」はい", ["これは本です。", "あれも「本です。」", "はい"]),
        ("", []),
    ],
)
def test_sentences(text: str, wanted: list[str]) -> None:
    assert texts(text) == wanted


def test_white_space_is_kept_beside_them() -> None:
    text = "  A.\n\n\tB.  \n"
    assert split_sentences(text) == [("  ", "A."), ("\n\n\t", "B."), ("  \n", "")]


def test_what_is_too_long_is_cut_after_a_comma_or_at_a_space_or_anywhere() -> None:
    comma = "word " * 60 + "word, " + "word " * 60
    assert texts(comma)[0].endswith(",")
    assert len(texts("word " * 1000)) > 5
    assert {len(sentence) for sentence in texts("x" * (3 * MAX_LENGTH))} == {MAX_LENGTH}
    assert max(map(len, texts("word " * 10_000))) <= MAX_LENGTH


@given(st.text(st.sampled_from('a. \n?!1e"。」,x'), max_size=300), st.integers(1, 9))
def test_pieces_give_the_sentences_of_the_whole(text: str, size: int) -> None:
    whole = split_sentences(text)
    assert "".join(space + sentence for space, sentence in whole) == text
    segmenter, found = SentenceSegmenter(), []
    for at in range(0, len(text), size):
        found += segmenter.feed(text[at : at + size])
        segmenter = SentenceSegmenter(segmenter.pending)
    assert [*found, *segmenter.flush()] == whole


@pytest.mark.parametrize("unit", ["word ", "x", " ", "One two. ", "\n"])
def test_pieces_of_long_texts_too(unit: str) -> None:
    text = unit * 2000
    segmenter, found = SentenceSegmenter(), []
    for at in range(0, len(text), 333):
        found += segmenter.feed(text[at : at + 333])
        assert len((segmenter.pending or {"text": ""})["text"]) <= MAX_LENGTH + 1, "what is held back is bounded"
    assert [*found, *segmenter.flush()] == split_sentences(text)


def test_a_sentence_comes_as_soon_as_it_has_ended() -> None:
    segmenter = SentenceSegmenter()
    assert list(segmenter.feed("It is")) == []
    assert list(segmenter.feed(" so.")) == []
    assert list(segmenter.feed(" ")) == [("", "It is so.")]
    assert list(segmenter.feed("And then")) == []
    assert list(segmenter.feed("\n")) == [(" ", "And then")]


def test_bytes_may_be_cut_within_a_letter() -> None:
    coded = "È così. Perché no?\n日本".encode()
    for size in (1, 2, 5):
        segmenter, found = SentenceSegmenter(), []
        for at in range(0, len(coded), size):
            found += segmenter.feed(coded[at : at + size])
            segmenter = SentenceSegmenter(segmenter.pending)
        assert [*found, *segmenter.flush()] == split_sentences(coded.decode())


def test_what_is_no_text() -> None:
    with pytest.raises(DataError, match="not UTF-8"):
        list(SentenceSegmenter().feed(b"a\xff"))
    with pytest.raises(DataError, match="expected text, got int"):
        list(SentenceSegmenter().feed(3))  # type: ignore[arg-type]
    segmenter = SentenceSegmenter()
    list(segmenter.feed("è".encode()[:1]))
    with pytest.raises(DataError, match="in the middle of a UTF-8 character"):
        list(segmenter.flush())
