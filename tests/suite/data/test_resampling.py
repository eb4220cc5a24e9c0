"""Series from one sample rate to another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.data.resampling import LinearResampler, resample_series
from suite.errors import DataError


def test_resampling_keeps_what_is_straight() -> None:
    line = np.arange(101, dtype=np.float32)[:, None]
    assert resample_series(line, 100, 100) is line
    np.testing.assert_allclose(resample_series(line, 100, 200)[:, 0], np.arange(201) / 2)
    np.testing.assert_allclose(resample_series(line, 100, 50)[1:-1, 0], np.arange(51)[1:-1] * 2, atol=1e-5)
    np.testing.assert_allclose(resample_series(np.full((50, 2), 3, np.float32), 44, 7), 3, atol=1e-6)


def test_resampling_down_takes_out_what_would_fold_back() -> None:
    time = np.arange(1000) / 1000
    fast = np.sin(2 * np.pi * 490 * time).astype(np.float32)[:, None]
    assert np.abs(resample_series(fast, 1000, 50)).max() < 0.1  # plain picking would give a slow wave of size 1
    slow = np.sin(2 * np.pi * 2 * time).astype(np.float32)[:, None]
    np.testing.assert_allclose(resample_series(slow, 1000, 50)[1:-1], slow[::20][1:-1], atol=0.02)


def test_missing_values_do_not_count_in_a_mean() -> None:
    x = np.array([[1], [np.nan], [3], [np.nan], [np.nan], [np.nan]], dtype=np.float32)
    found = resample_series(x, 2, 1)[:, 0]
    assert found[0] == 1
    assert found[1] == 3
    assert np.isnan(found[2])


@settings(deadline=None, max_examples=150)
@given(
    steps=st.integers(1, 60),
    rates=st.tuples(st.floats(0.5, 200), st.floats(0.5, 200)),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    seed=st.integers(0, 9),
)
def test_resampling_in_pieces_gives_the_same(
    steps: int, rates: tuple[float, float], cuts: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(steps, 2)).astype(np.float32)
    x[random.random((steps, 2)) < 0.1] = np.nan
    whole = resample_series(x, *rates)
    if rates[0] != rates[1]:
        resampler = LinearResampler(*rates)
        parts = [resampler.feed(part) for part in np.split(x, sorted(min(c, steps) for c in cuts))]
        np.testing.assert_array_equal(np.concatenate([*parts, resampler.flush()]), whole)
    assert abs(len(whole) - ((steps - 1) * rates[1] / rates[0] + 1)) <= 1


def test_a_resampler_holds_little() -> None:
    resampler = LinearResampler(100, 30)
    for _ in range(1000):
        resampler.feed(np.zeros((7, 3), dtype=np.float32))
    assert resampler.held is not None
    assert len(resampler.held) < 20


def test_rates_must_be_rates() -> None:
    with pytest.raises(DataError, match="cannot resample from 0"):
        LinearResampler(0, 10)
