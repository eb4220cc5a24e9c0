"""The command itself: lists, help, exit codes, completion, and errors in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from suite.cli import COMMANDS, run
from suite.errors import DataError
from suite.plugins import Registry
from suite.plugins import entry_points as offers
from suite.plugins import manager as plugins
from suite.plugins.entry_points import EntryPoint

Cli = Callable[..., Any]


def suite(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "suite", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


# --- lists and help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help(cli: Cli, arguments: list[str]) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.err) == (0, "")
    for name in ("sentiment", "tasks", "cells", "plugins", "data", "demo"):
        assert f"\n  {name} " in ran.out
    assert max(map(len, ran.lines)) <= 80


@pytest.mark.parametrize("group", ["sentiment", "data"])
def test_a_group_alone_shows_its_help(cli: Cli, group: str) -> None:
    ran = cli(group)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == cli(group, "--help").out


@pytest.mark.parametrize("verb", ["predict", "stream", "evaluate", "train", "info", "export", "demo"])
def test_help_of_every_verb(cli: Cli, verb: str) -> None:
    assert f"\n  {verb} " in cli("sentiment", "--help").out
    ran = cli("sentiment", verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: suite sentiment {verb}")


def test_version(cli: Cli) -> None:
    from importlib.metadata import version

    assert cli("--version").out == f"suite {version('sequence-suite')}\n"


def test_tasks(cli: Cli) -> None:
    assert any(re.match("sentiment +Sentiment of a text", line) for line in cli("tasks").lines)
    found = [json.loads(line) for line in cli("tasks", "--json").lines]
    assert {
        "name": "sentiment",
        "summary": "Sentiment of a text: positive, neutral or negative, with a polarity.",
    } in found


def test_cells(cli: Cli) -> None:
    assert {"gru", "lstm", "mingru", "rglru", "rnn"} <= {line.split()[0] for line in cli("cells").lines}
    assert all(json.loads(line)["summary"] for line in cli("cells", "--json").lines)


def test_plugins(cli: Cli) -> None:
    table = cli("plugins")
    assert table.code == 0
    assert any(line.startswith("suite_sentiment ") and line.endswith("loaded") for line in table.lines)
    found = {entry["name"]: entry for entry in map(json.loads, cli("plugins", "--json").lines)}
    entry = found["suite_sentiment"]
    assert entry["tasks"] == ["sentiment"]
    assert entry["cells"] == entry["commands"] == []
    assert (entry["status"], entry["error"]) == ("loaded", None)
    assert entry["distribution"] == "sequence-suite"


def test_demo(cli: Cli, shipped: Path) -> None:
    for arguments in (["demo", "sentiment"], ["sentiment", "demo"]):
        ran = cli(*arguments)
        assert (ran.code, ran.err) == (0, "")
        assert f"$ suite sentiment predict --input {shipped}/samples/texts.txt" in ran.out
        assert "$ echo … | suite sentiment stream" in ran.out
    objects = [json.loads(line) for line in cli("demo", "sentiment", "--json").lines]
    assert objects[-1]["final"] is True


def test_demo_of_all_names_what_failed_and_shows_the_rest(
    cli: Cli, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = plugins.registry().task_names
    monkeypatch.setattr(plugins.registry(), "task_names", lambda: ["nonesuch", *names()])
    ran = cli("demo")
    assert ran.code == 1
    assert "sentiment predict" in ran.out
    first, *_, last = ran.err.splitlines()
    assert first.startswith("suite: nonesuch: no task named 'nonesuch'")
    assert last == f"suite: 1 of {len(names()) + 1} demos failed; see the lines above"


def test_demo_without_a_checkpoint(cli: Cli, shipped: Path) -> None:
    (shipped / "checkpoint" / "suite.json").unlink()
    ran = cli("sentiment", "demo")
    assert ran.code == 1
    assert ran.error == (
        "suite: sentiment ships no checkpoint: train one (suite sentiment train) and pass --checkpoint DIR"
    )


def test_info(cli: Cli, tiny_checkpoint: Path) -> None:
    ran = cli("sentiment", "info", "--checkpoint", tiny_checkpoint)
    assert (ran.code, ran.err) == (0, "")
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.lines}
    assert shown["cell"] == "lstm"
    assert shown["streams"] == "yes"
    assert shown["residual"] == "yes"
    assert shown["bidirectional"] == "no"
    assert shown["pooling"] == "last, mean, max"
    assert shown["lr"] == "0.0200"
    assert "model.safetensors" in shown["files"]
    (line,) = cli("sentiment", "info", "--json", "--checkpoint", tiny_checkpoint).lines
    found = json.loads(line)
    assert found["path"] == str(tiny_checkpoint)
    assert found["bytes"] == sum(f.stat().st_size for f in tiny_checkpoint.iterdir())
    assert found["config"]["encoder"]["hidden"] == 8


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["sentimnt"], "suite: no task or command named 'sentimnt'; did you mean 'sentiment'?"),
        (["--nope"], "suite: No such option"),
        (["sentiment", "predikt"], "suite sentiment: No such command 'predikt'"),
        (["data", "show", "sentimnt"], "suite: no task named 'sentimnt'; did you mean 'sentiment'?"),
        (["demo", "sentimnt"], "suite: no task named 'sentimnt'; did you mean 'sentiment'?"),
    ],
)
def test_bad_usage_is_one_line_and_2(cli: Cli, arguments: list[str], error: str) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.error.startswith(error)


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("a.csv:3: no"), 1, "suite: a.csv:3: no"),
        (OSError(28, "No space left on device", "x"), 1, "suite: x: No space left on device; is the disk full"),
        (KeyboardInterrupt(), 130, "suite: interrupted"),
        (ValueError("two\nlines"), 1, "suite: ValueError: two lines; this is a defect: run suite --debug"),
    ],
)
def test_every_failure_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    monkeypatch.setattr("suite.plugins.Registry.task_names", failing(error))
    ran = cli("tasks")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.strip().startswith(line)
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [["--debug", "tasks"], ["tasks", "--debug"]])
def test_debug_shows_the_traceback_and_keeps_the_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("suite.plugins.Registry.task_names", failing(DataError("a.csv:3: no")))
        ran = cli(*arguments)
    assert ran.code == 1
    assert ran.err.startswith("Traceback (most recent call last)")
    assert ran.err.endswith("\nsuite: a.csv:3: no\n")
    ran = cli("--debug", "tasks", "--nope")
    assert ran.code == 2
    assert "Traceback" in ran.err


def test_debug_as_an_input(cli: Cli, tiny_checkpoint: Path) -> None:
    ran = cli("sentiment", "predict", "--checkpoint", tiny_checkpoint, "--", "--debug")
    assert (ran.code, len(ran.lines)) == (0, 1)


def test_main_exits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from suite.cli import main

    for arguments, code in ((["--version"], 0), (["--nope"], 2)):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == code


# --- a process of its own -------------------------------------------------------------------------------------


def test_a_reader_that_goes_away(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a good day\n" * 20_000)
    command = [sys.executable, "-m", "suite", "sentiment", "predict", "--checkpoint", str(tiny_checkpoint)]
    with subprocess.Popen(
        [*command, "--input", str(tmp_path / "in.txt")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_on_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "suite", "tasks"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "suite: No space left on device; is the disk full, or the output closed?\n"


def test_output_is_utf8_whatever_the_locale(tiny_checkpoint: Path) -> None:
    arguments = ("sentiment", "predict", "--checkpoint", str(tiny_checkpoint), "café 😀")
    for environment in ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}):
        done = suite(*arguments, **environment)
        assert done.returncode == 0
        assert "café 😀" in done.stdout


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete "), ("zsh", "compdef"), ("fish", "complete ")])
def test_completion_scripts(shell: str, word: str) -> None:
    done = suite(_SUITE_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert word in done.stdout
    assert done.stderr == "" or shell == "bash"  # click looks for bash's version


def complete(*words: str) -> list[str]:
    typed = ("suite", *words)
    done = suite(
        _SUITE_COMPLETE="bash_complete", COMP_WORDS=" ".join(typed), COMP_CWORD=str(len(typed) - 1)
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion() -> None:
    assert complete("sent") == ["sentiment"]
    assert complete("sentiment", "pre") == ["predict"]
    assert complete("sentiment", "predict", "--che") == ["--checkpoint"]


def test_completion_survives_a_broken_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.cli import cli as command

    found = Registry([EntryPoint(offers.TASKS, "broken", "no_such_module_at_all", "other", "1")])
    monkeypatch.setattr("suite.plugins.registry", lambda: found)
    items = command.shell_complete(click.Context(command), "")
    assert next(item.value for item in items) == "broken"
    assert found.report()[0].status == "found"  # nothing was loaded


# --- what plugins must not do ---------------------------------------------------------------------------------


def test_the_commands_are_reserved() -> None:
    assert set(COMMANDS) == set(offers.RESERVED)


def test_a_broken_task_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = Registry([EntryPoint(offers.TASKS, "broken", "no_such_module_at_all", "other", "1")])
    monkeypatch.setattr("suite.plugins.registry", lambda: found)
    assert run(["broken", "predict", "x"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("suite: task 'broken': no_such_module_at_all (other 1) is broken: ModuleNotFoundError")
    assert len(err.splitlines()) == 1
    assert run(["--help"]) == 0
    assert "broken" in capsys.readouterr().out
    assert run(["--debug", "broken"]) == 1
    assert "import_module" in capsys.readouterr().err  # the plugin's own traceback


def test_a_command_of_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    (tmp_path / "suite_test_shout.py").write_text(
        '"""Say it loud."""\n'
        "import click\nfrom suite.hooks import hookimpl\n\n"
        "@hookimpl\ndef suite_commands(cli):\n"
        "    @cli.command()\n    @click.argument('word')\n    def shout(word):\n        click.echo(word.upper())\n"
        "    @cli.command('tasks')\n    def stolen():\n        click.echo('stolen')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = Registry([EntryPoint(plugins.COMMANDS, "shout", "suite_test_shout", "other", "1")])
    monkeypatch.setattr("suite.plugins.registry", lambda: found)
    assert "  shout    Say it loud." in cli("--help").out
    assert cli("shout", "hello").out == "HELLO\n"
    assert "stolen" not in cli("tasks").out
    assert cli("shout").code == 2
