"""What the verbs print: results and tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from suite.errors import DataError


class Skipping:
    """What a verb does with a bad item: stop at it, or with ``--skip-errors`` name it, count it and go on."""

    def __init__(self, allowed: bool) -> None:
        self.allowed, self.count = allowed, 0

    def __call__(self, error: DataError) -> None:
        if not self.allowed:
            raise error
        self.count += 1
        click.echo(f"suite: {error} (skipped)", err=True)

    def report(self) -> None:
        """Say how many were skipped, if any were."""
        if self.count:
            click.echo(f"suite: {self.count} skipped", err=True)


def as_line(values: Any) -> str:
    """A value as one line of JSON; numbers that JSON lacks (NaN, infinities) become null."""
    try:
        return json.dumps(values, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(values), ensure_ascii=False, default=str)


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Columns of text, as wide as they need to be; the last one may wrap at the terminal's edge."""
    import shutil
    import textwrap

    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
    room = max(20, shutil.get_terminal_size((80, 24)).columns - sum(widths) - 2 * len(widths))
    lines = []
    for row in [header, *rows]:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        wrapped = textwrap.wrap(row[-1], room, break_on_hyphens=False, break_long_words=False) or [""]
        lines.append((start + wrapped[0]).rstrip())
        lines.extend(" " * len(start) + more for more in wrapped[1:])
    return "\n".join(lines)


def figures(values: dict[str, Any], indent: str = "") -> str:
    """Figures for people: a line each, groups indented."""
    width = max((len(name) for name, value in values.items() if not isinstance(value, dict)), default=0)
    lines = []
    for name, value in values.items():
        if isinstance(value, dict) and _alike(value):
            keys = list(next(iter(value.values())))
            rows = [(group, *(_shown(inner[key]) for key in keys)) for group, inner in value.items()]
            lines += ["", *(indent + line for line in table(rows, (name, *keys)).splitlines())]
        elif isinstance(value, dict):
            lines += [f"{indent}{name}", figures(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{width}}  {_shown(value)}")
    return "\n".join(lines)


def _alike(groups: dict[str, Any]) -> bool:
    """Whether these are groups of the same plain figures, which read best as a table."""
    inner = list(groups.values())
    return (
        len(inner) > 1
        and all(isinstance(values, dict) and values.keys() == inner[0].keys() for values in inner)
        and not any(isinstance(value, dict | list) for values in inner for value in values.values())
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "-"
    if isinstance(value, float):
        if value and abs(value) < 0.001:
            return f"{value:.2e}"
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def drawn(path: Path) -> None:
    """Say where a picture is."""
    click.echo(f"drawn: {path}", err=True)


def count_lines(path: Path) -> int | None:
    """How many lines a file has; None for one that cannot be read (its reader says why), or not twice (a pipe)."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
