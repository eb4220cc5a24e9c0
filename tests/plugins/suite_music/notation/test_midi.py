"""MIDI files."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_music.notation.chorales import Chorale
from suite_music.notation.midi import DIVISION, midi_bytes, parse_midi, read_midi
from suite_music.notation.notes import Note, notes, sung

from suite.errors import DataError, SuiteError


def file(*tracks: bytes, division: int = 480, kind: int = 1, count: int | None = None) -> bytes:
    head = struct.pack(">4sLHHH", b"MThd", 6, kind, len(tracks) if count is None else count, division)
    return head + b"".join(struct.pack(">4sL", b"MTrk", len(track)) + track for track in tracks)


def test_what_is_written_is_read(tunes: list[str], chorale: Chorale) -> None:
    for found in [*map(notes, tunes), sung(chorale)]:
        song = parse_midi(midi_bytes(found, tempo=96, meter=(6, 8), sharps=-3, minor=True))
        assert (song.meter, song.sharps, song.minor) == ((6, 8), -3, True)
        assert song.tempo == pytest.approx(96, abs=0.01)
        tick = 1 / DIVISION
        for ours, theirs in zip(sorted(found, key=lambda n: (n.start, n.voice, -n.pitch)), song.notes, strict=True):
            assert (ours.pitch, ours.voice) == (theirs.pitch, theirs.voice)
            assert ours.start == pytest.approx(theirs.start, abs=tick)
            assert ours.duration == pytest.approx(theirs.duration, abs=2 * tick)


def test_another_reader_finds_the_same_notes(chorale: Chorale, music21: Any, sounding: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(midi_bytes(sung(chorale), tempo=80))
    theirs = sounding(music21(path))
    assert theirs == {(note.pitch, note.start, note.duration, note.voice) for note in sung(chorale)}


def test_running_status_overlaps_drums_and_format_0() -> None:
    track = bytes([0, 0x90, 60, 80, 0, 64, 80])
    track += b"\x81\x70" + bytes([60, 0]) + b"\x81\x70" + bytes([64, 0])  # after 240 and 480 ticks, still "note on"
    track += bytes([0, 0x99, 40, 90, 10, 0x89, 40, 0])  # drums
    track += bytes([0, 0x91, 70, 90]) + bytes([0, 0xFF, 0x2F, 0])  # a note that nothing ends
    song = parse_midi(file(track, kind=0))
    assert [(n.pitch, n.start, n.duration, n.voice) for n in song.notes] == [
        (64, 0, 1, 0), (60, 0, 0.5, 0), (70, 1 + 10 / 480, 1, 1),
    ]  # fmt: skip
    assert (song.meter, song.sharps, song.tempo) == ((4, 4), None, 120)


def test_system_messages_and_controllers_are_passed_over() -> None:
    track = bytes([0, 0xF0, 2, 1, 0xF7, 0, 0xB0, 7, 100, 0, 0xC0, 5, 0, 0xE0, 0, 64, 0, 0x90, 60, 1, 48, 0x80, 60, 0])
    assert [(n.pitch, n.duration) for n in parse_midi(file(track, division=96)).notes] == [(60, 0.5)]


NOTE = bytes([0, 0x90, 60, 80, 48, 0x80, 60, 0])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"RIFF" + bytes(30), "no MIDI file"),
        (b"", "cut short"),
        (file(bytes([0, 0xFF, 0x2F, 0])), "no notes"),
        (file(bytes([0, 0x90, 60, 80, 0, 0x80, 60, 0])), "no notes"),  # of no length
        (file(NOTE, count=10_000), "10,000 tracks"),
        (file(bytes([0, 0xFF, 0x51, 3, 0, 0, 0]) + NOTE), "tempo of zero"),
        (file(NOTE, division=0), "quarter note"),
        (file(NOTE, division=0xE728), "quarter note"),
        (file(bytes([0, 60, 80])), "without an event"),
        (file(NOTE[:-1]), "cut short"),
        (file(NOTE)[:-3], "cut short"),
    ],
)
def test_damaged_files_are_one_line(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        read_midi(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.mid"):
        read_midi(tmp_path / "none.mid")


@given(st.binary(max_size=80))
def test_any_bytes_are_notes_or_an_error(data: bytes) -> None:
    with contextlib.suppress(SuiteError, IndexError, struct.error):
        assert parse_midi(file(data)).notes


def test_a_tempo_that_a_file_cannot_state_is_refused() -> None:
    for tempo in (0, -1, 1e9, float("nan")):
        with pytest.raises(DataError, match="tempo"):
            midi_bytes([Note(60, 0, 1)], tempo=tempo)
