"""Heat maps, confusion matrices and pictures as panels of a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import ImageColor

from suite.data.natural_order import natural_key
from suite.metrics import confusion
from suite.plotting.canvas import Box, Canvas, width_of
from suite.plotting.panel import Axis, Panel, Place, drawable, round_ticks, round_ticks_across, value_range
from suite.plotting.style import BLUES, INK, MISSING, SMALL, TEXT


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
        values = drawable(values)
        self._height, self._breadth = values.shape
        self._rows, self._columns = list(rows), list(columns)
        self._texts = np.full(values.shape, "") if texts is None else np.asarray(texts).astype(str)
        self._ranges = [None if given is None else value_range(np.array(given), 0) for given in (x_range, y_range)]
        self._colours = _colours_of(values, value_range(values if limits is None else np.array(limits), 0), colours)

    def across(self, room: float) -> Axis:
        low, high = self._ranges[0] or (-0.5, max(self._breadth, 1) - 0.5)
        if self._columns:
            return Axis(low, high, list(enumerate(self._columns)))
        return Axis(low, high, round_ticks_across(low, high, room, self._ranges[0] is None))

    def up(self, room: float) -> Axis:
        if self._ranges[1]:
            return Axis(*self._ranges[1], round_ticks(*self._ranges[1], room / 45))
        count = max(self._height, 1)
        every = math.ceil(SMALL * 1.2 * count / room)
        ticks = list(enumerate(self._rows))[::every] or round_ticks(-0.5, count - 0.5, room / 45, whole=True)
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


def _colours_of(values: np.ndarray, limits: tuple[float, float], colours: Sequence[str]) -> np.ndarray:
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


def confusion_matrix(counts: Any, names: Sequence[str]) -> Heatmap:
    """Counts ``[K, K]`` (rows true, columns predicted), coloured by each row's share."""
    counts = np.asarray(counts)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    return Heatmap(shares, rows=names, columns=names, texts=counts, x="predicted", y="true", limits=(0, 1))


def mistakes(truth: Sequence[str], found: Sequence[str]) -> Heatmap:
    """Which labels were taken for which."""
    names = sorted({*truth, *found}, key=natural_key)
    return confusion_matrix(confusion(truth, found, names), names)
