"""``suite TASK export``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.errors import SuiteError

Cli = Callable[..., Any]


def polarity(cli: Cli, checkpoint: Path) -> float:
    found: float = json.loads(cli("sentiment", "predict", "--json", "--checkpoint", checkpoint, "a good day").out)[
        "polarity"
    ]
    return found


def test_export_elsewhere(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    ran = cli("sentiment", "export", "--checkpoint", tiny_checkpoint, "--out", "made")
    assert ran.code == 0
    assert ran.out.startswith("exported: made (")
    assert ran.said.startswith("ONNX graphs agree with torch to ")
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == sorted(p.name for p in tiny_checkpoint.iterdir())
    assert polarity(cli, tmp_path / "made") == pytest.approx(polarity(cli, tiny_checkpoint), abs=1e-6)


def test_export_in_place_loses_nothing(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "mine")
    before = {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()}
    assert cli("sentiment", "export", "--checkpoint", "mine", "--out", "mine", "--overwrite").code == 0
    after = {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()}
    assert after.keys() == before.keys()
    for name in ("model.safetensors", "curves.png", "words.json", "tokenizer.json", "target.json", "encoder.onnx"):
        assert after[name] == before[name]


def test_a_checkpoint_is_replaced_only_if_asked(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "mine")
    before = (tmp_path / "mine" / "README.md").read_bytes()
    arguments = ["sentiment", "export", "--checkpoint", tiny_checkpoint, "--out", "mine", "--note", "Mine."]
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: mine: is a checkpoint already; choose another --out, or replace it with --overwrite"
    assert (tmp_path / "mine" / "README.md").read_bytes() == before
    assert cli(*arguments, "--overwrite").code == 0
    assert (tmp_path / "mine" / "README.md").read_bytes() != before


def test_a_note_goes_to_the_card_and_stays(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert cli("sentiment", "export", "--checkpoint", tiny_checkpoint, "--out", "a", "--note", "For tests.").code == 0
    assert cli("sentiment", "export", "--checkpoint", "a", "--out", "b").code == 0
    for name in ("a", "b"):
        assert "\n\nFor tests.\n\n" in (tmp_path / name / "README.md").read_text(encoding="utf-8")
        assert "For tests." in cli("sentiment", "info", "--checkpoint", name).out
    assert "note" not in cli("sentiment", "info", "--checkpoint", tiny_checkpoint).out.split("settings")[0]


def test_the_default_place(cli: Cli, shipped: Path, tmp_path: Path) -> None:
    assert cli("sentiment", "export").code == 0
    assert (tmp_path / "sentiment-export" / "encoder.onnx").exists()


def test_graphs_that_differ_are_not_written(
    cli: Cli, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(model: Any, checkpoint: Any, inputs: Any = ()) -> float:
        raise SuiteError(f"{checkpoint.path}/encoder.onnx: outputs differs from torch by 1.0e+00")

    monkeypatch.setattr("suite.export.verify.verify", differs)
    ran = cli("sentiment", "export", "--checkpoint", tiny_checkpoint, "--out", "made")
    assert ran.code == 1
    assert ran.error == "suite: encoder.onnx: outputs differs from torch by 1.0e+00; made was not written"
    assert not (tmp_path / "made").exists()


def test_somebody_elses_folder(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.tex").touch()
    ran = cli("sentiment", "export", "--checkpoint", tiny_checkpoint, "--out", "made")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "suite: made: exists and is not a checkpoint; choose another --out"
    assert (tmp_path / "made" / "thesis.tex").exists()


def test_a_checkpoint_without_graphs(cli: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Weights alone run on torch, and on ONNX once they are exported."""
    shutil.copytree(tiny_checkpoint, tmp_path / "bare")
    (tmp_path / "bare" / "encoder.onnx").unlink()
    manifest = json.loads((tmp_path / "bare" / "suite.json").read_text())
    del manifest["files"]["encoder.onnx"]
    (tmp_path / "bare" / "suite.json").write_text(json.dumps(manifest))
    expected = polarity(cli, tiny_checkpoint)
    assert polarity(cli, tmp_path / "bare") == pytest.approx(expected, abs=1e-4)
    ran = cli("sentiment", "predict", "--runtime", "onnx", "--checkpoint", "bare", "x")
    assert ran.code == 2
    assert ran.error == (
        "suite: bare: has no encoder.onnx; run suite sentiment export --checkpoint bare, or use --runtime torch"
    )
    assert cli("sentiment", "export", "--checkpoint", "bare", "--out", "bare", "--overwrite").code == 0
    assert cli("sentiment", "predict", "--runtime", "onnx", "--checkpoint", "bare", "x").code == 0


def test_weights_that_do_not_fit(cli: Cli, damage: Cli, tmp_path: Path) -> None:
    def wider(content: bytes) -> bytes:
        manifest = json.loads(content)
        manifest["config"]["encoder"]["hidden"] = 9
        return json.dumps(manifest).encode()

    folder = damage("suite.json", wider)
    ran = cli("sentiment", "export", "--checkpoint", folder, "--out", "made")
    assert ran.code == 1
    assert ran.error.startswith(f"suite: {folder}: weights do not fit its configuration (")
    assert not (tmp_path / "made").exists()
