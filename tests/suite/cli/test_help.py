"""Every ``--help`` is as its golden file says. ``python tests/suite/cli/test_help.py`` writes the files again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from suite.cli import COMMANDS, cli
from suite.plugins import registry

GOLDEN = Path(__file__).parents[2] / "help"
WIDTH = 100
HELP = ["-h", "--help"]


def walk(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Each command below this one, itself first, with its help."""
    context = click.Context(
        command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=HELP
    )
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, f"{path} {name}")


def shown(name: str) -> str:
    """The help of a command of the suite and of all below it; of the suite itself for ``suite``."""
    if name == "suite":
        context = click.Context(
            cli, info_name="suite", terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=HELP
        )
        return f"{cli.get_help(context)}\n"
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return "\n".join(f"# {path} --help\n\n{text}\n" for path, text in walk(command, f"suite {name}"))


def names() -> list[str]:
    own = [name for name in registry().task_names() if registry().label("suite.tasks", name) == ""]
    return ["suite", *sorted(own), *COMMANDS]


@pytest.mark.parametrize("name", names())
def test_help_is_as_it_was(name: str) -> None:
    golden = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert shown(name) == golden, "if the change is meant: python tests/suite/cli/test_help.py"


def main() -> None:
    for path in GOLDEN.glob("*.txt"):
        path.unlink()
    for name in names():
        (GOLDEN / f"{name}.txt").write_text(shown(name), encoding="utf-8")


if __name__ == "__main__":
    main()
