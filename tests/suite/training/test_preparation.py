"""Before the first step: files, settings that go together, encoded examples, and a model that can be exported."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from suite.checkpoint import Manifest
from suite.config import to_dict
from suite.data.examples import Example
from suite.errors import DataError, SuiteError, UsageError
from suite.nn.build import tokens_to_one
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.task import AnyTask, Codecs
from suite.training import preparation
from suite.training.preparation import Setup, check_exports, encode_examples, prepare, read_parts
from suite.training.runs import run_folder
from suite.training.specs import TrainingSpec
from suite.training.train import train

Changed = Callable[..., AnyTask]


def setup(task: str, data: Any = None, dev: Any = None, **given: Any) -> Setup:
    asked: dict[str, Any] = {
        "cell": None, "settings": (), "epochs": None, "bptt": None, "init_from": None, "resume": False, "options": {}
    }  # fmt: skip
    return prepare(task, data, dev, **{**asked, **given})


# --- what is trained on what ------------------------------------------------------------------------------------


def test_a_setup_is_decided_before_any_data_is_read(echo: AnyTask, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.jsonl"
    made = setup(
        "echo", nowhere, [nowhere, str(nowhere)], cell="mingru", epochs=3, bptt=4, settings={"head.tied": True}
    )
    assert (made.task, made.train_files, made.dev_files) == (echo, [nowhere], [nowhere, str(nowhere)])
    assert (made.config.training.epochs, made.config.training.bptt, made.config.head.tied) == (3, 4, True)
    assert (made.cells, made.uses_readout, made.init, made.init_codecs) == (("mingru",), False, None, None)


def test_without_data_and_a_recipe_the_labelled_samples_are_trained_on(
    echo: AnyTask, replace: Changed, echo_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "samples").mkdir()
    sample = tmp_path / "samples" / "labelled.jsonl"
    sample.write_bytes(echo_file.read_bytes())
    replace("echo", assets=tmp_path)
    made = setup("echo")
    assert (made.train_files, made.dev_files) == ([sample], [])
    replace("echo", assets=None)
    with pytest.raises(UsageError, match=r"^echo has no recipe of its own: give --data FILE$"):
        setup("echo")


def test_where_bptt_has_no_place(echo: AnyTask, echo_file: Path, ratings_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--bptt cuts the sequences of aligned tasks; sentiment is many-to-one: "):
        train("sentiment", data=ratings_file, out=tmp_path / "ck", bptt=8)
    with pytest.raises(UsageError, match=r"^--bptt carries state forwards, which encoder\.bidirectional cannot: "):
        train("echo", data=echo_file, out=tmp_path / "ck", settings=["encoder.bidirectional=true"], bptt=8)
    with pytest.raises(UsageError, match=r"^--set training\.bptt: bptt must be 0 or more, not -1$"):
        train("echo", data=echo_file, out=tmp_path / "ck", settings=["training.bptt=-1"])
    assert not run_folder(tmp_path / "ck").exists()


def test_where_a_readout_has_no_place(echo: AnyTask, ratings_file: Path) -> None:
    readout = {"training.method": "readout"}
    assert setup("sentiment", ratings_file, settings=readout).uses_readout
    with pytest.raises(UsageError, match=r"^training\.method=readout is for one answer an input; echo is aligned: "):
        setup("echo", ratings_file, settings=readout)
    for given, name in (({"resume": True}, "--resume"), ({"epochs": 2}, "--epochs")):
        with pytest.raises(UsageError, match=rf"^{name}: training\.method=readout is fitted in one step; leave it out"):
            setup("sentiment", ratings_file, settings=readout, **given)


def test_where_nothing_is_remembered(ratings_file: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    with pytest.raises(
        UsageError, match=r"^training\.remember is for tasks of suite\.task\.seq2seq\.TextGenerationTask"
    ):
        train("sentiment", data=ratings_file, out=tmp_path / "ck", settings=[*tiny_settings, "training.remember=true"])


def test_parts(echo: AnyTask, echo_file: Path, tmp_path: Path) -> None:
    def parts(*files: Path, **given: Any) -> tuple[list[Example], list[Example]]:
        made = setup("echo", *files, **given)
        return read_parts(made, columns=None, format=None, on_error=lambda error: None)

    learnt, held = parts(echo_file)
    assert (len(learnt), len(held)) == (54, 6)
    learnt, held = parts(echo_file, settings={"training.hold_out": 0})
    assert learnt is held
    learnt, held = parts(echo_file, echo_file)
    assert (len(learnt), learnt) == (60, held)
    (tmp_path / "bad.csv").write_text("text,echo\nabc\n")
    with pytest.raises(DataError, match=r"bad\.csv: no items to train on; give some$"):
        parts(tmp_path / "bad.csv")
    with pytest.raises(DataError, match=r"bad\.csv: no items to evaluate on; give some, or leave --dev out$"):
        parts(echo_file, tmp_path / "bad.csv")


# --- encoded examples -------------------------------------------------------------------------------------------


def test_a_target_a_step(echo: AnyTask, tmp_path: Path) -> None:
    rows = [{"text": "abcd", "echo": "aabc"}, {"text": "abcd", "echo": "aab"}, {"text": "dc", "echo": "ad"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    message = (
        r"a\.jsonl:2: 3 targets for 4 steps of input; give one a step, or a target codec with least\(\) "
        r"\(suite\.codecs\.SequenceTargetCodec\)$"
    )
    with pytest.raises(DataError, match=message):
        train("echo", data=tmp_path / "a.jsonl", dev=tmp_path / "a.jsonl", out=tmp_path / "ck")
    bad: list[DataError] = []
    made = train(
        "echo", data=tmp_path / "a.jsonl", dev=tmp_path / "a.jsonl", out=tmp_path / "ck", epochs=1, on_error=bad.append
    )
    assert made.manifest.data["items"] == [2, 2]
    assert len(bad) == 2


def test_examples_that_cannot_be_used_are_named_or_left_out(echo: AnyTask) -> None:
    codecs = echo.fit_codecs([], echo.config())
    given = [Example(input=text, target=text, where=f"a:{i}") for i, text in enumerate(("ab", "xyz", "", "d"), 1)]
    with pytest.raises(DataError, match=r"^a:2: 'xyz' is not of the letters abcd$"):
        encode_examples(echo, given, codecs, None)
    bad: list[str] = []
    made = encode_examples(echo, given, codecs, lambda error: bad.append(str(error)))
    assert [line.split(":")[1] for line in bad] == ["2", "3"]
    assert [example.input for example in made.examples] == ["ab", "d"]
    assert [array.tolist() for array in made.inputs] == [array.tolist() for array in made.targets] == [[0, 1], [3]]
    assert made.inputs.lengths == [2, 1]


class Counted:
    """An input codec that counts the bytes of its arrays that are alive."""

    def __init__(self, codec: Any) -> None:
        self._codec, self.bytes, self.most = codec, 0, 0

    def encode(self, raw: Any) -> np.ndarray:
        array: np.ndarray = self._codec.encode(raw)
        self.bytes += array.nbytes
        self.most = max(self.most, self.bytes)
        weakref.finalize(array, self._freed, array.nbytes)
        return array

    def _freed(self, size: int) -> None:
        self.bytes -= size


@pytest.mark.parametrize("room", [0, 4000])
def test_arrays_of_many_examples_are_kept_only_while_there_is_room(echo: AnyTask, room: int) -> None:
    codecs = echo.fit_codecs([], echo.config())
    counted = Counted(codecs.input)
    given = [Example(input="abcd" * 25, target="abcd" * 25) for _ in range(500)]
    made = encode_examples(echo, given, codecs.replace(input=counted), None, keep_bytes=room)
    one = 100 * 8
    assert counted.bytes <= room
    assert sum(len(array) for array in made.inputs) == 500 * 100
    assert counted.most <= room + 2 * one


# --- the early check of the export ------------------------------------------------------------------------------

MANIFEST = Manifest(task="", mapping="", config={"training": to_dict(TrainingSpec())})


def texts() -> list[np.ndarray]:
    return [np.arange(length) for length in (3, 9, 1, 5)]


def classifier(cell: str = "lstm") -> Any:
    torch.manual_seed(0)
    return tokens_to_one(30, EmbeddingSpec(features=6), RecurrentSpec(cell=cell, hidden=8), HeadSpec(dropout=0.3), 3)


class NoOperator(nn.Module):
    """What ONNX has no operator for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class LengthOfTheExample(nn.Module):
    """What the export makes a constant of."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.shape[1])


WRONG = [
    (NoOperator(), r"^the model cannot be exported to ONNX: .*special_bessel_j0.*; nothing was trained$"),
    (LengthOfTheExample(), r"^\w+\.onnx: outputs differs from torch by .*; nothing was trained$"),
]


@pytest.mark.parametrize(("layer", "message"), WRONG)
def test_a_model_that_cannot_be_exported_fails_before_the_first_step(
    layer: nn.Module, message: str, echo: AnyTask, replace: Changed, echo_file: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def build_model(self: Any, config: Any, codecs: Codecs[Any, Any]) -> Any:
        model: Any = echo.build_model(config, codecs)
        model.frontend = nn.Sequential(model.frontend, layer)
        return model

    def refuse(progress: Any) -> None:
        raise AssertionError("a step was taken")

    replace("echo", build_model=build_model)
    with pytest.raises(SuiteError, match=message):
        train("echo", data=echo_file, out=tmp_path / "ck", report=refuse)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_the_check_changes_neither_the_model_nor_the_random_state(cell: str) -> None:
    model = classifier(cell).train()
    before, random = {n: v.clone() for n, v in model.state_dict().items()}, torch.get_rng_state()
    check_exports(model, MANIFEST, texts())
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("method", ["gradient", "readout"])
def test_training_with_the_check_equals_training_without(
    method: str, labels_file: Path, tmp_path: Path, tiny_settings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*tiny_settings, "encoder.dropout=0.3", "training.ema=0.9", f"training.method={method}"]
    epochs = 2 if method == "gradient" else None

    def weights(name: str) -> bytes:
        made = train("sentiment", data=labels_file, out=tmp_path / name, settings=settings, epochs=epochs)
        return (made.path / "model.safetensors").read_bytes()

    checked = weights("checked")
    monkeypatch.setattr(preparation, "check_exports", lambda *given: None)
    assert weights("unchecked") == checked
