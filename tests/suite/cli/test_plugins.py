"""``suite plugins``: list, show, check, doctor and new."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from suite.plugins import registry

Cli = Callable[..., Any]

COMMAND = '''"""Say it loud."""
import click
from suite.hooks import hookimpl

@hookimpl
def suite_commands(cli):
    @cli.command()
    @click.argument("word")
    def shout(word):
        click.echo(word.upper() if word != "x" else 1 / 0)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin folder with one command, given by ``--plugin-dir``; the suite's cells are left out."""
    place = tmp_path / "mine"
    place.mkdir()
    (place / "shout.py").write_text(COMMAND)
    monkeypatch.setenv("SUITE_PLUGIN_DIR", "")
    monkeypatch.setenv(
        "SUITE_DISABLE_PLUGINS", ",".join(f"suite.nn.cells.{n}" for n in ("gru", "lstm", "mingru", "rglru", "rnn"))
    )
    registry.cache_clear()
    yield place
    registry.cache_clear()


def test_a_folder_of_plugins_is_an_option(cli: Cli, folder: Path) -> None:
    assert cli("--plugin-dir", folder, "shout", "hello").out == "HELLO\n"
    assert os.environ["SUITE_PLUGIN_DIR"] == str(folder)  # for the processes that a command starts
    assert "  shout    Say it loud." in cli("--plugin-dir", folder, "--help").out
    assert "Directory 'nowhere' does not exist" in cli("--plugin-dir", "nowhere", "tasks").error


def test_a_list_with_and_without_the_word(cli: Cli, folder: Path) -> None:
    (folder / "bad.py").write_text("1 / 0\ndef suite_tasks(): ...\n")
    for words in (["plugins"], ["plugins", "list"]):
        ran = cli("--plugin-dir", folder, *words)
        assert ran.code == 0
        assert any(line.startswith("shout.py ") and line.endswith(" loaded") for line in ran.lines)
        assert "broken:" in ran.out
    for words in (["plugins", "--json"], ["plugins", "list", "--json"], ["plugins", "--json", "list"]):
        found = {Path(one["name"]).name: one for one in cli("--plugin-dir", folder, *words).values}
        assert found["shout.py"]["commands"] == ["shout"]
        assert found["bad.py"]["error"] == "ZeroDivisionError: division by zero"
    assert cli("plugins", "shout").error == (
        "suite plugins: no command named 'shout'; try suite plugins show shout; see suite plugins --help"
    )


def test_one_is_shown_by_any_of_its_names(cli: Cli, folder: Path) -> None:
    shown = cli("plugins", "show", "sentiment")
    assert shown.out == cli("plugins", "show", "suite_sentiment").out
    assert "mapping     many-to-one" in shown.out
    assert "--vectors (train)" in shown.out
    (values,) = cli("plugins", "show", "sentiment", "--json").values
    assert values["hooks"] == ["suite_tasks"]
    assert values["tasks"]["sentiment"]["columns"] == ["text", "label", "polarity", "source"]
    assert cli("plugins", "show", "sentimnt").error.endswith("did you mean 'sentiment'?")


def test_a_check_says_in_words_what_is_broken_and_where(cli: Cli, folder: Path) -> None:
    ran = cli("--plugin-dir", folder, "plugins", "check", "shout")
    assert (ran.code, ran.err) == (0, "")
    assert "  ✓ it prints nothing while it loads" in ran.lines
    (folder / "shout.py").write_text(COMMAND.replace("import click", "import click\nprint('hi')"))
    ran = cli("--plugin-dir", folder, "plugins", "check", "shout")
    assert (ran.code, ran.error) == (1, "suite: 1 of 2 laws do not hold; see the lines above")
    assert "  ✗ it prints nothing while it loads: it prints 'hi' when it is imported; remove that" in ran.lines
    assert [one["verdict"] for one in cli("plugins", "check", "shout", "--json").values] == ["holds", "broken"]
    assert cli("plugins", "check").code == 2


TASK = '''"""Sentiment again."""
import suite_sentiment
from suite.hooks import hookimpl

class Again(suite_sentiment.Sentiment):
    name = "again"
    assets = None

@hookimpl
def suite_tasks():
    return [Again]
'''
#: Laws of a task and its plugin.
LAWS = 14


def test_a_task_in_one_file_is_checked_on_data_and_with_a_checkpoint(
    cli: Cli, folder: Path, labels_file: Path, tiny_labels_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUITE_DISABLE_PLUGINS")
    (folder / "again.py").write_text(TASK)
    found = cli("--plugin-dir", folder, "plugins", "check", "again.py", "--json").values
    verdicts = [one["verdict"] for one in found]
    assert (len(found), verdicts.count("holds"), verdicts.count("not checked")) == (LAWS, 4, 10)
    assert found[-1]["message"] == "there is no labelled data: give --data FILE, or ship samples named labelled…"
    made = folder / "made"
    shutil.copytree(tiny_labels_checkpoint, made)
    manifest = json.loads((made / "suite.json").read_text())
    (made / "suite.json").write_text(json.dumps({**manifest, "task": "again"}))
    monkeypatch.setattr("suite.testing.check_resume", lambda *given, **more: None)  # it trains four times
    ran = cli("plugins", "check", "again", "--data", labels_file, "--checkpoint", made)
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert sum(line.startswith("  ✓ ") for line in ran.lines) == LAWS
    assert cli("plugins", "check", "shout", "--data", labels_file).error == (
        "suite: data and checkpoint are of one task, and shout has none: name a task"
    )
    broken = cli("plugins", "check", "again", "--checkpoint", folder)
    assert broken.code == 1
    assert "  ✗ a batch equals its members one by one: " in broken.out


def test_the_doctor_counts_the_faults(cli: Cli, folder: Path) -> None:
    assert cli("plugins", "doctor").lines[-1] == "no faults"
    (folder / "bad.py").write_text("1 / 0\ndef suite_tasks(): ...\n")
    ran = cli("--plugin-dir", folder, "plugins", "doctor")
    assert (ran.code, ran.error) == (1, "suite: 1 fault; see above")
    assert "ZeroDivisionError" in ran.out
    ran = cli("plugins", "doctor", "--json")
    assert (ran.code, len(ran.values[0]["faults"])) == (1, 1)


def test_a_plugin_that_fails_at_work_is_named(cli: Cli, folder: Path) -> None:
    error = cli("--plugin-dir", folder, "shout", "x").said
    assert error == (
        f"suite: plugin {folder / 'shout.py'} failed: ZeroDivisionError: division by zero "
        f"({folder / 'shout.py'}:10, in shout); --debug shows more"
    )


# --- new ------------------------------------------------------------------------------------------------------


def test_a_new_one_says_what_comes_next(cli: Cli) -> None:
    ran = cli("plugins", "new", "try-it", "--mapping", "aligned")
    assert ran.lines == [
        "written: try-it", "next: cd try-it && pip install -e '.[test]' && suite try-it train && suite try-it demo",
    ]  # fmt: skip
    assert "(TaggingTask[" in Path("try-it/src/try_it/__init__.py").read_text()
    assert cli("plugins", "new", "try-two").code == 0
    assert "(ClassificationTask[" in Path("try-two/src/try_two/__init__.py").read_text()
    assert cli("plugins", "new", "c", "--cell", "--out", "d").code == 0
    assert "suite_cells" in Path("d/src/c/__init__.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "suite: give a name: suite plugins new my-task"),
        (["try-it", "--mapping", "alined"], "suite: --mapping alined: did you mean 'aligned'?"),
        (["try-it", "--mapping", "aligned", "--cell"], "suite: --mapping is for a task: leave out --mapping or --cell"),
        (["Try It"], "suite: 'Try It': use lowercase letters, digits and hyphens, as in my-task"),
    ],
)
def test_what_cannot_be_begun(cli: Cli, arguments: list[str], error: str) -> None:
    ran = cli("plugins", "new", *arguments)
    assert (ran.code, ran.error) == (2, error)


def test_on_a_terminal_it_asks(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.cli.plugins._asks", lambda: True)
    answers = iter(["try-it", "unaligned"])
    asked: list[str] = []

    def prompt(text: str, **more: Any) -> Any:
        asked.append(text)
        answer = next(answers)
        return more["value_proc"](answer) if "value_proc" in more else answer

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(click, "confirm", lambda text, **more: asked.append(text))
    assert cli("plugins", "new").code == 0
    assert asked == ["Name, as it will be typed", "A cell, instead of a task?", "Mapping"]
    assert "(TextToTextTask[" in Path("try-it/src/try_it/__init__.py").read_text()
