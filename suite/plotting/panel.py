"""What all panels of a figure share: axes, ticks, a title and a legend around a drawing.

Lengths are in pixels of the finished picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from suite.plotting.canvas import Box, Canvas, shortened, width_of
from suite.plotting.style import AXIS, GRID, INK, SMALL, SOFT, TEXT, TITLE


class Axis(NamedTuple):
    """The values at an axis's two ends (left and right, or bottom and top), and its ticks with their labels."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


class Place(NamedTuple):
    """Where a panel's values lie in the picture."""

    box: Box
    across: Axis
    up: Axis

    def at(self, xs: Any, ys: Any) -> np.ndarray:
        """The pixels ``[N, 2]`` of some values ``[N]``; what has none is NaN, what is far outside stays outside."""
        box, (left, right, _), (low, high, _) = self
        across = box.left + (drawable(xs) - left) / (right - left) * (box.right - box.left)
        up = box.bottom - (drawable(ys) - low) / (high - low) * (box.bottom - box.top)
        return np.clip(np.stack([across, up], axis=-1), -1e5, 1e5)


def drawable(values: Any) -> np.ndarray:
    """Values as float64, NaN where there is none that can be drawn."""
    found = np.asarray(values, np.float64)
    return np.where(np.abs(found) < 1e100, found, np.nan)


def value_range(values: np.ndarray, pad: float) -> tuple[float, float]:
    """The lowest and highest value with some room around; something sensible if there is no value or only one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-100):
        room = abs(low) / 10 if abs(low) > 1e-90 else 0.5
        return low - room, high + room
    return low - pad * (high - low), high + pad * (high - low)


def round_ticks(low: float, high: float, most: float, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between two ends, about ``most``, as text too."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    step = max(step, 1) if whole else step
    counts = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    plain = max(abs(low), abs(high)) < 1e7 and digits <= 5
    return [(k * step, f"{k * step:,.{digits}f}" if plain else f"{k * step:.6g}") for k in counts]


def round_ticks_across(low: float, high: float, room: float, whole: bool) -> list[tuple[float, str]]:
    """As many ticks as have room side by side on an axis ``room`` long."""
    few, many = (round_ticks(low, high, room / apart, whole) for apart in (110, 55))
    return few if labels_below(Axis(low, high, many), room)[1] else many


def labels_below(axis: Axis, room: float) -> tuple[list[tuple[float, str]], float]:
    """The ticks under an axis that is ``room`` long, and the angle at which their labels do not overlap."""
    ticks = [(value, shortened(label, SMALL, 150)) for value, label in axis.ticks]
    if len(ticks) < 2:
        return ticks, 0
    apart = room * (ticks[1][0] - ticks[0][0]) / (axis.high - axis.low)
    widths = [width_of(label, SMALL) for _, label in ticks]
    if all((a + b) / 2 + 10 <= apart for a, b in pairwise(widths)):
        return ticks, 0
    angle = 35 if apart >= 30 else 60
    every = math.ceil(SMALL * 1.3 / math.sin(math.radians(angle)) / apart)
    return ticks[::every], angle


class Panel:
    """What charts and heat maps share: a title, a name for each axis, ticks and a legend around a drawing."""

    grid = True

    def __init__(self, title: str, x: str, y: str) -> None:
        self.title, self.x, self.y = title, x, y
        self.series: list[tuple[str, str]] = []

    def across(self, room: float) -> Axis:
        """The axis from left to right, ``room`` long."""
        raise NotImplementedError

    def up(self, room: float) -> Axis:
        """The axis from bottom to top, ``room`` long."""
        raise NotImplementedError

    def paint(self, canvas: Canvas, place: Place) -> None:
        """Draw what is inside the axes."""
        raise NotImplementedError

    def sides(self, width: float, height: float) -> tuple[float, float]:
        """The room needed left and right of the drawing in a cell of some width."""
        names = [shortened(label, SMALL, width * 0.3) for _, label in self.up(height).ticks]
        left = 10 + max((width_of(name, SMALL) for name in names), default=0) + (26 if self.y else 4)
        room, right = max(width - left - 20, 40), 20.0
        axis = self.across(room)
        ticks, angle = labels_below(axis, room)
        for value, label in ticks:  # the first and the last may stand out
            at = (value - axis.low) / (axis.high - axis.low) * room
            wide = width_of(label, SMALL) * (math.cos(math.radians(angle)) if angle else 0.5)
            left = max(left, min(wide - at + 10, width * 0.4))
            right = right if angle else max(right, wide + at - room + 8)
        return left, right

    def ends(self, room: float) -> tuple[float, float]:
        """The room needed above and below a drawing of some width."""
        ticks, angle = labels_below(self.across(room), room)
        turn = math.radians(angle)
        tall = max((math.sin(turn) * width_of(label, SMALL) + math.cos(turn) * SMALL for _, label in ticks), default=0)
        top = 12 + (28 if self.title else 0) + 22 * len(self._legend(room))
        return top, 10 + tall + (26 if self.x else 8)

    def draw(self, canvas: Canvas, box: Box, cell: Box) -> None:
        """Draw in ``box``, which has ``sides`` and ``ends`` around it inside ``cell``."""
        room = box.right - box.left
        place = Place(box, self.across(room), self.up(box.bottom - box.top))
        if self.grid:
            self._draw_grid(canvas, place)
        self.paint(canvas, place)
        self._draw_head(canvas, box, cell)
        self._draw_labels(canvas, place, cell)

    def _legend(self, room: float) -> list[list[tuple[float, str, str]]]:
        """The legend's rows: where in the row, the name and its colour. One series needs none."""
        named = [(name, colour) for name, colour in self.series if name]
        rows: list[list[tuple[float, str, str]]] = []
        at = 0.0
        for name, colour in named if len(named) > 1 else ():
            name = shortened(name, SMALL, min(room - 24, 240))
            wide = width_of(name, SMALL) + 22
            if not rows or at + wide > room:
                rows, at = [*rows, []], 0.0
            rows[-1].append((at, name, colour))
            at += wide + 18
        return rows

    def _draw_head(self, canvas: Canvas, box: Box, cell: Box) -> None:
        rows = self._legend(box.right - box.left)
        y = box.top - 22 - 22 * len(rows)
        canvas.text(box.left, y, shortened(self.title, TITLE, cell.right - box.left), TITLE, INK, "lm")
        for i, row in enumerate(rows):
            for at, name, colour in row:
                x, line = box.left + at, y + 23 + 22 * i
                canvas.rectangle(Box(x, line - 2, x + 16, line + 2), colour)
                canvas.text(x + 22, line, name, SMALL, SOFT, "lm")

    def _draw_grid(self, canvas: Canvas, place: Place) -> None:
        left, top, right, bottom = place.box
        for value, _ in place.up.ticks:
            y = place.at(place.across.low, value)[1]
            canvas.rectangle(Box(left, y, right, y + 1), GRID)
        for value, _ in place.across.ticks:
            x = place.at(value, place.up.low)[0]
            canvas.rectangle(Box(x, top, x + 1, bottom), GRID)
        canvas.rectangle(Box(left, top, left + 1, bottom), AXIS)
        canvas.rectangle(Box(left, bottom, right, bottom + 1), AXIS)

    def _draw_labels(self, canvas: Canvas, place: Place, cell: Box) -> None:
        left, top, right, bottom = place.box
        ticks, angle = labels_below(place.across, right - left)
        for value, label in ticks:
            x = place.at(value, place.up.low)[0]
            if angle:
                canvas.text(x + 4, bottom + 8, label, SMALL, SOFT, "rm", angle)
            else:
                canvas.text(x, bottom + 14, label, SMALL, SOFT)
        for value, label in place.up.ticks:
            y = place.at(place.across.low, value)[1]
            canvas.text(left - 8, y, shortened(label, SMALL, (cell.right - cell.left) * 0.3), SMALL, SOFT, "rm")
        end = bottom + self.ends(right - left)[1] - 14
        canvas.text((left + right) / 2, end, shortened(self.x, TEXT, cell.right - cell.left), TEXT, SOFT)
        if self.y:
            label = shortened(self.y, TEXT, cell.bottom - cell.top)
            canvas.text(cell.left + 12, (top + bottom) / 2, label, TEXT, SOFT, angle=90)
