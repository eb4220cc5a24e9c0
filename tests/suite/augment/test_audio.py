"""Recordings changed in training."""

from __future__ import annotations

import numpy as np
import pytest

from suite.augment.audio import augment_audio
from suite.augment.specs import SoundChanges

NONE = dict.fromkeys(("speed", "gain", "noise", "reverb", "band", "tone", "silence"), 0.0)
SAMPLES = (0.1 * np.sin(np.arange(8000) * 2 * np.pi * 500 / 8000)).astype(np.float32)


def changed(seed: int = 0, **how: float) -> np.ndarray:
    return augment_audio(SAMPLES, 8000, SoundChanges(**{**NONE, **how}), np.random.default_rng(seed))


def test_without_any_change_it_stays_what_it_is() -> None:
    np.testing.assert_allclose(changed(), SAMPLES, atol=1e-6)


@pytest.mark.parametrize("name", ["noise", "reverb", "band", "tone"])
def test_each_change_changes_it_by_chance_alone(name: str) -> None:
    once = changed(**{name: 1.0})
    assert once.shape == SAMPLES.shape
    assert np.abs(once - SAMPLES).max() > 1e-3
    assert np.isfinite(once).all()
    np.testing.assert_array_equal(once, changed(**{name: 1.0}))
    assert (once != changed(1, **{name: 1.0})).any()


def test_it_gets_faster_and_slower_louder_and_quieter_and_silence_around() -> None:
    lengths = {len(changed(seed, speed=0.12)) for seed in range(20)}
    assert len(lengths) > 4
    assert 8000 / 1.12 <= min(lengths) < 8000 < max(lengths) <= 8000 / 0.88 + 1
    peaks = [np.abs(changed(seed, gain=12.0)).max() for seed in range(20)]
    assert 0.02 < min(peaks) < 0.1 < max(peaks) < 0.41
    longer = changed(silence=0.4)
    assert 8000 < len(longer) <= 8000 + 2 * 3200
    assert np.abs(changed(3, gain=40.0)).max() <= 1


def test_noise_lies_as_far_under_as_is_asked() -> None:
    for decibels in (10.0, 30.0):
        noise = changed(noise=1.0, loudest=decibels, quietest=decibels) - SAMPLES
        found = 10 * np.log10((SAMPLES**2).mean() / (noise**2).mean())
        assert found == pytest.approx(decibels, abs=0.5)


@pytest.mark.parametrize(
    "settings", [{"noise": 1.5}, {"loudest": 30.0, "quietest": 20.0}, {"speed": 1.0}, {"gain": -1.0}]
)
def test_settings_that_make_no_sense(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        SoundChanges(**settings)  # type: ignore[arg-type]
