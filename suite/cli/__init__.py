"""The ``suite`` command. Importing it, and ``suite --help``, loads no task and nothing heavier than click."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from suite.errors import SuiteError, nearest, one_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The core's own commands: name → (module, attribute, summary); each is imported when it is used.
COMMANDS = {
    "tasks": ("suite.cli.lists", "tasks", "List the tasks."),
    "cells": ("suite.cli.cells", "cells", "List, inspect and compare recurrent cells."),
    "plugins": ("suite.cli.plugins", "plugins", "List and check plugins, or create one."),
    "data": ("suite.cli.data", "data", "Download the data of the shipped recipes."),
    "bench": ("suite.cli.bench", "bench", "Benchmark every cell in every task, with equal training time."),
    "demo": ("suite.cli.demo", "demo", "Run a task, or all of them, on sample inputs."),
}


class SuiteGroup(click.Group):
    """The core's commands, one group a task, and plugins' commands; each is made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from suite.plugins import registry

        found = registry()
        return [*found.task_names(), *COMMANDS, *(n for n in found.command_names() if n not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from suite.plugins import registry

        if cmd_name in COMMANDS:
            module, attribute, _ = COMMANDS[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        found = registry()
        if cmd_name in found.task_names():
            from suite.cli.task import task_group

            return task_group(found.task(cmd_name))
        if cmd_name in found.command_names():
            return found.command(cmd_name, self)
        return None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click's own would load every plugin for its summary, and fail with the first broken one.
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [*map(CompletionItem, names), *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None  # click would exit with 1

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in (names := self.list_commands(ctx)):
            raise click.UsageError(f"no task or command named {args[0]!r}; {nearest(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from suite.plugins import registry
        from suite.plugins.entry_points import COMMANDS as GROUP
        from suite.plugins.entry_points import TASKS

        found = registry()
        room = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        sections = {
            "Tasks": [(name, _short(found.summary(TASKS, name), room)) for name in found.task_names()],
            "Commands": [(name, summary) for name, (_, _, summary) in COMMANDS.items()]
            + [(n, _short(found.summary(GROUP, n), room)) for n in found.command_names() if n not in COMMANDS],
        }
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class _ReaderGone(Exception):
    """Whoever read our output has gone."""


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"suite {version('sequence-suite')}")
        ctx.exit()


def _folder(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        from suite.plugins import registry
        from suite.plugins.entry_points import FOLDERS

        # In the environment, so that processes that are started from here have them too.
        os.environ[FOLDERS] = os.pathsep.join(dict.fromkeys(filter(None, [*value, os.environ.get(FOLDERS, "")])))
        registry.cache_clear()


@click.command(
    cls=SuiteGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each task has the same verbs: predict, stream, evaluate, train, info, export, demo. "
    "Try: suite demo, or suite TASK --help",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@click.option(
    "--plugin-dir",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_folder,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="A folder of single-file plugins; may be repeated.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Recurrent sequence models: predict, stream, evaluate and train."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 1 for bad data or a failure, 2 for bad usage."""
    arguments = list(sys.argv[1:] if args is None else args)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; every error becomes one line on standard error. Returns the exit code."""
    # Wherever it stands, since an error says to add it; what follows a -- is an input.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:end]
    arguments = [a for a in arguments[:end] if a != "--debug"] + arguments[end:]
    _utf8_output()
    try:
        result = cli.main(arguments, prog_name="suite", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except (_ReaderGone, BrokenPipeError):
        # Whoever read our output has gone (`| head`): nothing is wrong. Python must not flush on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    except getattr(click.exceptions, "NoArgsIsHelpError", ()) as error:  # since click 8.2
        click.echo(error.ctx.get_help())
        return 0
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "suite"
        text = " ".join(error.format_message().split())
        return _fail(f"{text.rstrip('.')}; see {where} --help", error.exit_code, where, debug=debug)
    except SuiteError as error:
        return _fail(one_line(error), error.exit_code, debug=debug)
    except OSError as error:
        return _fail(f"{one_line(error)}; is the disk full, or the output closed?", 1, debug=debug)
    except Exception as error:
        return _fail(_whose_fault(error, arguments), 1, debug=debug)


def _whose_fault(error: Exception, arguments: Sequence[str]) -> str:
    """An unexpected error in words: a plugin's, where it was raised in one or while a task of one was at work."""
    import traceback

    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if label := registry().owner(frame.filename):
            place = f"{frame.filename}:{frame.lineno}, in {frame.name}"
            return f"plugin {label} failed: {one_line(error)} ({place}); --debug shows more"
    for name in arguments:
        if label := registry().label(TASKS, name):
            return f"task {name!r} of {label} failed: {one_line(error)}; suite plugins check {name} says where"
    return f"{one_line(error)}; this is a defect: run suite --debug … and report what it prints"


def _fail(message: str, code: int, who: str = "suite", *, debug: bool = False) -> int:
    if debug:
        import traceback

        click.echo(traceback.format_exc(), err=True, nl=False)
    click.echo(f"{who}: {message}", err=True)
    return code


def _utf8_output() -> None:
    """Results are text in any script: never fail on a terminal or pipe whose encoding cannot show it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure and (getattr(stream, "encoding", "") or "").lower().replace("-", "") != "utf8":
            reconfigure(encoding="utf-8" if not stream.isatty() else None, errors="replace")
