"""Metrics of forecasts against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.metrics import coverage_80, crps, mase, smape
from suite.metrics.forecasting import LEVELS

NAN = math.nan


def at_all(*values: float) -> dict[float, list[float]]:
    """A forecast whose quantiles are all the same."""
    return {level: list(values) for level in LEVELS}


def test_mase() -> None:
    # The history moves by 1 a step; errors of 2 and 0 have a mean of 1.
    assert mase([[5, 6]], [[7, 6]], [[1, 2, 3, 4]], [1]) == pytest.approx(1)
    # With a period of two it moves by 2.
    assert mase([[5, 6]], [[7, 6]], [[1, 2, 3, 4]], [2]) == pytest.approx(0.5)
    # The mean over series, whatever their length: 1 and 3.
    assert mase([[5, 6], [0]], [[7, 6], [3]], [[1, 2, 3, 4], [0, 1]], [1, 1]) == pytest.approx(2)


def test_mase_of_channels_is_scaled_by_each() -> None:
    history = [[0, 0], [1, 10], [2, 20]]
    assert mase([[[3, 30]]], [[[4, 50]]], [history], [1]) == pytest.approx((1 / 1 + 20 / 10) / 2)


def test_series_without_a_scale_do_not_count() -> None:
    assert mase([[5], [5]], [[6], [9]], [[1, 2], [3, 3]], [1, 1]) == pytest.approx(1)
    assert math.isnan(mase([[5]], [[6]], [[1, 2]], [2]))
    assert math.isnan(mase([[5]], [[6]], [[1]], [7]))
    assert math.isnan(mase([], [], [], []))
    with pytest.raises(ValueError, match="period must be at least 1"):
        mase([[5]], [[6]], [[1, 2]], [0])


def test_smape() -> None:
    # 200 · (10 / 210 + 0) / 2.
    assert smape([[100, 50]], [[110, 50]]) == pytest.approx(200 * (10 / 210) / 2)
    assert smape([[1.0]], [[-1.0]]) == 200
    assert smape([[0.0]], [[0.0]]) == 0
    assert smape([[1], [1, 1]], [[1], [-1, -1]]) == 100
    assert math.isnan(smape([], []))


def test_missing_values_do_not_count() -> None:
    assert smape([[100, NAN]], [[110, 7]]) == pytest.approx(200 * 10 / 210)
    assert mase([[5, NAN]], [[7, 6]], [[1, NAN, 3, 4]], [1]) == pytest.approx(2)
    assert crps([[2.0, NAN]], [at_all(3, 100)]) == pytest.approx(0.5)
    assert coverage_80([[2.0, NAN]], [at_all(2, 0)]) == 1
    assert math.isnan(smape([[NAN]], [[1]]))


def test_crps_of_a_point_is_the_absolute_error() -> None:
    assert crps([[2, 4]], [at_all(3, 3)]) == pytest.approx((1 + 1) / (2 + 4))
    assert crps([[2], [4]], [at_all(3), at_all(3)]) == pytest.approx(2 / 6)
    assert crps([[2, 4]], [at_all(2, 4)]) == 0


def test_crps_by_hand() -> None:
    # y = 5 and quantiles 1 … 9: Σ ρ = 2 · (.1 · 4 + .2 · 3 + .3 · 2 + .4 · 1) = 4.
    spread = {level: [10 * level] for level in LEVELS}
    assert crps([[5.0]], [spread]) == pytest.approx(2 * 4 / 9 / 5)
    # Sharper is better where it is right.
    assert crps([[5.0]], [{level: [5 + (level - 0.5)] for level in LEVELS}]) < crps([[5.0]], [spread])


def test_crps_nears_the_integral() -> None:
    # Of a normal distribution and y = its mean: σ (√2 − 1) / √π = .2337 σ.
    normal = {0.1: -1.2816, 0.2: -0.8416, 0.3: -0.5244, 0.4: -0.2533, 0.5: 0.0}
    normal |= {round(1 - level, 1): -value for level, value in normal.items()}
    found = 10 * crps([[10.0]], [{level: [10 + value] for level, value in normal.items()}])
    assert found == pytest.approx(0.2337, rel=0.15)  # nine levels leave out the tails


def test_coverage() -> None:
    found = [{0.1: [0, 0, 0], 0.9: [1, 1, 1]}, {0.1: [0], 0.9: [1]}]
    assert coverage_80([[0, 0.5, 1.1], [-1]], found) == pytest.approx(2 / 4)
    assert math.isnan(coverage_80([], []))


def test_levels_may_be_rounded_and_must_be_there() -> None:
    levels = {float(level): [1.0] for level in np.linspace(0.1, 0.9, 9)}
    assert crps([[1.0]], [levels]) == 0
    with pytest.raises(ValueError, match=r"no quantile 0\.9 in the forecast"):
        coverage_80([[1.0]], [{0.1: [1.0]}])


def test_forecasts_of_another_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        smape([[1, 2]], [[1]])
    with pytest.raises(ValueError, match="shape"):
        crps([[1, 2]], [at_all(1)])
    with pytest.raises(ValueError, match="NaN"):
        smape([[1]], [[NAN]])
