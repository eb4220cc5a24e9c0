"""Humdrum's ``**kern``, read: the notes of its spines, as far as a score of single voices needs.

Data flow: lines → columns, each of a spine or of a part that has split off one → tokens with the time that the line
has come to → a `Score` (`suite.notation.musicxml`), the highest part first. Times are in quarter notes, as exact
fractions. How a score looks is passed over, and so is the order in which sections are repeated.
Source: The Humdrum User Guide (Huron, 1999), chapter 2, and the Reference Manual's ``**kern``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from suite.errors import DataError, one_line
from suite.notation.abc import LETTERS, SEMITONES
from suite.notation.musicxml import Part, Score, Sound

#: A file with more than this is no score.
LARGEST = 2**24
_NOTE = re.compile(r"(?P<length>\d+(?:%\d+)?)(?P<dots>\.*)|(?P<pitch>([A-Ga-g])\4*)(?P<alter>#+|-+|n)?|(?P<rest>r)")
_MINOR = ("dor", "phr", "aeo", "loc")


@dataclass
class _Spine:
    """A ``**kern`` spine: its name, its sounds so far, and what it states."""

    name: str = ""
    sounds: list[Sound] = field(default_factory=list)


@dataclass
class _Column:
    """A column of the present line: its spine (None: not of notes), whether it is the spine's own, when it is free."""

    spine: _Spine | None
    own: bool = True
    free: Fraction = Fraction(0)


def read(path: Path) -> Score:
    """A score from a ``.krn`` file. Raises DataError, naming the file, if it cannot be used."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path}: larger than {LARGEST:,} bytes; give a file of one score")
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{one_line(error)}; give a file of **kern") from error
    return parsed(text, str(path))


def parsed(text: str, name: str = "the score") -> Score:
    """The score of a text. Raises DataError, which names the text and the line."""
    columns: list[_Column] = []
    spines: list[_Spine] = []
    stated: dict[str, str] = {}
    bars: list[Fraction] = []
    now = Fraction(0)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("!"):
            continue
        fields = line.split("\t")
        if not columns:
            if not all(text.startswith("**") for text in fields):
                raise DataError(f"{name}:{number}: begins without **kern; give a file of Humdrum's **kern")
            columns = [_Column(_Spine() if text == "**kern" else None) for text in fields]
            spines = [column.spine for column in columns if column.spine is not None]
            continue
        if len(fields) != len(columns):
            raise DataError(f"{name}:{number}: {len(fields)} fields where {len(columns)} are open; mend the line")
        if line.startswith("*"):
            columns = _interpreted(columns, fields, stated)
            if not columns:
                break
        elif line.startswith("="):
            bars.append(_reached(columns, now))
        else:
            now = _reached(columns, now)
            for column, text in zip(columns, fields, strict=True):
                if column.spine is not None and text != ".":
                    column.free = _sounded(column, text, now, f"{name}:{number}")
    end = max((column.free for column in columns), default=Fraction(0))
    end = max([end, *(sound.start + sound.duration for spine in spines for sound in spine.sounds)])
    if not any(sound.pitch is not None for spine in spines for sound in spine.sounds):
        raise DataError(f"{name}: no notes in it; give a file of **kern with some")
    starts = sorted({Fraction(0), *(time for time in bars if time < end)})
    measures = tuple((a, b - a) for a, b in zip(starts, [*starts[1:], end], strict=True))
    parts = tuple(Part(spine.name, tuple(spine.sounds), measures) for spine in reversed(spines))
    return Score(parts, _key(stated), stated.get("meter", "4/4"))


def _reached(columns: Sequence[_Column], now: Fraction) -> Fraction:
    """When what comes next begins: as soon as a column is free."""
    return max(now, min((column.free for column in columns if column.spine is not None), default=now))


def _interpreted(columns: list[_Column], fields: Sequence[str], stated: dict[str, str]) -> list[_Column]:
    """The columns after a line of interpretations: spines split, join, end, and say what they are."""
    found: list[_Column] = []
    joins = False
    for column, text in zip(columns, fields, strict=True):
        if text == "*v" and joins and found[-1].spine is column.spine:
            found[-1].free = max(found[-1].free, column.free)
            found[-1].own |= column.own
            continue
        joins = text == "*v"
        if text == "*-":
            continue
        found.append(column)
        if text == "*^":
            found.append(_Column(column.spine, own=False, free=column.free))
        if column.spine is not None:
            _said(column.spine, text, stated)
    return found


def _said(spine: _Spine, text: str, stated: dict[str, str]) -> None:
    """What an interpretation says: of the piece what is said first, of the spine its name."""
    if name := re.fullmatch(r'\*I(?:"(.+)|:\[(.+)\])', text):
        spine.name = name[1] or name[2]
    elif re.fullmatch(r"\*I[a-z]+", text):
        spine.name = spine.name or text[2:]
    elif meter := re.fullmatch(r"\*M(\d+/\d+)", text):
        stated.setdefault("meter", meter[1])
    elif signature := re.fullmatch(r"\*k\[(.*)\]", text):
        stated.setdefault("signature", signature[1])
    elif key := re.fullmatch(r"\*([A-Ga-g])[#-]?:(\w*)", text):
        stated.setdefault("mode", "minor" if key[1].islower() or key[2] in _MINOR else "major")


def _key(stated: dict[str, str]) -> tuple[int, str]:
    signature = stated.get("signature", "")
    return signature.count("#") - signature.count("-"), stated.get("mode", "major")


def _sounded(column: _Column, text: str, now: Fraction, where: str) -> Fraction:
    """Add the notes of a token, a chord's with blanks between, to its spine; when the column is free again."""
    free = column.free
    assert column.spine is not None
    for word in text.split():
        if "q" in word.lower():  # a grace note takes no time
            continue
        parts = {name: text for match in _NOTE.finditer(word) for name, text in match.groupdict().items() if text}
        if "length" not in parts or not parts.keys() & {"pitch", "rest"}:
            raise DataError(f"{where}: {word!r} is no note of **kern, as 4c# is; mend it")
        duration = _duration(parts["length"]) * (2 - Fraction(1, 2 ** len(parts.get("dots", ""))))
        pitch = None if "rest" in parts else _pitch(parts["pitch"], parts.get("alter", ""))
        if column.own:  # what splits off a part for a while is passed over
            tied = "_" in word or "]" in word
            column.spine.sounds.append(Sound(now, duration, pitch, tied, ";" in word))
        free = now + duration
    return free


def _duration(length: str) -> Fraction:
    """A length as quarter notes: 4 is one, 0 two whole notes, 00 four, 3%2 two thirds of a whole note."""
    whole, _, over = length.partition("%")
    if not whole.strip("0"):
        return Fraction(4 * 2 ** len(whole))
    return Fraction(4 * int(over or 1), int(whole))


def _pitch(letters: str, alter: str) -> int:
    """A MIDI number: c is middle C, cc the one above it, C the one below."""
    octave = 4 + len(letters) - 1 if letters.islower() else 4 - len(letters)
    return 12 * (octave + 1) + SEMITONES[LETTERS.index(letters[0].upper())] + alter.count("#") - alter.count("-")
