"""MusicXML."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation.chorales import HOLD, REST, VOICES, Chorale
from suite_music.notation.musicxml import Part, Score, Sound, read_score, score_xml
from suite_music.notation.musicxml import chorale_steps as chorale_of
from suite_music.notation.notes import sung

from suite.errors import DataError


def score(notes: str, head: str = "") -> str:
    return (
        '<score-partwise><part-list><score-part id="P1"><part-name>Alto\n2</part-name></score-part></part-list>'
        f'<part id="P1"><measure><attributes><divisions>2</divisions>{head}</attributes>{notes}</measure></part>'
        "</score-partwise>"
    )


def note(step: str, duration: int, more: str = "") -> str:
    return f"<note>{more}<pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration></note>"


def test_what_is_written_is_read(chorale: Chorale, tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    for piece in (
        chorale,
        replace(chorale, meter="3/4", pickup=0),
        replace(chorale, meter="12/8", fifths=4, mode="major"),
    ):
        path.write_text(score_xml(piece, title="A & B"), encoding="utf-8")
        row = chorale_of(read_score(path), "a")
        assert row is not None
        assert Chorale.from_row(row) == piece


def test_another_reader_finds_the_same_notes(chorale: Chorale, music21: Any, sounding: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    path.write_text(score_xml(chorale), encoding="utf-8")
    parsed = music21(path)
    found = sounding(parsed)
    assert found == {(n.pitch, n.start, n.duration, n.voice) for n in sung(chorale)}
    assert [part.partName for part in parsed.parts] == ["Soprano", "Alto", "Tenor", "Bass"]


def test_a_score_in_an_archive(tmp_path: Path) -> None:
    grace = "<note><grace/><pitch><step>D</step><octave>4</octave></pitch></note>"
    chord, tie = "<chord/>", '<tie type="stop"/>'
    notes = grace + note("C", 2) + note("E", 2, chord) + "<backup><duration>1</duration></backup>" + note("G", 3, tie)
    notes += "<forward><duration>1</duration></forward><note><rest/><duration>2</duration></note>"
    head = "<key><fifths>-1</fifths><mode>minor</mode></key><time><beats>6</beats><beat-type>8</beat-type></time>"
    path = tmp_path / "a.mxl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", '<container><rootfile full-path="x/y.xml"/></container>')
        archive.writestr("x/y.xml", score(notes, head))
    found = read_score(path)
    assert (found.key, found.meter) == ((-1, "minor"), "6/8")
    (part,) = found.parts
    half = Fraction(1, 2)
    assert part.name == "Alto 2"
    assert part.sounds == (
        Sound(Fraction(0), Fraction(1), 60), Sound(Fraction(0), Fraction(1), 64),
        Sound(half, 3 * half, 67, tied=True), Sound(5 * half, Fraction(1), None),
    )  # fmt: skip
    assert part.measures == ((Fraction(0), 7 * half),)


@pytest.mark.parametrize(
    "text", ["", "<a>", "<score-timewise/>", score(note("X", 2)), score(note("C", 2), "<time><beats>x</beats></time>")]
)
def test_what_is_no_score_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.musicxml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"bad\.musicxml: ") as error:
        read_score(path)
    assert "\n" not in str(error.value)


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.mxl"
    path.write_bytes(b"PK\3\4 nothing")
    with pytest.raises(DataError, match=r"bad\.mxl"):
        read_score(path)
    with pytest.raises(DataError, match=r"none\.mxl"):
        read_score(tmp_path / "none.mxl")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.xml", "")
    with pytest.raises(DataError, match=r"bad\.mxl"):
        read_score(path)


def test_steps_say_what_a_voice_does_and_short_notes_may_be_lost() -> None:
    sounds = (
        Sound(Fraction(0), Fraction(1, 2), 60),
        Sound(Fraction(1, 2), Fraction(1, 2), 60, tied=True),
        Sound(Fraction(1), Fraction(1, 4), None),
        Sound(Fraction(5, 4), Fraction(1, 8), 62, fermata=True),
        Sound(Fraction(11, 8), Fraction(1, 8), 64),
        Sound(Fraction(3, 2), Fraction(1, 2), 65),
    )
    parts = tuple(Part(name.title(), sounds, ((Fraction(0), Fraction(2)),)) for name in VOICES)
    row = chorale_of(Score(parts, (0, "major"), "4/4"), "x.mxl")
    assert row is not None
    assert [step[0] for step in row["steps"]] == [60, HOLD, HOLD, HOLD, REST, 62, 65, HOLD]
    assert row["fermatas"] == [5]
    assert chorale_of(Score(parts[:3], (0, "major"), "4/4"), "x.mxl") is None


def test_scores_at_the_edge() -> None:
    whole, short = Fraction(4), Fraction(1, 8)
    # A short tied note where the last step ends.
    sounds = (Sound(Fraction(0), whole, 60), Sound(whole, short, 60, tied=True))
    parts = tuple(Part(name, sounds, ((Fraction(0), whole + short),)) for name in "abcd")
    row = chorale_of(Score(parts, (0, "major"), "4/4"), "x", named=False)
    assert row is not None
    assert len(row["steps"]) == 16
    assert chorale_of(Score(parts, (0, "major"), "4/4"), "x") is None
    empty = chorale_of(Score((Part("", (), ()),) * 4, (0, "major"), "4/4"), "x", named=False)
    assert empty is not None
    assert empty["steps"] == []
    long = tuple(Part(name, sounds, ((Fraction(0), Fraction(2**20)),)) for name in "abcd")
    with pytest.raises(DataError, match=r"x: 4,194,304 sixteenths long; give a piece of 65,536 at most"):
        chorale_of(Score(long, (0, "major"), "4/4"), "x", named=False)
