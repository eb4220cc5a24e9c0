"""The figures of ``suite cells show`` and ``compare``. Import this only where something is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suite.plotting.charts import AXIS, PALETTE, SOFT, Axis, Chart, Panel, figure

if TYPE_CHECKING:
    from suite.nn.inspect import Clipping, Inspection

#: The reference whose gradients explode: an rnn with larger recurrent weights.
EXPLODING = "exploding rnn"
#: Nothing smaller is drawn: a gradient of 1e-80 would press all others flat.
FLOOR = 1e-20


def draw(found: Mapping[str, Inspection], exploding: Clipping, path: Path) -> None:
    """Gradients by distance at the start and after training, recall, cost and clipping, of any number of cells."""
    start = _LogChart("gradient of the last output, at the start", x="steps back", y="norm")
    delay = next(iter(found.values())).trained_at
    trained = _LogChart(f"after training to recall over {delay} steps", x="steps back", y="norm")
    for name, one in found.items():
        start.line(range(len(one.initial)), _log(one.initial), name, markers=False)
        trained.line(range(len(one.trained)), _log(one.trained), name, markers=False)
    start.line(range(len(exploding.gradient)), _log(exploding.gradient), EXPLODING, colour=AXIS, markers=False)
    figure([start, trained, _recall(found), _clipping(found, exploding), *_costs(found)], path, columns=2, height=280)


def _recall(found: Mapping[str, Inspection]) -> Panel:
    first = next(iter(found.values()))
    delays = list(first.accuracy)
    chart = _LogChart(
        "recall of a symbol (dashed: by chance)", x="distracting steps since", y="recalled, %", delays=delays
    )  # fmt: skip
    chart.horizontal(100 * first.chance)
    for name, one in found.items():
        chart.line(_log(delays), [100 * share for share in one.accuracy.values()], name)
    return chart


def _clipping(found: Mapping[str, Inspection], exploding: Clipping) -> Panel:
    chart = _LogChart(f"training's gradients, clipped to {exploding.limit:g} (dashed)", x="training step", y="norm")
    chart.horizontal(math.log10(exploding.limit))
    for name, one in found.items():
        chart.line(range(len(one.training.before)), _log(one.training.before), name, markers=False)
    steps = range(len(exploding.before))
    chart.line(steps, _log(exploding.before), EXPLODING, colour=AXIS, markers=False)
    return chart.line(steps, _log(exploding.after), f"{EXPLODING}, clipped", colour=SOFT, markers=False)


def _costs(found: Mapping[str, Inspection]) -> list[Panel]:
    costs = {name: (one.cost.step, one.cost.scan) for name, one in found.items()}
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(costs))]
    if "rnn" not in costs:
        cost = next(iter(found.values())).cost
        costs["rnn"] = cost.step / cost.step_ratio, cost.scan / cost.scan_ratio
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
