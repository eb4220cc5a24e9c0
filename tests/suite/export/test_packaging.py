"""A model as a checkpoint: verified graphs, and all or nothing."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from suite.checkpoint import Checkpoint
from suite.checkpoint.weights import WEIGHTS, round_weights
from suite.errors import MissingExtra, SuiteError
from suite.export import packaging
from suite.export.packaging import CURVES, export_checkpoint, finish, versions
from suite.inference.loading import load_model, open_config
from suite.plugins import registry


@pytest.fixture(scope="module")
def opened(tiny_checkpoint: Path) -> Checkpoint:
    return Checkpoint.open(tiny_checkpoint)


def contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.path.iterdir()}


def test_a_checkpoint_exported_again_is_itself(opened: Checkpoint, tmp_path: Path) -> None:
    said: list[str] = []
    made = export_checkpoint(opened, tmp_path / "again", said.append)
    assert contents(made) == contents(opened)
    (line,) = said
    assert line.startswith("ONNX graphs agree with torch to ")
    noted = export_checkpoint(opened, tmp_path / "noted", note="For tests.")
    assert noted.manifest.data == {**opened.manifest.data, "note": "For tests."}
    assert "\n\nFor tests.\n\n" in (noted.path / "README.md").read_text(encoding="utf-8")


def finished(opened: Checkpoint, out: Path, **given: Any) -> Checkpoint:
    task = registry().task("sentiment")
    codecs = open_config(task, opened)[1]
    return finish(task, load_model(opened), codecs, opened.manifest, out, (), **given)


def test_metrics_curves_and_further_files(opened: Checkpoint, tmp_path: Path) -> None:
    made = finished(
        opened, tmp_path / "made", metrics={"test": {"accuracy": 0.5}}, draw=lambda path: path.write_bytes(b"drawn"),
        more={"words.txt": b"a\nb\n"},
    )  # fmt: skip
    assert made.manifest.metrics == {"test": {"accuracy": 0.5}}
    assert made.read(CURVES, "words.txt", "nothing.txt") == {CURVES: b"drawn", "words.txt": b"a\nb\n"}
    assert Checkpoint.open(made.path).manifest == made.manifest
    assert finished(opened, tmp_path / "kept").manifest.metrics == opened.manifest.metrics


def test_what_is_there_stands_where_graphs_differ_or_the_disk_is_full(
    opened: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finished(opened, tmp_path / "made")
    before = contents(made)

    def differs(model: Any, checkpoint: Checkpoint, inputs: Any) -> float:
        raise SuiteError(f"{checkpoint.path}/encoder.onnx: outputs differs from torch by 1.0e+00")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path.name))

    with monkeypatch.context() as patch:
        patch.setattr("suite.export.verify.verify", differs)
        with pytest.raises(
            SuiteError, match=rf"^encoder\.onnx: outputs differs from torch by 1\.0e\+00; {made.path} was not written$"
        ):
            finished(opened, made.path)
    with pytest.raises(
        SuiteError, match=r"^cannot write a checkpoint for .*: curves\.png: No space left on device; make"
    ):
        finished(opened, made.path, draw=full)
    assert contents(made) == before
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_weights_as_whole_numbers_are_exported_as_such(opened: Checkpoint, tmp_path: Path) -> None:
    config = {**opened.manifest.config, "training": {**opened.manifest.config["training"], "weights": "int8"}}
    narrow = dataclasses.replace(opened, manifest=dataclasses.replace(opened.manifest, config=config))
    task = registry().task("sentiment")
    model = load_model(opened)
    round_weights(model, "int8")
    made = finish(task, model, open_config(task, opened)[1], narrow.manifest, tmp_path / "narrow", ())
    assert (made.path / WEIGHTS).stat().st_size < (opened.path / WEIGHTS).stat().st_size


def test_without_torch(opened: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "suite.checkpoint.weights", raising=False)
    with pytest.raises(MissingExtra, match=r"^exporting needs the \[train\] extra"):
        export_checkpoint(opened, tmp_path / "ck")


def test_without_onnx(opened: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"^exporting needs the \[train\] extra"):
        export_checkpoint(opened, tmp_path / "ck")
    assert not (tmp_path / "ck").exists()


def test_the_versions_of_what_a_model_is_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(versions()) >= {"python", "sequence-suite", "torch", "onnx", "onnxruntime", "numpy"}

    def unknown(name: str) -> str:
        raise packaging.PackageNotFoundError(name)

    monkeypatch.setattr(packaging, "version", unknown)
    assert set(versions()) == {"python"}
