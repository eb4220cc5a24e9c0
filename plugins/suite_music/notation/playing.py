"""Tokens as they come, to text and notes: what a stream gives; and chorales as rows of note names."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from suite.task import Result
from suite_music.notation import abc, chorales
from suite_music.notation.chorales import ORDER, VOICES
from suite_music.notation.keys import name_of, spelling
from suite_music.notation.notes import Note, Player
from suite_music.notation.piece_codec import PieceCodec
from suite_music.notation.tunes import TuneCodec, Writer

#: What waits for a note that is held is given without it once there is so much.
WAITING = 256
#: How wide a note's name is, and how many of them `voices` shows at most.
NAME, SHOWN = 5, 13


class Moment(NamedTuple):
    """What a stream gives at a time: when it sounds, in quarter notes, the text, and the notes that are complete."""

    start: float
    text: str
    notes: list[Note]


@dataclass(frozen=True, kw_only=True)
class Sounded(Result):
    """What has been written since the update before: ``text``, and the ``notes`` that are complete."""

    text: str
    notes: list[dict[str, Any]]


def player(codec: PieceCodec) -> TunePlayer | ChoralePlayer:
    """The player of a codec's tokens."""
    return TunePlayer(codec) if isinstance(codec, TuneCodec) else ChoralePlayer()


def performed(tokens: Iterable[int], codec: PieceCodec, tempo: float | None = None) -> Iterator[Sounded]:
    """A piece note by note, as its tokens come; with ``tempo`` (quarter notes a minute) each when it sounds."""
    plays, begun = player(codec), time.monotonic()
    heard = (moment for token in tokens for moment in plays.take(token))
    for number, (start, text, notes) in enumerate(heard):
        if tempo is not None:
            time.sleep(max(0.0, begun + start * 60 / tempo - time.monotonic()))
        yield Sounded(input=number, final=False, text=text, notes=[note.to_dict() for note in notes])


class TunePlayer:
    """A tune's tokens in, one by one; out come its text, as it is written, and the notes that are complete."""

    def __init__(self, codec: TuneCodec) -> None:
        self._codec, self._writer, self._player = codec, Writer(codec), Player()
        self._key, self._text, self._start = abc.Key(), "", 0.0

    def take(self, token: int) -> list[Moment]:
        """What the next token completes: notes, or a line of the text."""
        self._text += self._writer.write(token)
        event = self._codec.events[token]
        if event.kind == "key":
            self._key = event.value
        if event.kind == "note":
            event = abc.Event("note", abc.pitch(self._codec.written(token, self._key)))
        notes = self._player.take(event)
        if not notes and not self._text.endswith("\n"):
            return []
        self._start = notes[0].start if notes else self._start
        text, self._text = self._text, ""
        return [Moment(self._start, text, notes)]


class ChoralePlayer:
    """A chorale's tokens in, one by one; out come its notes by start, and a line of note names a quarter note.

    A note that ends waits for those that began before it and are still held.
    """

    def __init__(self) -> None:
        self._tonic, self._fifths, self._head, self._turn, self._step = 0, 0, "", 0, 0
        self._open: list[tuple[int, int] | None] = [None] * 4
        self._waiting: list[Moment] = []

    def take(self, token: int) -> list[Moment]:
        """What the next token completes."""
        if token < chorales.REST_TOKEN:
            return self._headed(token)
        voice = ORDER[self._turn]
        if token != chorales.HOLD_TOKEN:
            if (sounding := self._open[voice]) is not None:
                pitch, start = sounding
                note = Note(pitch, start / 4, (self._step - start) / 4, voice)
                self._waiting.append(Moment(note.start, "", [note]))
            pitch = token - chorales.PITCH + chorales.LOWEST + self._tonic
            self._open[voice] = (pitch, self._step) if token >= chorales.PITCH else None
        self._turn = (self._turn + 1) % len(ORDER)
        if self._turn:
            return []
        if self._step % 4 == 0:
            names = (name(sounding[0], self._fifths) if sounding else "-" for sounding in self._open)
            self._waiting.append(Moment(self._step / 4, f"{_row(names)}\n", []))
        self._step += 1
        return self._ready()

    def _headed(self, token: int) -> list[Moment]:
        if chorales.KEY <= token < chorales.METER:
            fifths, mode = chorales.KEYS[token - chorales.KEY]
            self._tonic, self._fifths = chorales.tonic(fifths, mode), fifths
            self._head = f"key {name_of(fifths, mode == 'minor')}"
        elif chorales.METER <= token < chorales.PICKUP:
            head = f"{self._head}, meter {list(chorales.METERS)[token - chorales.METER]}"
            return [Moment(0.0, f"{head}\n{_row(voice[0].upper() for voice in VOICES)}\n", [])]
        return []

    def _ready(self) -> list[Moment]:
        self._waiting.sort(key=lambda moment: moment.start)  # almost in order already
        held = min((sounding[1] / 4 for sounding in self._open if sounding), default=self._step / 4)
        count = sum(moment.start <= held for moment in self._waiting)
        count = max(count, len(self._waiting) - WAITING)
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        return ready


def _row(names: Iterable[str]) -> str:
    return "".join(name.ljust(NAME) for name in names).rstrip()


def name(pitch: int, fifths: int) -> str:
    """A MIDI pitch by its name in a key signature: ``F#4``, ``Bb3``."""
    letter, alter = spelling(pitch, fifths)
    return f"{letter}{'#' * alter}{'b' * -alter}{(pitch - alter) // 12 - 1}"


def voices(result: Any) -> list[str]:
    """A chorale's first quarter notes for people, a line a voice: what sounds there, ``·`` where it did before."""
    stated = abc.key(result.key)
    fifths = sum(stated.signature) if stated else 0
    end = max((note["start"] + note["duration"] for note in result.notes), default=0.0)
    lines = []
    for voice, called in enumerate(VOICES):
        own = [note for note in result.notes if note["voice"] == voice]
        cells = []
        for quarter in range(min(SHOWN, math.ceil(end))):
            note = next((n for n in own if n["start"] <= quarter < n["start"] + n["duration"]), None)
            fresh = note is not None and note["start"] > quarter - 1
            cells.append("-" if note is None else name(note["pitch"], fifths) if fresh else "·")
        lines.append(f"{called:<9}{_row(cells)}{'  …' if end > SHOWN else ''}")
    return lines
