"""One line, and pytest runs every law of a plugin as a test of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import click
from suite.hooks import hookimpl
{more}
@hookimpl
def suite_commands(cli):
    cli.add_command(click.Command("shout"))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert True\n")
    return tmp_path


def run(place: Path, *arguments: str, more: str = "") -> subprocess.CompletedProcess[str]:
    (place / "plugins" / "shout.py").write_text(COMMAND.format(more=more))
    environment = {**os.environ, "SUITE_PLUGIN_DIR": str(place / "plugins")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_own.py", *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_each_law_is_a_test(place: Path) -> None:
    done = run(place, "--suite-plugin", "shout", "-v")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert "it prints nothing while it loads PASSED" in done.stdout


def test_a_broken_law_is_one_line_and_no_traceback(place: Path) -> None:
    (place / "pytest.ini").write_text("[pytest]\nsuite_plugins = shout\n")
    done = run(place, more="print('hello')")
    assert done.returncode == 1
    assert "it prints 'hello' when it is imported; remove that" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_only_some_of_them_and_none_unless_asked_for(place: Path) -> None:
    assert "1 passed, 2 deselected" in run(place, "--suite-plugin", "shout", "-k", "prints").stdout
    assert "1 passed" in run(place).stdout
    done = run(place, "--suite-plugin", "nonesuch")
    assert done.returncode == 4
    assert "no plugin, task, cell or command named 'nonesuch'" in done.stderr
