"""``suite data``: what data tasks are trained on, where it comes from, and fetching it.

Only ``data get`` fetches anything; ``list`` and ``show`` read what is on this machine.
"""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli.options import as_json as as_json_option
from suite.cli.output import as_line, table
from suite.errors import UsageError, nearest

if TYPE_CHECKING:
    from suite.datasets.recipes import Recipe, Status

WIDTH = 80


@click.group()
def data() -> None:
    """List, inspect and download the data that tasks are trained on."""


@data.command("list")
@as_json_option
def list_data(as_json: bool) -> None:
    """List the data sets that can be downloaded."""
    from suite.datasets import recipes as sources
    from suite.datasets.download import format_bytes

    found = [sources.status(name, recipe) for name, recipe in _recipes()]
    if as_json:
        for status in found:
            click.echo(as_line(status.to_dict()))
        return
    if not found:
        click.echo("No installed task has data to fetch.")
        return
    rows = [
        (
            status.task,
            " / ".join(f"{status.rows[part]:,}" if part in status.rows else "?" for part in sources.PARTS),
            format_bytes(status.to_fetch) if status.to_fetch else "-",
            "yes" if status.path else "no",
            ", ".join(status.licences) or "-",
        )
        for status in found
    ]
    click.echo(table(rows, ("task", "train / dev / test", "to fetch", "here", "licence")))
    click.echo(f"\nsuite data show TASK tells more; data is kept in {sources.data_home()}")


@data.command("show")
@click.argument("task")
@as_json_option
def show_data(task: str, as_json: bool) -> None:
    """Show where a task's data comes from: files, sizes, SHA-256, licences, and the split."""
    from suite.datasets import recipes as sources
    from suite.datasets.download import archive_path, format_bytes, manual_command

    recipe = _recipe(task)
    status = sources.status(task, recipe)
    if as_json:
        click.echo(as_line(_described(recipe, status)))
        return
    where = str(status.path) if status.path else f"not here; suite data get {task} fetches it"
    click.echo(f"{task}: {where}")
    if recipe.note:
        click.echo(textwrap.fill(recipe.note, WIDTH))
    click.echo()
    if recipe.parts:
        parts = [(name, f"{rows:,}", digest) for name, (rows, digest) in recipe.parts.items()]
        click.echo(table(parts, ("part", "rows", "digest of keys")))
    for source in recipe.sources:
        kept = archive_path(source)
        click.echo(f"\n{source.purl}")
        for label, value in (
            ("file", source.filename),
            ("size", f"{source.size:,} bytes ({format_bytes(source.size)})"),
            ("sha256", source.sha256),
            ("licence", source.licence),
            ("origin", source.origin),
            ("by hand", manual_command(source)),
            ("cached", str(kept) if kept.is_file() else "no"),
        ):
            click.echo(_labelled(label, value))
    click.echo("\nA file fetched by hand is passed on (the option may be repeated):")
    click.echo(f"  suite data get {task} --from FILE")


@data.command("get")
@click.argument("task")
@click.option(
    "--from",
    "from_files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A package file downloaded by hand; may be repeated.",
)
@click.option("--force", is_flag=True, help="Build again, even if the data is there.")
def get_data(task: str, from_files: tuple[Path, ...], force: bool) -> None:
    """Download, verify and prepare a task's data."""
    from suite.datasets import recipes as sources

    recipe = _recipe(task)
    with _Stages() as stages:
        folder = sources.prepare(task, recipe, from_files=from_files, force=force, progress=stages)
    rows = sources.status(task, recipe).rows
    counts = ", ".join(f"{count:,} {part}" for part, count in rows.items())
    click.echo(f"{task}: {counts} in {folder}")


class _Stages:
    """One line a stage on standard error, closed by the seconds it took."""

    def __init__(self) -> None:
        self.since = 0.0
        self.open = False

    def __call__(self, line: str) -> None:
        self._close(" done")
        click.echo(f"{line} …", err=True, nl=False)
        sys.stderr.flush()
        self.since = time.monotonic()
        self.open = True

    def __enter__(self) -> _Stages:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._close(" done" if kind is None else "")

    def _close(self, word: str) -> None:
        if self.open:
            click.echo(f"{word} ({time.monotonic() - self.since:.1f} s)" if word else "", err=True)
            self.open = False


def _recipes() -> list[tuple[str, Recipe]]:
    """Every task that has a recipe; one that does not load is named on standard error and skipped."""
    from suite.errors import SuiteError
    from suite.plugins import registry

    tasks = registry()
    found: list[tuple[str, Recipe]] = []
    for name in tasks.task_names():
        try:
            task = tasks.task(name)
            found += [(name, task.recipe())] if task.recipe is not None else []
            found += [(f"{name}-{more}", make()) for more, make in task.extra_recipes]
        except SuiteError as error:
            click.echo(f"{name}: {error}", err=True)
    return found


def _recipe(task: str) -> Recipe:
    from suite.plugins import registry

    tasks = registry()
    # A further set of a task is called by both names, which no task's own name may hide.
    whose = next((n for n in tasks.task_names() if task not in tasks.task_names() and task.startswith(f"{n}-")), task)
    found = tasks.task(whose)
    make = found.recipe if whose == task else dict(found.extra_recipes).get(task[len(whose) + 1 :])
    if make is None and whose != task:
        known = [f"{whose}-{name}" for name, _ in found.extra_recipes]
        raise UsageError(f"no data called {task!r}; {nearest(task, [*known, whose])}")
    if make is None:
        raise UsageError(f"the task {task!r} has no data to fetch; give your own files with --data")
    return make()


def _described(recipe: Recipe, status: Status) -> dict[str, Any]:
    from dataclasses import asdict

    from suite.datasets.download import manual_command

    return status.to_dict() | {
        "note": recipe.note,
        "parts": {name: {"rows": rows, "digest": digest} for name, (rows, digest) in recipe.parts.items()},
        "sources": [asdict(source) | {"by_hand": manual_command(source)} for source in recipe.sources],
    }


def _labelled(label: str, value: str) -> str:
    return textwrap.fill(
        value,
        WIDTH,
        initial_indent=f"  {label:<9}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )
