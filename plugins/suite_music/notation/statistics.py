"""What is measured of pieces: whether bars are full, what pitches, rhythms and intervals there are, what is copied."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from suite_music.notation import abc
from suite_music.notation.clock import Clock, advance
from suite_music.notation.notes import Note, heard

# --- bars -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """What sounds between two bar lines: its length and a bar's, in ticks, and the line that ends it."""

    length: int
    full: int
    line: abc.Bar


def measures(text: str) -> list[Measure]:
    """The measures of a tune in which something sounds."""
    found, clock = [], Clock()
    for event in abc.events(text):
        before, clock = clock, advance(clock, event)
        if event.kind == "bar" and before.position:
            found.append(Measure(before.position, before.bar, event.value))
    if clock.position:
        found.append(Measure(clock.position, clock.bar, abc.Bar()))
    if found:  # a section ends with the tune, whatever its last line is
        found[-1] = replace(found[-1], line=found[-1].line._replace(double=True))
    return found


def full_bars(text: str) -> tuple[int, int]:
    """How many bars of a tune fill its meter, and how many there are.

    A section's incomplete first measure is no bar of its own: with the section's last measure, or the last one
    before it, it makes one. A tune without a meter has no bars.
    """
    filled = bars = pickup = first = short = 0
    section: list[Measure] = []
    ended = False  # whether the section is the second ending of the one before
    for measure in measures(text):
        if not measure.full:
            return 0, 0
        section.append(measure)
        if not measure.line.double:
            continue
        if not ended:
            pickup = section.pop(0).length if len(section) > 1 and section[0].length < measure.full else 0
            first = first or pickup
        filled += short + pickup == measure.full  # the last measure before, if it still was too short
        *inner, last = section
        fits = last.length in (last.full, last.full - pickup, last.full - first)
        short = 0 if fits else last.length
        filled += fits + sum(bar.length == bar.full for bar in inner)
        bars += len(section)
        section, ended = [], measure.line.ending > 0
    return filled, bars


def full_bar_share(tunes: Sequence[str]) -> float:
    """The share of bars that fill their meter; NaN where there are none."""
    counts = [full_bars(text) for text in tunes]
    bars = sum(count for _, count in counts)
    return sum(full for full, _ in counts) / bars if bars else float("nan")


# --- what there is ----------------------------------------------------------------------------------------------

#: What is counted of notes: MIDI pitch, duration in quarter notes, semitones to the next note of the voice.
KINDS = ("pitch", "rhythm", "interval")


def histograms(pieces: Iterable[Sequence[Note]]) -> dict[str, dict[str, float]]:
    """The shares of pitches, durations and intervals in pieces, by `KINDS`."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for piece in pieces:
        for line in lines(piece):
            counts["pitch"].update(str(note.pitch) for note in line)
            counts["rhythm"].update(_fraction(note.duration) for note in line)
            counts["interval"].update(f"{b.pitch - a.pitch:+d}" for a, b in itertools.pairwise(line))
    return {
        kind: {name: n / count.total() for name, n in sorted(count.items(), key=lambda item: Fraction(item[0]))}
        for kind, count in counts.items()
    }


@lru_cache(maxsize=1024)
def _fraction(duration: float) -> str:
    return str(Fraction(duration).limit_denominator(96))


def distances(ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Half the sum of the differences of shares (total variation, 0…1) of two `histograms`, by `KINDS`."""
    return {
        kind: sum(abs(a.get(name, 0) - b.get(name, 0)) for name in sorted({*a, *b})) / 2
        for kind, (a, b) in ((kind, (ours[kind], theirs[kind])) for kind in KINDS)
    }


def lines(piece: Sequence[Note]) -> list[list[Note]]:
    """The notes of each voice, in order; of notes that begin together in one voice, the highest."""
    voices: dict[int, dict[float, Note]] = {}
    for note in sorted(piece, key=lambda note: (note.start, note.pitch)):
        voices.setdefault(note.voice, {})[note.start] = note
    return [list(voices[voice].values()) for voice in sorted(voices)]


# --- what is copied ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shared:
    """A run that a piece shares with a training piece: how many notes, and where it begins in the piece's voice.

    ``piece`` is the number of the training piece, −1 where nothing is shared.
    """

    notes: int
    start: int = 0
    piece: int = -1


class CopyCheck:
    """Finds the longest run of notes that a piece has in common with the pieces of training, in any key.

    A run is the same where its intervals are: rhythm makes no difference. Runs of one length are compared by
    their hashes, of which those of the training pieces are computed once; the length is found by bisection.
    """

    def __init__(self, pieces: Iterable[Sequence[Note]]) -> None:
        rows, owners = [], []
        for number, piece in enumerate(pieces):
            for line in lines(piece):
                rows.append(_intervals(line))
                owners.append(number)
        self._ends = np.cumsum([len(row) for row in rows])
        self._owners = np.asarray(owners, dtype=np.int64)
        self._sums = _sums(np.concatenate([*rows, np.empty(0, dtype=np.uint64)]))
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def longest(self, piece: Sequence[Note]) -> Shared:
        """The longest run that the piece shares, of two notes or more."""
        best = Shared(0)
        for line in lines(piece):
            sums = _sums(_intervals(line))
            low, high = 0, len(line) - 1  # intervals
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self._found(sums, middle) else (low, middle - 1)
            if low and low + 1 > best.notes and (found := self._found(sums, low)):
                best = Shared(low + 1, *found)
        return best

    def _found(self, sums: np.ndarray, length: int) -> tuple[int, int] | None:
        """Where a run of so many intervals is shared: (its start, the number of the training piece)."""
        if length not in self._kept:
            hashes = _hashes(self._sums, length)
            starts = np.arange(len(hashes))
            rows = np.searchsorted(self._ends, starts, side="right")
            inside = starts + length <= self._ends[np.minimum(rows, len(self._ends) - 1)]
            found, first = np.unique(hashes[inside], return_index=True)
            self._kept[length] = found, self._owners[rows[inside][first]]
        known, owners = self._kept[length]
        hashes = _hashes(sums, length)
        if not len(known) or not len(hashes):
            return None
        places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        same = np.flatnonzero(known[places] == hashes)
        return (int(same[0]), int(owners[places[same[0]]])) if len(same) else None


# Whole numbers of numpy wrap at 2⁶⁴, which is the modulus wanted; an odd base has an inverse there.
_BASE = 0x9E3779B97F4A7C15
_CODES = np.random.default_rng(0).integers(1, 2**63, size=256, dtype=np.uint64)


def _intervals(line: Sequence[Note]) -> np.ndarray:
    """The steps from note to note as random 64-bit numbers ``[N − 1]``."""
    return np.asarray(_CODES[np.diff([note.pitch for note in line]).astype(np.int64) % len(_CODES)])


def _sums(codes: np.ndarray) -> np.ndarray:
    """Sums of codes times powers of the base: differences of these are hashes of runs."""
    return np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(codes * _powers(len(codes), _BASE))])


def _hashes(sums: np.ndarray, length: int) -> np.ndarray:
    """The hash of the run at every start, all brought to the same power."""
    count = max(len(sums) - length, 0)
    return np.asarray((sums[length:] - sums[:count]) * _powers(count, pow(_BASE, -1, 2**64)))


def _powers(count: int, base: int) -> np.ndarray:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors)


# --- all of it --------------------------------------------------------------------------------------------------


def describe(found: Sequence[tuple[str, Any]], training: Sequence[Any] | None = None) -> dict[str, Any]:
    """Figures of pieces of one kind, (where, piece) each: how many ``pieces`` and ``notes``, of tunes ``bars_filled``.

    Beside the pieces of training also ``distance`` (`distances` of their `histograms`) and ``longest_copy``, the run
    of notes that each shares with one of them, with its mean.
    """
    sounding = [heard(piece) for _, piece in found]
    figures: dict[str, Any] = {"pieces": len(found), "notes": sum(map(len, sounding))}
    if tunes := [piece for _, piece in found if isinstance(piece, str)]:
        figures["bars_filled"] = full_bar_share(tunes)
    if training is None:
        return figures
    if tunes:
        figures["bars_filled_training"] = full_bar_share([piece for piece in training if isinstance(piece, str)])
    theirs = [heard(piece) for piece in training]
    figures["distance"] = distances(histograms(sounding), histograms(theirs))
    check = CopyCheck(theirs)
    runs = [check.longest(piece).notes for piece in sounding]
    figures["longest_copy"] = {
        where: {"notes": run, "share": run / max(len(piece), 1)}
        for (where, _), run, piece in zip(found, runs, sounding, strict=True)
    }
    figures["longest_copy_mean"] = sum(runs) / len(runs)
    return figures
