"""``suite plugins``: listed, shown, checked, examined, begun."""

from __future__ import annotations

import os
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
    assert "mapping         many-to-one" in shown.out
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
    assert "  ✗ it prints nothing while it loads: it prints 'hi' when it is imported; leave that out" in ran.lines
    assert [one["verdict"] for one in cli("plugins", "check", "shout", "--json").values] == ["holds", "broken"]
    assert cli("plugins", "check").code == 2


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
    assert 'mapping="aligned"' in Path("try-it/try_it/__init__.py").read_text()
    assert cli("plugins", "new", "try-two").code == 0
    assert 'mapping="many-to-one"' in Path("try-two/try_two/__init__.py").read_text()
    assert "suite_cells" in (cli("plugins", "new", "c", "--cell", "--out", "d") and Path("d/c/__init__.py").read_text())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "suite: give a name, as in suite plugins new my-task"),
        (["try-it", "--mapping", "alined"], "suite: --mapping alined: did you mean 'aligned'?"),
        (["try-it", "--mapping", "aligned", "--cell"], "suite: --mapping is for a task; leave it or --cell out"),
        (["Try It"], "suite: 'Try It': a name is of small letters, digits and hyphens, as my-task"),
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
    assert 'mapping="unaligned"' in Path("try-it/try_it/__init__.py").read_text()
