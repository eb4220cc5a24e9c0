"""``suite plugins``: list plugins, show, check and diagnose them, or create a new one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli import options
from suite.cli.output import as_line, figures, table
from suite.errors import SuiteError, UsageError, nearest
from suite.plugins import Status, registry
from suite.plugins.entry_points import CELLS, COMMANDS, HOOK, TASKS, path_of

if TYPE_CHECKING:
    from suite.task import AnyTask

_KINDS = {"tasks": TASKS, "cells": CELLS, "commands": COMMANDS}


class _Plugins(click.Group):
    """Says what to type if a plugin's name is given instead of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            raise click.UsageError(f"no command named {args[0]!r}; try suite plugins show {args[0]}", ctx)
        return super().resolve_command(ctx, args)


@click.group("plugins", cls=_Plugins, invoke_without_command=True)
@options.as_json
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List the plugins, and say what is wrong with a broken one.

    Each is loaded; a broken one does not affect the others.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json)


@plugins.command("list", help="List the plugins, load each, and say what is wrong with a broken one.")
@options.as_json
def list_plugins(as_json: bool) -> None:
    _list(as_json)


def _list(as_json: bool) -> None:
    found = registry().report(load=True)
    if as_json:
        for status in found:
            click.echo(as_line(described(status)))
        return
    rows = []
    for status in found:
        names = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in sorted(status.names.items()))
        seconds = "" if status.seconds is None else f"{status.seconds * 1000:.0f} ms"
        rows.append((_shown(status.module), status.version, names, seconds, verdict(status)))
    click.echo(table(rows, ("plugin", "version", "provides", "load", "status")))


def _shown(module: str) -> str:
    """A module's name; for a file in a plugin folder its name alone, which is enough in a table."""
    return Path(module).name if module.endswith(".py") else module


def described(status: Status) -> dict[str, Any]:
    """A plugin as JSON."""
    return {
        "name": status.module,
        "distribution": status.distribution,
        "version": status.version,
        **{kind: status.names.get(kind, []) for kind in _KINDS},
        "seconds": status.seconds,
        "status": status.status,
        "error": status.error or None,
    }


def verdict(status: Status) -> str:
    """The status of a plugin, in words."""
    printed = f"; prints while it loads: {' '.join(status.output.split())[:40]!r}" if status.output else ""
    return status.status + (f": {status.error}" if status.error else "") + printed


# --- one plugin ----------------------------------------------------------------------------------------------------


@plugins.command("show")
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """Show everything that a plugin provides.

    NAME is its module, its package, or a task, cell or command of it.
    """
    for number, status in enumerate(registry().find(name)):
        status = registry().load(status.module)
        source = path_of(status.module)
        provides = registry().provides(status.module)
        values: dict[str, Any] = {
            **described(status), "source": str(source) if source else None, "printed": status.output or None,
            "hooks": [hook for hook in HOOK.values() if _has(status.module, hook)],
            "tasks": {name: _task(task) for name, task in provides[TASKS].items()} or status.names.get("tasks", []),
            "cells": {name: _cell(cell) for name, cell in provides[CELLS].items()} or status.names.get("cells", []),
        }  # fmt: skip
        if as_json:
            click.echo(as_line(values))
        else:
            click.echo(("\n" if number else "") + figures({k: v for k, v in values.items() if v not in (None, [], {})}))


def _has(module: str, hook: str) -> bool:
    return hasattr(registry().module(module), hook)


def _task(task: AnyTask) -> dict[str, Any]:
    """The declaration of a task."""
    return {
        "summary": task.summary,
        "mapping": task.mapping,
        "streams by": task.streaming.unit if task.streaming is not None else "it does not stream",
        "columns": [column.name for column in task.data.columns],
        "codecs": [task.input_codec.__name__, task.target_codec.__name__],
        "metric": task.monitor[0].metric if task.monitor else None,
        "options": [f"--{o.name.replace('_', '-')} ({', '.join(o.verbs)})" for o in task.options],
        "commands": [command.name for command in task.commands],
        "ships": [str(task.checkpoint)] if task.ships else "no checkpoint",
    }


def _cell(cell: Any) -> dict[str, Any]:
    """The equation and source of a cell."""
    return {"equation": cell.equation or None, "source": cell.source or None}


@plugins.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option(
    "--data",
    multiple=True,
    metavar="FILE",
    help="Labelled data to check a task on, instead of its labelled samples; may be repeated.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The checkpoint to check a task with, instead of the one that it ships.",
)
@options.as_json
def check(names: tuple[str, ...], data: tuple[str, ...], checkpoint: Path | None, as_json: bool) -> None:
    """Check the laws for plugins: which are broken, and where.

    NAME is a module, a package, a file of a plugin folder, or a task or cell. The laws are in docs/contract.md; a task
    without a checkpoint is trained for an epoch on its labelled data first, which needs the [train] extra.
    """
    from suite.testing.laws import laws, run

    marks = {"holds": "✓", "broken": "✗", "not checked": "–"}
    count = failed = 0
    of = ""
    for law in [law for name in dict.fromkeys(names) for law in laws(name, data=data, checkpoint=checkpoint)]:
        result = run(law)
        count, failed = count + 1, failed + (result.verdict == "broken")
        if as_json:
            values = {"of": law.of, "law": law.text, "verdict": result.verdict, "message": result.message or None}
            click.echo(as_line(values))
            continue
        if law.of != of:
            of = law.of
            click.echo(_shown(of))
        click.echo(f"  {marks[result.verdict]} {law.text}" + (f": {result.message}" if result.message else ""))
    if failed:
        raise SuiteError(f"{failed} of {count} laws do not hold; see the lines above")


# --- everything ----------------------------------------------------------------------------------------------------


@plugins.command("doctor")
@options.as_json
@click.option("--timeout", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds a plugin may take.")
def doctor(as_json: bool, timeout: float) -> None:
    """Diagnose an installation: environment, versions, and each plugin, loaded in a process of its own.

    This works even if nothing else does: a plugin that ends the process, or hangs, is named and skipped.
    """
    from suite.plugins.doctor import examine

    found = examine(timeout=timeout, say=None if as_json else click.echo, preload=("suite.inference.pipeline",))
    if as_json:
        click.echo(as_line(found))
    if found["faults"]:
        count = len(found["faults"])
        raise SuiteError(f"{count} fault{'s' * (count > 1)}; see above")


# --- a new one -----------------------------------------------------------------------------------------------------


@plugins.command("new")
@click.argument("name", required=False)
@click.option("--mapping", metavar="NAME", help="many-to-one, one-to-many, aligned or unaligned.")
@click.option("--cell", "is_cell", is_flag=True, help="A recurrent cell, for every task, instead of a task.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The folder to write; default ./NAME.")
def new(name: str | None, mapping: str | None, is_cell: bool, out: Path | None) -> None:
    """Create a small plugin that works: a package with a task (or a cell), sample data, tests and a README.

    On a terminal, asks for what is not given.
    """
    from suite.plugins.scaffold import MAPPINGS, checked_name, write

    asks = _asks()
    if name is None:
        if not asks:
            raise UsageError("give a name: suite plugins new my-task")
        name = click.prompt("Name, as it will be typed", value_proc=lambda text: checked_name(text.strip()))
        if not is_cell and mapping is None:
            is_cell = click.confirm("A cell, instead of a task?", default=False)
    if is_cell and mapping is not None:
        raise UsageError("--mapping is for a task: leave out --mapping or --cell")
    if not is_cell and mapping is None:
        if asks:
            for each, words in MAPPINGS.items():
                click.echo(f"  {each:<12} {words}")
            mapping = click.prompt("Mapping", type=click.Choice(list(MAPPINGS)), default="many-to-one")
        else:
            mapping = "many-to-one"
    if mapping is not None and mapping not in MAPPINGS:
        raise UsageError(f"--mapping {mapping}: {nearest(mapping, MAPPINGS)}")
    place = write(str(name), None if is_cell else mapping, out)
    click.echo(f"written: {place}")
    click.echo(f"next: cd {place} && pip install -e '.[test]' && {_next(str(name), is_cell)}")


def _asks() -> bool:
    """Whether questions can be asked: standard input is a terminal."""
    return sys.stdin.isatty()


def _next(name: str, is_cell: bool) -> str:
    return f"suite cells show {name}" if is_cell else f"suite {name} train && suite {name} demo"
