"""The checkpoints that ship: small, whole, and sensible on their samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_gesture.data import SETS

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.data.series import open_recording, read_recordings
from suite.inference.pipeline import Pipeline
from suite.plugins import registry

NAMES = ("wiimote", "activity")
TASK = registry().task("gesture")

pytestmark = pytest.mark.skipif(
    set(TASK.shipped) != set(NAMES),
    reason="not all checkpoints ship yet: assets/gesture/checkpoint/NAME/suite.json is not there",
)


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return {name: Pipeline.open("gesture", name) for name in NAMES}


def sample(name: str) -> Path:
    assert TASK.assets is not None
    return TASK.assets / "samples" / name


@pytest.mark.parametrize("name", NAMES)
def test_they_are_small_and_whole(name: str) -> None:
    opened = Checkpoint.open(TASK.shipped[name], task="gesture")
    assert opened.size < 5_000_000
    assert opened.manifest.streams
    assert opened.manifest.seed == 0
    assert opened.manifest.metrics["leave_one_out"]["accuracy"] > 0.6
    assert {"README.md", "model.safetensors", "encoder.onnx", "series.json", "target.json", "curves.png"} == set(
        opened.manifest.files
    )
    assert {p.name for p in opened.path.iterdir()} == {*opened.manifest.files, "suite.json"}


@pytest.mark.parametrize("name", NAMES)
def test_they_say_what_their_labels_and_channels_mean(name: str, pipelines: dict[str, Pipeline]) -> None:
    codec: Any = pipelines[name].codecs.input
    labels: Any = pipelines[name].codecs.target
    assert dict(zip(labels.names, labels.labels, strict=True)) == SETS[name].labels
    assert (codec.channels, codec.rate) == (SETS[name].channels, SETS[name].rate)


@pytest.mark.parametrize("name", NAMES)
def test_they_were_trained_by_the_recipe(name: str) -> None:
    assert TASK.recipe is not None
    manifest = Checkpoint.open(TASK.shipped[name]).manifest
    made = config.override(TASK.config(), TASK.recipe().settings)
    assert made == config.from_dict(TASK.config, manifest.config)
    assert list(manifest.data["train"]) == list(TASK.recipe().train)


def test_the_default_is_the_first() -> None:
    assert TASK.checkpoint == TASK.shipped["wiimote"]
    assert Pipeline.open("gesture").name == str(TASK.checkpoint)


def test_who_picks_up_the_remote_control() -> None:
    figures = suite.evaluate("gesture", sample("labelled.ts"))
    assert figures["items"] == 20
    assert figures["accuracy"] > 0.7
    assert list(figures["accuracy_at"]) == ["25", "50", "75", "100"]


def test_a_minute_of_activities(pipelines: dict[str, Pipeline]) -> None:
    path = sample("activity/a-minute.csv")
    found = pipelines["activity"](path)
    segments = found.segments
    assert [s["label"] for s in segments] == ["standing", "walking", "running", "badminton", "standing"]
    for segment, start in zip(segments, range(0, 50, 10), strict=True):
        assert segment["start"] == pytest.approx(start, abs=3)
        assert segment["unit"] == "s"
    assert segments[-1]["end"] == pytest.approx(len(open_recording(path).array) / 10, abs=0.05)
    # The same at another rate: each sample twice.
    twice = pipelines["activity"](np.repeat(open_recording(path).array, 2, axis=0), rate=20)
    assert [s["label"] for s in twice.segments] == [s["label"] for s in segments]


@pytest.mark.parametrize("name", NAMES)
def test_they_stream(name: str, pipelines: dict[str, Pipeline]) -> None:
    source = {"wiimote": sample("pickups.ts"), "activity": sample("activity/a-minute.csv")}[name]
    array = next(iter(read_recordings(source))).array[:120]
    with suite.stream(pipelines[name]) as session:
        updates = [update for row in array for update in session.feed(row)]
        last = session.finish()
    assert len(updates) == len(array)
    assert last.probabilities == pytest.approx(pipelines[name](array).probabilities, abs=1e-4)


def test_the_demo(cli: Callable[..., Any], tmp_path: Path) -> None:
    from PIL import Image

    ran = cli("demo", "--plot", "x.png", "--json")
    assert (ran.code, ran.err) == (0, "drawn: x.png\n")
    recordings = list(read_recordings(sample("pickups.ts")))
    assert all(value["label"].startswith("person ") for value in ran.values[: len(recordings)])
    updates = ran.values[len(recordings) :]
    assert [value["final"] for value in updates] == [*[False] * len(recordings[0].array), True]
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.format == "PNG"
    plain = cli("demo")
    assert plain.lines[0].startswith(f"── gesture: {TASK.summary}")
    assert f"$ suite gesture predict {sample('pickups.ts')}" in plain.lines
    assert sum(line.endswith(tuple(f"pickups.ts:{n}" for n in range(100))) for line in plain.lines) == len(recordings)


def test_the_sources_are_named() -> None:
    assert TASK.assets is not None
    text = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    samples = [path for path in (TASK.assets / "samples").rglob("*") if path.is_file()]
    assert len(samples) >= 3
    for path in samples:
        assert f"`{path.relative_to(TASK.assets)}`" in text
    for name in NAMES:
        assert f"`checkpoint/{name}/`" in text


@pytest.mark.parametrize("name", NAMES)
def test_their_cards_say_how_well_they_do(name: str) -> None:
    opened = Checkpoint.open(TASK.shipped[name])
    card = (opened.path / "README.md").read_text(encoding="utf-8")
    figures = opened.manifest.metrics["leave_one_out"]
    assert f"| accuracy | {figures['accuracy']:.4f} |" in card
    assert json.loads((opened.path / "target.json").read_text())["early"]
