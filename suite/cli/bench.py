"""``suite bench``: is my cell any good? Every task with every cell, in one table."""

from __future__ import annotations

from pathlib import Path

import click

from suite.cli import options
from suite.cli.output import as_line, table
from suite.errors import SuiteError, UsageError, one_line
from suite.plugins import registry


@click.command("bench")
@click.option("--task", "tasks", metavar="NAME,…", help="Tasks (default: all whose data was downloaded).")
@click.option("--cell", "cells", metavar="NAME,…", help="Cells (default: all).")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Training minutes of each run.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Random seeds, a run each.")
@click.option(
    "--match-params", is_flag=True, help="Choose hidden sizes so that all cells have the same number of parameters."
)
@click.option("--out", type=click.Path(path_type=Path), default="bench", show_default=True, metavar="DIR",
              help="Where results are saved; existing ones are kept.")  # fmt: skip
@options.as_json
@options.plot("draw the quality of each cell in each task to this PNG file")
def bench(
    tasks: str | None, cells: str | None, minutes: float, seeds: int, match_params: bool, out: Path, as_json: bool,
    plot: Path | None,
) -> None:  # fmt: skip
    """Train every task with every cell for the same time, and compare the results.

    Quality on dev, parameters, training items a second, a streaming step, the bytes of its state. Tasks whose data is
    not here are named and left out. Interrupted, the same command goes on where it stood.
    """
    from suite.bench import FILE, Plan, data_of, run, summed

    found = registry()
    for cell in (wanted := _listed(cells) or found.cell_names()):
        found.cell(cell)  # says which name is nearest, before the work
    chosen = []
    for name in _listed(tasks) or found.task_names():
        try:
            here = data_of(found.task(name)) is not None
        except UsageError:
            raise
        except SuiteError as error:
            click.echo(f"suite: {one_line(error)}; left out", err=True)
            continue
        if here:
            chosen.append(name)
        else:
            click.echo(f"suite: {name}: its data is not here (suite data get {name}); left out", err=True)
    if not chosen:
        raise UsageError("no task whose data is here; suite data list says what can be fetched")
    plan = Plan(chosen, wanted, minutes, seeds, match_params)
    runs = len(plan.runs())
    hours = runs * minutes / 60
    click.echo(f"{runs} runs of {minutes:g} min of training: {hours:.1f} h, and reading and judging besides", err=True)
    rows = run(plan, out, say=lambda line: click.echo(line, err=True))
    summaries = summed(rows)
    if as_json:
        for row in rows:
            click.echo(as_line(row))
    elif summaries:
        header = ("task", "cell", "metric", "quality", "params", "items/s", "step µs", "state B")
        lines = [
            (
                s.task, s.cell, s.metric, f"{s.quality:.4f}" + (f" ± {s.spread:.4f}" if s.seeds > 1 else ""),
                f"{s.parameters:,}", f"{s.items_per_second:,.0f}" if s.items_per_second else "-", f"{s.step_us:.0f}",
                f"{s.state_bytes:,}",
            )
            for s in summaries
        ]  # fmt: skip
        click.echo(table(lines, header))
        click.echo(f"kept in {out / FILE}", err=True)
    if plot is not None and summaries:
        from suite.plotting.bench import Score, draw

        lower = {s.task: registry().task(s.task).lower_is_better(s.metric) for s in summaries}
        draw([Score(s.task, s.cell, s.metric, s.quality, lower[s.task]) for s in summaries], plot)
        click.echo(f"drawn: {plot}", err=True)
    if failed := sum("error" in row for row in rows):
        raise SuiteError(f"{failed} of {len(rows)} runs failed; {out / FILE} says why")


def _listed(names: str | None) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in (names or "").split(",") if name.strip()))
