"""Keys of notes that only have pitches: how to spell them, and which key they are most likely in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite_music.notation.notes import Note

#: How well each semitone above the tonic fits a key, as listeners rated it (Krumhansl and Kessler, 1982).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def spelling(pitch: int, fifths: int) -> tuple[str, int]:
    """A MIDI pitch as letter and alteration, near the key on the line of fifths: G sharp, not A flat, in A minor."""
    steps = next(steps for steps in range(fifths - 3, fifths + 9) if (7 * steps - pitch) % 12 == 0)
    return "FCGDAEB"[(steps + 1) % 7], (steps + 1) // 7


def estimated(notes: Sequence[Note]) -> tuple[int, bool]:
    """The key that notes fit best, as (fifths −5…6, whether minor): their pitches' durations against the ratings.

    Krumhansl and Schmuckler's method (Krumhansl, 1990, Cognitive Foundations of Musical Pitch).
    """
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += note.duration
    if not weights.any():
        return 0, False
    best = max(
        (float(np.corrcoef(np.roll(weights, -tonic), profile)[0, 1]) if np.ptp(weights) else 0.0, -tonic, minor)
        for minor, profile in ((False, _MAJOR), (True, _MINOR))
        for tonic in range(12)
    )
    tonic, minor = -best[1], best[2]
    return (7 * (tonic - (9 if minor else 0)) + 5) % 12 - 5, minor


def name_of(fifths: int, minor: bool) -> str:
    """A key's name as ABC writes it: ``G``, ``F#m``."""
    steps = fifths + 3 * minor
    return "FCGDAEB"[(steps + 1) % 7] + {-1: "b", 0: "", 1: "#"}[(steps + 1) // 7] + ("m" if minor else "")
