"""``suite cells``: list the recurrent cells, show what one does, compare several.

The list loads nothing. ``show`` and ``compare`` measure, which needs torch: gradients over distance, recall over a
delay, and what a step costs.
"""

from __future__ import annotations

import importlib
import math
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from suite.cli import options
from suite.cli.lists import list_names
from suite.cli.output import as_line, table
from suite.config import override, to_dict
from suite.errors import MissingExtra, PluginError, SuiteError, UsageError, nearest, one_line
from suite.plugins import registry
from suite.plugins.entry_points import CELLS

if TYPE_CHECKING:
    from suite.nn.inspect import Clipping, Inspection

F = TypeVar("F", bound=Callable[..., Any])


class _Cells(click.Group):
    """Says what to type where somebody gives a cell in the place of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            name = args[0]
            hint = f"try suite cells show {name}" if name in registry().cell_names() else nearest(name, self.commands)
            raise click.UsageError(f"no command named {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group("cells", cls=_Cells, invoke_without_command=True)
@options.as_json
@click.pass_context
def cells(ctx: click.Context, as_json: bool) -> None:
    """List, inspect and compare recurrent cells (the values of --cell)."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


@cells.command("list")
@options.as_json
def list_cells(as_json: bool) -> None:
    """List the cells."""
    _list(as_json)


def _list(as_json: bool) -> None:
    list_names(CELLS, registry().cell_names(), as_json, ("cell", "what it is"))


def _measured(command: F) -> F:
    """The options of what measures."""
    for option in (
        options.as_json,
        click.option("--hidden", type=click.IntRange(1), default=32, show_default=True, help="Hidden units."),
        click.option("--inputs", type=click.IntRange(1), default=16, show_default=True, help="Input features."),
        options.plot("draw the figures to this PNG file"),
    ):
        command = option(command)
    return command


@cells.command("show")
@click.argument("name")
@click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option of the cell, for example heads=4."
)
@_measured
def show(name: str, settings: tuple[str, ...], plot: Path | None, inputs: int, hidden: int, as_json: bool) -> None:
    """Inspect a cell: equation, gradients, memory and speed.

    Equation, source, size; gradients over distance, at the start and after training; recall over a delay; clipping;
    cost. Takes a few seconds: the cell is trained to recall a symbol after 1 … 100 distracting steps.
    """
    with _Progress(1) as progress:
        _check([name])
        found = _inspect(name, inputs, hidden, _options(name, settings), progress)
        exploding = _exploding(inputs, hidden)
    if as_json:
        click.echo(as_line({"name": name, **found.to_dict(), "exploding": exploding.to_dict()}))
    else:
        click.echo(_described(name, found, exploding))
    if plot is not None:
        _draw({name: found}, exploding, plot)


@cells.command("compare")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME.OPTION=VALUE",
    help="An option of one cell, for example gdn.heads=4.",
)
@_measured
def compare(
    names: tuple[str, ...], settings: tuple[str, ...], plot: Path | None, inputs: int, hidden: int, as_json: bool
) -> None:
    """Compare cells in one table and one figure.

    All of them by default; a few seconds each.
    """
    chosen = list(dict.fromkeys(names)) or registry().cell_names()
    found, failed = dict[str, "Inspection"](), 0
    with _Progress(len(chosen)) as progress:
        _check(chosen)
        cell_options = _options_by_cell(chosen, settings)
        for name in chosen:
            try:
                found[name] = _inspect(name, inputs, hidden, cell_options.get(name, {}), progress)
            except SuiteError as error:  # one that is broken does not lose the others
                failed += 1
                progress.clear()
                click.echo(f"suite: {one_line(error)}", err=True)
        found = _costs_together(found, inputs, hidden, cell_options) if found else found
        exploding = _exploding(inputs, hidden) if found else None
    if as_json:
        for name, inspection in found.items():
            click.echo(as_line({"name": name, **inspection.to_dict()}))
    elif found:
        click.echo(_compared(found))
    if plot is not None and exploding is not None:
        _draw(found, exploding, plot)
    if failed:
        raise SuiteError(f"{failed} of {len(chosen)} cells could not be measured; see the lines above")


def _check(names: Sequence[str]) -> None:
    """Fail before the work, not after it."""
    for name in names:
        if name not in registry().cell_names():
            registry().cell(name)  # says which name is nearest
    try:
        importlib.import_module("suite.nn.inspect")
    except ImportError as error:
        raise MissingExtra("measuring a cell", "train", error) from error


def _options(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """A cell's options after some settings, ``OPTION=VALUE`` each. Raises UsageError for a wrong one."""
    kind = registry().cell(name).options if settings else None
    if settings and kind is None:
        raise UsageError(f"--set {settings[0]}: cell {name!r} has no options")
    return {} if kind is None else to_dict(override(kind(), settings))


def _options_by_cell(names: Sequence[str], settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options of each cell that some settings are of, ``NAME.OPTION=VALUE`` each."""
    own: dict[str, list[str]] = {}
    for setting in settings:
        name, dot, rest = setting.partition(".")
        if not dot or name not in names:
            hint = f"; {nearest(name, names)}" if dot else ""
            raise UsageError(f"--set {setting}: expected NAME.OPTION=VALUE with one of the cells compared{hint}")
        own.setdefault(name, []).append(rest)
    return {name: _options(name, given) for name, given in own.items()}


# --- measuring -----------------------------------------------------------------------------------------------------


def _inspect(
    name: str, inputs: int, hidden: int, cell_options: Mapping[str, Any], progress: _Progress
) -> Inspection:  # fmt: skip
    from suite.nn.inspect import inspect

    progress.next(name)
    cell = registry().cell(name)
    try:
        return inspect(cell, inputs, hidden, options=cell_options, say=progress.say)
    except UsageError:
        raise
    except Exception as error:  # a cell of somebody's may raise anything
        hint = "suite.testing.check_cell says which law it breaks"
        raise PluginError(f"cell {name!r} failed at {inputs} → {hidden}: {one_line(error)}; {hint}") from error


def _costs_together(
    found: dict[str, Inspection], inputs: int, hidden: int, cell_options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Inspection]:  # fmt: skip
    """The same with all costs measured again, by turns: only then can they be compared on a busy machine."""
    from suite.nn.cells.base import with_options
    from suite.nn.inspect import costs_per_step

    makers = [with_options(registry().cell(name), cell_options.get(name, {})) for name in found]
    costs = costs_per_step(makers, inputs, hidden)
    return {name: replace(one, cost=cost) for (name, one), cost in zip(found.items(), costs, strict=True)}


def _exploding(inputs: int, hidden: int) -> Clipping:
    from suite.nn.inspect import clipping

    return clipping(inputs, hidden)


def _draw(found: Mapping[str, Inspection], exploding: Clipping, path: Path) -> None:
    from suite.nn.inspect import SYMBOLS, TRAINED_AT
    from suite.plotting.cells import CellCurves, References, draw

    curves = {
        name: CellCurves(
            initial=one.initial, trained=one.trained, recall=one.accuracy, norms=one.training.before,
            step_us=one.cost.step, scan_us=one.cost.scan,
        )
        for name, one in found.items()
    }  # fmt: skip
    cost = next(iter(found.values())).cost
    references = References(
        gradient=exploding.gradient, before=exploding.before, after=exploding.after, limit=exploding.limit,
        chance=1 / SYMBOLS, trained_at=TRAINED_AT,
        rnn_step_us=cost.step / cost.step_ratio, rnn_scan_us=cost.scan / cost.scan_ratio,
    )  # fmt: skip
    draw(curves, references, path)
    click.echo(f"drawn: {path}", err=True)


class _Progress:
    """What is being measured, on standard error, once two seconds have passed: a line a cell, or one that changes."""

    def __init__(self, count: int) -> None:
        self.count, self.done, self.name, self.told = count, 0, "", ""
        self.began = time.monotonic()
        self.live = sys.stderr.isatty()

    def next(self, name: str) -> None:
        self.done, self.name = self.done + 1, name

    def say(self, line: str) -> None:
        if time.monotonic() - self.began < 2:
            return
        which = f"{self.name} ({self.done} of {self.count})" if self.count > 1 else self.name
        if self.live:
            click.echo(f"\r\x1b[K{which}: {line} …", err=True, nl=False)
        elif self.told != self.name:
            self.told = self.name
            click.echo(f"{which}: measuring gradients, recall and cost …", err=True)

    def clear(self) -> None:
        if self.live:
            click.echo("\r\x1b[K", err=True, nl=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


# --- text ----------------------------------------------------------------------------------------------------------


def _described(name: str, found: Inspection, exploding: Clipping) -> str:
    """All of one cell, for people."""
    from suite.nn.inspect import DISTANCES, LIMIT, SYMBOLS, TRAINED_AT, typical

    facts, cost = found.facts, found.cost
    state = ", ".join(f"{array} {list(shape)}" for array, shape in facts.state.items()) or "none"
    median, largest = typical(exploding.before)
    own = typical(found.training.before)[1]
    rows = [(str(d), _norm(found.initial[d]), _norm(found.trained[d]), f"{found.accuracy[d]:.0%}") for d in DISTANCES]
    lines = [
        _wrapped(f"{name}: {registry().summary(CELLS, name)}"),
        "",
        *(f"  {line}" for line in (facts.equation or "(no equation given)").splitlines()),
        "",
        _labelled("source", facts.source or "not given"),
        *([_labelled("options", ", ".join(f"{k}={v}" for k, v in facts.options.items()))] if facts.options else []),
        _labelled("parameters", f"{facts.parameters:,} ({facts.inputs} inputs → {facts.hidden} hidden)"),
        _labelled("state", f"{state}: {facts.state_numbers:,} numbers, {facts.state_bytes:,} bytes a sequence"),
        "",
        table(rows, ("steps back", "gradient at start", "after training", "recall")),
        "",
        _wrapped(
            f"gradient: norm of that of the last output with respect to the input so many steps back; after training "
            f"to recall over {TRAINED_AT} steps. recall: symbols recalled after so many distracting ones, one small "
            f"model each; chance is {1 / SYMBOLS:.0%}."
        ),
        "",
        _labelled("clipping", f"to {LIMIT:g}: the largest gradient in training, {_norm(own)}, became "
                  f"{_norm(max(found.training.after))}; of an rnn made to explode (recurrent weights × "
                  f"{exploding.gain:g}) the median, {_norm(median)}, and the largest, {_norm(largest)}, became "
                  f"{_norm(max(exploding.after))}"),
        _labelled("cost a step", f"{cost.step:.1f} µs alone, {cost.scan:.1f} µs in a scan of 1000 "
                  f"({cost.step_ratio:.2f} and {cost.scan_ratio:.2f} times rnn's)"),
    ]  # fmt: skip
    return "\n".join(lines)


def _compared(found: Mapping[str, Inspection]) -> str:
    """A row a cell, for people."""
    from suite.nn.inspect import SYMBOLS, TRAINED_AT

    recalled = (10, 20, 50, 100)
    facts = next(iter(found.values())).facts
    header = ["cell", "params", "state", "∂ start", "trained", *(f"R {d}" for d in recalled), "step", "scan"]
    rows = [
        [
            name,
            f"{one.facts.parameters:,}",
            f"{one.facts.state_numbers:,}",
            _norm(one.initial[100]),
            _norm(one.trained[100]),
            *(f"{one.accuracy[d]:.0%}" for d in recalled),
            *(f"{cost:.1f}" if cost < 100 else f"{cost:.0f}" for cost in (one.cost.step, one.cost.scan)),
        ]
        for name, one in found.items()
    ]
    note = (
        f"params: parameters; state: numbers a sequence; both for {facts.inputs} inputs → {facts.hidden} hidden. "
        f"∂: norm of the gradient over 100 steps, at the start and after training to recall over {TRAINED_AT}. "
        f"R: recall after so many distracting steps, chance {1 / SYMBOLS:.0%}. "
        f"step, scan: µs a step, alone and in a scan of 1000."
    )
    return f"{table(rows, header)}\n\n{_wrapped(note)}"


def _norm(value: float) -> str:
    """Three digits, plain where that is short."""
    return f"{value:.3g}" if not math.isfinite(value) or 0.01 <= abs(value) < 1000 else f"{value:.1e}"


def _labelled(label: str, text: str) -> str:
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, 66) or [""]]
    return "\n".join(f"{label if i == 0 else '':<13}{line}" for i, line in enumerate(lines))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 79)
