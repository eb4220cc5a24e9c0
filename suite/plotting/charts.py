"""Pictures: charts and heat maps, drawn by pillow and written as PNG. Import this only where something is drawn.

A picture is a grid of panels::

    loss = Chart("training loss", x="epoch").line(epochs, losses)
    figure([loss, Heatmap(weights, rows=words, columns=words)], path, columns=2)

Lengths are in pixels of the finished picture. Data may hold NaN, infinities and None, which are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from PIL import ImageColor

from suite.metrics import confusion, natural
from suite.plotting.canvas import Box, Canvas, shortened, width_of

TITLE, TEXT, SMALL = 17, 14, 13
INK, SOFT, AXIS, GRID, MISSING = "#262626", "#5c5c5c", "#9a9a9a", "#e6e6e6", "#d9d9d9"
#: Told apart by the colour-blind too (Okabe and Ito, 2008; the yellow, too faint on white, left out).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#262626")
#: Colours of a heat map from low to high: on paper, and glowing in the dark (for spectrograms).
BLUES = ("#f5f9fd", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
GLOW = ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf")


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
        across = box.left + (_numbers(xs) - left) / (right - left) * (box.right - box.left)
        up = box.bottom - (_numbers(ys) - low) / (high - low) * (box.bottom - box.top)
        return np.clip(np.stack([across, up], axis=-1), -1e5, 1e5)


# --- axes ----------------------------------------------------------------------------------------------------------


def _numbers(values: Any) -> np.ndarray:
    """Values as float64, NaN where there is none that can be drawn."""
    found = np.asarray(values, np.float64)
    return np.where(np.abs(found) < 1e100, found, np.nan)


def _range(values: np.ndarray, pad: float) -> tuple[float, float]:
    """The lowest and highest value with some room around; something sensible if there is no value or only one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-100):
        room = abs(low) / 10 if abs(low) > 1e-90 else 0.5
        return low - room, high + room
    return low - pad * (high - low), high + pad * (high - low)


def _ticks(low: float, high: float, most: float, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between two ends, about ``most``, as text too."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    step = max(step, 1) if whole else step
    counts = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    plain = max(abs(low), abs(high)) < 1e7 and digits <= 5
    return [(k * step, f"{k * step:,.{digits}f}" if plain else f"{k * step:.6g}") for k in counts]


def _ticks_across(low: float, high: float, room: float, whole: bool) -> list[tuple[float, str]]:
    """As many ticks as have room side by side on an axis ``room`` long."""
    few, many = (_ticks(low, high, room / apart, whole) for apart in (110, 55))
    return few if _below(Axis(low, high, many), room)[1] else many


def _below(axis: Axis, room: float) -> tuple[list[tuple[float, str]], float]:
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
        ticks, angle = _below(axis, room)
        for value, label in ticks:  # the first and the last may stand out
            at = (value - axis.low) / (axis.high - axis.low) * room
            wide = width_of(label, SMALL) * (math.cos(math.radians(angle)) if angle else 0.5)
            left = max(left, min(wide - at + 10, width * 0.4))
            right = right if angle else max(right, wide + at - room + 8)
        return left, right

    def ends(self, room: float) -> tuple[float, float]:
        """The room needed above and below a drawing of some width."""
        ticks, angle = _below(self.across(room), room)
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
        ticks, angle = _below(place.across, right - left)
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


# --- panels --------------------------------------------------------------------------------------------------------


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
        values = _numbers(values)
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
        self._xs.append(_numbers([x]))
        return self._dashed(lambda across, up: (x, up.low, x, up.high))

    def horizontal(self, y: float) -> Self:
        """A dashed line at one y."""
        self._ys.append(_numbers([y]))
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
        self._xs.append(_numbers(xs))
        self._ys.append(_numbers(ys))
        return self._xs[-1], self._ys[-1]

    def across(self, room: float) -> Axis:
        xs, fixed = np.concatenate(self._xs), self._ranges[0]
        low, high = _range(np.array(fixed), 0) if fixed else _range(xs, 0 if self._bars else 0.04)
        if self._names:
            return Axis(low, high, [(x, name) for x, name in self._names if low <= x <= high])
        whole = self._bars or not (xs[np.isfinite(xs)] % 1).any()
        return Axis(low, high, _ticks_across(low, high, room, whole))

    def up(self, room: float) -> Axis:
        ys, fixed = np.concatenate(self._ys), self._ranges[1]
        low, high = _range(np.array(fixed), 0) if fixed else _range(ys, 0.06)
        if self._bars and not fixed and not (ys < 0).any():
            low = 0.0  # bars stand on the axis
        return Axis(low, high, _ticks(low, high, room / 45))

    def paint(self, canvas: Canvas, place: Place) -> None:
        left, top, right, bottom = place.box
        with canvas.window(Box(left - 4, top - 4, right + 4, bottom + 4)) as window:  # markers may stand out
            for mark in self._marks:
                mark(window, place)


class Heatmap(Panel):
    """A matrix ``[R, C]`` as colours: attention, a spectrogram, a piano roll, a confusion matrix.

    With names, or nothing, row 0 is at the top. ``x_range`` and ``y_range`` give the values at the matrix's
    edges (seconds, hertz) instead; row 0 is then at the bottom. ``texts [R, C]`` are written into the cells where
    they have room. ``limits`` are the values of the first and the last colour, otherwise the lowest and highest.
    """

    grid = False

    def __init__(
        self, values: Any, *, rows: Sequence[str] = (), columns: Sequence[str] = (), texts: Any = None,
        title: str = "", x: str = "", y: str = "", limits: tuple[float, float] | None = None,
        colours: Sequence[str] = BLUES,
        x_range: tuple[float, float] | None = None, y_range: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(title, x, y)
        values = _numbers(values)
        self._height, self._breadth = values.shape
        self._rows, self._columns = list(rows), list(columns)
        self._texts = np.full(values.shape, "") if texts is None else np.asarray(texts).astype(str)
        self._ranges = [None if given is None else _range(np.array(given), 0) for given in (x_range, y_range)]
        self._colours = _coloured(values, _range(values if limits is None else np.array(limits), 0), colours)

    def across(self, room: float) -> Axis:
        low, high = self._ranges[0] or (-0.5, max(self._breadth, 1) - 0.5)
        if self._columns:
            return Axis(low, high, list(enumerate(self._columns)))
        return Axis(low, high, _ticks_across(low, high, room, self._ranges[0] is None))

    def up(self, room: float) -> Axis:
        if self._ranges[1]:
            return Axis(*self._ranges[1], _ticks(*self._ranges[1], room / 45))
        count = max(self._height, 1)
        every = math.ceil(SMALL * 1.2 * count / room)
        ticks = list(enumerate(self._rows))[::every] or _ticks(-0.5, count - 0.5, room / 45, whole=True)
        return Axis(count - 0.5, -0.5, ticks)

    def paint(self, canvas: Canvas, place: Place) -> None:
        if not self._colours.size:
            return
        turned = slice(None, None, -1 if self._ranges[1] else 1)
        colours, texts = self._colours[turned], self._texts[turned]
        across = np.linspace(place.box.left, place.box.right, self._breadth + 1)
        down = np.linspace(place.box.top, place.box.bottom, self._height + 1)
        wide, high = across[1] - across[0], down[1] - down[0]
        if min(wide, high) < 14:
            canvas.pixels(place.box, colours)
            return
        longest = max(texts.flat, key=len)
        size = next((n for n in (TEXT, 12, 10) if width_of(longest, n) + 4 <= wide and n + 4 <= high), None)
        for i, j in np.ndindex(texts.shape):  # cells large enough to be told apart have gaps between them
            colour = "#{:02x}{:02x}{:02x}".format(*colours[i, j])
            right, bottom = round(float(across[j + 1])) - 1, round(float(down[i + 1])) - 1
            canvas.rectangle(Box(float(across[j]), float(down[i]), right, bottom), colour)
            if size and texts[i, j]:
                ink = INK if colours[i, j] @ (0.299, 0.587, 0.114) > 140 else "#ffffff"
                x, y = (across[j] + across[j + 1]) / 2, (down[i] + down[i + 1]) / 2
                canvas.text(x, y, str(texts[i, j]), size, ink)


def _coloured(values: np.ndarray, limits: tuple[float, float], colours: Sequence[str]) -> np.ndarray:
    """The colours ``[…, 3]`` (uint8) of values: the first for the lower limit, the last for the upper."""
    stops = np.array([ImageColor.getrgb(colour) for colour in colours])
    at = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1) * (len(stops) - 1)
    mixed = np.stack([np.interp(at, range(len(stops)), channel) for channel in stops.T], axis=-1)
    mixed[~np.isfinite(values)] = ImageColor.getrgb(MISSING)
    return mixed.round().astype(np.uint8)


class Picture(Panel):
    """A picture ``[H, W, 3]`` (uint8), without axes."""

    grid = False

    def __init__(self, pixels: np.ndarray, title: str) -> None:
        super().__init__(title, "", "")
        self._pixels = pixels

    def across(self, room: float) -> Axis:
        return Axis(0, 1, ())

    def up(self, room: float) -> Axis:
        return Axis(0, 1, ())

    def paint(self, canvas: Canvas, place: Place) -> None:
        left, top, right, bottom = place.box
        side = min(right - left, bottom - top)
        canvas.pixels(Box(left, top, left + side, top + side), self._pixels)


def figure(panels: Sequence[Panel], path: Path, *, columns: int = 1, width: int = 1200, height: int = 300) -> None:
    """Write panels as one PNG, row by row.

    ``width`` is the picture's, ``height`` that of each drawing, to which titles and labels are added. Raises
    SuiteError if the file cannot be written.
    """
    edge, gap = 12, 12
    width = max(width, 240 * columns)  # less would leave no room beside the labels
    cell = (width - 2 * edge - gap * (columns - 1)) / columns
    # Drawings of one column stand exactly above each other, those of one row side by side.
    sides = [panel.sides(cell, height) for panel in panels]
    used = range(min(columns, len(panels)))
    lefts, rights = ([max(side[k] for side in sides[i::columns]) for i in used] for k in (0, 1))
    y = float(edge)
    placed = []
    for start in range(0, len(panels), columns):
        row = panels[start : start + columns]
        ends = [panel.ends(cell - left - right) for panel, left, right in zip(row, lefts, rights, strict=False)]
        top, bottom = max(end[0] for end in ends), max(end[1] for end in ends)
        for i, panel in enumerate(row):
            x = edge + i * (cell + gap)
            box = Box(x + lefts[i], y + top, x + cell - rights[i], y + top + height)
            placed.append((panel, box, Box(x, y, x + cell, box.bottom + bottom)))
        y += top + height + bottom + gap
    canvas = Canvas.blank(width, math.ceil(y))
    for panel, box, around in placed:
        panel.draw(canvas, box, around)
    canvas.save(path)


# --- pictures that several tasks have ------------------------------------------------------------------------------


def curves(history: Sequence[Mapping[str, Any]], metric: str, path: Path, *, lower: bool = False) -> None:
    """Draw training loss, dev metric (the best epoch marked) and gradient norm by epoch.

    Of a metric that is better ``lower`` the history has the negative.
    """
    epochs = [entry["epoch"] for entry in history]
    titles = {"loss": "training loss", "dev": f"dev {metric}", "grad_norm": "gradient norm"}
    charts = {key: Chart(title, x="epoch") for key, title in titles.items()}
    dev = _numbers([entry["dev"] for entry in history])
    if np.isfinite(dev).any():
        charts["dev"].vertical(epochs[int(np.nanargmax(dev))])
    for key, chart in charts.items():
        sign = -1 if lower and key == "dev" else 1
        chart.line(epochs, [sign * entry[key] for entry in history])
    figure(list(charts.values()), path, columns=3, height=240)


def confusion_matrix(counts: Any, names: Sequence[str]) -> Heatmap:
    """Counts ``[K, K]`` (rows true, columns predicted), coloured by each row's share."""
    counts = np.asarray(counts)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    return Heatmap(shares, rows=names, columns=names, texts=counts, x="predicted", y="true", limits=(0, 1))


def mistakes(truth: Sequence[str], found: Sequence[str]) -> Heatmap:
    """Which labels were taken for which."""
    names = sorted({*truth, *found}, key=natural)
    return confusion_matrix(confusion(truth, found, names), names)
