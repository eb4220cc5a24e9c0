"""A tune in another key, as text: its key, its notes and its chord names move by one interval, all else stays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from suite.errors import DataError
from suite_music.notation import abc

#: Chord names are told from other quoted words by this.
_CHORD = re.compile(r'"([A-G][#b]?)((?:m|min|maj|dim|aug|sus|add|M|\+|-|\d)*)(?:/([A-G][#b]?))?"')
_TONIC = re.compile(r"(K:\s*)([A-G][#b]?)")
_SPELT = {-1: "b", 0: "", 1: "#"}


def transpose(text: str, tonic: str) -> str:
    """A tune with ``tonic`` (``"Bb"``) for its tonic, in the same mode, moved by the smaller way there.

    Raises DataError where the tune states no key, has accidentals in its key, or would need a triple sharp.
    """
    stated = [unit[0] for unit in abc.units(text) if unit["field"] and unit[0][0] == "K"]
    keys = [key for line in stated if (key := abc.key_of(line))]
    if not keys or len(keys) < len(stated):
        raise DataError("the tune states no key that is known; give it a line K:")
    target = abc.key(tonic)
    if target is None:
        raise DataError(f"{tonic!r} is no tonic; expected A to G, with # or b")
    letters = (target.letter - keys[0].letter + 3) % 7 - 3
    semitones = (target.tonic - keys[0].tonic + 6) % 12 - 6
    if abs(semitones - round(letters * 12 / 7)) > 2:  # a tritone, on the other side of the octave
        semitones += 12 if semitones < 0 else -12
    return "".join(_moved(text, letters, semitones))


def _moved(text: str, letters: int, semitones: int) -> Iterable[str]:
    old = new = abc.Key()
    for unit in abc.units(text):
        kind, written = abc.kind_of(unit), unit[0]
        if kind == "note":
            accidental, position = abc.pitch(written)
            if accidental is not None:
                accidental += new.signature[(position + letters) % 7] - old.signature[position % 7]
                if abs(accidental) > 2:
                    raise DataError("the tune would need a triple accidental; choose another key")
            yield abc.spelt(accidental, position + letters)
        elif kind in ("field", "inline") and written.lstrip("[").startswith("K:"):
            if re.search(r"[_^=][A-Ga-g]", written.partition("%")[0]):
                raise DataError(f"{written.strip()}: a key with accidentals of its own is not transposed")
            moved = _TONIC.sub(lambda found: found[1] + _name(found[2], letters, semitones), written)
            old, new = (abc.key_of(line.lstrip("[").rstrip("]\n")) or abc.Key() for line in (written, moved))
            yield moved
        elif kind == "quote" and (chord := _CHORD.fullmatch(written)):
            root, bass = (_name(name, letters, semitones) if name else "" for name in (chord[1], chord[3]))
            yield f'"{root}{chord[2]}{"/" if bass else ""}{bass}"'
        else:
            yield written


def _name(name: str, letters: int, semitones: int) -> str:
    """A note's name, moved. Raises DataError for one with two sharps or flats."""
    letter = abc.LETTERS.index(name[0])
    alter = {"#": 1, "b": -1, "": 0}[name[1:]]
    octaves, index = divmod(letter + letters, 7)
    alter += semitones + abc.SEMITONES[letter] - abc.SEMITONES[index] - 12 * octaves
    if alter not in _SPELT:
        raise DataError(f"{name} would become a {abc.LETTERS[index]} with {alter:+d} semitones; choose another key")
    return abc.LETTERS[index] + _SPELT[alter]


def key_lines(texts: Iterable[str], least: int = 5) -> dict[str, int]:
    """The lines ``K:`` of tunes that state one key, with how often each occurs, if that is ``least`` times."""
    counts: Counter[str] = Counter()
    for text in texts:
        lines = [unit[0] for unit in abc.units(text) if unit["field"] and unit[0][0] == "K"]
        if len(lines) == 1:
            counts.update(lines)
    return {line: count for line, count in counts.items() if count >= least}


def transpose_randomly(text: str, lines: Mapping[str, int], random: np.random.Generator) -> str:
    """A tune in a key drawn from those that occur (`key_lines`) in its mode and spelling, as often as they do."""
    choices = _choices(text, lines)
    if not choices:
        return text
    weights = np.array([lines[line] for line in choices], dtype=np.float64)
    line = choices[random.choice(len(choices), p=weights / weights.sum())]
    try:
        return transpose(text, _TONIC.match(line)[2])  # type: ignore[index]
    except DataError:
        return text


def _choices(text: str, lines: Mapping[str, int]) -> Sequence[str]:
    own = [unit[0] for unit in abc.units(text) if unit["field"] and unit[0][0] == "K"]
    if len(own) != 1 or not _TONIC.match(own[0]):
        return []
    blank = _TONIC.sub(r"\1", own[0])
    return [line for line in lines if _TONIC.match(line) and _TONIC.sub(r"\1", line) == blank]
