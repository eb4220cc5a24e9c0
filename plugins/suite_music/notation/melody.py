"""Notes as ABC text: the melody of a MIDI file, in time with its bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from suite.errors import DataError
from suite_music.notation import abc
from suite_music.notation.keys import estimated, name_of, spelling
from suite_music.notation.midi import Song
from suite_music.notation.notes import Note
from suite_music.notation.statistics import lines

#: A quarter note has so many parts, a sixteenth three. Notes begin on sixteenths, or on the thirds of a quarter or
#: of an eighth where there are three of them.
PARTS, SIXTEENTH = 12, 3
#: Lengths, in sixteenths, that are written as one note; others are tied.
_LENGTHS = (24, 16, 12, 8, 6, 4, 3, 2, 1)
BARS_A_LINE = 4


def melody(song: Song) -> list[Note]:
    """The notes of the voice that sings the tune: of those with a fair share of the notes, the highest."""
    voices = lines(song.notes)
    most = max(len(voice) for voice in voices)
    busy = [voice for voice in voices if len(voice) * 4 >= most]
    return max(busy, key=lambda voice: sum(note.pitch for note in voice) / len(voice))


def tune(song: Song) -> str:
    """A song's melody as ABC: lines M, L and K, and four bars a line. Raises DataError if there is nothing to write.

    Notes are moved to the nearest sixteenth, or third of a quarter or an eighth. The key is the one the file states,
    unless that is C major, which many files state of any piece: then it is estimated.
    """
    line = melody(song)
    fifths, minor = (song.sharps, song.minor) if song.sharps or song.minor else estimated(line)
    beats, beat = song.meter
    bar = Fraction(4 * beats * PARTS, beat)
    if bar.denominator > 1 or bar % SIXTEENTH:
        raise DataError(f"meter {beats}/{beat}: its bars are not whole sixteenths; choose another file")
    name = name_of(fifths or 0, minor)
    head = f"M:{beats}/{beat}\nL:1/8\nK:{name}\n"
    stated = abc.key(name)
    assert stated is not None
    # What is silent before the first note is left out: the tune begins with its pickup.
    spans = _quantised(line)
    first = spans[0][1] // int(bar) * int(bar)
    spans = [(pitch, start - first, end - first) for pitch, start, end in spans]
    bars = list(_bars(spans, int(bar), stated, 18 if beats % 3 == 0 and beats > 3 and beat == 8 else PARTS))
    rows = [" | ".join(bars[i : i + BARS_A_LINE]) for i in range(0, len(bars), BARS_A_LINE)]
    return head + " |\n".join(rows) + " |]\n"


def _quantised(line: Sequence[Note]) -> list[tuple[int, int, int]]:
    """Notes as (pitch, start, end) in parts of a quarter note, none longer than to the next."""
    beats: dict[int, list[Note]] = {}
    for note in line:
        beats.setdefault(int(note.start + 1 / 32), []).append(note)
    places = [place for beat, notes in sorted(beats.items()) for place in _placed(notes, beat * PARTS, PARTS)]
    found = []
    for (note, start, third), following in zip(places, [*(p[1] for p in places[1:]), None], strict=True):
        stop = max(round((note.start + note.duration) * 4) * SIXTEENTH, start + SIXTEENTH)
        if third:
            stop = start + third
        # A short silence before the next note is how the note was played, not a rest.
        elif following is not None and following - stop <= SIXTEENTH:
            stop = following
        if stop > start:
            found.append((note.pitch, start, stop))
    return found


def _placed(notes: Sequence[Note], start: int, size: int) -> list[tuple[Note, int, int]]:
    """The notes of a quarter, or half of one, as (note, start, length as one of three or 0)."""
    times = [note.start * PARTS for note in notes]
    third = size // 3
    error = [abs(time - start - third * i) for i, time in enumerate(times)]
    straight = [SIXTEENTH * round(time / SIXTEENTH) for time in times]
    if len(notes) == 3 and sum(error) < sum(abs(a - b) for a, b in zip(times, straight, strict=True)):
        return [(note, start + third * i, third) for i, note in enumerate(notes)]
    if size == PARTS:
        middle = start + size // 2
        early = [note for note, place in zip(notes, straight, strict=True) if place < middle]
        return [*_placed(early, start, size // 2), *_placed(notes[len(early) :], middle, size // 2)]
    return [(note, place, 0) for note, place in zip(notes, straight, strict=True)]


def _bars(spans: Sequence[tuple[int, int, int]], bar: int, key: abc.Key, group: int) -> Iterator[str]:
    """The bars' text; ``group`` is how long notes under one beam are."""
    pieces: list[tuple[int | None, int, int, bool]] = []
    now = spans[0][1]
    for pitch, start, end in spans:
        pieces += [*_split(None, now, start, bar), *_split(pitch, start, end, bar)]
        now = end
    text = ""
    accidentals: dict[int, int] = {}
    for sounding, start, end, tied in pieces:
        if text and start % bar == 0:
            yield text
            text, accidentals = "", {}
        elif text and start % bar % group == 0:
            text += " "
        size = Fraction(end - start, PARTS // 2)
        if (end - start) % SIXTEENTH:  # one of three, the first where all of them begin
            size *= Fraction(3, 2)
            text += "(3" if start % (3 * (end - start)) == 0 else ""
        text += "z" if sounding is None else _named(sounding, key, accidentals)
        text += _length(size) + ("-" if tied else "")
    yield text


def _split(pitch: int | None, start: int, end: int, bar: int) -> list[tuple[int | None, int, int, bool]]:
    """A note or a rest as pieces that can be written, each with whether it is tied to the next."""
    found = []
    while start < end:
        room = min(end, (start // bar + 1) * bar) - start
        sixteenths = room // SIXTEENTH
        size = room if room % SIXTEENTH else SIXTEENTH * next(length for length in _LENGTHS if length <= sixteenths)
        found.append((pitch, start, start + size, pitch is not None and start + size < end))
        start += size
    return found


def _named(pitch: int, key: abc.Key, accidentals: dict[int, int]) -> str:
    fifths = sum(key.signature)
    letter, alter = spelling(pitch, fifths)
    index = abc.LETTERS.index(letter)
    position = index + 7 * ((pitch - alter) // 12 - 5)
    same = accidentals.get(index, key.signature[index]) == alter
    accidentals[index] = alter
    return abc.spelt(None if same else alter, position)


def _length(size: Fraction) -> str:
    if size == Fraction(1, 2):
        return "/"
    return str(size) if size != 1 else ""
