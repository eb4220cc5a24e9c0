"""What the documentation shows is run: every ``>>>`` example, and every command of the README and of the tasks."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "assets" / "sentiment" / "checkpoint" / "suite.json"
MODULES = (
    "suite", "suite.inference.pipeline", "suite.inference.sessions", "suite.codecs.parsing", "suite.nn.build",
)  # fmt: skip

pytestmark = pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped checkpoint is not in this checkout")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the checkout's assets in it, as the README's commands expect."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples(text: str, name: str) -> doctest.DocTest:
    return doctest.DocTestParser().get_doctest(text, {}, name, name, 0)


PAGES = ("README.md", "docs/cells.md", "docs/contract.md", "docs/plugins.md", "docs/training.md")


@pytest.mark.parametrize("name", PAGES)
def test_examples_in_pages_run(name: str, place: Path) -> None:
    test = examples((ROOT / name).read_text(encoding="utf-8"), name)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


def commands(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize(
    ("page", "pictures"),
    [
        ("README.md", ("words.png", "attention.png", "roll.png", "gestures.png", "evaluation.png")),
        (
            "docs/tasks.md",
            ("gestures.png", "confusion.png", "attention.png", "looks.png", "heard.png", "my-model/curves.png"),
        ),
    ],
)
def test_the_commands_of_pages_run(page: str, pictures: tuple[str, ...], place: Path) -> None:
    """In the order they stand, since later ones use what earlier ones made."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert len(commands(page)) > 10
    for command in commands(page):
        done = subprocess.run(["bash", "-ec", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout.strip(), command
    for picture in pictures:
        assert (place / picture).read_bytes().startswith(b"\x89PNG"), picture


def test_the_tutorial_is_a_task_that_works(place: Path) -> None:
    """Its files are written and its commands run, in the order they stand."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    files = re.findall(r"```\w+\n# file: (\S+)\n(.*?)```", text, flags=re.DOTALL)
    assert len(dict(files)["mine/language.py"].strip().splitlines()) <= 15, "the first success is a short one"
    for name, content in files:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(content, encoding="utf-8")
    said = {}
    for command in [line[2:] for line in text.splitlines() if line.startswith("$ ")]:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value
            continue
        done = subprocess.run(["bash", "-ec", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        said[command] = done.stdout
    answers = next(out for command, out in said.items() if command.startswith("printf")).splitlines()
    assert len(answers) == 2
    assert all(answers)
    languages = next(out for command, out in said.items() if "language predict" in command).splitlines()
    assert [line.split()[0] for line in languages] == ["Italian", "English"]
    assert "the young → crow" in next(out for command, out in said.items() if "next-word predict" in command)
    checked = next(out for command, out in said.items() if "check" in command)
    assert "  ✓ importing it, and --help, load no torch" in checked.splitlines()
    assert "✗" not in checked


def test_the_hook_reference_is_made_from_the_hooks() -> None:
    reference = runpy.run_path(str(ROOT / "docs" / "hooks_reference.py"))["reference"]
    assert (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8") == reference(), "run docs/hooks_reference.py"


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([\w./-]+\.(?:md|png))\)", page.read_text(encoding="utf-8")):
            built = target == "api/index.md"  # made by `make docs`
            assert built or (page.parent / target).exists(), f"{page.name}: {target}"
