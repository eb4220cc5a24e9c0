"""The figure of ``suite bench``: a chart of bars a task, a bar a cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suite.bench import Summary
from suite.plotting.charts import PALETTE, Chart, figure
from suite.plugins import registry


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw the quality of each cell in each task."""
    cells = list(dict.fromkeys(one.cell for one in summaries))
    colours = {cell: PALETTE[i % len(PALETTE)] for i, cell in enumerate(cells)}
    charts = []
    for task in dict.fromkeys(one.task for one in summaries):
        own = [one for one in summaries if one.task == task]
        better = ", lower is better" if registry().task(task).lower_is_better(own[0].metric) else ""
        chart = Chart(f"{task}: {own[0].metric} on dev{better}")
        charts.append(
            chart.bars([o.quality for o in own], [o.cell for o in own], colours=[colours[o.cell] for o in own])
        )
    figure(charts, path, columns=min(2, len(charts)), height=260)
