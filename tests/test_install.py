"""A plain install: from a copy of the sources into an environment of its own, without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "assets" / "sentiment" / "samples"
GESTURES = ROOT / "assets" / "gesture" / "samples"
PICTURES = ROOT / "assets" / "captioning" / "samples"
PROMPTS = ROOT / "assets" / "speech" / "samples"
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")

pytestmark = [
    pytest.mark.skipif(UV is None, reason="uv is not installed"),
    pytest.mark.skipif(
        not (ROOT / "assets" / "sentiment" / "checkpoint" / "suite.json").exists(), reason="no shipped checkpoint"
    ),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with ``pip install .`` in it; the folder of its programs."""
    place = tmp_path_factory.mktemp("install")
    source = place / "source"
    # A copy, since building leaves folders behind.
    for name in ("suite", "plugins", "assets"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    assert UV is not None
    python = place / "env" / "bin" / "python"
    run([UV, "venv", "--quiet", "--python", sys.executable, str(place / "env")])
    run([UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), str(source)])
    return python.parent


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def run(command: list[str], **more: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return str(done.stdout)


@pytest.fixture
def suite(environment: Path, tmp_path: Path) -> Callable[..., str]:
    """The installed ``suite`` command, run far from the checkout."""

    def call(*arguments: str, stdin: str = "") -> str:
        return run([str(environment / "suite"), *arguments], input=stdin, cwd=str(tmp_path))

    return call


def test_it_is_small_and_has_no_torch(environment: Path) -> None:
    site = next((environment.parent / "lib").glob("python*")) / "site-packages"
    assert not (site / "torch").exists()
    models = megabytes(site / "suite_assets")
    rest = megabytes(site) - models
    assert rest < 230, f"{rest:.0f} MB"
    assert models < 45, f"{models:.0f} MB"


def test_every_verb_of_use_works(suite: Callable[..., str], tmp_path: Path) -> None:
    assert "positive" in suite("sentiment", "predict", "What a lovely day", "--plot", "words.png")
    assert suite("sentiment", "stream", stdin="What a lovely\nday\n").count("\n") >= 5
    assert "pearson_r" in suite(
        "sentiment", "evaluate", "--data", str(SAMPLES / "labelled.csv"), "--plot", "evaluation.png"
    )
    assert (tmp_path / "words.png").stat().st_size > 1000
    assert (tmp_path / "evaluation.png").stat().st_size > 1000
    assert "parameters" in suite("sentiment", "info")
    assert "person 1" in suite("gesture", "predict", str(GESTURES / "pickups.ts"), "--plot", "gestures.png")
    assert "key D, meter 6/8" in suite(
        "music", "generate", "--key", "D", "--meter", "6/8", "--bars", "8", "--plot", "roll.png", "--out", "tunes"
    )
    assert "chorale" in suite("music", "generate", "--style", "chorale", "--bars", "2").lower()
    assert "bits_per_char" in suite("music", "evaluate")
    assert "bars_filled" in suite("music", "report", "tunes")
    assert (tmp_path / "roll.png").stat().st_size > 1000
    assert "person" in suite("gesture", "stream", "--checkpoint", "wiimote", stdin="1\n1.1\n1.5\n")
    assert "accuracy_at" in suite("gesture", "evaluate", "--plot", "confusion.png")
    assert (tmp_path / "gestures.png").stat().st_size > 1000
    assert (tmp_path / "confusion.png").stat().st_size > 1000
    text = "This package contains the documentation."
    assert "documentazione" in suite("translation", "predict", text, "--plot", "attention.png")
    assert "Dokumentation" in suite("translation", "stream", "--to", "de", stdin=text)
    assert "languages" in suite("translation", "info")
    assert (tmp_path / "attention.png").stat().st_size > 1000
    picture = str(PICTURES / "helicopter.png")
    assert "helicopter" in suite("captioning", "predict", picture, "--plot", "looks.png")
    assert "helicopter" in suite("captioning", "stream", stdin=f"{picture}\n")
    assert (tmp_path / "looks.png").stat().st_size > 1000
    password = str(PROMPTS / "agent-pass.wav")
    assert "password" in suite("speech", "predict", password, "--plot", "heard.png", "--beam", "4")
    assert "wer" in suite("speech", "evaluate", "--data", str(PROMPTS / "labelled.jsonl"))
    assert (tmp_path / "heard.png").stat().st_size > 1000
    assert "predict --input" in suite("demo")
    assert "sentiment" in suite("tasks")
    assert "lstm" in suite("cells")
    assert "unavailable" in suite("plugins")


@pytest.mark.parametrize(
    "arguments",
    [
        ("sentiment", "train", "--data", str(SAMPLES / "labelled.csv")),
        ("sentiment", "export"),
        ("sentiment", "predict", "x", "--runtime", "torch"),
    ],
)
def test_what_needs_torch_says_so_in_one_line(environment: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(environment / "suite"), *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'sequence-suite[train]'" in done.stderr
