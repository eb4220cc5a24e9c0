"""Texts as letters."""

from __future__ import annotations

import numpy as np
import pytest

from suite.codecs.characters import FILE, CharacterCodec, CharacterSpec, spoken_form
from suite.decoding.ngram_lm import NgramSpec
from suite.errors import CheckpointError, DataError


@pytest.fixture
def letters() -> CharacterCodec:
    return CharacterCodec(CharacterSpec())


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Press 1, or 23!", "press one or two three"), ("It’s  call-forward\non", "it's call forward on"),
        ("'quoted' don't", "quoted don't"), ("Café", "cafe"), (" -- ", ""), ("A.B.", "ab"), ("x_y/z", "x y z"),
    ],
)  # fmt: skip
def test_a_text_is_made_plain(letters: CharacterCodec, text: str, plain: str) -> None:
    assert letters.plain(text) == plain


def test_a_letter_outside_the_alphabet_is_named(letters: CharacterCodec) -> None:
    with pytest.raises(DataError, match="'ж' in 'жук' is not in the alphabet"):
        letters.plain("жук")
    german = CharacterCodec(CharacterSpec(alphabet=" abcdefghijklmnopqrstuvwxyzäöüß0123456789", digits=()))
    assert german.plain("Straße 12, Äpfel") == "straße 12 äpfel"
    with pytest.raises(DataError, match="'7' in '7'"):
        CharacterCodec(CharacterSpec(digits=())).plain("7")


def test_letters_count_from_one_and_come_back(letters: CharacterCodec) -> None:
    (array,) = letters.encode(["Ab a"])
    assert array.tolist() == [3, 4, 1, 3]
    assert letters.decode(array) == "ab a"
    assert letters.space == 1
    assert letters.size == 29
    for nothing in ("", "...", None, 3):
        with pytest.raises(DataError, match="no text"):
            letters.encode([nothing])


def test_two_letters_alike_need_a_step_between_them(letters: CharacterCodec) -> None:
    (array,) = letters.encode(["aabba"])
    assert letters.least(array) == 7
    assert CharacterCodec(CharacterSpec(), "rnnt").least(array) == 1


def test_what_texts_are_like_goes_with_them() -> None:
    texts = ["Press 1", "press one", "жук", None, ""]
    letters = CharacterCodec.fit(texts, CharacterSpec(), "rnnt", NgramSpec(order=2))
    again = CharacterCodec.from_files(letters.files())
    assert again == letters
    assert again.criterion == "rnnt"
    for found in (letters, again):
        assert found.expects is not None
        assert found.expects.score("one", ["press"]) > found.expects.score("press", ["one"])
    assert again.files() == letters.files()
    for nothing in (
        CharacterCodec.fit(texts, CharacterSpec(), "ctc", NgramSpec(order=0)),
        CharacterCodec(CharacterSpec()),
    ):
        assert nothing.expects is None
        assert set(nothing.files()) == {FILE}
        assert CharacterCodec.from_files(nothing.files()).expects is None


def test_the_codec_lives_in_a_file(letters: CharacterCodec) -> None:
    other = CharacterCodec(CharacterSpec(alphabet=" ab"), "rnnt", 0.3)
    assert CharacterCodec.from_files(other.files()) == other
    assert other.loss == "rnnt"
    for content in (b"{", b"[]", b'{"alphabet": "ab"}'):
        with pytest.raises(CheckpointError, match=FILE):
            CharacterCodec.from_files({FILE: content})
    bad = letters.files()[FILE].replace(b'"ctc"', b'"magic"')
    with pytest.raises(CheckpointError, match="'magic' is not one of 'ctc', 'rnnt'"):
        CharacterCodec.from_files({FILE: bad})


@pytest.mark.parametrize("settings", [{"alphabet": "abc"}, {"alphabet": " aa"}, {"alphabet": " A"}, {"digits": ("a",)}])
def test_settings_that_make_no_sense(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        CharacterSpec(**settings)  # type: ignore[arg-type]


def test_what_is_in_brackets_is_not_said() -> None:
    assert spoken_form("Press 1 to mute-or-not, 'K'?") == "press one to mute or not 'k'"
    assert spoken_form("Hello [beep]") == spoken_form("(pause)") == ""
    assert np.all(
        [spoken_form(digit) == word for digit, word in zip("0123456789", CharacterSpec().digits, strict=True)]
    )
