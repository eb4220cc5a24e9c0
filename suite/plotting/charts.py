"""Charts of lines, points and bars. Import this only where something is drawn.

Data may hold NaN, infinities and None, which are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from suite.plotting.canvas import Box, Canvas
from suite.plotting.figure import figure
from suite.plotting.panel import Axis, Panel, Place, drawable, round_ticks, round_ticks_across, value_range
from suite.plotting.style import AXIS, PALETTE, SOFT


class Chart(Panel):
    """Lines, points and bars between two axes. Methods that add something return the chart, to add more.

    ``x`` and ``y`` name the axes; ``x_range`` and ``y_range`` fix what is shown, which otherwise is all there is.
    Whole numbers along x get ticks at whole numbers.
    """

    def __init__(
        self, title: str = "", *, x: str = "", y: str = "",
        x_range: tuple[float, float] | None = None, y_range: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(title, x, y)
        self._ranges = x_range, y_range
        self._xs, self._ys = [np.zeros(0)], [np.zeros(0)]
        self._marks: list[Callable[[Canvas, Place], None]] = []
        self._bars, self._names = False, list[tuple[float, str]]()

    def line(self, xs: Any, ys: Any, name: str = "", *, colour: str = "", markers: bool | None = None) -> Self:
        """A line through points ``xs, ys [N]``, with a marker at each unless they are many."""
        xs, ys = self._seen(xs, ys)
        colour = self._next_colour(name, colour)

        def mark(canvas: Canvas, place: Place) -> None:
            points = place.at(xs, ys)
            canvas.line(points, colour)
            if markers or (markers is None and len(points) <= 30):
                canvas.dots(points, colour, 3.5)

        self._marks.append(mark)
        return self

    def points(self, xs: Any, ys: Any) -> Self:
        """A cloud of points ``xs, ys [N]``, the fainter the more there are."""
        xs, ys = self._seen(xs, ys)
        colour = self._next_colour("", "")
        faint = f"{colour}{max(0x50, 0xC0 - len(xs) // 10):02x}"
        self._marks.append(lambda canvas, place: canvas.dots(place.at(xs, ys), faint, 3.5))
        return self

    def bars(self, values: Any, labels: Sequence[str] = (), *, colours: Sequence[str] = ()) -> Self:
        """A bar from zero for each value ``[N]``, at x = 0, 1 …, with a label below and a colour of its own."""
        values = drawable(values)
        self._bars, self._names = True, list(enumerate(labels))
        self._seen([-0.5, max(len(values), 1) - 0.5], np.append(values, 0))
        colour = self._next_colour("", "")

        def mark(canvas: Canvas, place: Place) -> None:
            (first, zero), (second, _) = place.at([0, 1], [0, 0])
            half = min(max((second - first) * 0.35, 0.5), 40)
            for i, (x, y) in enumerate(place.at(np.arange(len(values)), values)):
                if math.isfinite(y):
                    fill = colours[i] if len(colours) else colour
                    canvas.rectangle(Box(x - half, min(y, zero), x + half, max(y, zero)), fill)
            canvas.rectangle(Box(place.box.left, zero, place.box.right, zero + 1), SOFT)

        self._marks.append(mark)
        return self

    def vertical(self, x: float) -> Self:
        """A dashed line at one x."""
        self._xs.append(drawable([x]))
        return self._dashed(lambda across, up: (x, up.low, x, up.high))

    def horizontal(self, y: float) -> Self:
        """A dashed line at one y."""
        self._ys.append(drawable([y]))
        return self._dashed(lambda across, up: (across.low, y, across.high, y))

    def diagonal(self) -> Self:
        """A dashed line where x and y are equal."""
        return self._dashed(lambda a, u: (max(a.low, u.low),) * 2 + (min(a.high, u.high),) * 2)

    def _dashed(self, ends: Callable[[Axis, Axis], tuple[float, float, float, float]]) -> Self:
        def mark(canvas: Canvas, place: Place) -> None:
            x, y, to_x, to_y = ends(place.across, place.up)
            start, end = place.at([x, to_x], [y, to_y])
            if np.isfinite([start, end]).all():
                canvas.dashes(start, end, AXIS)

        self._marks.append(mark)
        return self

    def _next_colour(self, name: str, colour: str) -> str:
        """The colour of a new series: the one given, or the next."""
        colour = colour or PALETTE[len(self.series) % len(PALETTE)]
        self.series.append((name, colour))
        return colour

    def _seen(self, xs: Any, ys: Any) -> tuple[np.ndarray, np.ndarray]:
        """Values as numbers, which the axes will show."""
        self._xs.append(drawable(xs))
        self._ys.append(drawable(ys))
        return self._xs[-1], self._ys[-1]

    def across(self, room: float) -> Axis:
        xs, fixed = np.concatenate(self._xs), self._ranges[0]
        low, high = value_range(np.array(fixed), 0) if fixed else value_range(xs, 0 if self._bars else 0.04)
        if self._names:
            return Axis(low, high, [(x, name) for x, name in self._names if low <= x <= high])
        whole = self._bars or not (xs[np.isfinite(xs)] % 1).any()
        return Axis(low, high, round_ticks_across(low, high, room, whole))

    def up(self, room: float) -> Axis:
        ys, fixed = np.concatenate(self._ys), self._ranges[1]
        low, high = value_range(np.array(fixed), 0) if fixed else value_range(ys, 0.06)
        if self._bars and not fixed and not (ys < 0).any():
            low = 0.0  # bars stand on the axis
        return Axis(low, high, round_ticks(low, high, room / 45))

    def paint(self, canvas: Canvas, place: Place) -> None:
        left, top, right, bottom = place.box
        with canvas.window(Box(left - 4, top - 4, right + 4, bottom + 4)) as window:  # markers may stand out
            for mark in self._marks:
                mark(window, place)


def curves(history: Sequence[Mapping[str, Any]], metric: str, path: Path, *, lower: bool = False) -> None:
    """Draw training loss, dev metric (the best epoch marked) and gradient norm by epoch.

    Of a metric that is better ``lower`` the history has the negative.
    """
    epochs = [entry["epoch"] for entry in history]
    titles = {"loss": "training loss", "dev": f"dev {metric}", "grad_norm": "gradient norm"}
    charts = {key: Chart(title, x="epoch") for key, title in titles.items()}
    dev = drawable([entry["dev"] for entry in history])
    if np.isfinite(dev).any():
        charts["dev"].vertical(epochs[int(np.nanargmax(dev))])
    for key, chart in charts.items():
        sign = -1 if lower and key == "dev" else 1
        chart.line(epochs, [sign * entry[key] for entry in history])
    figure(list(charts.values()), path, columns=3, height=240)
