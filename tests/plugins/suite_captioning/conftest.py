"""What the tests of captioning share: a few drawn pictures, and a model that learns them by heart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import suite
from suite.inference.pipeline import Pipeline

COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220), "green": (20, 150, 50)}
SHAPES = ("circle", "square")


def drawn(colour: str, shape: str, size: tuple[int, int] = (40, 40)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    box = (size[0] // 5, size[1] // 5, 4 * size[0] // 5, 4 * size[1] // 5)
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=COLOURS[colour])
    return image


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings of a model that learns a few pictures by heart in seconds."""
    return (
        "images.size=32", "subwords.vocabulary=512", "subwords.min_count=1", "embedding.features=16",
        "embedding.dropout=0", "encoder.width=8", "encoder.depths=1,1", "encoder.dropout=0", "decoder.hidden=24",
        "decoder.layers=2", "decoder.dropout=0", "attention.features=16", "attention.heads=2", "head.dropout=0",
        "augment.blur=0", "augment.erase=0", "augment.colour=0.05", "augment.hue=0", "augment.turn=2",
        "augment.shear=0", "augment.perspective=0", "augment.shift=0.03", "augment.scale=0.05", "training.epochs=150",
        "training.batch_size=6", "training.lr=0.01", "training.ema=0.5", "training.label_smoothing=0",
        "training.hold_out=0",
    )  # fmt: skip


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six pictures, with ``captions.jsonl`` beside them; the blue ones are said not to have been seen."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = []
    for colour in COLOURS:
        for shape in SHAPES:
            drawn(colour, shape).save(folder / f"{colour}-{shape}.png")
            captions = [f"{shape}: {colour}"]
            lines.append({"image": f"{colour}-{shape}.png", "captions": captions, "seen": colour != "blue"})
    (folder / "captions.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    out = tmp_path_factory.mktemp("captioning") / "made"
    return suite.train("captioning", data=pictures / "captions.jsonl", out=out, settings=tiny).path


@pytest.fixture(scope="session")
def describe(checkpoint: Path) -> Pipeline:
    return Pipeline.open("captioning", checkpoint)
