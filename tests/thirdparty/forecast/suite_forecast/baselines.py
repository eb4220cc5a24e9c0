"""What a forecast has to beat: the value a season ago, and exponential smoothing (ETS)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


def seasonal_naive(values: Sequence[float], period: int, horizon: int) -> np.ndarray:
    """The last season again and again, ``[horizon]``."""
    season = np.asarray(values, np.float64)[-period:]
    return season[np.arange(horizon) % len(season)]


@dataclass(frozen=True)
class Form:
    """Additive errors; trend none, additive or damped; season none, additive or multiplicative."""

    trend: str
    season: str


def ets(values: Sequence[float], period: int, horizon: int) -> np.ndarray:
    """Exponential smoothing of the form that has the lowest AICc on ``values`` (Hyndman et al., 2008), ``[horizon]``.

    Smoothing weights, level and trend at the start are fitted by least squares; the season at the start is the mean
    deviation of the first three seasons.
    """
    y = np.asarray(values, np.float64)
    seasons = ["none"]
    if period > 1 and len(y) >= 3 * period:
        seasons += ["additive", *(["multiplicative"] if y.min() > 0 else [])]
    best: tuple[float, np.ndarray] | None = None
    for season in seasons:
        for trend in ("none", "additive", "damped"):
            score, forecast = _fitted(y, period, horizon, Form(trend, season))
            if best is None or score < best[0]:
                best = score, forecast
    assert best is not None
    return best[1]


def _fitted(y: np.ndarray, period: int, horizon: int, form: Form) -> tuple[float, np.ndarray]:
    """AICc and the forecast of one form."""
    first = _first_season(y, period, form)
    begun = y[: max(2 * period, 4)]
    slope = float((begun[-1] - begun[0]) / max(len(begun) - 1, 1))
    scale = float(np.abs(np.diff(y)).mean()) or 1.0
    start = np.array([-0.5, -2.0, -2.0, 2.0, 0.0, 0.0])

    def unpack(p: np.ndarray) -> tuple[float, float, float, float, float, float]:
        alpha, beta, gamma = (1 / (1 + math.exp(-min(max(v, -30), 30))) for v in p[:3])
        damping = 0.8 + 0.18 / (1 + math.exp(-min(max(p[3], -30), 30))) if form.trend == "damped" else 1.0
        level = float(begun[0]) + scale * p[4]
        trend = (slope + 0.3 * scale * p[5]) if form.trend != "none" else 0.0
        return alpha, alpha * beta, gamma * (1 - alpha), damping, level, trend

    def loss(p: np.ndarray) -> float:
        return _run(y, period, form, unpack(p), first, 0)[0]

    found = _simplex(loss, start)
    squares, forecast = _run(y, period, form, unpack(found), first, horizon)
    count = 2 + (2 if form.trend != "none" else 0) + (form.trend == "damped")
    count += 0 if form.season == "none" else 1 + period
    n = len(y)
    aic = n * math.log(max(squares / n, 1e-12)) + 2 * (count + 1)
    return aic + 2 * (count + 1) * (count + 2) / max(n - count - 2, 1e-9), forecast


def _first_season(y: np.ndarray, period: int, form: Form) -> list[float]:
    if form.season == "none":
        return [0.0] * period
    rows = y[: 3 * period].reshape(3, period)
    level = rows.mean(axis=1, keepdims=True)
    season = (rows - level if form.season == "additive" else rows / level).mean(axis=0)
    season = season - season.mean() if form.season == "additive" else season / season.mean()
    return [float(value) for value in season]


def _run(
    y: np.ndarray, period: int, form: Form, parameters: tuple[float, ...], first: Sequence[float], horizon: int
) -> tuple[float, np.ndarray]:
    """The sum of squared one-step errors, and what comes next."""
    alpha, beta, gamma, damping, level, trend = parameters
    season, times = list(first), form.season == "multiplicative"
    total = 0.0
    for t, value in enumerate(y.tolist()):
        place = t % period
        ahead, s = level + damping * trend, season[place]
        error = value - (ahead * s if times else ahead + s)
        total += error * error
        if total > 1e300:
            return math.inf, np.full(horizon, y[-1])
        by_level = error / s if times and abs(s) > 1e-9 else error
        level = ahead + alpha * by_level
        trend = damping * trend + beta * by_level
        if form.season != "none":
            season[place] = s + gamma * (error / ahead if times and abs(ahead) > 1e-9 else error)
    found, grown = [], 0.0
    for h in range(horizon):
        grown += damping ** (h + 1)
        ahead, s = level + grown * trend, season[(len(y) + h) % period]
        found.append(ahead * s if times else ahead + s)
    return total, np.asarray(found)


def _simplex(loss: Callable[[np.ndarray], float], start: np.ndarray, steps: int = 250) -> np.ndarray:
    """The minimum by the downhill simplex method (Nelder and Mead, 1965)."""
    points = [start, *(start + np.eye(len(start))[i] for i in range(len(start)))]
    scored = sorted(((loss(p), i, p) for i, p in enumerate(points)), key=lambda one: one[:2])
    for number in range(len(points), len(points) + steps):
        middle = np.mean([p for _, _, p in scored[:-1]], axis=0)
        worst = scored[-1]
        tries = middle + (middle - worst[2])
        value = loss(tries)
        if value < scored[0][0]:
            further = middle + 2 * (middle - worst[2])
            value, tries = min((loss(further), further), (value, tries), key=lambda one: one[0])
        elif value >= scored[-2][0]:
            tries = middle + 0.5 * ((tries if value < worst[0] else worst[2]) - middle)
            value = loss(tries)
            if value >= min(worst[0], value + 1):
                best = scored[0][2]
                scored = [scored[0], *((loss(q), i, q) for _, i, p in scored[1:] for q in [best + 0.5 * (p - best)])]
                scored.sort(key=lambda one: one[:2])
                continue
        scored[-1] = (value, number, tries)
        scored.sort(key=lambda one: one[:2])
    return np.asarray(scored[0][2])
