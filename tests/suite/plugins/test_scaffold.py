"""What ``suite plugins new`` writes works as it is, in every mapping."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UsageError
from suite.plugins import registry, scaffold
from suite.testing.laws import laws, tried

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
KINDS = [*scaffold.MAPPINGS, None]
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
        info = place / f"{module}-0.1.0.dist-info"
        info.mkdir()
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in own.items()) for group, own in points.items()]
        (info / "entry_points.txt").write_text("".join(lines))
        monkeypatch.syspath_prepend(place)
        monkeypatch.setenv("PYTHONPATH", str(place))
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
    wanted = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/test.yml", f"{module}/__init__.py"}
    assert wanted | {f"tests/test_{module}.py"} <= files
    if kind is not None:
        assert {f"{module}/data.py", f"{module}/model.py", f"{module}/assets/SOURCES.md"} <= files
        assert {path.stem for path in place.rglob("samples/*")} > {"labelled"}
    project = tomllib.loads((place / "pyproject.toml").read_text())
    group = "suite.cells" if kind is None else "suite.tasks"
    assert project["project"]["entry-points"] == {group: {name: module}}
    assert project["project"]["name"] == name
    for path in place.rglob("*"):
        assert not any(word in path.name for word in (".tmpl", "my_", "my-"))
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in ("my-task", "my_task", "MyTask", "my_cell", "PREDICT", "MAPPING"))
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


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My Task", "small letters, digits and hyphens"),
        ("9lives", "small letters, digits and hyphens"),
        ("../up", "small letters, digits and hyphens"),
        ("class", "Python itself has"),
        ("json", "Python itself has"),
        ("plugins", "the suite itself has"),
        ("lstm", "the suite itself has"),
    ],
)
def test_names_that_will_not_do(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        scaffold.write(name, "aligned", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for place in ("full", "file"):
        with pytest.raises(UsageError, match="is there already; choose another --out"):
            scaffold.write("try-it", "aligned", tmp_path / place)
    (tmp_path / "empty").mkdir()
    assert (scaffold.write("try-it", None, tmp_path / "empty") / "try_it" / "__init__.py").exists()


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
    broken = [str(one.law) + one.said for one in map(tried, laws(name)) if one.verdict != "holds"]
    assert broken == []


def test_a_cell_keeps_the_laws_and_trains_a_task(there: Any, cli: Any, ratings_file: Path, tiny_settings: Any) -> None:
    there(None)
    assert [str(one.law) + one.said for one in map(tried, laws("try-cell")) if one.verdict != "holds"] == []
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

    def run(*command: str | Path, stdin: bytes = b"") -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=place, input=stdin, capture_output=True, check=False,
            env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    run(UV, "pip", "install", "--quiet", "--python", environment, "--no-deps", "--editable", place)
    assert "passed" in run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    if kind is None:
        assert name in run(environment, "-m", "suite", "cells")
        return
    typed, streamed, _ = INPUTS[kind]
    for arguments in (["train"], ["predict", typed], ["evaluate"], ["demo"]):
        assert run(environment, "-m", "suite", name, *arguments)
    assert run(environment, "-m", "suite", name, "stream", stdin=streamed)
    # Shipped: from the folder in the package, wherever it is run.
    run(environment, "-m", "suite", name, "train", "--out", Path(module) / "assets" / "checkpoint", "--epochs", "1")
    shutil.rmtree(place / f"{name}-checkpoint")
    assert "predict" in run(environment, "-m", "suite", "demo", name)


def test_the_templates_reach_a_wheel() -> None:
    """Every file of them has the ending that the packaging takes, and none begins with a dot."""
    for path in scaffold.TEMPLATES.rglob("*"):
        assert path.is_dir() or path.suffix == scaffold.ENDING
        assert not path.name.startswith(".")
    assert '"templates/**/*.tmpl"' in (ROOT / "setup.py").read_text()
