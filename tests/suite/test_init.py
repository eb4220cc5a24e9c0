"""The public face: ``import suite`` and what it offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import suite
from suite.errors import DataError


def test_every_name_is_there() -> None:
    for name in suite.__all__:
        assert getattr(suite, name) is not None
    assert suite.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="module 'suite' has no attribute 'nonesuch'"):
        _ = suite.nonesuch


def test_dir_lists_what_is_public_and_nothing_else() -> None:
    """What a notebook completes, before any of it was used and after."""
    for name in suite.__all__:
        getattr(suite, name)
    assert [name for name in dir(suite) if not name.startswith("__")] == sorted(suite.__all__)
    assert {"__version__", "__doc__", "__all__"} <= set(dir(suite))
    program = "import suite; print(*dir(suite))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if not name.startswith("__")] == sorted(suite.__all__)


def test_importing_costs_nothing() -> None:
    program = "import sys; before = set(sys.modules); import suite; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "click", "pluggy", "torch", "onnxruntime", "tokenizers"} & set(done.stdout.split())


def test_tasks() -> None:
    assert suite.tasks()["sentiment"] == "Sentiment of a text: positive, neutral or negative, with a polarity."


def test_evaluate(tiny_checkpoint: Path, ratings_file: Path, tmp_path: Path) -> None:
    figures = suite.evaluate("sentiment", ratings_file, tiny_checkpoint)
    assert (figures["items"], figures["task"]) == (60, "sentiment")
    assert suite.evaluate("sentiment", [ratings_file, str(ratings_file)], tiny_checkpoint)["items"] == 120
    (tmp_path / "a.txt").write_text("text\tstars\ngood\t0.5\n")
    columns = {"text": "text", "polarity": "stars"}
    assert suite.evaluate("sentiment", tmp_path / "a.txt", tiny_checkpoint, columns=columns, format="tsv")["items"] == 1
    with pytest.raises(DataError, match="no such file"):
        suite.evaluate("sentiment", tmp_path / "nowhere.csv", tiny_checkpoint)


def test_training_in_a_few_lines(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    said: list[str] = []
    made = suite.train(
        "sentiment", data=ratings_file, out=tmp_path / "mine", epochs=2, settings=tiny_settings, say=said.append
    )
    assert made.path == tmp_path / "mine"
    assert suite.pipeline("sentiment", made.path)("good").input == "good"
    with suite.stream("sentiment", made.path) as session:
        session.feed("good")
        assert session.finish().final
    assert said


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "suite", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("suite ")
