"""Standard MIDI files, written and read, with nothing but the standard library.

Source: the MIDI 1.0 specification, Standard MIDI Files 1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.data.zip_paths import read_contents
from suite.errors import DataError
from suite_music.notation.notes import Note

#: Ticks in a quarter note, when written: divisible by 3 and 5, for tuplets.
DIVISION = 480
#: A file with more than this is no piece: each is read into memory.
MAX_BYTES, MAX_TRACKS = 2**24, 1_000
#: A note that nothing ends is this long, in quarter notes.
UNENDED = 1.0

_META, _TEMPO, _METER, _KEY, _TRACK_END = 0xFF, 0x51, 0x58, 0x59, 0x2F
_DRUMS = 9
#: How loud each voice is, of 127: the outer ones a little louder.
_VELOCITIES = (92, 76, 76, 86)


@dataclass(frozen=True)
class Song:
    """The contents of a MIDI file.

    Its notes (one voice for each track and channel), the first meter and key (sharps, minor), and the first tempo in
    quarter notes a minute.
    """

    notes: tuple[Note, ...]
    meter: tuple[int, int] = (4, 4)
    sharps: int | None = None
    minor: bool = False
    tempo: float = 120.0


# --- writing ----------------------------------------------------------------------------------------------------


def midi_bytes(
    notes: Sequence[Note],
    *,
    tempo: float = 120.0,
    meter: tuple[int, int] = (4, 4),
    sharps: int = 0,
    minor: bool = False,
    program: int = 0,
) -> bytes:
    """A MIDI file of format 1: a track that states tempo (quarter notes a minute), meter and key, then one a voice.

    ``program`` is the General MIDI instrument from 0. Raises DataError for a tempo that a file cannot state.
    """
    if not 4 <= tempo <= 6e7:
        raise DataError(f"a tempo of {tempo:g} quarter notes a minute: choose 4 or more")
    micro = round(6e7 / tempo)
    beats, beat = meter
    head = [
        (0, bytes([_META, _TEMPO, 3]) + micro.to_bytes(3, "big")),
        (0, bytes([_META, _METER, 4, min(beats, 255), beat.bit_length() - 1, 24, 8])),
        (0, bytes([_META, _KEY, 2, sharps % 256, minor])),
    ]
    tracks = [_track(head)]
    for voice in sorted({note.voice for note in notes}):
        channel = voice % _DRUMS
        events = [(0, bytes([0xC0 | channel, program]))]
        for note in notes:
            if note.voice == voice:
                start, end = (round(time * DIVISION) for time in (note.start, note.start + note.duration))
                velocity = _VELOCITIES[voice % len(_VELOCITIES)]
                events.append((start, bytes([0x90 | channel, note.pitch, velocity])))
                events.append((max(end, start + 1), bytes([0x80 | channel, note.pitch, 0])))
        tracks.append(_track(events))
    return struct.pack(">4sLHHH", b"MThd", 6, 1, len(tracks), DIVISION) + b"".join(tracks)


def _track(events: list[tuple[int, bytes]]) -> bytes:
    data, now = b"", 0
    # At one moment what ends comes before what begins, so that a note can follow one of the same pitch.
    for time, message in sorted(events, key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90)):
        data += _variable(time - now) + message
        now = time
    data += bytes([0, _META, _TRACK_END, 0])
    return struct.pack(">4sL", b"MTrk", len(data)) + data


def _variable(number: int) -> bytes:
    """A number in groups of seven bits, the first bit set in all but the last."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))


# --- reading ----------------------------------------------------------------------------------------------------


def read_midi(path: Path) -> Song:
    """The notes of a MIDI file, drums left out. Raises DataError, naming the file, if it cannot be used."""
    data = read_contents(path, MAX_BYTES, one="piece", kind="a MIDI file")
    try:
        return parse_midi(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (IndexError, struct.error) as error:
        raise DataError(f"{path}: cut short or damaged; expected a MIDI file") from error


def parse_midi(data: bytes) -> Song:
    """The notes of a MIDI file's bytes. Raises DataError, or IndexError where the bytes end too early."""
    kind, size, _, count, division = struct.unpack(">4sLHHH", data[:14])
    if kind != b"MThd":
        raise DataError("no MIDI file; it must begin with MThd")
    if count > MAX_TRACKS:
        raise DataError(f"{count:,} tracks; a piece has at most {MAX_TRACKS:,}")
    if division & 0x8000 or not division:
        raise DataError("its times are not in quarter notes; export it with ticks per quarter note")
    notes: list[Note] = []
    stated: dict[int, bytes] = {}
    place, voices = 8 + size, 0
    for _ in range(count):
        kind, size = struct.unpack(">4sL", data[place : place + 8])
        if kind == b"MTrk":
            found = list(_notes(data[place + 8 : place + 8 + size], division, stated, voices))
            voices += len({note.voice for note in found})
            notes += found
        place += 8 + size
    if not notes:
        raise DataError("no notes in it; give a file with a melody")
    meter, key, tempo = (stated.get(name) for name in (_METER, _KEY, _TEMPO))
    if tempo is not None and not int.from_bytes(tempo, "big"):
        raise DataError("a tempo of zero; set the file's tempo")
    return Song(
        tuple(sorted(notes, key=lambda note: (note.start, note.voice, -note.pitch))),
        (meter[0], 2 ** meter[1]) if meter and len(meter) > 1 and meter[0] and meter[1] < 7 else (4, 4),
        int.from_bytes(key[:1], "big", signed=True) if key else None,
        bool(key and key[1:2] == b"\1"),
        6e7 / int.from_bytes(tempo, "big") if tempo else 120.0,
    )


def _notes(track: bytes, division: int, stated: dict[int, bytes], first: int) -> Iterator[Note]:
    """The notes of a track; ``stated`` gets the first of every meta event."""
    sounding: dict[tuple[int, int], list[int]] = {}
    voices: dict[int, int] = {}
    now = 0
    for time, status, message in _events(track):
        now = time
        if status == _META:
            stated.setdefault(message[0], message[1:])
            continue
        channel, kind = status & 15, status & 0xF0
        if channel == _DRUMS or kind not in (0x80, 0x90):
            continue
        pitch, velocity = message
        begun = sounding.setdefault((channel, pitch), [])
        if kind == 0x90 and velocity:
            begun.append(now)
        elif begun and (start := begun.pop(0)) < now:  # a note without a length is none
            voice = first + voices.setdefault(channel, len(voices))
            yield Note(pitch, start / division, (now - start) / division, voice)
    for (channel, pitch), begun in sounding.items():
        for start in begun:
            yield Note(pitch, start / division, UNENDED, first + voices.setdefault(channel, len(voices)))


def _events(track: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The events of a track as (ticks from its beginning, status, data); of a meta event its type comes first."""
    place = now = status = 0
    while place < len(track):
        wait, place = _number(track, place)
        now += wait
        if track[place] & 0x80:
            status, place = track[place], place + 1
        elif status < 0x80 or status >= 0xF0:
            raise DataError("data without an event in a track; the file is damaged")
        if status == _META:
            kind = track[place]
            size, start = _number(track, place + 1)
            place = start + size
            if kind == _TRACK_END:
                return
            yield now, status, bytes([kind]) + track[start:place]
        elif status >= 0xF0:
            size, start = _number(track, place)
            place = start + size
        else:
            size = 1 if status & 0xF0 in (0xC0, 0xD0) else 2
            if place + size > len(track):
                raise IndexError("track ends in an event")
            yield now, status, track[place : place + size]
            place += size


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, and the place after it."""
    value = 0
    for _ in range(4):
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, place
