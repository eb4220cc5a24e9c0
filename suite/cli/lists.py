"""``suite tasks``, and the list that ``suite cells`` prints too."""

from __future__ import annotations

import click

from suite.cli.options import as_json as json_option
from suite.cli.output import as_line, table
from suite.plugins import registry
from suite.plugins.entry_points import TASKS


@click.command("tasks", help="List the tasks. Nothing is loaded.")
@json_option
def tasks(as_json: bool) -> None:
    list_names(TASKS, registry().task_names(), as_json, ("task", "what it does"))


def list_names(group: str, names: list[str], as_json: bool, header: tuple[str, str]) -> None:
    """Print names and their summaries; nothing is loaded."""
    rows = [(name, registry().summary(group, name)) for name in names]
    if as_json:
        for name, summary in rows:
            click.echo(as_line({"name": name, "summary": summary}))
    else:
        click.echo(table(rows, header))
