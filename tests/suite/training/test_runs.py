"""A training run as a job: memory changes nothing, and it is resumed only as what it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from suite.errors import SuiteError
from suite.task import AnyTask
from suite.training.distributed import Processes
from suite.training.preparation import Setup, encode_examples, fit_codecs, prepare, read_parts
from suite.training.resume import NUMBERS, TENSORS
from suite.training.runs import Job, Outcome, identity, run_folder


def setup(task: str, data: Any, settings: Any, **given: Any) -> Setup:
    asked: dict[str, Any] = {
        "cell": None, "epochs": None, "bptt": None, "init_from": None, "resume": False, "options": {}
    }  # fmt: skip
    return prepare(task, data, None, settings=settings, **{**asked, **given})


def job(made: Setup, room: int) -> Job:
    """A job whose encoded inputs may take so many bytes."""
    parts = read_parts(made, columns=None, format=None, on_error=None)
    codecs = fit_codecs(made, parts[0], lambda line: None)
    train, dev = (encode_examples(made.task, part, codecs, None, keep_bytes=room) for part in parts)
    torch.manual_seed(0)
    model = made.task.build_model(made.config, codecs)
    return Job(
        setup=made, model=model, codecs=codecs, train=train, dev=dev, held_out=True, seed=0,
        report=lambda progress: None, say=lambda line: None, processes=Processes(),
    )  # fmt: skip


def weights(made: Job) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in made.model.state_dict().items()}


@pytest.mark.parametrize("room", [0, 2000])
@pytest.mark.parametrize("kind", ["many-to-one", "aligned", "readout"])
def test_inputs_that_are_not_kept_give_the_same_bits(
    kind: str, room: int, echo: AnyTask, echo_file: Path, labels_file: Path, tmp_path: Path, tiny_settings: list[str]
) -> None:
    if kind == "aligned":
        made = setup("echo", echo_file, {"training.ema": 0.9}, epochs=2, bptt=5)
    else:
        more = ["training.method=readout"] if kind == "readout" else ["encoder.dropout=0.2", "training.balance=0.5"]
        made = setup("sentiment", labels_file, [*tiny_settings, *more], epochs=None if kind == "readout" else 2)

    def outcome(of: Job, place: Path) -> Outcome:
        return of.fit_readout() if kind == "readout" else of.fit_gradient(place, {}, resume=False)

    kept, again = job(made, 10**9), job(made, room)
    found = outcome(kept, tmp_path / "kept"), outcome(again, tmp_path / "again")
    assert weights(kept) == weights(again)
    assert found[0].metrics == found[1].metrics
    if kind != "readout":
        states = [(run_folder(tmp_path / name) / TENSORS).read_bytes() for name in ("kept", "again")]
        assert states[0] == states[1]


def test_an_outcome_says_on_what_it_was_measured(
    echo: AnyTask, labels_file: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    readout = setup("sentiment", labels_file, [*tiny_settings, "training.method=readout", "training.hold_out=0"])
    made = job(readout, 10**9)
    found = dataclasses.replace(made, held_out=False).fit_readout()
    assert (found.part, found.metrics["items"]) == ("leave_one_out", 60)
    found.draw(tmp_path / "readout.png")
    assert (tmp_path / "readout.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(TypeError, match="a readout is of many-to-one tasks"):
        dataclasses.replace(made, setup=setup("echo", "a.jsonl", ())).fit_readout()


def test_the_run_s_folder_lies_beside_the_checkpoint(tmp_path: Path) -> None:
    assert run_folder(tmp_path / "one") == tmp_path / "one.run"
    assert run_folder(Path("a.b")) == Path("a.b.run")


def test_a_run_is_resumed_only_as_what_it_was(ratings_file: Path, tiny_settings: list[str], tmp_path: Path) -> None:
    made = setup("sentiment", ratings_file, tiny_settings, epochs=1)
    own = identity(made, 0, [54, 6])
    assert own == json.loads(json.dumps(own))
    assert set(own) == {"task", "config", "seed", "train", "dev", "items", "options", "init_from"}
    job(made, 10**9).fit_gradient(tmp_path / "ck", own, resume=False)
    assert json.loads((run_folder(tmp_path / "ck") / NUMBERS).read_text())["identity"] == own
    wider = setup("sentiment", ratings_file, [*tiny_settings, "encoder.hidden=9"], epochs=1)
    for other, key in (
        (identity(made, 1, [54, 6]), "seed"),
        (identity(made, 0, [54, 7]), "items"),
        (identity(wider, 0, [54, 6]), "config"),
    ):
        with pytest.raises(SuiteError, match=rf"ck\.run: the interrupted run had another {key}; resume it with"):
            job(made, 10**9).fit_gradient(tmp_path / "ck", other, resume=True)
    before = np.frombuffer((run_folder(tmp_path / "ck") / TENSORS).read_bytes(), np.uint8)
    job(made, 10**9).fit_gradient(tmp_path / "ck", own, resume=True)
    np.testing.assert_array_equal(np.frombuffer((run_folder(tmp_path / "ck") / TENSORS).read_bytes(), np.uint8), before)
