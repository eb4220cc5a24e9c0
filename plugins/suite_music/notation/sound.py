"""Notes as sound: a small synthesiser in numpy, something between a plucked string and a flute, in a room.

A note is a sum of harmonics, each of which dies away faster the higher it is, under an envelope; the room is
a reverberation of a second or so. The same notes give the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite.errors import DataError
from suite_music.notation.notes import Note

RATE = 44_100
#: Longer pieces are refused: half an hour of sound is 300 MB.
MAX_SECONDS = 1_800.0
#: How strong each harmonic is, and how much of a note's loudness is left after a second.
HARMONICS = (1.0, 0.42, 0.24, 0.12, 0.07, 0.035, 0.02)
DECAY = 0.28
ATTACK, RELEASE, ROOM = 0.012, 0.09, 1.1  # seconds
WET, PEAK = 0.22, 0.89
#: Where the voices stand, from left (0) to right (1).
PLACES = (0.42, 0.6, 0.38, 0.54)


def synthesize(notes: Sequence[Note], *, tempo: float = 120.0) -> np.ndarray:
    """The sound of notes at ``tempo`` quarter notes a minute, float32 ``[N, 2]`` in −1…1 at `RATE`.

    Raises DataError for a tempo that is not above 0, and for what would last longer than half an hour.
    """
    if not tempo > 0:
        raise DataError(f"a tempo of {tempo:g}: choose one above 0")
    beat = 60 / tempo
    end = max((note.start + note.duration for note in notes), default=0.0) * beat + RELEASE
    if end > MAX_SECONDS:
        raise DataError(f"{end / 60:.0f} minutes of sound; choose a faster tempo or fewer bars")
    dry = np.zeros((int((end + ROOM) * RATE) + 1, 2), dtype=np.float32)
    sounds: dict[tuple[int, int], np.ndarray] = {}
    for note in notes:
        size = max(int(note.duration * beat * RATE), 1)
        sound = sounds.get((note.pitch, size))
        if sound is None:
            sound = sounds[note.pitch, size] = _sound(note.pitch, size)
        start, right = int(note.start * beat * RATE), PLACES[note.voice % len(PLACES)]
        dry[start : start + len(sound)] += sound[:, None] * np.sqrt([1 - right, right]).astype(np.float32)
    wet = _in_room(dry)
    peak = float(np.abs(wet).max(initial=0.0))
    return np.asarray(wet * np.float32(PEAK / peak)) if peak else wet


def _sound(pitch: int, size: int) -> np.ndarray:
    """One note, float32, a release longer than ``size`` samples."""
    time = np.arange(size + int(RELEASE * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    sound = np.zeros(len(time))
    for number, strength in enumerate(HARMONICS, 1):
        if number * frequency < RATE / 2.5:
            # Not quite in tune with each other, and each with its own phase: a sum in step would click.
            phase = 2 * np.pi * number * frequency * (1 + 0.0002 * number) * time + 1.7 * number
            sound += strength * DECAY ** (time * (0.6 + 0.4 * number)) * np.sin(phase)
    rise = np.minimum(time / ATTACK, 1)
    fall = np.clip((len(time) - np.arange(len(time))) / (RELEASE * RATE), 0, 1)
    # High notes sound louder than low ones of the same strength.
    loudness = 2 ** ((66 - pitch) / 36)
    return np.asarray(0.2 * loudness * sound * rise * rise * (3 - 2 * rise) * fall * fall, dtype=np.float32)


def _in_room(dry: np.ndarray) -> np.ndarray:
    """The sound with its reverberation: convolved with noise that dies away, another for each ear."""
    size = int(ROOM * RATE)
    time = np.arange(size) / RATE
    noise = np.random.default_rng(7).normal(size=(size, 2)) * (0.001 ** (time / ROOM))[:, None]
    noise[: int(0.012 * RATE)] = 0
    # A room swallows high tones first: an average over five samples leaves little above 7 kHz.
    noise = np.stack([np.convolve(ear, np.ones(5) / 5, mode="same") for ear in noise.T], axis=1)
    noise /= np.sqrt((noise**2).sum(axis=0))
    wet = np.empty_like(dry)
    for ear in range(2):
        wet[:, ear] = _convolved(dry[:, ear], noise[:, ear])
    return dry + np.float32(WET) * wet


def _convolved(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The convolution, as long as the sound, block by block: memory does not grow with the piece."""
    block = 2 ** int(np.ceil(np.log2(len(response))))
    spectrum = np.fft.rfft(response, 2 * block)
    found = np.zeros(len(sound) + 2 * block, dtype=np.float32)
    for start in range(0, len(sound), block):
        piece = np.fft.irfft(np.fft.rfft(sound[start : start + block], 2 * block) * spectrum)
        found[start : start + 2 * block] += piece.astype(np.float32)
    return found[: len(sound)]
