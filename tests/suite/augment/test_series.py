"""Recordings changed by chance: never broken, and each change alone does what it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from suite.augment.series import augment_series
from suite.augment.specs import SeriesChanges

NONE = SeriesChanges(speed=0, warp=0, scale=0, shift=0, noise=0, crop=0, drop=0)
MIDDLE, SPREAD = np.array([1.0, -2.0], np.float32), np.array([1.0, 3.0], np.float32)


def wave(steps: int = 200) -> np.ndarray:
    at = np.linspace(0, 6, steps)
    return (MIDDLE + SPREAD * np.stack([np.sin(at), np.cos(at)], axis=1)).astype(np.float32)


def changed(array: np.ndarray, seed: int = 0, **settings: float) -> np.ndarray:
    return augment_series(array, dataclasses.replace(NONE, **settings), MIDDLE, SPREAD, np.random.default_rng(seed))


def test_nothing_asked_for_changes_nothing() -> None:
    np.testing.assert_array_equal(changed(wave()), wave())


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_any_length_stays_a_recording(steps: int) -> None:
    spec = SeriesChanges(speed=0.5, warp=0.5, scale=0.5, shift=0.5, noise=0.5, crop=0.5, drop=0.5)
    for seed in range(50):
        found = augment_series(wave(steps), spec, MIDDLE, SPREAD, np.random.default_rng(seed))
        assert found.dtype == np.float32
        assert found.shape[0] >= 1
        assert found.shape[1] == 2
        assert np.isfinite(found).all()


def test_the_same_chance_gives_the_same() -> None:
    assert np.array_equal(changed(wave(), 3, warp=0.2, scale=0.1), changed(wave(), 3, warp=0.2, scale=0.1))
    assert not np.array_equal(changed(wave(), 3, scale=0.1), changed(wave(), 4, scale=0.1))


def test_warping_keeps_the_ends_and_the_range() -> None:
    for seed in range(20):
        found = changed(wave(), seed, warp=0.3, speed=0.2)
        np.testing.assert_allclose(found[[0, -1]], wave()[[0, -1]], atol=1e-5)
        assert found.max() <= wave().max()
        assert found.min() >= wave().min()
    assert len({len(changed(wave(), seed, speed=0.2)) for seed in range(20)}) > 10


def test_scaling_is_about_the_middle_and_by_channel() -> None:
    grown, plain = changed(wave(), scale=0.3) - MIDDLE, wave() - MIDDLE
    factors = grown[20] / plain[20]
    np.testing.assert_allclose(grown, plain * factors, atol=1e-5)
    assert abs(factors[0] - factors[1]) > 0.01


def test_shifts_are_in_the_channels_own_spreads() -> None:
    moved = np.stack([changed(wave(), seed, shift=0.1)[0] - wave()[0] for seed in range(400)])
    np.testing.assert_allclose(moved.std(axis=0), 0.1 * SPREAD, rtol=0.15)


def test_cropping_cuts_the_ends_only() -> None:
    whole = [tuple(row) for row in wave()]
    for seed in range(20):
        found = [tuple(row) for row in changed(wave(), seed, crop=0.1)]
        assert len(found) >= 160
        at = whole.index(found[0])
        assert whole[at : at + len(found)] == found


def test_a_channel_may_stand_still_but_never_all() -> None:
    still = [(changed(wave(), seed, drop=0.5) == MIDDLE).all(axis=0) for seed in range(100)]
    assert any(each.any() for each in still)
    assert not any(each.all() for each in still)
    alone = wave()[:, :1]
    spec = dataclasses.replace(NONE, drop=0.9)
    np.testing.assert_array_equal(augment_series(alone, spec, MIDDLE[:1], SPREAD[:1], np.random.default_rng(0)), alone)


def test_what_is_missing_stays_missing() -> None:
    array = wave()
    array[50:60, 0] = np.nan
    found = changed(array, warp=0.1, scale=0.1)
    assert 5 <= np.isnan(found[:, 0]).sum() <= 20
    assert not np.isnan(found[:, 1]).any()
