"""The model card says what the manifest says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from suite.checkpoint import Checkpoint
from suite.config import paths
from suite.export.model_card import card
from suite.inference.loading import open_config
from suite.plugins import registry
from suite.task import AnyTask


def test_a_card(tiny_checkpoint: Path) -> None:
    task, opened = registry().task("sentiment"), Checkpoint.open(tiny_checkpoint)
    text = card(task, opened.manifest, ["encoder.onnx"])
    assert text == (tiny_checkpoint / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# sentiment: {task.summary}\n")
    assert task.about in text
    assert f"cell: lstm; {opened.manifest.parameters:,} parameters" in text
    assert "- Streams: step by step" in text
    assert "- Graphs: encoder.onnx" in text
    assert "- items: 54 to train on, 6 to choose by (dev)" in text
    (digest,) = opened.manifest.data["train"].values()
    assert f"- train: `ratings.jsonl`, SHA-256 `{digest}`" in text
    assert f"| dev | accuracy | {opened.manifest.metrics['dev']['accuracy']:.4f} |" in text
    assert "| dev | items | 6 |" in text
    config, _ = open_config(task, opened)
    for path in paths(config):
        assert f"| `{path}` | " in text


def test_what_is_not_known_is_left_out(tiny_checkpoint: Path, changed: Callable[..., AnyTask]) -> None:
    task, opened = registry().task("sentiment"), Checkpoint.open(tiny_checkpoint)
    bare = dataclasses.replace(opened.manifest, data={}, metrics={}, streams=False)
    text = card(changed(task, about=""), bare, [])
    assert "no (it reads both ways)" in text
    assert "SHA-256" not in text


def test_figures_in_groups(tiny_checkpoint: Path) -> None:
    task, opened = registry().task("sentiment"), Checkpoint.open(tiny_checkpoint)
    metrics = {"test": {"accuracy": 0.51239, "per_source": {"tweets": {"items": 3}}, "pearson_r": None}}
    text = card(task, dataclasses.replace(opened.manifest, metrics=metrics), [])
    assert "| test | accuracy | 0.5124 |" in text
    assert "| test, per source | items |\n|---|---|\n| tweets | 3 |" in text
    assert "| test | pearson_r | - |" in text
