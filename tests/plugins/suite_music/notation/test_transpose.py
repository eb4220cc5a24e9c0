"""Tunes in other keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from suite_music.notation import abc
from suite_music.notation.notes import notes
from suite_music.notation.transpose import key_lines, transpose, transpose_randomly

from suite.errors import DataError

TONICS = ("C", "D", "Eb", "F", "G", "A", "Bb", "F#")


@pytest.mark.parametrize("tonic", TONICS)
def test_every_note_moves_by_the_same_interval(tunes: list[str], tonic: str) -> None:
    for text in tunes:
        moved = transpose(text, tonic)
        before, after = notes(text), notes(moved)
        steps = {b.pitch - a.pitch for a, b in zip(before, after, strict=True)}
        assert len(steps) == 1
        assert abs(steps.pop()) <= 6
        assert [(n.start, n.duration) for n in before] == [(n.start, n.duration) for n in after]
        key = next(event.value for event in abc.events(moved) if event.kind == "key")
        assert key.tonic == abc.key(tonic).tonic  # type: ignore[union-attr]


def test_all_but_key_and_pitches_stays_and_the_way_back_leads_home(tunes: list[str]) -> None:
    for text in tunes:
        moved = transpose(text, "Eb")
        own = next(event.value for event in abc.events(text) if event.kind == "key")
        name = abc.LETTERS[own.letter] + {0: "", -1: "b", 1: "#"}[own.alter]
        assert transpose(moved, name) == text
        for a, b in zip(abc.units(text), abc.units(moved), strict=True):
            assert abc.kind_of(a) == abc.kind_of(b)
            assert a[0] == b[0] or abc.kind_of(a) == "note" or a[0].startswith("K:")


def test_accidentals_keys_and_chords_are_respelt() -> None:
    text = 'K:G % bright\n"Em7/B"^c=f_B "Fine"[K:Em]^d'
    assert transpose(text, "F") == 'K:F % bright\n"Dm7/A"=B_e_A "Fine"[K:Dm]^c'
    assert transpose("K:D\n^G", "C") == "K:C\n^F"
    assert transpose("K: Ador\nA", "E") == "K: Edor\nE"


def test_the_smaller_way_is_taken() -> None:
    assert transpose("K:C\nC", "G") == "K:G\nG,"
    assert transpose("K:C\nC", "F") == "K:F\nF"
    assert transpose("K:B\nB", "C") == "K:C\nc"


@pytest.mark.parametrize(
    ("text", "tonic", "message"),
    [
        ("ABC", "D", "states no key"), ("K:G\n^^c", "C#", "triple"), ("K:D ^c\nC", "E", "accidentals of its own"),
        ("K:G\nG", "H", "no tonic"), ('K:C\n"F#m"B', "C#", "F# would become a F with"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(text: str, tonic: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        transpose(text, tonic)


def test_augmented_tunes_are_in_keys_that_occur(tunes: list[str]) -> None:
    lines = key_lines(["K:D\nD"] * 9 + ["K:Eb\nE"] * 6 + ["K:Ador\nA"] * 7 + ["K: C\nC"] * 8 + ["K:B\nB"])
    assert lines == {"K:D\n": 9, "K:Eb\n": 6, "K:Ador\n": 7, "K: C\n": 8}
    random = np.random.default_rng(0)
    found = [transpose_randomly("K:G\nG", lines, random) for _ in range(300)]
    assert {text[:4].strip() for text in found} == {"K:D", "K:Eb"}
    assert 0.5 < sum(text.startswith("K:D") for text in found) / 300 < 0.7
    # Modes and spellings are not mixed; what cannot be transposed stays.
    assert transpose_randomly("K:Edor\nE", lines, random) == "K:Ador\nA"
    assert transpose_randomly("K:Em\nE", lines, random) == "K:Em\nE"
    assert transpose_randomly("K:G ^c\nG", lines, random) == "K:G ^c\nG"
    assert {transpose_randomly(text, key_lines(tunes, 1), random) != text for text in tunes * 3} == {True, False}


def test_another_reader_hears_the_same_interval(tunes: list[str], music21: Any) -> None:
    for text in tunes[:3]:
        found = []
        for version in (text, transpose(text, "Bb")):
            score = music21(f"%abc-2.1\nX:1\nT:a\n{version}", format="abc")
            found.append([note.pitch.midi for note in score.flatten().notes])
        assert len(set(np.subtract(*found))) == 1
