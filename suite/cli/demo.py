"""``suite demo``: every task on its sample inputs, through the same road a user takes."""

from __future__ import annotations

import click

from suite.errors import SuiteError, one_line
from suite.plugins import registry
from suite.task import Task


@click.command("demo", help="Show a task on its sample inputs; all of them by default.")
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON, one object a line.")
def demo(task: str | None, as_json: bool) -> None:
    if task not in (None, "all"):
        show(registry().task(str(task)), as_json=as_json)
        return
    failed = 0
    for name in registry().task_names():
        try:
            show(registry().task(name), as_json=as_json)
        except SuiteError as error:
            failed += 1
            click.echo(f"suite: {name}: {one_line(error)}", err=True)
    if failed:
        raise SuiteError(f"{failed} of {len(registry().task_names())} demos failed; see the lines above")


def show(task: Task, *, as_json: bool = False) -> None:
    """Predict the task's samples, then stream the first of them."""
    from suite.cli.output import as_line
    from suite.data.readers import read_rows
    from suite.pipelines import Pipeline
    from suite.streaming import Session

    pipeline = Pipeline.open(task.name)
    column = task.columns[0].name
    files = [path for path in task.samples if not path.name.startswith("labelled")]
    if not files:
        raise SuiteError(f"{task.name} ships no samples to show")

    def say(line: str) -> None:
        if not as_json:
            click.echo(line)

    say(f"── {task.name}: {task.summary}")
    first = None
    for path in files:
        rows = read_rows(path, text_column=column)
        inputs = [row.values[column] for row in rows]
        first = inputs[0] if first is None else first
        say(f"\n$ suite {task.name} predict --input {path.name}")
        for result in pipeline(inputs):
            click.echo(as_line(result.to_dict()) if as_json else task.render(result))
    if not pipeline.causal or task.mapping == "aligned":
        return
    say(f"\n$ echo … | suite {task.name} stream")
    session = Session(pipeline)
    for result in [*session.feed(first), *session.flush(), session.finish()]:
        click.echo(as_line(result.to_dict()) if as_json else task.render_update(result))
    say("")
