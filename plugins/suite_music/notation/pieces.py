"""Hypothesis pieces, which can be heard, seen and saved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from suite.data.audio import wav_bytes
from suite.errors import DataError, one_line
from suite.task import Result
from suite_music.notation import abc, midi, musicxml
from suite_music.notation.chorales import Chorale
from suite_music.notation.clock import WHOLE
from suite_music.notation.keys import name_of
from suite_music.notation.notes import Note, heard
from suite_music.notation.playing import voices
from suite_music.notation.statistics import measures

#: Quarter notes a minute where nobody asks for a tempo.
TEMPO = 120.0
#: A file's name is made of these alone.
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_HEADER = ("M:", "L:", "K:")
#: Scales −1 … 1 to −32,767 … 32,767 in a file of 16 bits, whose range has one step more below zero.
_SYMMETRIC = np.float32(32767 / 32768)


@dataclass(frozen=True, kw_only=True)
class PieceResult(Result):
    """A piece: a tune or a chorale.

    It has ``abc`` of a tune or ``musicxml`` of a chorale, its ``notes`` (``pitch``, ``start`` and ``duration`` in
    quarter notes, ``voice``), ``key`` and ``meter`` as written, and the quarter notes before the first whole bar;
    ``files`` are those it was saved to.
    """

    title: str
    key: str
    meter: str
    notes: list[dict[str, Any]]
    pickup: float = 0.0
    abc: str | None = None
    musicxml: str | None = None
    files: list[str] | None = None

    optional: ClassVar[tuple[str, ...]] = ("abc", "musicxml", "files")

    @classmethod
    def of(cls, piece: Any, title: str, given: Any) -> Self:
        """The result that a piece is, a tune's text or a chorale. Repeats are played once."""
        notes = [note.to_dict() for note in heard(piece)]
        if isinstance(piece, Chorale):
            return cls(
                input=given, title=title, key=name_of(piece.fifths, piece.mode == "minor"), meter=piece.meter,
                notes=notes, pickup=piece.pickup / 4, musicxml=musicxml.score_xml(piece, title=title),
            )  # fmt: skip
        text = piece if piece.endswith("\n") else f"{piece}\n"
        lines = {line[0]: line[2:].strip() for line in text.split("\n") if re.match(r"[MK]:", line)}
        first = next(iter(measures(text)), None)
        pickup = 4 * first.length / WHOLE if first is not None and first.length < first.full else 0.0
        key, meter = (lines.get(name, "") for name in "KM")
        return cls(input=given, title=title, key=key, meter=meter, notes=notes, pickup=pickup, abc=text)

    @property
    def midi_bytes(self) -> bytes:
        """The piece as a Standard MIDI File."""
        return self.midi()

    def midi(self, tempo: float = TEMPO) -> bytes:
        """The piece as a Standard MIDI File at ``tempo`` quarter notes a minute."""
        stated, beats = abc.key(self.key), abc.meter(self.meter)
        sharps = sum(stated.signature) if stated else 0
        minor = stated is not None and stated.mode == "min"
        return midi.midi_bytes(self._notes(), tempo=tempo, meter=beats or (4, 4), sharps=sharps, minor=minor)

    def wav(self, tempo: float = TEMPO) -> bytes:
        """The piece as sound: a WAV file of 16 bits, in stereo."""
        from suite_music.notation.sound import RATE, synthesize

        return wav_bytes(synthesize(self._notes(), tempo=tempo) * _SYMMETRIC, RATE)

    def save(self, path: str | Path, tempo: float = TEMPO) -> Path:
        """Write the piece as its ending says: ``.abc``, ``.musicxml``, ``.mid``, ``.wav`` or ``.png``.

        Raises DataError for another ending, or what the piece cannot be written as.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending == ".png":
            from suite_music.notation.plot import draw

            draw(self, path)
            return path
        if ending in (".mid", ".midi"):
            content = self.midi(tempo)
        elif ending == ".wav":
            content = self.wav(tempo)
        elif ending == ".abc" and self.abc is not None:
            content = f"X:1\nT:{self.title}\n{self.abc}".encode()
        elif ending in (".musicxml", ".xml") and self.musicxml is not None:
            content = self.musicxml.encode()
        else:
            can = [name for name, there in ((".abc", self.abc), (".musicxml", self.musicxml)) if there is not None]
            raise DataError(
                f"{path}: cannot be written as {ending!r}; use one of {', '.join([*can, '.mid', '.wav', '.png'])}"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise DataError(f"{one_line(error)}; choose another place") from error
        return path

    def save_all(self, folder: Path, tempo: float = TEMPO) -> list[str]:
        """Write notation, MIDI and sound into a folder, named by the title; returns the files' paths."""
        name = _NAME.sub("-", self.title).strip("-") or "piece"
        endings = (".abc" if self.abc is not None else ".musicxml", ".mid", ".wav")
        return [str(self.save(folder / f"{name}{ending}", tempo)) for ending in endings]

    def shown(self) -> str:
        """The piece for people: what it is, then a tune's body or what the four voices sing, and where it was saved."""
        length = max((note["start"] + note["duration"] for note in self.notes), default=0.0)
        head = f"{self.title}  key {self.key}, meter {self.meter}, {len(self.notes)} notes, {length:g} quarter notes"
        if self.abc is None:
            body: Sequence[str] = voices(self)
        else:
            body = [line for line in self.abc.splitlines() if line[:2] not in _HEADER]
        return "\n".join([head, *(f"  {line}" for line in body), *(f"  saved: {file}" for file in self.files or ())])

    def _notes(self) -> list[Note]:
        return [Note(**note) for note in self.notes]
