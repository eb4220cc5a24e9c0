"""Two processes train as one does. This file is also the program that each of the two runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from suite.errors import UsageError
from suite.nn.build import series_to_one, tokens_to_each
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.training.distributed import Processes, is_main
from suite.training.loop import Run, fit, start
from suite.training.losses import cross_entropy
from suite.training.objectives import aligned, many_to_one
from suite.training.specs import TrainingSpec

# 31 items in batches of five: the last batch is of one, and the second process has no share of it.
ITEMS, SPEC = 31, TrainingSpec(epochs=3, batch_size=5, lr=0.02, ema=0.9, patience=0)


def noisy(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return array + 0.1 * random.standard_normal(array.shape).astype(array.dtype)


def train_both(folder: Path) -> dict[str, Any]:
    """A many-to-one model with noise on its inputs, and an aligned one in stretches; what came of them."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 14, ITEMS)
    series = [random.standard_normal((length, 2)).astype(np.float32) for length in lengths]
    tokens = [random.integers(0, 6, length) for length in lengths]
    together = Processes()
    found: dict[str, Any] = {"processes": str(together)}
    for name in ("many-to-one", "aligned"):
        torch.manual_seed(0)
        if name == "aligned":
            encoder = RecurrentSpec(cell="lstm", hidden=8, dropout=0, layers=2)
            head = StepHeadSpec(dropout=0, tied=True)
            model: Any = tokens_to_each(6, EmbeddingSpec(features=5, dropout=0), encoder, head, 6)
            objective = aligned(tokens, [array[::-1].copy() for array in tokens], cross_entropy)
        else:
            encoder = RecurrentSpec(cell="gru", hidden=8, dropout=0)
            model = series_to_one(2, encoder, HeadSpec(dropout=0), 2)
            targets, weights = lengths % 2, random.random(ITEMS)
            objective = many_to_one(
                series, targets, cross_entropy, weights=weights, vary=lambda i, chance: noisy(series[i], chance)
            )
        spec = TrainingSpec(**{**SPEC.__dict__, "bptt": 4 if name == "aligned" else 0})
        run = start(model, spec)
        norms: list[float] = []
        carried: list[dict[str, Any]] = []

        def report(progress: Any, run: Run = run, norms: Any = norms, carried: Any = carried) -> None:
            norms.append(progress.grad_norm)
            carried.append({key: value.flatten().tolist() for key, value in run.carried.items()})

        # The dev metric is the main process' own; another's would pick another epoch.
        scores = iter([0.1, 0.9, 0.3] if together.main else [5.0, 4.0, 3.0])
        progress = fit(run, objective, lambda: next(scores), spec, seed=0, report=report, processes=together)
        found[name] = {
            "losses": [entry["loss"] for entry in progress.history], "norms": norms, "carried": carried,
            "dev": [entry["dev"] for entry in progress.history], "best": progress.best_epoch,
            "weights": {key: value.flatten().tolist() for key, value in model.named_parameters()},
        }  # fmt: skip
    (folder / f"found-{together.rank}.json").write_text(json.dumps(found))
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, ratings_file: Path, tiny_settings: list[str]) -> Path:
    """What two processes left: ``found-RANK.json`` each, a checkpoint ``mine``, and what they printed."""
    folder = tmp_path_factory.mktemp("two")
    settings = [item for setting in tiny_settings for item in ("--set", setting)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONWARNINGS": "ignore"}
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", __file__, str(folder),
        "sentiment", "train", "--data", str(ratings_file), "--out", str(folder / "mine"), *settings, "--epochs", "2",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "out").write_text(done.stdout)
    (folder / "err").write_text(done.stderr)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return train_both(tmp_path_factory.mktemp("one"))


def near(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["many-to-one", "aligned"])
def test_two_processes_take_the_steps_of_one(name: str, two: Path, one: dict[str, Any]) -> None:
    assert one["processes"].startswith("1 process on ")
    for rank in (0, 1):
        found = json.loads((two / f"found-{rank}.json").read_text())
        assert found["processes"] == "2 processes on cpu"
        ours, wanted = found[name], one[name]
        assert len(ours["norms"]) == len(wanted["norms"])
        np.testing.assert_allclose(ours["losses"], wanted["losses"], rtol=1e-5)
        near(ours["norms"], wanted["norms"])
        assert ours["dev"] == [0.1, 0.9, 0.3]
        assert ours["best"] == 2
        for key, value in wanted["weights"].items():
            near(ours["weights"][key], value)


def test_every_process_has_the_carried_state_of_all_rows(two: Path, one: dict[str, Any]) -> None:
    """So that the main process can save it, and any number of processes can go on with it."""
    wanted = one["aligned"]["carried"]
    assert sum(bool(state) for state in wanted) > 10
    for rank in (0, 1):
        found = json.loads((two / f"found-{rank}.json").read_text())["aligned"]["carried"]
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours.keys() == theirs.keys()
            for key, value in theirs.items():
                near(ours[key], value)


def test_one_of_them_speaks_and_saves(two: Path, ratings_file: Path, tiny_settings: list[str]) -> None:
    from suite.checkpoint import Checkpoint
    from suite.training.train import train

    out, err = (two / "out").read_text(), (two / "err").read_text()
    assert out.startswith(f"trained: {two / 'mine'} (")
    assert len(out.splitlines()) == 1
    assert err.count("54 items to train on, 6 for dev") == 1
    assert err.count("2 processes on cpu") == 1
    assert err.count("epoch 1: ") == err.count("epoch 2: ") == 1
    made = Checkpoint.open(two / "mine")
    alone = train("sentiment", data=ratings_file, out=two / "alone", settings=tiny_settings, epochs=2)
    ours, theirs = made.manifest.metrics["dev"], alone.manifest.metrics["dev"]
    assert ours["items"] == theirs["items"]
    assert ours["pearson_r"] == pytest.approx(theirs["pearson_r"], abs=1e-2)


def test_more_processes_than_can_train_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would train alone, and all of them write to the same place."""
    # A device that accelerate finds no way to share, as that of a laptop.
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match=r"^3 processes were started, and .* lets 1 train: set ACCELERATE_USE_CPU"):
        Processes()


def test_alone_there_is_nothing_to_share() -> None:
    alone = Processes()
    assert (alone.rank, alone.count, alone.main, is_main()) == (0, 1, True, True)
    assert alone.share([4, 5, 6]) == [4, 5, 6]
    value = torch.ones(3, 2)
    assert alone.spread(value, 3) is value
    alone.add_up([value])
    assert torch.equal(value, torch.ones(3, 2))
    assert alone.of_main(lambda: 0.5) == 0.5
    alone.wait()


if __name__ == "__main__":
    from suite.cli import run as suite_command

    train_both(Path(sys.argv[1]))
    sys.exit(suite_command(sys.argv[2:]))
