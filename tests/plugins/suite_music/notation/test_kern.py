"""Humdrum's **kern."""

from __future__ import annotations

import contextlib
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import pieces
from suite_music.notation.kern import parse_kern, read_kern
from suite_music.notation.musicxml import Sound, chorale_steps
from suite_music.notation.notes import heard

from suite.errors import DataError

CHORALE = """!!!COM: somebody
**kern\t**kern\t**kern\t**kern\t**silbe
*Ibass\t*Itenor\t*I:[ALTO]\t*I"Soprano\t*
*k[b-e-]\t*k[b-e-]\t*k[b-e-]\t*k[b-e-]\t*
*g:\t*g:\t*g:\t*g:\t*
*M4/4\t*M4/4\t*M4/4\t*M4/4\t*
! no note
4GG/\t4G/\t4d\\\t4b-\\\tAch
=1-\t=1-\t=1-\t=1-\t=1-
4GG\t[4G\t4d\t8gg\\L\tGott
.\t.\t.\t8aa\\J\t.
4GG\t4G]\t4cc#X\t2a;\tund
16qa\t.\t.\t.\t.
4r\t4.G\t4B-\t.\tHerr
4D\t.\t4c\t4f#n\t.
.\t8F\t.\t.\t.
=2\t=2\t=2\t=2\t=2
1GG\t1G\t1B-\t1g\t.
==\t==\t==\t==\t==
*-\t*-\t*-\t*-\t*-
"""


def test_a_chorale() -> None:
    score = parse_kern(CHORALE)
    assert (score.key, score.meter) == ((-2, "minor"), "4/4")
    assert [part.name for part in score.parts] == ["Soprano", "ALTO", "tenor", "bass"]
    soprano, alto, tenor, bass = (part.sounds for part in score.parts)
    half = Fraction(1, 2)
    assert soprano == (
        Sound(Fraction(0), Fraction(1), 70), Sound(Fraction(1), half, 79), Sound(3 * half, half, 81),
        Sound(Fraction(2), Fraction(2), 69, fermata=True), Sound(Fraction(4), Fraction(1), 66),
        Sound(Fraction(5), Fraction(4), 67),
    )  # fmt: skip
    assert [sound.pitch for sound in alto] == [62, 62, 73, 58, 60, 58]
    assert [(sound.start, sound.duration, sound.tied) for sound in tenor][1:4] == [
        (1, 1, False), (2, 1, True), (3, Fraction(3, 2), False)
    ]  # fmt: skip
    assert [sound.pitch for sound in bass] == [43, 43, 43, None, 50, 43]
    assert score.parts[0].measures == ((0, 1), (1, 4), (5, 4))


def test_spines_that_split_and_join_go_on_with_their_first() -> None:
    score = parse_kern(
        "**kern\t**kern\n*\t*^\n2C\t4c\t2e\n.\t4d\t.\n*\t*v\t*v\n2C\t4f 4a\n.\t4g\n=\t=\n*-\t*\n0c\n00d\n3%2e\n*-\n"
    )
    high, low = (part.sounds for part in score.parts)
    assert [(s.start, s.duration, s.pitch) for s in low] == [(0, 2, 48), (2, 2, 48)]
    assert [(s.start, s.duration, s.pitch) for s in high] == [
        (0, 1, 60), (1, 1, 62), (2, 1, 65), (2, 1, 69), (3, 1, 67), (4, 8, 60), (12, 16, 62), (28, Fraction(8, 3), 64),
    ]  # fmt: skip


def starts(text: str) -> list[list[tuple[Fraction, int | None]]]:
    return [[(sound.start, sound.pitch) for sound in part.sounds] for part in parse_kern(text).parts]


def test_strands_and_places() -> None:
    # A strand that falls silent does not hold the others up, nor does it lose what comes after its end.
    assert starts("**kern\n*^\n4c\t4e\n4d\t.\n4e\t.\n*v\t*v\n4f\n") == [[(0, 60), (1, 62), (2, 64), (3, 65)]]
    assert starts("**kern\n*^\n4c\t4e\n*-\t*\n4f\n") == [[(0, 60), (1, 65)]]
    # Spines change places, and their notes with them.
    assert starts("**kern\t**kern\n4C\t4c\n*x\t*x\n4d\t4D\n") == [[(0, 60), (1, 62)], [(0, 48), (1, 50)]]
    # What is not of notes splits and joins too, each spine for itself.
    text = "**kern\t**text\t**dynam\n*\t*^\t*^\n4c\ta\tb\tp\tf\n*\t*v\t*v\t*v\t*v\n4d.\ta\tp\n"
    assert starts(text) == [[(0, 60), (1, 62)]]
    assert parse_kern(text).parts[0].sounds[1].duration == Fraction(3, 2)


def test_the_codes_of_voices() -> None:
    text = "**kern\t**kern\t**kern\t**kern\t**kern\n*Icont\t*Ibass\t*Itenor\t*Ialto\t*Isoprn\n"
    score = parse_kern(f"{text}4C\t4E\t4G\t4c\t4e\n")
    assert [part.name for part in score.parts] == ["soprano", "alto", "tenor", "bass", "cont"]
    row = chorale_steps(score, "x")
    assert row is not None
    assert row["steps"][0] == [64, 60, 55, 52]


def test_nothing_but_a_data_error_comes_of_what_is_damaged() -> None:
    draw, signs = random.Random(0), "0123456789.%cCdrq#-n[];_*^vx+=!\t\n "
    for _ in range(3000):
        text = list(CHORALE)
        for _ in range(draw.randint(1, 12)):
            text[draw.randrange(len(text))] = draw.choice(signs)
        with contextlib.suppress(DataError):
            chorale_steps(parse_kern("".join(text)), "x", named=False)


@pytest.mark.parametrize(
    ("stated", "key"),
    [
        ("*k[f#c#]\n*D:", (2, "major")), ("*k[b-]\n*D:aeo", (-1, "minor")), ("*k[]\n*G:mix", (0, "major")),
        ("*k[b-]\n*d:", (-1, "minor")), ("*k[f#]", (1, "major")), ("*F#:\n*b:", (0, "major")),
    ],
)  # fmt: skip
def test_keys(stated: str, key: tuple[int, str]) -> None:
    assert parse_kern(f"**kern\n{stated}\n4c\n*-\n").key == key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", " no notes in it"), ("hello\n", "1: begins without **kern"), ("**kern\n*-\n", " no notes in it"),
        ("**kern\n4r\n*-\n", " no notes in it"), ("**kern\t**kern\n4c\n", "2: 1 fields where 2 are open"),
        ("!!!OTL: x\n**kern\nc\n", "3: 'c' is no note of **kern"), ("**kern\n4\n", "2: '4' is no note"),
        ("**mens\nSc\n*-\n", " no notes in it"), ("**kern\n4c\n*^\n4c\n", "4: 1 fields where 2 are open"),
        ("**kern\t**kern\n1C\t4c\n4D\t4d\n", "3: a note before the last one has ended"),
        ("**kern\n*+\n", "2: '*+' is not understood"), ("**kern\n*^3\n", "2: '*^3' is not understood"),
        *((f"**kern\n{word}c\n*-\n", f"2: '{word[:19]}") for word in (
            "9" * 5000, "4%" + "9" * 5000, "0" * 30, "4%0", "4%999999999", "4.....", "٤", "0000", "1%99",
        )),
        ("**kern\n4CCCCCC\n*-\n", "2: '4CCCCCC' is no note"), ("**kern\n4ccccccc\n*-\n", "2: '4ccccccc' is no note"),
    ],
)  # fmt: skip
def test_what_is_no_score_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.krn"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_kern(path)
    assert str(error.value).startswith(f"{path}:{said}")
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"No such file or directory.*; give a file of \*\*kern"):
        read_kern(tmp_path / "none.krn")


def test_a_file_is_a_piece(tmp_path: Path) -> None:
    (tmp_path / "a.krn").write_text(CHORALE)
    (filed,) = pieces(tmp_path / "a.krn")
    assert isinstance(filed.piece, Chorale)
    assert (filed.piece.fifths, filed.piece.mode, filed.piece.pickup) == (-2, "minor", 4)
    assert len(filed.piece.steps) == 36
    assert [note.pitch for note in heard(filed.piece) if note.voice == 3] == [43, 43, 43, 50, 43]
    # Parts of other names are taken by their order, if there are four.
    (tmp_path / "b.krn").write_text(CHORALE.replace("Soprano", "Cantus").replace("*Ibass", "*Ivox"))
    assert next(pieces(tmp_path / "b.krn")).piece == filed.piece
    (tmp_path / "c.krn").write_text("**kern\t**kern\n4c\t4e\n*-\t*-\n")
    with pytest.raises(DataError, match=r"c\.krn: neither four parts, nor soprano, alto, tenor and bass among them"):
        list(pieces(tmp_path / "c.krn"))


def test_another_reader_finds_the_same_notes(music21: Any, tmp_path: Path) -> None:
    (tmp_path / "a.krn").write_text(CHORALE)
    for ours, theirs in zip(read_kern(tmp_path / "a.krn").parts, music21(tmp_path / "a.krn").parts, strict=True):
        found = [(n.offset, n.quarterLength, n.pitch.midi) for n in theirs.flatten().notes if not n.duration.isGrace]
        assert [(s.start, s.duration, s.pitch) for s in ours.sounds if s.pitch is not None] == found
