"""From labelled files to a checkpoint, as a call. What a user sees of it is tested in cli/test_train.py."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import suite
from suite import testing
from suite.checkpoint import Checkpoint
from suite.errors import DataError, MissingExtra, SuiteError, UsageError
from suite.inference import model as pipelines
from suite.inference.loading import open_config
from suite.plugins import registry
from suite.task import AnyTask
from suite.training.train import _files, export_checkpoint, run_folder, train


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
    assert set(codecs) == {"input", "target"}
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
    assert run_folder(tmp_path / "one") == tmp_path / "one.run"


def test_resumed_at_the_end_it_is_finished_again(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    made = call(tmp_path / "ck", ratings_file, tiny_settings)
    before = weights(made)
    assert weights(call(tmp_path / "ck", ratings_file, tiny_settings, resume=True)) == before


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
        given = {"data": ratings_file, "out": tmp_path / "ck", "settings": tiny_settings, "epochs": 1, **options}
        if kind is None:
            assert train("sentiment", **given)
            continue
        with pytest.raises(kind, match=message):
            train("sentiment", **given)
    with pytest.raises(UsageError, match=r"no task named 'sentimnt'; did you mean 'sentiment'\?"):
        train("sentimnt", data=ratings_file, out=tmp_path / "ck")


def test_without_torch(
    ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"^training needs the \[train\] extra .*pip install"):
        train("sentiment", data=ratings_file, out=tmp_path / "ck")
    monkeypatch.delitem(sys.modules, "suite.checkpoint.weights", raising=False)
    with pytest.raises(MissingExtra, match=r"^exporting needs the \[train\] extra"):
        export_checkpoint(Checkpoint.open(tiny_checkpoint), tmp_path / "ck")


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
        whole = say.outputs([say.codecs.input.encode(text) for text in texts])
        with monkeypatch.context() as patch:
            patch.setattr(pipelines, "CHUNK_STEPS", 5)
            cut = say.outputs([say.codecs.input.encode(text) for text in texts])
        for one, two in zip(whole, cut, strict=True):
            assert one.shape == two.shape
            np.testing.assert_allclose(one, two, atol=1e-5)
    assert suite.evaluate("echo", echo_file, made.path)["accuracy"] > 0.9
    again = export_checkpoint(made, tmp_path / "again")
    assert weights(again) == weights(made)


def test_an_aligned_task_keeps_the_laws(echo: AnyTask, echo_file: Path, tmp_path: Path) -> None:
    made = train("echo", data=echo_file, out=tmp_path / "ck")
    assert testing.check_task(echo, checkpoint=made.path, inputs=["abcdabcd", "c", "dd"]) == []
    testing.check_resume(echo, echo_file, tmp_path, settings=["training.ema=0.9"], bptt=4, epochs=1)


def test_a_target_a_step(echo: AnyTask, tmp_path: Path) -> None:
    rows = [{"text": "abcd", "echo": "aabc"}, {"text": "abcd", "echo": "aab"}, {"text": "dc", "echo": "ad"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"a\.jsonl:2: 3 targets for 4 steps of input; give one a step$"):
        train("echo", data=tmp_path / "a.jsonl", dev=tmp_path / "a.jsonl", out=tmp_path / "ck")
    bad: list[DataError] = []
    made = train(
        "echo", data=tmp_path / "a.jsonl", dev=tmp_path / "a.jsonl", out=tmp_path / "ck", epochs=1, on_error=bad.append
    )
    assert made.manifest.data["items"] == [2, 2]
    assert len(bad) == 2


def test_where_bptt_has_no_place(
    echo: AnyTask, echo_file: Path, ratings_file: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"^--bptt cuts the sequences of aligned tasks; sentiment is many-to-one: "):
        call(tmp_path / "ck", ratings_file, tiny_settings, bptt=8)
    with pytest.raises(UsageError, match=r"^--bptt carries state forwards, which encoder\.bidirectional cannot: "):
        train("echo", data=echo_file, out=tmp_path / "ck", settings=["encoder.bidirectional=true"], bptt=8)
    with pytest.raises(UsageError, match=r"^--set training\.bptt: bptt must be 0 or more, not -1$"):
        train("echo", data=echo_file, out=tmp_path / "ck", settings=["training.bptt=-1"])
    assert not run_folder(tmp_path / "ck").exists()


def test_without_data_and_a_recipe_the_labelled_samples_are_learnt(echo: Any, echo_file: Path, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    sample = tmp_path / "samples" / "labelled.jsonl"
    sample.write_bytes(echo_file.read_bytes())
    assert _files(dataclasses.replace(echo, assets=tmp_path), None, None, {}) == ([sample], [], ())
    with pytest.raises(UsageError, match="echo has no recipe of its own: give --data FILE"):
        _files(echo, None, None, {})
