"""The figure of ``suite bench``: a bar chart a task, a bar a cell. Import this only where something is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.style import PALETTE


class Score(NamedTuple):
    """The dev metric of one cell in one task."""

    task: str
    cell: str
    metric: str
    value: float
    lower_is_better: bool = False


def draw(scores: Sequence[Score], path: Path) -> None:
    """Draw the scores as a PNG file, one chart for each task, each cell in a colour of its own."""
    cells = list(dict.fromkeys(score.cell for score in scores))
    colours = {cell: PALETTE[i % len(PALETTE)] for i, cell in enumerate(cells)}
    charts = []
    for task in dict.fromkeys(score.task for score in scores):
        own = [score for score in scores if score.task == task]
        better = ", lower is better" if own[0].lower_is_better else ""
        chart = Chart(f"{task}: {own[0].metric} on dev{better}")
        names = [score.cell for score in own]
        charts.append(chart.bars([score.value for score in own], names, colours=[colours[name] for name in names]))
    figure(charts, path, columns=min(2, len(charts)), height=260)
