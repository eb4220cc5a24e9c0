"""The figures of ``suite cells show`` and ``compare``. Import this only where something is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.panel import Axis, Panel
from suite.plotting.style import AXIS, PALETTE, SOFT

#: The name of the reference whose gradients explode: an rnn with larger recurrent weights.
EXPLODING = "exploding rnn"
#: Smaller values are not drawn: a gradient of 1e-80 would press all others flat.
FLOOR = 1e-20


@dataclass(frozen=True, kw_only=True)
class CellCurves:
    """Measurements of one cell.

    ``initial`` and ``trained`` are gradient norms by distance (steps back), before and after training; ``recall``
    maps a delay to the share of symbols recalled, 0 … 1; ``norms`` are the gradient norms of the training steps.
    ``step_us`` and ``scan_us`` are microseconds a step, alone and in a scan.
    """

    initial: Sequence[float]
    trained: Sequence[float]
    recall: Mapping[int, float]
    norms: Sequence[float]
    step_us: float
    scan_us: float


@dataclass(frozen=True, kw_only=True)
class References:
    """What cells are compared with.

    ``gradient``, ``before`` and ``after`` are of a network whose gradients explode: the norms by distance, and those
    of the training steps before and after clipping to ``limit``. ``chance`` is the recall of guessing, 0 … 1, and
    ``trained_at`` the delay trained for. ``rnn_step_us`` and ``rnn_scan_us`` are the costs of the ``rnn`` cell.
    """

    gradient: Sequence[float]
    before: Sequence[float]
    after: Sequence[float]
    limit: float
    chance: float
    trained_at: int
    rnn_step_us: float
    rnn_scan_us: float


def draw(cells: Mapping[str, CellCurves], references: References, path: Path) -> None:
    """Draw gradients by distance at the start and after training, recall, clipping and cost as a PNG file."""
    start = _LogChart("gradient of the last output, at the start", x="steps back", y="norm")
    trained = _LogChart(f"after training to recall over {references.trained_at} steps", x="steps back", y="norm")
    for name, one in cells.items():
        start.line(range(len(one.initial)), _log(one.initial), name, markers=False)
        trained.line(range(len(one.trained)), _log(one.trained), name, markers=False)
    gradient = references.gradient
    start.line(range(len(gradient)), _log(gradient), EXPLODING, colour=AXIS, markers=False)
    panels = [start, trained, _recall(cells, references), _clipping(cells, references), *_costs(cells, references)]
    figure(panels, path, columns=2, height=280)


def _recall(cells: Mapping[str, CellCurves], references: References) -> Panel:
    delays = list(next(iter(cells.values())).recall)
    chart = _LogChart(
        "recall of a symbol (dashed: by chance)", x="distracting steps since", y="recalled, %", delays=delays
    )  # fmt: skip
    chart.horizontal(100 * references.chance)
    for name, one in cells.items():
        chart.line(_log(delays), [100 * share for share in one.recall.values()], name)
    return chart


def _clipping(cells: Mapping[str, CellCurves], references: References) -> Panel:
    chart = _LogChart(f"training's gradients, clipped to {references.limit:g} (dashed)", x="training step", y="norm")
    chart.horizontal(math.log10(references.limit))
    for name, one in cells.items():
        chart.line(range(len(one.norms)), _log(one.norms), name, markers=False)
    steps = range(len(references.before))
    chart.line(steps, _log(references.before), EXPLODING, colour=AXIS, markers=False)
    return chart.line(steps, _log(references.after), f"{EXPLODING}, clipped", colour=SOFT, markers=False)


def _costs(cells: Mapping[str, CellCurves], references: References) -> list[Panel]:
    costs = {name: (one.step_us, one.scan_us) for name, one in cells.items()}
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(costs))]
    if "rnn" not in costs:
        costs["rnn"] = references.rnn_step_us, references.rnn_scan_us
        colours.append(AXIS)
    steps, scans = zip(*costs.values(), strict=True)
    return [
        Chart("cost of a step alone", y="µs").bars(steps, list(costs), colours=colours),
        Chart("cost of a step in a scan of 1000", y="µs").bars(scans, list(costs), colours=colours),
    ]


def _log(values: Iterable[float]) -> list[float]:
    """Logarithms to base 10; NaN where there is none, or too little to draw."""
    return [math.log10(value) if value > FLOOR else math.nan for value in values]


class _LogChart(Chart):
    """A chart of logarithms, labelled with the values: up, or across where ``delays`` to be labelled are given."""

    def __init__(self, title: str, *, x: str, y: str, delays: Sequence[int] = ()) -> None:
        super().__init__(title, x=x, y=y, y_range=(0, 104) if delays else None)
        self.delays = delays

    def across(self, room: float) -> Axis:
        axis = super().across(room)
        return axis._replace(ticks=[(math.log10(d), str(d)) for d in self.delays]) if self.delays else axis

    def up(self, room: float) -> Axis:
        axis = super().up(room)
        if self.delays:
            return axis
        every = max(1, math.ceil((axis.high - axis.low) / (room / 45)))
        powers = range(math.ceil(axis.low / every) * every, math.floor(axis.high) + 1, every)
        if len(powers) > 1:
            return axis._replace(ticks=[(k, _power(k)) for k in powers])
        # Less than two powers of ten: label round steps between them.
        return axis._replace(ticks=[(value, f"{10**value:.2g}") for value, _ in axis.ticks])


def _power(k: int) -> str:
    return f"{10.0**k:g}" if -3 <= k <= 3 else f"1e{k}"
