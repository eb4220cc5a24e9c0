"""From labelled files to a checkpoint, as a call. What a user sees of it is tested in cli/test_train.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import suite
from suite import testing
from suite.checkpoint import Checkpoint
from suite.errors import CheckpointError, DataError, MissingExtra, SuiteError, UsageError
from suite.export.packaging import export_checkpoint
from suite.inference import model as loaded
from suite.inference.loading import open_config
from suite.plugins import registry
from suite.task import AnyTask
from suite.training.runs import run_folder
from suite.training.train import train


def call(out: Path, data: Path, settings: list[str], **options: Any) -> Checkpoint:
    return train("sentiment", data=data, out=out, settings=settings, **{"epochs": 2, **options})


def weights(checkpoint: Checkpoint) -> bytes:
    return (checkpoint.path / "model.safetensors").read_bytes()


def test_what_is_written_down(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    made = call(tmp_path / "ck", ratings_file, tiny_settings, seed=3, cell="gru")
    manifest = Checkpoint.open(made.path, task="sentiment").manifest
    assert (manifest.task, manifest.mapping, manifest.cells) == ("sentiment", "many-to-one", ("gru",))
    assert (manifest.seed, manifest.streams) == (3, True)
    assert manifest.parameters > 100
    assert manifest.config["encoder"]["cell"] == "gru"
    assert manifest.config["training"]["epochs"] == 2
    assert set(manifest.data) == {"train", "dev", "items"}
    assert set(manifest.versions) >= {"python", "torch", "onnxruntime", "numpy", "sequence-suite"}
    # The figures are those of the model as it is shipped, on the part that chose it.
    _, codecs = open_config(registry().task("sentiment"), made)
    assert codecs.files().keys() == {"target.json", "tokenizer.json", "words.json"}
    assert 0 <= manifest.metrics["dev"]["accuracy"] <= 1
    assert manifest.metrics["dev"]["items"] == 6


def test_the_figures_are_those_of_the_exported_model(
    ratings_file: Path, tmp_path: Path, tiny_settings: list[str]
) -> None:
    made = call(tmp_path / "ck", ratings_file, tiny_settings, dev=ratings_file, epochs=4)
    figures = suite.evaluate("sentiment", ratings_file, made.path)
    assert figures["pearson_r"] == pytest.approx(made.manifest.metrics["dev"]["pearson_r"], abs=2e-3)


def test_progress_is_reported(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    steps: list[int] = []
    said: list[str] = []
    call(
        tmp_path / "ck", ratings_file, tiny_settings, say=said.append,
        report=lambda progress: steps.append(progress.step),
    )  # fmt: skip
    assert sorted(set(steps)) == list(range(1, 15))
    assert "54 items to train on, 6 for dev" in said
    assert any(line.startswith("lstm model with ") for line in said)
    assert any(line.startswith("best epoch ") for line in said)


def test_paths_of_every_kind(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    one = call(tmp_path / "one", ratings_file, tiny_settings)
    two = train("sentiment", data=[str(ratings_file)], out=str(tmp_path / "two"), settings=tiny_settings, epochs=2)
    assert weights(one) == weights(two)


def test_settings_as_a_dict(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    pairs = (setting.split("=") for setting in tiny_settings)
    values = {path: float(text) if "." in text else int(text) for path, text in pairs}
    values["head.pooling"] = ("last", "mean")
    texts = [*tiny_settings, "head.pooling=last,mean"]
    one, two = (call(tmp_path / name, ratings_file, given) for name, given in (("a", texts), ("b", values)))  # type: ignore[arg-type]
    assert one.manifest.config == two.manifest.config
    assert weights(one) == weights(two)
    for wrong, message in (
        ({"encoder.hiden": 8}, r"encoder\.hiden: no such setting; did you mean 'hidden'\?"),
        ({"encoder.hidden": "8"}, r"encoder\.hidden: expected int, got '8'"),
        (
            "encoder.hidden=8",
            r"^settings='encoder\.hidden=8': give a list of path=value, or a dict of paths and values$",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            call(tmp_path / "c", ratings_file, wrong)  # type: ignore[arg-type]


def test_an_existing_checkpoint_is_replaced_only_if_asked(
    ratings_file: Path, tmp_path: Path, tiny_settings: list[str]
) -> None:
    before = weights(call(tmp_path / "ck", ratings_file, tiny_settings))
    for data in (ratings_file, tmp_path / "not-even-read.csv"):
        with pytest.raises(
            CheckpointError, match=r"ck: is a checkpoint already; choose another --out, or replace it with --overwrite$"
        ):
            call(tmp_path / "ck", data, tiny_settings, seed=1)
    assert weights(Checkpoint.open(tmp_path / "ck")) == before
    assert weights(call(tmp_path / "ck", ratings_file, tiny_settings, seed=1, overwrite=True)) != before


def test_a_place_that_cannot_be_written_is_found_before_any_data_is_read(
    tmp_path: Path, tiny_settings: list[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    for out in (tmp_path / "file" / "ck", Path("/proc/ck")):
        with pytest.raises(SuiteError, match=rf"^cannot write {out}: .*; choose another --out$"):
            call(out, tmp_path / "not-even-read.csv", tiny_settings)


def test_resumed_at_the_end_it_is_finished_again(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    made = call(tmp_path / "ck", ratings_file, tiny_settings)
    before = weights(made)
    assert weights(call(tmp_path / "ck", ratings_file, tiny_settings, resume=True, overwrite=True)) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_however_it_ends_it_can_be_resumed(
    ratings_file: Path, tmp_path: Path, tiny_settings: list[str], error: type[BaseException]
) -> None:
    def fail(progress: Any) -> None:
        if progress.step == 4:
            raise error("stopped")

    whole = call(tmp_path / "whole", ratings_file, tiny_settings, cell="mingru")
    with pytest.raises(error):
        call(tmp_path / "ck", ratings_file, tiny_settings, cell="mingru", report=fail)
    assert not (tmp_path / "ck").exists()
    assert {p.suffix for p in run_folder(tmp_path / "ck").iterdir()} == {".json", ".safetensors"}
    made = call(tmp_path / "ck", ratings_file, tiny_settings, cell="mingru", resume=True)
    assert weights(made) == weights(whole)


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 100])
def test_a_damaged_run(ratings_file: Path, tmp_path: Path, tiny_settings: list[str], name: str, content: bytes) -> None:
    def fail(progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(tmp_path / "ck", ratings_file, tiny_settings, report=fail)
    (run_folder(tmp_path / "ck") / name).write_bytes(content)
    with pytest.raises(SuiteError, match="start again"):
        call(tmp_path / "ck", ratings_file, tiny_settings, resume=True)


def test_init_from_keeps_the_words_and_takes_what_fits(
    tiny_checkpoint: Path, labels_file: Path, ratings_file: Path, tmp_path: Path, tiny_settings: list[str]
) -> None:
    said: list[str] = []
    made = call(
        tmp_path / "ck", labels_file, ["training.lr=0", "encoder.dropout=0"], init_from=tiny_checkpoint, epochs=1,
        say=said.append,
    )  # fmt: skip
    from safetensors.numpy import load_file

    old, new = (load_file(p / "model.safetensors") for p in (tiny_checkpoint, made.path))
    same = {name for name in old if name in new and np.array_equal(old[name], new[name])}
    assert "frontend.table.weight" in same
    assert not any(name.startswith("head.") and old[name].shape != new[name].shape for name in same)
    assert any("; new: head." in line for line in said)
    # The settings are those of the other model, but for what is changed.
    assert made.manifest.config["encoder"]["hidden"] == 8
    other = call(tmp_path / "gru", ratings_file, [], init_from=tiny_checkpoint, cell="gru", epochs=1)
    assert other.manifest.cells == ("gru",)


def test_what_is_wrong(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    for options, kind, message in (
        ({"cell": "lstn"}, UsageError, r"no cell named 'lstn'; did you mean 'lstm'\?"),
        ({"vector": "x"}, UsageError, r"sentiment: no option 'vector'; did you mean 'vectors'\?"),
        ({"dev": []}, None, ""),
        ({"data": []}, DataError, "no items to train on"),
        ({"dev": tmp_path / "nowhere.csv"}, DataError, "no such file"),
    ):
        given: dict[str, Any] = {"data": ratings_file, "out": tmp_path / "ck", "settings": tiny_settings, "epochs": 1}
        given |= {"overwrite": True, **options}
        if kind is None:
            assert train("sentiment", **given)
            continue
        with pytest.raises(kind, match=message):
            train("sentiment", **given)
    with pytest.raises(UsageError, match=r"no task named 'sentimnt'; did you mean 'sentiment'\?"):
        train("sentimnt", data=ratings_file, out=tmp_path / "other")


def test_without_torch(ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"^training needs the \[train\] extra .*pip install"):
        train("sentiment", data=ratings_file, out=tmp_path / "ck")


def test_the_manifest_is_json_to_everybody(tmp_path: Path, tiny_settings: list[str]) -> None:
    """A figure that is not a number, as the correlation with ratings that are all the same, is null."""
    rows = [{"text": f"{'good' if i % 2 else 'bad'} {i}", "polarity": 0.5 if i % 2 else -0.5} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "dev.jsonl").write_text("\n".join(map(json.dumps, rows[1::2])))
    made = call(tmp_path / "ck", tmp_path / "a.jsonl", tiny_settings, dev=tmp_path / "dev.jsonl")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    values = json.loads((made.path / "suite.json").read_text(), parse_constant=refuse)
    assert values["metrics"]["dev"]["pearson_r"] is None
    assert "| dev | pearson_r | - |" in (made.path / "README.md").read_text()


# --- aligned tasks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bptt", "settings", "graph"), [(None, [], "encoder.onnx"), (4, ["head.tied=true"], "decoder.onnx")]
)
def test_an_aligned_task_end_to_end(
    bptt: int | None, settings: list[str], graph: str, echo: AnyTask, echo_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made = train("echo", data=echo_file, out=tmp_path / "ck", settings=settings, epochs=40, bptt=bptt)
    assert (made.manifest.mapping, made.manifest.config["training"]["bptt"]) == ("aligned", bptt or 0)
    assert set(made.manifest.files) == {"README.md", "curves.png", graph, "model.safetensors"}
    assert made.manifest.metrics["dev"]["accuracy"] > 0.9
    texts = ["abcdabcd", "c", "dd", "abccba" * 4]
    for runtime in ("onnx", "torch"):
        say = suite.pipeline("echo", made.path, runtime=runtime)
        answers = say(texts)
        assert [len(answer.text) for answer in answers] == list(map(len, texts))
        assert answers[0].text[1:] == "abcdabc"
        assert [say(text).text for text in texts] == [answer.text for answer in answers]
        arrays = [say.codecs.input.encode(text) for text in texts]
        whole = say.model.outputs(arrays)
        with monkeypatch.context() as patch:
            patch.setattr(loaded, "CHUNK_STEPS", 5)
            cut = say.model.outputs(arrays)
        for one, two in zip(whole, cut, strict=True):
            assert one.shape == two.shape
            np.testing.assert_allclose(one, two, atol=1e-5)
    assert suite.evaluate("echo", echo_file, made.path)["accuracy"] > 0.9
    again = export_checkpoint(made, tmp_path / "again")
    assert weights(again) == weights(made)


def test_an_aligned_task_keeps_the_laws(echo: AnyTask, echo_file: Path, tmp_path: Path) -> None:
    made = train("echo", data=echo_file, out=tmp_path / "ck")
    notes = testing.check_task(echo, checkpoint=made.path, inputs=["abcdabcd", "c", "dd"])
    # The task is registered in this process alone.
    assert [note.partition(": no task named 'echo'")[0] for note in notes] == [
        "law 13 was not checked in another process"
    ]
    testing.check_resume(echo, echo_file, tmp_path, settings=["training.ema=0.9"], bptt=4, epochs=1)
