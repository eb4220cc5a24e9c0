"""What ``suite plugins new`` writes works as it is, in every mapping."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UsageError
from suite.plugins import registry, scaffold
from suite.testing.laws import laws, run

ROOT = Path(__file__).parents[3]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
KINDS = [*scaffold.MAPPINGS, None]
#: What stands in a template for what is chosen.
WORDS = ("PREDICT", "STREAM", "MAPPING", "EXTRA")
#: What is typed, and what comes in on standard input.
INPUTS = {
    "many-to-one": ("il gatto dorme", b"the cat sleeps\n", 4),
    "one-to-many": ("#ff8800", b"#1a2b7c\n#8fd3a1", 2),
    "aligned": ("this dog sees my river", b"my friend opens every window\n", 5),
    "unaligned": ("42", b"7\n8", 2),
}


def names(kind: str | None) -> tuple[str, str]:
    """A name, and the module that is made of it."""
    name = f"try-{kind or 'cell'}"
    return name, name.replace("-", "_")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], Path]]:
    """``there(mapping)`` writes a plugin and makes it look installed, here and in processes started from here."""
    before = set(sys.modules)

    def make(kind: str | None) -> Path:
        name, module = names(kind)
        place = scaffold.write(name, kind, tmp_path / "package")
        points = tomllib.loads((place / "pyproject.toml").read_text())["project"]["entry-points"]
        source = place / "src"
        info = source / f"{module}-0.1.0.dist-info"
        info.mkdir()
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in own.items()) for group, own in points.items()]
        (info / "entry_points.txt").write_text("".join(lines))
        monkeypatch.syspath_prepend(source)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]))
        registry.cache_clear()
        return place

    yield make
    registry.cache_clear()
    for module in set(sys.modules) - before:
        if module.startswith("try_"):
            del sys.modules[module]


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_it_is_there_and_nothing_is_left_of_the_template(kind: str | None, tmp_path: Path) -> None:
    name, module = names(kind)
    place = scaffold.write(name, kind, tmp_path / "new")
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    wanted = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/test.yml", f"src/{module}/__init__.py"}
    assert wanted | {f"tests/test_{module}.py"} <= files
    if kind is not None:
        assert f"src/{module}/assets/SOURCES.md" in files
        assert {path.stem for path in place.rglob("samples/*")} > {"labelled"}
    project = tomllib.loads((place / "pyproject.toml").read_text())
    group = "suite.cells" if kind is None else "suite.tasks"
    assert project["project"]["entry-points"] == {group: {name: module}}
    assert project["project"]["name"] == name
    for path in place.rglob("*"):
        assert not any(word in path.name for word in (".tmpl", "my_", "my-"))
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in ("my-task", "my_task", "MyTask", "my_cell", *WORDS))
            if path.suffix == ".py":
                ast.parse(text)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_as_tidy_as_this_repository(kind: str | None, tmp_path: Path) -> None:
    place = scaffold.write(names(kind)[0], kind, tmp_path / "new")
    for command in (["check", "--select", "E,F,W,UP,B,SIM,C4,RUF100"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "--line-length", "120", str(place)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mapping", scaffold.MAPPINGS)
def test_the_task_is_short(mapping: str, tmp_path: Path) -> None:
    """At most 8 attributes and methods, in at most 45 lines, without docstrings and imports."""
    place = scaffold.write("try-it", mapping, tmp_path / "new")
    module = ast.parse((place / "src" / "try_it" / "__init__.py").read_text(encoding="utf-8"))
    for node in list(ast.walk(module)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    module.body = [node for node in module.body if not isinstance(node, ast.ImportFrom | ast.If)]
    (task,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "TryIt"]
    assert len(task.body) <= 8
    lines = set()
    for node in ast.walk(module):
        if isinstance(node, ast.expr | ast.stmt):
            lines |= {node.lineno, node.end_lineno}
    assert len(lines) <= 45


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_its_types_are_strict(kind: str | None, tmp_path: Path) -> None:
    place = scaffold.write(names(kind)[0], kind, tmp_path / "new")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "src", "tests"]
    environment = {**os.environ, "MYPYPATH": f"src{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My Task", "use lowercase letters, digits and hyphens"),
        ("9lives", "use lowercase letters, digits and hyphens"),
        ("../up", "use lowercase letters, digits and hyphens"),
        ("class", "a name of Python itself"),
        ("json", "a name of Python itself"),
        ("plugins", "a name of the suite itself"),
        ("lstm", "a name of the suite itself"),
    ],
)
def test_names_that_will_not_do(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        scaffold.write(name, "aligned", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_folder_it_was_made_in_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a package of one word has the package's name; ``python -m suite`` beside it finds the package."""
    place = scaffold.write("chatter", "many-to-one", tmp_path / "chatter")
    (tmp_path / "site").mkdir()
    info = tmp_path / "site" / "chatter-0.1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[suite.tasks]\nchatter = chatter\n")
    for first, hidden in (([tmp_path, place / "src"], False), ([tmp_path], True)):
        path = os.pathsep.join(map(str, [*first, tmp_path / "site", os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, "-m", "suite", "chatter", "--help"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode == 1) == hidden, done.stderr
        assert not hidden or f"{place} is a folder without __init__.py that hides the package 'chatter'" in done.stderr


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for place in ("full", "file"):
        with pytest.raises(UsageError, match="exists already; choose another --out"):
            scaffold.write("try-it", "aligned", tmp_path / place)
    (tmp_path / "empty").mkdir()
    assert (scaffold.write("try-it", None, tmp_path / "empty") / "src" / "try_it" / "__init__.py").exists()


@pytest.mark.parametrize("mapping", scaffold.MAPPINGS)
def test_every_verb_runs_without_options_and_every_law_holds(mapping: str, there: Any, cli: Any) -> None:
    name, (typed, streamed, lines) = names(mapping)[0], INPUTS[mapping]
    there(mapping)
    assert f"suite {name} train makes one" in cli("demo").err
    assert cli(name, "predict", typed).error.startswith(f"suite: {name} ships no checkpoint: train one")
    trained = cli(name, "train")
    assert trained.code == 0, trained.err
    assert f"trained: {name}-checkpoint" in trained.out
    for arguments in ((name, "predict", typed), (name, "evaluate"), (name, "info"), (name, "demo")):
        ran = cli(*arguments)
        assert (ran.code, ran.err) == (0, ""), arguments
        assert ran.out
    assert f"suite {name} stream" in ran.out
    stream = cli(name, "stream", stdin=streamed)
    assert (stream.code, stream.err) == (0, "")
    assert len(stream.out.strip().splitlines()) == lines
    broken = [str(one.law) + one.message for one in map(run, laws(name)) if one.verdict != "holds"]
    assert broken == []


def test_a_cell_keeps_the_laws_and_trains_a_task(there: Any, cli: Any, ratings_file: Path, tiny_settings: Any) -> None:
    there(None)
    assert [str(one.law) + one.message for one in map(run, laws("try-cell")) if one.verdict != "holds"] == []
    settings = [part for setting in tiny_settings for part in ("--set", setting)]
    ran = cli(
        "sentiment", "train", "--data", ratings_file, "--cell", "try-cell", "--epochs", "1", "--out", "m", *settings
    )
    assert ran.code == 0, ran.err
    assert cli("sentiment", "stream", "--checkpoint", "m", stdin=b"a good day\n").code == 0


# --- installed ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an environment of its own, which has what this one has."""
    place = tmp_path_factory.mktemp("environment") / "env"
    assert UV is not None
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    site = next((place / "lib").glob("python*")) / "site-packages"
    here = next(Path(path) for path in sys.path if Path(path).name == "site-packages")
    (site / "of_the_project.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")
    return place / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(UV is None, reason="uv is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_it_installs_and_its_own_tests_pass(kind: str | None, environment: Path, tmp_path: Path) -> None:
    name, module = names(kind)
    place = scaffold.write(name, kind, tmp_path / "package")
    assert UV is not None

    def call(*command: str | Path, stdin: bytes = b"") -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=place, input=stdin, capture_output=True, check=False,
            env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    call(UV, "pip", "install", "--quiet", "--python", environment, "--no-deps", "--editable", place)
    assert "passed" in call(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    if kind is None:
        assert name in call(environment, "-m", "suite", "cells")
        return
    typed, streamed, _ = INPUTS[kind]
    for arguments in (["train"], ["predict", typed], ["evaluate"], ["demo"]):
        assert call(environment, "-m", "suite", name, *arguments)
    assert call(environment, "-m", "suite", name, "stream", stdin=streamed)
    # Shipped: from the folder in the package, wherever it is run.
    call(environment, "-m", "suite", name, "train", "--out", f"src/{module}/assets/checkpoint", "--epochs", "1")
    shutil.rmtree(place / f"{name}-checkpoint")
    assert "predict" in call(environment, "-m", "suite", "demo", name)


def test_the_templates_reach_a_wheel() -> None:
    """Every file of them has the ending that the packaging takes, and none begins with a dot."""
    for path in scaffold.TEMPLATES.rglob("*"):
        assert path.is_dir() or path.suffix == scaffold.ENDING
        assert not path.name.startswith(".")
    assert '"plugins/templates/**/*.tmpl"' in (ROOT / "setup.py").read_text()
