"""The figures of captioning, on a model that learnt a few pictures by heart."""

from __future__ import annotations

import json
from pathlib import Path

import figures_captioning as figures
import numpy as np
import pytest
from figures import line
from PIL import Image

import suite

COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220)}
SETTINGS = (
    "images.size=32", "subwords.vocabulary=512", "subwords.min_count=1", "embedding.features=16", "encoder.width=8",
    "encoder.depths=1,1", "encoder.dropout=0", "decoder.hidden=24", "decoder.dropout=0", "attention.features=16",
    "attention.heads=2", "head.dropout=0", "augment.erase=0", "augment.colour=0.05", "augment.turn=2",
    "augment.shear=0", "augment.perspective=0", "training.epochs=120", "training.batch_size=4", "training.lr=0.01",
    "training.ema=0.5", "training.label_smoothing=0", "training.hold_out=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures in every part: bars across and down in two colours."""
    place = tmp_path_factory.mktemp("pictures")
    rows = []
    for colour, value in COLOURS.items():
        for way in ("across", "down"):
            image = np.full((32, 32, 3), 255, np.uint8)
            image[(slice(12, 20), slice(4, 28)) if way == "across" else (slice(4, 28), slice(12, 20))] = value
            Image.fromarray(image).save(place / f"{way}-{colour}.png")
            text = f"a bar {way} in {colour}: medium skin tone"
            rows.append(json.dumps({"image": f"{way}-{colour}.png", "captions": [text], "seen": colour == "red"}))
    for part in ("train", "dev", "test"):
        (place / f"{part}.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def checkpoint(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "bars"
    return suite.train("captioning", data=folder / "train.jsonl", out=out, settings=SETTINGS).path


def test_every_row_is_measured(checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.engine, "find_prepared", lambda name, recipe: folder)
    rows = list(figures.measure({"emoji": checkpoint, "stamps": checkpoint}))
    metrics = ("exact_match", "exact_match_skin_tone_aside", "bleu4", "chrf")
    names = [row["measure"] for row in rows]
    assert names == [
        *(f"{metric}, noto, 2 {part}" for part in ("seen", "unseen") for metric in metrics),
        "chrf less the nearest image's, stamps, test", "images/s on ONNX over torch, batch 16",
        "checkpoint directory of emoji, MB", "checkpoint directory of stamps, MB",
    ]  # fmt: skip
    found = dict(zip(names, rows, strict=True))
    for part in ("seen", "unseen"):
        assert found[f"exact_match, noto, 2 {part}"]["value"] == 1
        # Every picture is there to be looked up, too.
        assert found[f"exact_match, noto, 2 {part}"]["references"]["nearest image, in this run"] == 1
    assert found["chrf less the nearest image's, stamps, test"]["value"] == 0
    speed = found["images/s on ONNX over torch, batch 16"]
    assert min(speed["value"], speed["ours"], speed["reference"]) > 0
    json.dumps(rows, allow_nan=False)
    assert all(line(row) for row in rows)


def test_data_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        figures.engine, "find_prepared", lambda name, recipe: None if name.endswith("stamps") else tmp_path
    )
    with pytest.raises(SystemExit, match="run suite data get captioning-stamps first"):
        next(figures.measure({}))


def test_pictures_are_alike_by_edges_and_colours() -> None:
    def bar(down: bool, colour: tuple[int, int, int], at: int = 40) -> np.ndarray:
        image = np.full((96, 96, 3), 255, np.uint8)
        image[(slice(10, 86), slice(at, at + 16)) if down else (slice(at, at + 16), slice(10, 86))] = colour
        return figures.described(image.transpose(2, 0, 1))

    one = bar(True, (200, 0, 0))
    assert one @ one == pytest.approx(1, abs=1e-5)
    alike = [one @ bar(True, (190, 20, 10)), one @ bar(True, (0, 0, 200)), one @ bar(False, (0, 0, 200))]
    assert alike == sorted(alike, reverse=True)
    assert alike[-1] < 0.8


def test_means_of_blocks_leave_out_what_fills_none() -> None:
    planes = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
    np.testing.assert_array_equal(figures.blocks(planes, 2)[0], [[2.5, 4.5], [10.5, 12.5]])


def test_figures_are_written_after_every_row(tmp_path: Path) -> None:
    from figures import write

    file = tmp_path / "docs" / "figures.json"
    for count in (1, 2):
        write("one", [{"measure": "x", "value": 1.0}] * count, file)
    write("two", [], file)
    known = json.loads(file.read_text(encoding="utf-8"))
    assert [len(known[name]["rows"]) for name in ("one", "two")] == [2, 0]
    assert known["one"]["command"] == "make figures TASK=one"
