"""The checkpoints that ship: small, whole, and sensible on their samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from suite_captioning import Captioning, CaptioningConfig

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.inference.pipeline import Pipeline

Cli = Callable[..., Any]
TASK = Captioning()

NAMES = tuple(TASK.shipped) or ("emoji",)
FILES = {
    "README.md", "model.safetensors", "encoder.onnx", "decoder.onnx", "images.json", "subwords.json", "tokenizer.json",
    "curves.png",
}  # fmt: skip
#: What one that leans on pictures of training has besides.
REMEMBERS = {"stamps": {"remembered.npz"}}

pytestmark = pytest.mark.skipif(
    not TASK.ships, reason="no checkpoint ships: assets/captioning/checkpoint/emoji/suite.json is not there"
)


@pytest.fixture(scope="module")
def describe() -> Pipeline:
    return Pipeline.open("captioning")


def sample(name: str) -> Path:
    assert TASK.assets is not None
    return TASK.assets / "samples" / name


@pytest.mark.parametrize("name", NAMES)
def test_they_are_small_and_whole(name: str) -> None:
    opened = Checkpoint.open(TASK.shipped[name], task="captioning")
    assert opened.size < 8_000_000
    assert opened.manifest.streams
    assert set(opened.manifest.files) == FILES | REMEMBERS.get(name, set())
    assert {path.name for path in opened.path.iterdir()} == {*opened.manifest.files, "suite.json"}
    made: CaptioningConfig = config.from_dict(TASK.config, opened.manifest.config)
    wanted = dict(TASK.extra_recipes).get(name, TASK.recipe)
    assert wanted is not None
    assert made == config.override(TASK.config(), wanted().settings)


def test_the_default_was_trained_by_the_recipe_and_chosen_on_another_artist() -> None:
    opened = Checkpoint.open(TASK.checkpoint)
    assert TASK.checkpoint == TASK.shipped["emoji"]
    assert TASK.recipe is not None
    made = config.override(TASK.config(), TASK.recipe().settings)
    assert made == config.from_dict(TASK.config, opened.manifest.config)
    dev = opened.manifest.metrics["dev"]
    assert dev["items"] == 2682
    assert dev["seen"]["exact_match"] > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_their_cards_say_what_they_are_for_and_how_well_they_do(name: str) -> None:
    opened = Checkpoint.open(TASK.shipped[name])
    card = (opened.path / "README.md").read_text(encoding="utf-8")
    assert opened.manifest.data["note"] in card
    assert f"| dev | chrf | {opened.manifest.metrics['dev']['chrf']:.4f} |" in card


def test_what_the_samples_are_called(describe: Pipeline) -> None:
    names = ("helicopter", "red-apple", "soccer-ball")
    assert [result.text for result in describe([sample(f"{name}.png") for name in names])] == [
        name.replace("-", " ") for name in names
    ]


def test_the_labelled_samples() -> None:
    figures = suite.evaluate("captioning", sample("labelled.jsonl"))
    assert figures["items"] == 9
    assert figures["chrf"] > 50


def test_any_size_and_shape_will_do(describe: Pipeline, tmp_path: Path) -> None:
    with Image.open(sample("soccer-ball.png")) as picture:
        image = picture.convert("RGB")
    wide = Image.new("RGB", (176, 96), "white")
    wide.paste(image, (40, 0))
    ways = {"large.jpg": image.resize((700, 700)), "small.webp": image.resize((64, 64)), "wide.png": wide}
    for name, changed in ways.items():
        changed.save(tmp_path / name)
        assert "soccer ball" in describe(tmp_path / name).text


def test_a_stream_says_what_predict_says(cli: Cli, describe: Pipeline) -> None:
    paths = [sample(f"{name}.png") for name in ("pig-face", "hot-beverage")]
    ran = cli("captioning", "stream", stdin="".join(f"{path}\n" for path in paths).encode())
    assert ran.lines == [result.text for result in describe(paths)]


def test_the_demo(cli: Cli, tmp_path: Path) -> None:
    ran = cli("captioning", "demo", "--plot", "x.png", "--json")
    assert (ran.code, ran.err) == (0, "drawn: x.png\n")
    pictures = sorted(path.name for path in sample("").glob("*.png"))
    assert [Path(value["input"]).name for value in ran.values[: len(pictures)]] == pictures
    assert ran.values[-1]["final"] is True
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.format == "PNG"


def test_the_sources_are_named() -> None:
    assert TASK.assets is not None
    text = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    for path in sample("").rglob("*"):
        if path.is_file():
            assert (
                f"`{path.relative_to(TASK.assets)}`" in text
                or f"`{path.parent.relative_to(TASK.assets)}/*.png`" in text
            )
    for name in NAMES:
        assert f"`checkpoint/{name}/`" in text


def test_the_samples_are_of_nobody_that_was_trained_on() -> None:
    rows = [json.loads(line) for line in sample("labelled.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["image"] for row in rows} == {path.name for path in sample("").glob("*.png")}
