"""What a piece sounds like: a tune's ABC text, or a chorale, to notes with pitch, start and duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from suite_music.notation import abc
from suite_music.notation.chorales import HOLD, REST, Chorale
from suite_music.notation.clock import WHOLE, Clock, advance


@dataclass(frozen=True)
class Note:
    """A note: ``pitch`` as MIDI number, ``start`` and ``duration`` in quarter notes, and its voice from 0."""

    pitch: int
    start: float
    duration: float
    voice: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))


def notes(text: str, *, repeats: bool = False) -> list[Note]:
    """The notes of a tune, by start. Grace notes are left out; ``repeats`` plays what is to be played again.

    An accidental holds to the end of its bar, in every octave; a note tied to one of the same pitch prolongs it.
    """
    player = Player()
    events = played(abc.events(text)) if repeats else abc.events(text)
    found = [note for event in events for note in player.take(event)]
    return sorted([*found, *player.finish()], key=lambda note: (note.start, note.pitch))


@dataclass
class _Sound:
    """A note being put together, in ticks; ``tied`` is how long those lasted that it prolongs."""

    pitch: int
    position: int
    start: int
    tied: int = 0
    duration: int = 0


class Player:
    """Events in, one by one; out come the notes that nothing can change any more."""

    def __init__(self) -> None:
        self._clock, self._key, self._base = Clock(), abc.Key(), 0
        self._accidentals: dict[int, int] = {}
        self._current: list[_Sound] = []  # what a length may still change: a note, or those of a chord
        self._tying = False  # whether the current ones are tied to what comes
        self._tied: list[_Sound] = []  # what the current ones may prolong

    def take(self, event: abc.Event) -> list[Note]:
        """The notes that an event completes."""
        before, self._clock = self._clock, advance(self._clock, event)
        done: list[Note] = []
        if event.kind in ("note", "rest"):
            done = self._sound(event, before)
        elif event.kind == "bar":
            self._base += before.position
            self._accidentals = {}
            if not self._tying:
                done = self.finish()
        elif event.kind == "key":
            self._key = event.value
        elif event.kind == "tie":
            self._tying = True
        if not (event.kind == "bar" and self._tying):
            for sound in self._current:
                sound.duration = self._clock.last
        return done

    def finish(self) -> list[Note]:
        """The notes that are still open, at the end."""
        done = [*self._tied, *self._current]
        self._tied, self._current, self._tying = [], [], False
        return [_note(sound) for sound in done if sound.tied + sound.duration > 0]

    def _sound(self, event: abc.Event, before: Clock) -> list[Note]:
        done: list[Note] = []
        if not before.grace and not before.follows:
            waiting, tying = self._current, self._tying and event.kind == "note"
            self._current = [] if tying else self._current
            done = self.finish()
            self._tied = waiting if tying else []
        if event.kind == "rest":
            return done
        accidental, position = event.value
        octave, letter = divmod(position, 7)
        if accidental is not None:
            self._accidentals[letter] = accidental
        if before.grace:
            return done
        pitch = 60 + 12 * octave + abc.SEMITONES[letter]
        pitch += self._accidentals.get(letter, self._key.signature[letter])
        start, tied = self._base + self._clock.position - self._clock.last, 0
        for head in [sound for sound in self._tied if sound.position == position]:
            if letter not in self._accidentals:  # over a bar line, a tie carries the accidental on
                pitch = head.pitch
            if head.pitch == pitch:
                self._tied.remove(head)
                start, tied = head.start, head.tied + head.duration
        self._current.append(_Sound(pitch, position, start, tied))
        return done


def _note(sound: _Sound) -> Note:
    quarter = WHOLE // 4
    return Note(sound.pitch, sound.start / quarter, (sound.tied + sound.duration) / quarter)


# --- repeats ----------------------------------------------------------------------------------------------------


def played(events: Iterable[abc.Event]) -> Iterator[abc.Event]:
    """The events in the order in which they are played: repeated sections twice, each time with its ending.

    A repeat without a beginning goes back to the last double bar or repeat.
    """
    bars: list[list[abc.Event]] = [[]]
    lines: list[abc.Bar] = []  # the line at the end of each bar
    for event in events:
        bars[-1].append(event)
        if event.kind == "bar":
            lines.append(event.value)
            bars.append([])
    lines.append(abc.Bar())
    index = start = ending = 0
    second = opened = False
    while index < len(bars):
        line = lines[index]
        if ending in (0, 1 + second):
            yield from bars[index]
        if line.closes and not second and ending < 2:
            index, ending, second = start, 0, True
            continue
        index += 1
        if line.ending and not line.opens:
            ending = line.ending
        elif line.opens or line.closes or (line.double and (ending or not opened)):
            start, ending, second, opened = index, 0, False, line.opens


# --- chorales ---------------------------------------------------------------------------------------------------


def sung(piece: Chorale) -> list[Note]:
    """The notes of a chorale, by start; voice 0 is the soprano."""
    found: list[Note] = []
    for voice in range(4):
        begun: list[list[int]] = []
        for step, (value, before) in enumerate(zip(piece.steps, ((REST,) * 4, *piece.steps), strict=False)):
            if value[voice] > REST:
                begun.append([value[voice], step, 1])
            elif value[voice] == HOLD and before[voice] != REST and begun:
                begun[-1][2] += 1
        found += [Note(pitch, start / 4, length / 4, voice) for pitch, start, length in begun]
    return sorted(found, key=lambda note: (note.start, note.voice))


def heard(piece: str | Chorale) -> list[Note]:
    """The notes of a tune, whose repeats are played once, or of a chorale."""
    return sung(piece) if isinstance(piece, Chorale) else notes(piece)
