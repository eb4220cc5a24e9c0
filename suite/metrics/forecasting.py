"""Metrics of forecasts: errors of the median, and how good the quantiles are.

A series is float ``[H]``, or ``[H, C]`` of several channels, H steps of the future; values that are NaN in the truth do
not count. Each metric takes one entry a series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

#: The quantile levels that ``crps`` averages over.
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def mase(
    truth: Sequence[npt.ArrayLike],
    found: Sequence[npt.ArrayLike],
    history: Sequence[npt.ArrayLike],
    period: Sequence[int],
) -> float:
    """Mean absolute scaled error (Hyndman and Koehler, 2006): 1 is the seasonal naive forecast's error in-sample.

    Of each series mean |y − f| / mean |x_t − x_{t−m}|, the denominator over its history x; then the mean over series.
    A channel whose history is shorter than m + 1 steps or repeats itself exactly has no scale and does not count.

    Args:
        truth: The values y that were forecast.
        found: The point forecasts f (the median, which minimises absolute errors).
        history: The values x before the forecast, ``[T]`` or ``[T, C]``.
        period: The seasonal period m of each series in steps, 1 for none.

    Returns:
        0 … ∞; NaN where no series has a scale.
    """
    scores = []
    for y, f, x, m in zip(truth, found, history, period, strict=True):
        past, errors = _columns(x), np.abs(_columns(y) - _columns(f, like=y))
        if m < 1:
            raise ValueError(f"period must be at least 1, not {m}")
        scales = _mean(np.abs(past[m:] - past[:-m]))
        known = scales > 0
        if known.any():
            scores.append(_mean(_mean(errors[:, known]) / scales[known]))
    return float(_mean(np.array(scores)))


def smape(truth: Sequence[npt.ArrayLike], found: Sequence[npt.ArrayLike]) -> float:
    """Symmetric mean absolute percentage error, as in the M4 competition (Makridakis et al., 2020).

    Of each series 200 · mean(|y − f| / (|y| + |f|)), where 0 / 0 counts as 0; then the mean over series.

    Returns:
        A percentage, 0 … 200; NaN for no series.
    """
    scores = []
    for y, f in zip(truth, found, strict=True):
        a, b = _columns(y), _columns(f, like=y)
        total = np.abs(a) + np.abs(b)
        shares = np.where(total == 0, 0, np.abs(a - b) / np.where(total == 0, 1, total))
        scores.append(200 * _mean(shares.ravel()))
    return float(_mean(np.array(scores)))


def crps(truth: Sequence[npt.ArrayLike], quantiles: Sequence[Mapping[float, npt.ArrayLike]]) -> float:
    """Scaled continuous ranked probability score, by quantiles (Laio and Tamea, 2007; Park et al., 2022).

    The mean over the levels q = .1, .2, … .9 of 2 Σ ρ_q(y − f_q) / Σ |y|, with the pinball loss
    ρ_q(u) = max(q u, (q − 1) u); sums are over all steps of all series. It is GluonTS's mean weighted quantile loss.
    Where all quantiles are equal, it is the sum of absolute errors over the sum of absolute values.

    Args:
        truth: The values y that were forecast.
        quantiles: Of each series the forecast f_q by level q; there must be all of ``LEVELS``.

    Returns:
        0 … ∞ in shares of the mean absolute value; NaN where that is 0.
    """
    losses, size = 0.0, 0.0
    for y, found in zip(truth, quantiles, strict=True):
        a = _columns(y)
        size += float(np.nansum(np.abs(a)))
        for level in LEVELS:
            over = a - _columns(_level(found, level), like=y)
            losses += float(np.nansum(np.maximum(level * over, (level - 1) * over)))
    return 2 * losses / len(LEVELS) / size if size else float("nan")


def coverage_80(truth: Sequence[npt.ArrayLike], quantiles: Sequence[Mapping[float, npt.ArrayLike]]) -> float:
    """Coverage of the 80 % prediction interval: the share of values between the quantiles .1 and .9, ends included.

    Returns:
        0 … 1, ideally 0.8; over all steps of all series. NaN for none.
    """
    inside: list[npt.NDArray[np.bool_]] = []
    for y, found in zip(truth, quantiles, strict=True):
        a, low, high = _columns(y), _columns(_level(found, 0.1), like=y), _columns(_level(found, 0.9), like=y)
        inside.append(((low <= a) & (a <= high))[~np.isnan(a)])
    return float(_mean(np.concatenate(inside))) if inside else float("nan")


def _columns(values: npt.ArrayLike, like: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """A series as ``[H, C]``; ``like`` are the values it forecasts. Raises ValueError for another shape, or NaN."""
    array = np.asarray(values, np.float64)
    if like is not None and array.shape != np.shape(like):
        raise ValueError(f"a forecast of shape {array.shape} for values of shape {np.shape(like)}")
    if like is not None and np.isnan(array).any():
        raise ValueError("a forecast must not have NaN")
    return array[:, None] if array.ndim == 1 else array


def _level(quantiles: Mapping[float, npt.ArrayLike], level: float) -> npt.ArrayLike:
    """The forecast of a level, whatever rounding did to its key. Raises ValueError where there is none."""
    for key, values in quantiles.items():
        if abs(key - level) < 1e-6:
            return values
    raise ValueError(f"no quantile {level} in the forecast, which has {sorted(quantiles)}")


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The mean along the first axis of what is not NaN, NaN for nothing."""
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    found: npt.NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
