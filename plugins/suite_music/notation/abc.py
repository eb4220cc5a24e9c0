"""ABC notation: a tune's text as units, and what each unit means.

Data flow: text → units (a header line, a note, a bar line with the blanks around it, …), which cover the text
exactly → events (a note begins, it is twice as long, a bar ends, …). Source: the ABC standard 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

#: A text's units. What no other kind takes is a single character.
UNIT = re.compile(
    r"""(?P<field>(?m:^)[MLK]:[^\n]*(?:\n|\Z))
    |(?P<quote>"[^"\n]*"|![^!\n]*!)
    |(?P<inline>\[[A-Za-z]:[^\]\n]*\])
    |(?P<tuplet>\([2-9](?::\d*){0,2})
    |(?P<layout>(?:[ \n\\|:]|\[(?=[|\d])|(?<=\|)\]|(?<=[|\[])\d)+)
    |(?P<note>(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-G],*|[a-g]'*))
    |(?P<length>(?<=[A-Ga-gzx,'\]])(?:\d+(?:/\d*)*|(?:/\d*)+))
    |(?P<broken><+|>+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
LETTERS = "CDEFGAB"
SEMITONES = (0, 2, 4, 5, 7, 9, 11)
ACCIDENTALS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
SIGNS = {alter: sign for sign, alter in ACCIDENTALS.items()}
#: Sharps that a mode has fewer than the major key on the same note.
MODES = {"maj": 0, "ion": 0, "mix": 1, "dor": 2, "m": 3, "min": 3, "aeo": 3, "phr": 4, "loc": 5, "lyd": -1}


class Key(NamedTuple):
    """A key.

    Attributes:
        letter: The letter of the tonic; 0 is C.
        alter: Its alteration in semitones.
        mode: The mode as written: ``"maj"``, ``"min"``, ``"dor"``, ….
        signature: By how many semitones the key signature raises each letter from C to B.
    """

    letter: int = 0
    alter: int = 0
    mode: str = "maj"
    signature: tuple[int, ...] = (0,) * 7

    @property
    def tonic(self) -> int:
        """The tonic's pitch class, 0…11."""
        return (SEMITONES[self.letter] + self.alter) % 12


class Event(NamedTuple):
    """What a unit means, as one of these pairs of ``kind`` and ``value``.

    ==========  ==========================================================================
    note        (accidental or None, diatonic position: 0 is middle C's letter, 7 its octave)
    rest        None
    length      (n, d): the note, rest or chord before lasts n/d of what it did
    broken      n > 0 for ``>``, ``>>``, …; n < 0 for ``<``, ``<<``, …
    tuplet      (p, q, r): the next r notes last q/p of what is written; q 0 depends on the meter
    chord       True where one opens, False where it closes
    grace       the same for grace notes
    tie         None
    bar         `Bar`
    key         `Key`
    meter       (beats, beat) or None for a free one
    unit        (n, d): the length of a note without one, in whole notes
    other       None: nothing that sounds or lasts
    ==========  ==========================================================================
    """

    kind: str
    value: Any = None


class Bar(NamedTuple):
    """A bar line: whether it closes and opens a repeat, which ending follows (0: none), whether a section ends."""

    closes: bool = False
    opens: bool = False
    ending: int = 0
    double: bool = False


OTHER = Event("other")
_PLAIN = {
    "z": Event("rest"), "x": Event("rest"), "[": Event("chord", True), "]": Event("chord", False),
    "{": Event("grace", True), "}": Event("grace", False), "-": Event("tie"),
}  # fmt: skip


def units(text: str) -> Iterator[re.Match[str]]:
    """The units of a text in order; together they are the text."""
    return UNIT.finditer(text)


def kind_of(unit: re.Match[str]) -> str:
    """The kind of a unit: the name of the alternative of `UNIT` that took it."""
    return "note" if unit["letter"] else unit.lastgroup or "other"


def key_of(line: str) -> Key | None:
    """The key that a line ``K:`` states, or None."""
    stated: Key | None = field("K", line[2:]).value
    return stated


def events(text: str) -> Iterator[Event]:
    """What the units of a text mean, in order."""
    for unit in units(text):
        yield event(kind_of(unit), unit[0])


@lru_cache(maxsize=4096)  # a tune says the same few hundred things again and again
def event(kind: str, text: str) -> Event:
    """What a unit means."""
    if kind == "note":
        return Event("note", pitch(text))
    if kind == "length":
        return Event("length", length(text))
    if kind == "layout":
        return bar(text)
    if kind == "broken":
        return Event("broken", len(text) if text[0] == ">" else -len(text))
    if kind == "tuplet":
        return Event("tuplet", tuplet(text))
    if kind == "field":
        return field(text[0], text[2:])
    if kind == "inline" and text[1] in "MLK":
        return field(text[1], text[3:-1])
    return _PLAIN.get(text, OTHER)


def field(name: str, value: str) -> Event:
    """What a header line means; ``other`` where its value is not understood."""
    value = value.partition("%")[0].strip()
    if name == "K":
        return Event("key", stated) if (stated := key(value)) else OTHER
    if name == "M":
        if value.lower() == "none":
            return Event("meter", None)
        return Event("meter", found) if (found := meter(value)) else OTHER
    match = re.fullmatch(r"(\d+)(?:/(\d+))?", value)
    if match and int(match[1]) and int(match[2] or 1):
        return Event("unit", (int(match[1]), int(match[2] or 1)))
    return OTHER


def key(text: str) -> Key | None:
    """A key as ``K:`` states it: ``G``, ``F#m``, ``Bb``, ``A dorian``, ``D mix``, ``D ^c``; None if it is none."""
    match = re.match(r"([A-G])([#b]?)\s*(?:([A-Za-z]+)\b)?", text)
    if not match:
        return None
    written = match[3] or "maj"
    mode = "m" if written == "m" else "maj" if written == "M" else written.lower()[:3]
    if mode not in MODES:
        mode = "maj"  # another word: a clef, say
    letter, alter = LETTERS.index(match[1]), {"#": 1, "b": -1, "": 0}[match[2]]
    fifths = "FCGDAEB".index(match[1]) - 1 + 7 * alter - MODES[mode]
    signature = [0] * 7
    for index in range(abs(fifths)):
        name = "FCGDAEB"[index % 7] if fifths > 0 else "BEADGCF"[index % 7]
        signature[LETTERS.index(name)] += 1 if fifths > 0 else -1
    for sign, name in re.findall(r"(\^\^|\^|__|_|=)([A-Ga-g])\b", text[match.end() :]):
        signature[LETTERS.index(name.upper())] = ACCIDENTALS[sign]
    return Key(letter, alter, "min" if mode == "m" else mode, tuple(signature))


def meter(text: str) -> tuple[int, int] | None:
    """A meter: ``6/8``, ``C``, ``C|``; None if it is none."""
    if text in ("C", "C|"):
        return (4, 4) if text == "C" else (2, 2)
    match = re.fullmatch(r"(\d+)\s*/\s*(\d+)", text)
    return (int(match[1]), int(match[2])) if match and int(match[1]) and int(match[2]) else None


def pitch(text: str) -> tuple[int | None, int]:
    """A note without its length: (accidental or None, diatonic position)."""
    name = text.lstrip("^_=")
    position = LETTERS.index(name[0].upper()) + 7 * (name[0].islower()) + 7 * (name.count("'") - name.count(","))
    return ACCIDENTALS.get(text[: len(text) - len(name)]), position


def spelt(accidental: int | None, position: int) -> str:
    """The reverse of `pitch`."""
    octave, letter = divmod(position, 7)
    name = LETTERS[letter] + "," * -octave if octave <= 0 else LETTERS[letter].lower() + "'" * (octave - 1)
    return ("" if accidental is None else SIGNS[accidental]) + name


def length(text: str) -> tuple[int, int]:
    """A length as a fraction: ``2``, ``3/2``, ``/``, ``//``, ``/4``."""
    n, *divisors = text.split("/")
    d = 1
    for divisor in divisors:
        d *= int(divisor or 2) or 1
    return int(n or 1), d


def tuplet(text: str) -> tuple[int, int, int]:
    """A tuplet (p, q, r) as ``(3`` or ``(p:q:r`` states it; q is 0 where it depends on the meter."""
    p, q, r = (*(int(part) if part else 0 for part in text[1:].split(":")), 0, 0)[:3]
    return p, q or {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 0), r or p


def bar(text: str) -> Event:
    """What bar signs with blanks around them mean; ``other`` if there are only blanks.

    A bar line at the end of a line and one at the beginning of the next are one.
    """
    parts = [found for line in text.split("\n") if (found := re.sub(r"[ \\]+", "", line))]
    if not any("|" in part or "::" in part or part[-1] in "123456789" for part in parts):
        return OTHER
    # ``[|]`` is a bar line that is not drawn.
    closes = any(re.match(r"(?:\[\|\])?:", part) for part in parts)
    opens = any(part[-1] == ":" for part in parts)
    ending = next((int(part[-1]) for part in reversed(parts) if part[-1].isdigit()), 0)
    double = closes or opens or any(re.search(r"\|[|\]]|\[\|", part) for part in parts)
    return Event("bar", Bar(closes, opens, ending, double))


def default_unit(meter: tuple[int, int] | None) -> tuple[int, int]:
    """The length of a note where no line ``L:`` states it: a sixteenth in meters below 3/4, else an eighth."""
    return (1, 16) if meter and Fraction(*meter) < Fraction(3, 4) else (1, 8)
