"""Write panels as one PNG file.

A figure is a grid of panels::

    loss = Chart("training loss", x="epoch").line(epochs, losses)
    figure([loss, Heatmap(weights, rows=words, columns=words)], path, columns=2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from suite.plotting.canvas import Box, Canvas
from suite.plotting.panel import Panel


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
