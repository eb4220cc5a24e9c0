"""Humdrum's ``**kern``, read: the notes of its spines, as far as a score of single voices needs.

Data flow: lines → columns, each of a spine or of a strand that has split off one → notes, each of which begins when
the one before it in its column ends → a `Score` (`suite_music.notation.musicxml`), the highest part first. Times are in
quarter notes, as exact fractions. How a score looks is skipped, and so is the order in which sections are
repeated.
Source: The Humdrum User Guide (Huron, 1999), chapter 2, and the Reference Manual's ``**kern``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from suite.data.zip_paths import read_contents
from suite.errors import DataError
from suite_music.notation.abc import LETTERS, SEMITONES
from suite_music.notation.musicxml import Part, Score, Sound

#: A file with more than this is no score.
MAX_BYTES = 2**24
#: Notes are no longer than this many whole notes, and have so many dots at most.
MAX_WHOLE_NOTES, DOTS = 8, 4
_NOTE = re.compile(r"(?P<length>[0-9]+(?:%[0-9]+)?)|(?P<pitch>([A-Ga-g])\3*)(?P<alter>#+|-+|n)?|(?P<rest>r)")
_MINOR = ("dor", "phr", "aeo", "loc")
#: What Humdrum calls the voice that its codes of instruments cut short.
_NAMES = {"soprn": "soprano"}


@dataclass
class _Spine:
    """A spine: whether it is one of notes, its name, and its sounds so far."""

    notes: bool
    name: str = ""
    sounds: list[Sound] = field(default_factory=list)


@dataclass
class _Column:
    """A column of the present line: its spine, whether it is the spine's first, and when its last note ends."""

    spine: _Spine
    own: bool = True
    free: Fraction = Fraction(0)


def read_kern(path: Path) -> Score:
    """A score from a ``.krn`` file. Raises DataError, naming the file, if it cannot be used."""
    data = read_contents(path, MAX_BYTES, one="score", kind="a file of **kern")
    return parse_kern(data.decode("utf-8-sig", errors="replace"), str(path))


def parse_kern(text: str, name: str = "the score") -> Score:
    """The score of a text. Raises DataError, which names the text and the line."""
    columns: list[_Column] = []
    spines: list[_Spine] = []
    stated: dict[str, str] = {}
    bars: list[Fraction] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("!"):
            continue
        fields, where = line.split("\t"), f"{name}:{number}"
        if not columns:
            if not all(item.startswith("**") for item in fields):
                raise DataError(f"{where}: begins without **kern; give a file of Humdrum's **kern")
            columns = [_Column(_Spine(item == "**kern")) for item in fields]
            spines = [column.spine for column in columns if column.spine.notes]
            continue
        if len(fields) != len(columns):
            raise DataError(f"{where}: {len(fields)} fields where {len(columns)} are open; mend the line")
        if line.startswith("*"):
            columns = _interpreted(columns, fields, stated, where)
            if not columns:
                break
        elif line.startswith("="):
            bars.append(max((column.free for column in columns if column.spine.notes), default=Fraction(0)))
        else:
            _read_line(columns, fields, where)
    end = max((sound.start + sound.duration for spine in spines for sound in spine.sounds), default=Fraction(0))
    if not any(sound.pitch is not None for spine in spines for sound in spine.sounds):
        raise DataError(f"{name}: no notes in it; give a file of **kern with some")
    starts = sorted({Fraction(0), *(time for time in bars if time < end)})
    measures = tuple((a, b - a) for a, b in zip(starts, [*starts[1:], end], strict=True))
    parts = tuple(Part(spine.name, tuple(spine.sounds), measures) for spine in reversed(spines))
    return Score(parts, _key(stated), stated.get("meter", "4/4"))


def _read_line(columns: Sequence[_Column], fields: Sequence[str], where: str) -> None:
    """Add the notes that begin on a line. All of them begin together, when what was before them has ended."""
    found = [
        (column, notes)
        for column, item in zip(columns, fields, strict=True)
        if column.spine.notes and item != "." and (notes := _notes(item, where))
    ]
    now = max((column.free for column, _ in found), default=Fraction(0))
    split = [column.spine for column in columns if not column.own]
    for column, notes in found:
        # A strand that has split off may have been silent; any other goes on without a gap.
        if column.free < now and not any(column.spine is spine for spine in split):
            raise DataError(f"{where}: a note before the last one has ended; mend the line, or those before it")
        if column.own:
            column.spine.sounds += [replace(sound, start=now) for sound in notes]
        column.free = now + max(sound.duration for sound in notes)


def _interpreted(
    columns: list[_Column], fields: Sequence[str], stated: dict[str, str], where: str
) -> list[_Column]:  # fmt: skip
    """The columns after a line of interpretations: spines split, join, change places, end, and say what they are."""
    found: list[_Column] = []
    joins = False
    for column, item in zip(columns, fields, strict=True):
        if item == "*v" and joins and found[-1].spine is column.spine:
            found[-1].free = max(found[-1].free, column.free)
            found[-1].own |= column.own
            continue
        joins = item == "*v"
        if item == "*-":
            continue
        if re.match(r"\*(\+|\^.)", item):
            raise DataError(f"{where}: {item!r} is not understood; leave the spine out that it makes")
        found.append(column)
        if item == "*^":
            found.append(_Column(column.spine, own=False, free=column.free))
        if column.spine.notes:
            _said(column.spine, item, stated)
    turned = [column for column, item in zip(columns, fields, strict=True) if item == "*x"]
    if len(turned) == 2:
        first, second = (next(i for i, column in enumerate(found) if column is one) for one in turned)
        found[first], found[second] = found[second], found[first]
    for column in found:  # where a spine's first strand has ended, the next one is it
        column.own |= not any(other.own for other in found if other.spine is column.spine)
    return found


def _said(spine: _Spine, item: str, stated: dict[str, str]) -> None:
    """What an interpretation says: of the piece what is said first, of the spine its name."""
    if name := re.fullmatch(r'\*I(?:"(.+)|:\[(.+)\])', item):
        spine.name = name[1] or name[2]
    elif re.fullmatch(r"\*I[a-z]+", item):
        spine.name = spine.name or _NAMES.get(item[2:], item[2:])
    elif meter := re.fullmatch(r"\*M([0-9]{1,3}/[0-9]{1,3})", item):
        stated.setdefault("meter", meter[1])
    elif signature := re.fullmatch(r"\*k\[(.*)\]", item):
        stated.setdefault("signature", signature[1])
    elif key := re.fullmatch(r"\*([A-Ga-g])[#-]?:(\w*)", item):
        stated.setdefault("mode", "minor" if key[1].islower() or key[2] in _MINOR else "major")


def _key(stated: dict[str, str]) -> tuple[int, str]:
    signature = stated.get("signature", "")
    return signature.count("#") - signature.count("-"), stated.get("mode", "major")


def _notes(item: str, where: str) -> list[Sound]:
    """The notes of a token, a chord's with blanks between; when they begin is not known yet."""
    found = []
    for word in item.split():
        if "q" in word.lower():  # a grace note takes no time
            continue
        parts = {name: text for match in _NOTE.finditer(word) for name, text in match.groupdict().items() if text}
        duration = _duration(parts.get("length", ""), word.count("."))
        pitch = _pitch(parts["pitch"], parts.get("alter", "")) if "pitch" in parts and "rest" not in parts else None
        if duration is None or not ("rest" in parts or (pitch is not None and 0 < pitch < 128)):
            raise DataError(f"{where}: {word[:20]!r} is no note of **kern, as 4c# is; mend it")
        found.append(Sound(Fraction(0), duration, pitch, "_" in word or "]" in word, ";" in word))
    return found


def _duration(length: str, dots: int) -> Fraction | None:
    """A length as quarter notes: 4 is one, 0 two whole notes, 00 four, 3%2 two thirds of one; None for what is none."""
    whole, _, over = length.partition("%")
    if not whole or len(whole) > 4 or len(over) > 4 or dots > DOTS or over.strip("0") == "" != over:
        return None
    notes = Fraction(2 ** len(whole)) if not whole.strip("0") else Fraction(int(over or 1), int(whole))
    return 4 * notes * (2 - Fraction(1, 2**dots)) if notes <= MAX_WHOLE_NOTES else None


def _pitch(letters: str, alter: str) -> int:
    """A MIDI number: c is middle C, cc the one above it, C the one below."""
    octave = 4 + len(letters) - 1 if letters.islower() else 4 - len(letters)
    return 12 * (octave + 1) + SEMITONES[LETTERS.index(letters[0].upper())] + alter.count("#") - alter.count("-")
