from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.errors import CheckpointError, SuiteError
from suite.nn.build import tokens_to_each, tokens_to_one
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.training.loop import Progress, Run, fit, start
from suite.training.losses import cross_entropy
from suite.training.objectives import Batch, Objective, aligned, many_to_one, plan, steps_each
from suite.training.resume import NUMBERS, TENSORS, load_run, read_identity, save_run
from suite.training.specs import TrainingSpec

SPEC = TrainingSpec(epochs=3, batch_size=8, lr=0.01, ema=0.9, patience=0)
STEPS = 5  # an epoch
IDENTITY = {"task": "toy", "seed": 4}


def problem() -> Objective:
    random = np.random.default_rng(0)
    inputs = [random.integers(0, 30, int(random.integers(1, 6))) for _ in range(37)]
    return many_to_one(inputs, np.array([int(array[-1]) % 2 for array in inputs]), cross_entropy)


def fresh(cell: str = "lstm") -> Run:
    torch.manual_seed(4)
    embedding = EmbeddingSpec(features=6, dropout=0.2, drop_word=0.2)
    model = tokens_to_one(30, embedding, RecurrentSpec(cell=cell, hidden=8, dropout=0.3), HeadSpec(dropout=0.3), 2)
    return start(model, SPEC)


def score(run: Run) -> Callable[[], float]:
    """A dev metric that depends on the weights, so that a wrong one picks another epoch."""

    def evaluate() -> float:
        assert not run.model.training
        return -abs(float(sum(p.detach().sum() for p in run.model.parameters())))

    return evaluate


def go(run: Run, folder: Path, objective: Objective | None = None, **options: Any) -> Progress:
    options.setdefault("evaluate", score(run))
    return fit(
        run, objective or problem(), options.pop("evaluate"), SPEC, seed=4,
        save=lambda run: save_run(run, folder, IDENTITY, {"words.json": b"{}"}), **options,
    )  # fmt: skip


def everything(run: Run, folder: Path) -> dict[str, Any]:
    """All that a run is, bit for bit: its tensors on disk, its history, and the weights it ends with."""
    from safetensors.numpy import load_file

    tensors: dict[str, Any] = {name: array.tobytes() for name, array in load_file(folder / TENSORS).items()}
    ends = {f"end.{name}": value.detach().numpy().tobytes() for name, value in run.model.named_parameters()}
    progress = json.loads((folder / NUMBERS).read_text())["progress"]
    return {**tensors, **ends, **{key: progress[key] for key in ("history", "best", "best_epoch", "step", "epoch")}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder, run = tmp_path_factory.mktemp("whole") / "run", fresh()
    go(run, folder)
    return everything(run, folder)


def resumed(folder: Path) -> dict[str, Any]:
    torch.manual_seed(77)
    torch.rand(5)
    run = fresh()
    load_run(run, folder)
    go(run, folder)
    return everything(run, folder)


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if found[key] != wanted[key]] == []


@pytest.mark.parametrize("stop", [1, 2, STEPS - 1, STEPS, STEPS + 1, 2 * STEPS, 3 * STEPS - 1, 3 * STEPS])
def test_resumed_equals_never_stopped(stop: int, whole: dict[str, Any], tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        if progress.step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(fresh(), tmp_path / "run", report=report)
    assert json.loads((tmp_path / "run" / NUMBERS).read_text())["progress"]["step"] == stop
    same(resumed(tmp_path / "run"), whole)


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("moment", ["while evaluated", "when told"])
def test_stopped_at_the_end_of_an_epoch(epoch: int, moment: str, whole: dict[str, Any], tmp_path: Path) -> None:
    run = fresh()
    evaluate = score(run)

    def interrupted() -> float:
        if moment == "while evaluated" and run.progress.epoch == epoch - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate()

    def report(progress: Progress) -> None:
        if moment == "when told" and progress.epoch == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(run, tmp_path / "run", evaluate=interrupted, report=report)
    same(resumed(tmp_path / "run"), whole)


@pytest.mark.parametrize("place", ["before", "after"])
def test_ctrl_c_inside_a_step(place: str, whole: dict[str, Any], tmp_path: Path) -> None:
    objective, asked = problem(), 0

    def loss(model: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        nonlocal asked
        asked += 1
        if asked == 7 and place == "before":
            os.kill(os.getpid(), signal.SIGINT)
        found = objective.loss(model, batch, state)
        if asked == 7 and place == "after":
            os.kill(os.getpid(), signal.SIGINT)
        return found

    with pytest.raises(KeyboardInterrupt):
        go(fresh(), tmp_path / "run", dataclasses.replace(objective, loss=loss))
    assert json.loads((tmp_path / "run" / NUMBERS).read_text())["progress"]["step"] == 7
    same(resumed(tmp_path / "run"), whole)


def test_stopped_again_and_again(whole: dict[str, Any], tmp_path: Path) -> None:
    for stop in range(1, 3 * STEPS, 4):
        run = fresh()
        if stop > 1:
            load_run(run, tmp_path / "run")

        def report(progress: Progress, stop: int = stop) -> None:
            if progress.step == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            go(run, tmp_path / "run", report=report)
    same(resumed(tmp_path / "run"), whole)


def test_a_killed_run_goes_on_from_its_last_save(whole: dict[str, Any], tmp_path: Path) -> None:
    """No time to save at the end: the copy that was written on the way is whole."""
    run, saves = fresh(), 0

    def save(run: Run) -> None:
        nonlocal saves
        saves += 1
        if saves == 4:
            save_run(run, tmp_path / "run", IDENTITY, {})
        if saves == 6:
            raise SystemExit

    with pytest.raises(SystemExit):
        fit(run, problem(), score(run), SPEC, seed=4, save=save, save_every=0.0)
    same(resumed(tmp_path / "run"), whole)


def test_a_finished_run_stays_what_it_is(whole: dict[str, Any], tmp_path: Path) -> None:
    go(fresh(), tmp_path / "run")
    same(resumed(tmp_path / "run"), whole)


def test_loading_shares_nothing_with_the_run_that_was_saved(tmp_path: Path) -> None:
    run = fresh()
    go(run, tmp_path / "run")
    one, two = fresh(), fresh()
    load_run(one, tmp_path / "run")
    load_run(two, tmp_path / "run")
    moments = next(iter(one.optimizer.state.values()))
    moments["exp_avg"].fill_(9)
    assert not (next(iter(two.optimizer.state.values()))["exp_avg"] == 9).any()
    assert [g["betas"] for g in one.optimizer.param_groups] == [g["betas"] for g in run.optimizer.param_groups]


def test_run_on_disk_is_safetensors_json_and_the_files_given(tmp_path: Path) -> None:
    save_run(fresh(), tmp_path / "run", IDENTITY, {"words.json": b"{}"})
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [NUMBERS, TENSORS, "words.json"]
    assert read_identity(tmp_path / "run") == IDENTITY
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    save_run(fresh(), tmp_path / "run", {**IDENTITY, "seed": 5}, {})
    assert read_identity(tmp_path / "run")["seed"] == 5


def test_no_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run to resume; start it without --resume"):
        read_identity(tmp_path / "run")


# -- in the middle of a sequence -------------------------------------------------------------------------------

BPTT = dataclasses.replace(SPEC, epochs=2, bptt=3)


def sequences() -> Objective:
    """Texts of 1 to 12 tokens, each input changed by chance each time it is used."""
    random = np.random.default_rng(0)
    inputs = [random.integers(0, 30, int(random.integers(1, 13))) for _ in range(37)]

    def other(item: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.where(random.random(len(inputs[item])) < 0.2, 0, inputs[item]), inputs[item][::-1].copy()

    return aligned(inputs, [array[::-1].copy() for array in inputs], cross_entropy, vary=other)


def fresh_aligned() -> Run:
    torch.manual_seed(4)
    embedding, encoder = EmbeddingSpec(features=6, dropout=0.2), RecurrentSpec(cell="lstm", hidden=8, dropout=0.3)
    return start(tokens_to_each(30, embedding, encoder, StepHeadSpec(dropout=0.3, tied=True), 30), BPTT)


def go_aligned(run: Run, folder: Path, **options: Any) -> dict[str, Any]:
    def save(run: Run) -> None:
        save_run(run, folder, IDENTITY, {})

    fit(run, sequences(), score(run), BPTT, seed=4, save=save, **options)
    return everything(run, folder)


def test_resumed_in_the_middle_of_a_sequence_equals_never_stopped(tmp_path: Path) -> None:
    """At every step there is, so that every stretch of every batch is stopped after."""
    wanted = go_aligned(fresh_aligned(), tmp_path / "whole")
    lengths = sequences().lengths
    stretches = [stretch for epoch in range(2) for stretch in plan(lengths, BPTT, 4, epoch)]
    assert wanted["step"] == sum(steps_each(lengths, BPTT, 4)) == len(stretches)
    assert sum(stretch.end is not None for stretch in stretches) > 8
    for stop, stretch in enumerate(stretches, 1):

        def report(progress: Progress, stop: int = stop) -> None:
            if progress.step == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            go_aligned(fresh_aligned(), tmp_path / "run", report=report)
        carried = json.loads((tmp_path / "run" / NUMBERS).read_text())["carried"]
        assert carried == ([] if stretch.end is None else ["0.c", "0.h"])
        torch.manual_seed(77)
        run = fresh_aligned()
        load_run(run, tmp_path / "run")
        same(go_aligned(run, tmp_path / "run"), wanted)


def test_a_run_that_lost_the_state_it_carries_is_damaged(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def report(progress: Progress) -> None:
        if len(run.carried) > 0:
            raise KeyboardInterrupt

    run = fresh_aligned()
    with pytest.raises(KeyboardInterrupt):
        go_aligned(run, tmp_path / "run", report=report)
    kept = load_file(tmp_path / "run" / TENSORS)
    kept.pop("carried.0.c")
    save_file(kept, tmp_path / "run" / TENSORS)
    with pytest.raises(CheckpointError, match="start again"):
        load_run(fresh_aligned(), tmp_path / "run")


def damage(folder: Path, how: str) -> None:
    tensors, numbers = folder / TENSORS, folder / NUMBERS
    values = json.loads(numbers.read_text())
    match how:
        case "tensors gone":
            tensors.unlink()
        case "tensors cut":
            tensors.write_bytes(tensors.read_bytes()[:-100])
        case "tensors empty":
            tensors.write_bytes(b"")
        case "numbers cut":
            numbers.write_text(numbers.read_text()[:50])
        case "numbers not an object":
            numbers.write_text("[1, 2]")
        case "no progress":
            numbers.write_text(json.dumps({"identity": values["identity"]}))
        case "other progress":
            numbers.write_text(json.dumps({**values, "progress": {"epoch": 1, "mood": "good"}}))
        case "identity not an object":
            numbers.write_text(json.dumps({**values, "identity": 3}))
        case "other model":
            run = fresh("gru")
            save_run(run, folder, IDENTITY, {})
        case "best gone" | "average gone" | "moments gone":
            from safetensors.torch import load_file, save_file

            prefix = {"moments gone": "optimizer."}.get(how, how.partition(" ")[0])
            # One of a kind: a run that lacks one tensor of many is as damaged as one that lacks them all.
            kept = load_file(tensors)
            kept.pop(min(name for name in kept if name.startswith(prefix)))
            save_file(kept, tensors)


DAMAGES = (
    "tensors gone", "tensors cut", "tensors empty", "numbers cut", "numbers not an object", "no progress",
    "other progress", "identity not an object", "other model", "best gone", "average gone", "moments gone",
)  # fmt: skip


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_run_gives_one_line(how: str, tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        if progress.step == 6:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        go(fresh(), folder, report=report)
    damage(folder, how)

    def resume() -> None:
        read_identity(folder)
        load_run(fresh(), folder)

    with pytest.raises(CheckpointError, match="start again") as caught:
        resume()
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_full_disk_leaves_the_run_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    save_run(fresh(), folder, IDENTITY, {})
    before = (folder / TENSORS).read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("suite.training.resume.save_file", full)
    run = fresh()
    run.progress.step = 99
    with pytest.raises(SuiteError, match="No space left on device; nothing was changed"):
        save_run(run, folder, IDENTITY, {})
    assert (folder / TENSORS).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
