"""The melody of a MIDI file as ABC."""

from __future__ import annotations

from fractions import Fraction

import pytest
from suite_music.notation import abc
from suite_music.notation.melody import melody, tune
from suite_music.notation.midi import Song, midi_bytes, parse_midi
from suite_music.notation.notes import Note, notes
from suite_music.notation.statistics import full_bars
from suite_music.notation.tunes import BYTES, SPECIAL, TuneCodec

from suite.errors import DataError


def song(line: list[tuple[float, ...]], **stated: object) -> Song:
    return Song(tuple(Note(int(p), start, length) for p, start, length in line), **stated)  # type: ignore[arg-type]


def test_real_tunes_come_back_from_midi(tunes: list[str], codec: TuneCodec) -> None:
    lines = {text: notes(text) for text in tunes}
    # A melody that somebody played is not written in 32nds.
    plain = [text for text, line in lines.items() if all(note.start * 12 % 1 == 0 for note in line)]
    assert len(plain) > len(tunes) / 2
    for text in plain:
        line = lines[text]
        stated = {event.kind: event.value for event in abc.events(text) if event.kind in ("key", "meter")}
        sharps, minor = sum(stated["key"].signature), stated["key"].mode == "min"
        found = tune(parse_midi(midi_bytes(line, meter=stated["meter"], sharps=sharps, minor=minor)))
        assert [note.pitch for note in notes(found)] == [note.pitch for note in line]
        ours, theirs = (
            [Fraction(note.start - some[0].start).limit_denominator(48) for note in some]
            for some in (line, notes(found))
        )
        assert ours == theirs
        full, bars = full_bars(found)
        assert full >= bars - 1  # the last one may be short: in MIDI a pickup is a bar like any other
        tokens = codec.tokens(found)
        assert sum(BYTES <= token < len(SPECIAL) for token in tokens) / len(tokens) < 0.1


def test_what_is_written() -> None:
    line = [(74, 1, 1), (73, 2, 0.5), (72, 2.5, 0.25), (72, 2.75, 0.25), (62, 3, 2), (66, 5, 1)]
    assert tune(song(line, sharps=2)) == "M:4/4\nL:1/8\nK:D\nd2 c=c/c/ D2- | D2 F2 |]\n"


def test_thirds_are_tuplets_and_what_is_a_little_off_is_put_right() -> None:
    line = [(60, 0, 0.33), (62, 0.34, 0.3), (64, 0.66, 0.33), (65, 1.02, 0.45), (67, 1.49, 0.5), (69, 1.98, 1)]
    assert tune(song(line, sharps=-1)) == "M:4/4\nL:1/8\nK:F\n(3CDE FG A2 |]\n"
    line = [(60, 0, 0.1), (62, 0.17, 0.1), (64, 0.33, 0.1), (65, 0.52, 0.45)]
    assert tune(song(line, sharps=-1)) == "M:4/4\nL:1/8\nK:F\n(3C/D/E/F |]\n"


def test_bars_are_those_of_the_meter_and_long_notes_are_tied() -> None:
    assert tune(song([(67, 0, 7.5)], meter=(6, 8), sharps=1)) == "M:6/8\nL:1/8\nK:G\nG6- | G6- | G3 |]\n"
    rows = tune(song([(67 + i % 2, i, 1) for i in range(24)], sharps=1)).splitlines()[3:]
    assert len(rows) == 2
    assert rows[0].count("|") == 4


def test_silence_before_the_first_note_is_left_out() -> None:
    assert tune(song([(67, 9, 3)], sharps=1)) == "M:4/4\nL:1/8\nK:G\nG6 |]\n"
    assert tune(song([(67, 7, 1), (69, 8, 2)], sharps=1)) == "M:4/4\nL:1/8\nK:G\nG2 | A4 |]\n"


def test_the_highest_of_the_busy_voices_is_the_melody() -> None:
    bass = [Note(40 + i % 3, i, 1, 0) for i in range(20)]
    tune_ = [Note(70 + i % 5, i, 1, 1) for i in range(20)]
    bell = [Note(100, 3, 1, 2)]
    chords = [Note(pitch, 0, 1, 1) for pitch in (60, 64)]
    assert melody(Song((*bass, *tune_, *bell, *chords))) == tune_


def test_odd_meters_are_written_and_impossible_ones_refused() -> None:
    assert tune(song([(60, 0, 3.5)], meter=(7, 8), sharps=1)).startswith("M:7/8\n")
    with pytest.raises(DataError, match="meter 3/64"):
        tune(song([(60, 0, 1)], meter=(3, 64)))
