"""The checkpoint that ships: small, whole, and sensible on its samples."""

from __future__ import annotations

from pathlib import Path

import pytest

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.inference.pipeline import Pipeline
from suite.plugins import registry

TASK = registry().task("sentiment")
pytestmark = pytest.mark.skipif(
    TASK.assets is None or not (TASK.assets / "checkpoint" / "suite.json").exists(),
    reason="no checkpoint ships yet: assets/sentiment/checkpoint/suite.json is not there",
)


@pytest.fixture(scope="module")
def classify() -> Pipeline:
    return Pipeline.open("sentiment")


def test_it_is_small_and_whole() -> None:
    opened = Checkpoint.open(TASK.checkpoint, task="sentiment")
    assert opened.size < 12_000_000
    assert opened.manifest.streams
    assert opened.manifest.metrics
    assert {"README.md", "model.safetensors", "encoder.onnx"} <= set(opened.manifest.files)
    assert {p.name for p in opened.path.iterdir()} == {*opened.manifest.files, "suite.json"}


def test_it_knows_good_from_bad(classify: Pipeline) -> None:
    assert classify("What a lovely day, I am so happy!").label == "positive"
    assert classify("This is terrible, I hate it.").label == "negative"
    assert classify("The food was not good.").polarity < classify("The food was good.").polarity


def test_its_figures_on_the_samples() -> None:
    labelled = next(path for path in TASK.samples if path.name.startswith("labelled"))
    figures = suite.evaluate("sentiment", labelled)
    assert figures["items"] == 60
    assert figures["pearson_r"] > 0.65


def test_it_streams(classify: Pipeline) -> None:
    text = "It was not bad at all, in fact I loved it"
    with suite.stream(classify) as session:
        updates = session.feed(text)
        last = session.finish()
    assert len(updates) == len(text.split()) - 1
    assert last.polarity == pytest.approx(classify(text).polarity, abs=1e-4)


def test_the_sources_are_named() -> None:
    assert TASK.assets is not None
    text = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    for path in TASK.samples:
        assert f"samples/{path.name}" in text
    assert "checkpoint/" in text
    assert isinstance(TASK.checkpoint, Path)


def test_what_no_piece_fits_says_little() -> None:
    assert abs(suite.pipeline("sentiment")("שלום").polarity) < 0.1


def test_it_was_trained_by_the_recipe() -> None:
    assert TASK.recipe is not None
    settings = TASK.recipe().settings
    shipped = Checkpoint.open(TASK.checkpoint).manifest.config
    assert config.override(TASK.config(), settings) == config.from_dict(TASK.config, shipped)
