"""``suite tasks | plugins``, and the list that ``suite cells`` prints too."""

from __future__ import annotations

import click

from suite.cli.options import as_json as json_option
from suite.cli.output import as_line, table
from suite.plugins import TASKS, registry


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


@click.command("plugins", help="List the plugins, load each, and say what is wrong with a broken one.")
@json_option
def plugins(as_json: bool) -> None:
    rows = []
    found = registry().report(load=True)
    for status in found:
        offers = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in sorted(status.names.items()))
        seconds = "" if status.seconds is None else f"{status.seconds * 1000:.0f} ms"
        if as_json:
            click.echo(
                as_line(
                    {
                        "name": status.module,
                        "distribution": status.distribution,
                        "version": status.version,
                        **{kind: status.names.get(kind, []) for kind in ("tasks", "cells", "commands")},
                        "seconds": status.seconds,
                        "status": status.status,
                        "error": status.error or None,
                    }
                )
            )
            continue
        what = status.status + (f": {status.error}" if status.error else "")
        rows.append((status.module, status.version, offers, seconds, what))
    if not as_json:
        click.echo(table(rows, ("plugin", "version", "offers", "load", "status")))
