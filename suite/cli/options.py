"""Options that several verbs share, spelt once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from suite.errors import UsageError
from suite.task import Option

F = TypeVar("F", bound=Callable[..., Any])


def _columns(ctx: click.Context, param: click.Parameter, value: str | None) -> Mapping[str, str] | None:
    if value is None:
        return None
    from suite.data.readers import parse_columns

    return parse_columns(value)


def _or_before(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """--json before the name of a command of a group is that command's too."""
    return value or bool(ctx.parent and ctx.parent.params.get("as_json"))


as_json = click.option(
    "--json", "as_json", is_flag=True, callback=_or_before, help="Print JSON, one object per line."
)  # fmt: skip
checkpoint = click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Checkpoint directory, or the name of a shipped model (default: the shipped one).",
)
runtime = click.option(
    "--runtime", type=click.Choice(["onnx", "torch"]), help="Runtime (default: onnx, if the checkpoint has graphs)."
)
columns = click.option(
    "--columns",
    metavar="OURS=YOURS,…",
    callback=_columns,
    help="Names of your columns, for example text=review,label=stars.",
)
file_format = click.option(
    "--format", "file_format", type=click.Choice(["txt", "csv", "tsv", "jsonl", "json", "parquet"]),
    help="File format (default: by the file's extension).",
)  # fmt: skip
batch_size = click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Batch size.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing checkpoint.")
note = click.option("--note", default="", metavar="TEXT", help="Note for the model card: intended use and limits.")
skip_errors = click.option("--skip-errors", is_flag=True, help="Report and count bad items instead of stopping.")


def plot(text: str) -> Callable[[F], F]:
    """``--plot FILE`` with its own help; the file is checked before any work is done for it."""
    return click.option(
        "--plot", type=click.Path(path_type=Path), metavar="FILE", callback=_picture, help=_sentence(text)
    )


def where(there: bool, *added: Callable[[F], F]) -> Callable[[F], F]:
    """Some options, for a command that has a use for them."""

    def add(command: F) -> F:
        for option in reversed(added if there else ()):
            command = option(command)
        return command

    return add


def _picture(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and not value.absolute().parent.is_dir():
        raise UsageError(f"--plot {value}: no such directory; make it first")
    if value is not None and value.suffix.lower() != ".png":
        raise UsageError(f"--plot {value}: pictures are PNG; give a name that ends in .png")
    return value


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def of_task(options: Sequence[Option]) -> Callable[[F], F]:
    """The options that only this task has."""

    def add(command: F) -> F:
        for option in reversed(options):
            kind: Any = click.Path(path_type=Path) if option.type is Path else option.type
            kind = click.Choice(option.choices) if option.choices else kind
            flag = {"is_flag": True} if option.type is bool else {"type": kind}
            name = "--" + option.name.replace("_", "-")
            text = _sentence(option.help)
            command = click.option(
                name, option.name, default=option.default, show_default=option.default is not None, help=text, **flag
            )(command)
        return command

    return add
