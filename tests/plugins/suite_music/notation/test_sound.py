"""Notes as sound."""

from __future__ import annotations

import numpy as np
import pytest
from suite_music.notation.chorales import Chorale
from suite_music.notation.notes import Note, sung
from suite_music.notation.sound import PEAK, RATE, synthesize

from suite.errors import DataError


def loudest(samples: np.ndarray) -> float:
    """The strongest frequency, in hertz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


@pytest.mark.parametrize("pitch", [45, 60, 69, 88])
def test_a_note_has_its_pitch(pitch: int) -> None:
    sound = synthesize([Note(pitch, 0, 2)], tempo=120)[:RATE].sum(axis=1)
    assert loudest(sound) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.01)


def test_a_note_sounds_when_it_is_written_and_dies_away() -> None:
    sound = np.abs(synthesize([Note(60, 2, 1)], tempo=60)).max(axis=1)
    assert sound[: 2 * RATE].max() < 1e-6
    assert sound[2 * RATE : 3 * RATE].max() > 0.5
    assert sound[-RATE // 20 :].max() < 0.02
    assert 3 < len(sound) / RATE < 5


def test_levels(chorale: Chorale) -> None:
    sound = synthesize(sung(chorale), tempo=80)
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert np.abs(sound).max() == pytest.approx(PEAK, abs=1e-3)
    assert 0.05 < np.sqrt((sound**2).mean()) < 0.4
    assert abs(sound.mean()) < 1e-3
    # No click: from sample to sample it moves by little.
    assert np.abs(np.diff(sound, axis=0)).max() < 0.25
    np.testing.assert_array_equal(sound, synthesize(sung(chorale), tempo=80))


def test_silence_and_what_is_too_much() -> None:
    assert not synthesize([]).any()
    with pytest.raises(DataError, match="tempo of 0"):
        synthesize([Note(60, 0, 1)], tempo=0)
    with pytest.raises(DataError, match="minutes of sound"):
        synthesize([Note(60, 10_000, 1)], tempo=60)
