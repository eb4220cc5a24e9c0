"""``suite demo``: every task on its sample inputs, through the same road a user takes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from suite.cli import options
from suite.errors import SuiteError, UsageError, one_line
from suite.plugins import registry
from suite.task import AnyTask, Result


@click.command("demo", help="Run a task on its sample inputs (default: all tasks).")
@click.argument("task", required=False)
@options.as_json
@options.plot("draw the samples of the task to this PNG file")
def demo(task: str | None, as_json: bool, plot: Path | None) -> None:
    if task not in (None, "all"):
        show(registry().task(str(task)), as_json=as_json, plot=plot)
        return
    if plot is not None:
        raise UsageError("--plot: name the task to draw")
    failed = 0
    for name in registry().task_names():
        try:
            found = registry().task(name)
            if not found.ships:
                click.echo(f"suite: {name} ships no model yet; suite {name} train makes one", err=True)
                continue
            show(found, as_json=as_json)
        except SuiteError as error:
            failed += 1
            click.echo(f"suite: {name}: {one_line(error)}", err=True)
    if failed:
        raise SuiteError(f"{failed} of {len(registry().task_names())} demos failed; see the lines above")


def nearby(path: Path) -> Path:
    """A sample's path as one would type it: from the current folder where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def show(task: AnyTask, *, as_json: bool = False, plot: Path | None = None) -> None:
    """Predict the task's samples, then stream the first of them; ``plot`` draws those of the first file."""
    from suite.cli.output import as_line, drawn
    from suite.data.readers import read_rows
    from suite.inference.pipeline import Pipeline
    from suite.inference.sessions import open_session

    if plot is not None and not task.plots.results:
        raise UsageError(f"--plot: {task.name} draws nothing")
    pipeline = Pipeline.open(task.name)
    column, blank = task.data.columns[0].name, task.data.keep_blank_lines
    files = [nearby(path) for path in task.samples if not path.name.startswith("labelled")]
    if not files:
        raise SuiteError(f"{task.name} ships no samples to show; suite {task.name} predict answers inputs of yours")

    def say(line: str) -> None:
        if not as_json:
            click.echo(line)

    say(f"── {task.name}: {task.summary}")
    first: Any = None
    for path in files:
        if task.data.inputs == "files":
            inputs = [value for _, value in task.expand_inputs(str(path))]
        else:
            inputs = [row.values[column] for row in read_rows(path, text_column=column, blank=blank)]
        say(
            f"\n$ suite {task.name} predict {'' if task.data.inputs == 'files' else '--input '}{shlex.quote(str(path))}"
        )
        results = pipeline(inputs)
        for result in results:
            click.echo(as_line(result.to_dict()) if as_json else task.render(result))
        if first is None:
            first = inputs[0]
            if plot is not None:
                task.plot(pipeline.model, inputs, results, plot)
                drawn(plot)
    streaming = task.streaming
    if streaming is None or streaming.parser is None or not (pipeline.causal or streaming.kind == "segments"):
        say("")
        return
    say(f"\n$ echo … | suite {task.name} stream")
    session = open_session(pipeline.model)
    previous: Result | None = None
    for result in [*session.feed(first), *session.flush(), session.finish()]:
        line = as_line(result.to_dict()) if as_json else task.render_update(result, previous)
        if line is not None:
            click.echo(line, nl=as_json or streaming.unit == "step")
            previous = result
    say("")
