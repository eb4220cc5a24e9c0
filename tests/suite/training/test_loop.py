from __future__ import annotations

import dataclasses
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.nn import functional

from suite.data.batching import batches_by_length
from suite.nn.build import series_to_one, tokens_to_each
from suite.nn.cells.base import State
from suite.nn.models import Aligned
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry
from suite.training.loop import Progress, Run, averaged, fit, learning_rate, start, whole
from suite.training.losses import cross_entropy
from suite.training.objectives import Batch, Chance, Objective, Stretch, aligned, many_to_one, steps_each
from suite.training.specs import TrainingSpec


def spec(**changed: Any) -> TrainingSpec:
    plain = {"epochs": 3, "batch_size": 4, "lr": 0.1, "warmup": 0.0, "schedule": "constant", "weight_decay": 0.0}
    return TrainingSpec(**{**plain, "clip": 0.0, "ema": 0.0, "patience": 0, **changed})


class Point(nn.Module):
    """One matrix and one vector; the loss pulls both to one and adds up how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix, self.frontend = nn.Parameter(torch.zeros(2, 2)), nn.ParameterDict({"bias": torch.zeros(2)})


class Pull:
    """An objective over ten items that notes the order it sees them in."""

    def __init__(self, scale: float = 1.0) -> None:
        self.seen: list[list[int]] = []
        self.norms: list[float] = []
        self.modes: list[bool] = []
        self.scale = scale

    def objective(self) -> Objective:
        return Objective([1] * 10, lambda stretch: len(stretch.items), self.batch, self.loss)

    def batch(self, stretch: Stretch, chance: Chance) -> Batch:
        self.seen.append(list(stretch.items))
        return {"n": torch.tensor(len(stretch.items))}

    def loss(self, model: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        self.modes.append(model.training)
        distance = ((model.matrix - 1) ** 2).sum() + ((model.frontend["bias"] - 1) ** 2).sum()
        return self.scale * distance * int(batch["n"]), {}


def run(training: TrainingSpec, pull: Pull, evaluate: Callable[[], float] = lambda: 0.0, **options: Any) -> Run:
    begun = start(Point(), training)
    fit(begun, pull.objective(), evaluate, training, seed=options.pop("seed", 0), **options)
    return begun


# -- the schedule ------------------------------------------------------------------------------------------


def rates(training: TrainingSpec, steps: int = 10) -> list[float]:
    return [learning_rate(training, step, steps) for step in range(steps)]


def test_warmup_rises_in_equal_steps_and_reaches_the_rate() -> None:
    assert rates(spec(warmup=0.4))[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert rates(spec(warmup=0.0))[0] == 0.1


def test_schedules() -> None:
    assert rates(spec(), 5) == pytest.approx([0.1] * 5)
    # After one step of rising, nine fall: the next step would be at zero.
    linear = rates(spec(schedule="linear", warmup=0.1))
    assert linear == pytest.approx([0.1, *(0.1 * (1 - k / 9) for k in range(9))])
    cosine = rates(spec(schedule="cosine", warmup=0.1))
    assert cosine == pytest.approx([0.1, *(0.05 * (1 + math.cos(math.pi * k / 9)) for k in range(9))])
    assert cosine[-1] > 0
    assert learning_rate(spec(schedule="cosine", warmup=0.96), 9, 10) == pytest.approx(0.1)


def test_schedule_of_one_step() -> None:
    for schedule in ("constant", "linear", "cosine"):
        assert learning_rate(spec(schedule=schedule, warmup=0.05), 0, 1) == pytest.approx(0.1)


def test_optimizer_gets_the_schedule_and_the_front_ends_own_rate() -> None:
    seen: list[dict[tuple[bool, float], float]] = []
    training = spec(schedule="linear", warmup=0.1, frontend_lr=0.5, epochs=2)
    begun = start(Point(), training)

    def report(progress: Progress) -> None:
        seen.append({(g["scale"] == 0.5, g["weight_decay"]): g["lr"] for g in begun.optimizer.param_groups})

    fit(begun, Pull().objective(), lambda: 0.0, training, seed=0, report=report)
    # Six steps and two ends of epochs, which report once more.
    assert [s[False, 0.0] for s in seen[:3]] == pytest.approx([0.1, 0.1, 0.08])
    assert all(s[True, 0.0] == pytest.approx(s[False, 0.0] / 2) for s in seen)
    assert len(seen) == 8


def test_weight_decay_spares_vectors() -> None:
    begun = start(Point(), spec(weight_decay=0.3))
    decays = {p.ndim: group["weight_decay"] for group in begun.optimizer.param_groups for p in group["params"]}
    assert decays == {2: 0.3, 1: 0.0}


# -- the loop ----------------------------------------------------------------------------------------------


def test_gradients_are_clipped() -> None:
    found: list[tuple[float, float]] = []

    def weighed(clip: float, scale: float) -> None:
        training = spec(clip=clip, epochs=1)
        begun = start(Point(), training)

        def report(progress: Progress) -> None:
            norm = torch.cat([p.grad.flatten() for p in begun.model.parameters() if p.grad is not None]).norm()
            found.append((progress.grad_norm, float(norm)))

        fit(begun, Pull(scale).objective(), lambda: 0.0, training, seed=0, report=report)

    weighed(1.0, 1000.0)
    assert all(before > 1000 and after == pytest.approx(1.0, rel=1e-4) for before, after in found)
    found.clear()
    weighed(0.0, 1000.0)
    assert all(after == pytest.approx(before, rel=1e-4) for before, after in found)


def test_order_is_of_seed_and_epoch_alone() -> None:
    first, second, other = Pull(), Pull(), Pull()
    run(spec(), first)
    torch.manual_seed(99)
    run(spec(), second)
    run(spec(), other, seed=1)
    wanted = [batch for epoch in range(3) for batch in batches_by_length([1] * 10, 4, 0, epoch)]
    assert first.seen == second.seen == wanted
    assert other.seen != wanted
    for epoch in range(3):
        assert sorted(i for batch in first.seen[3 * epoch : 3 * epoch + 3] for i in batch) == list(range(10))


def test_each_epoch_is_trained_evaluated_and_told() -> None:
    pull, modes, reports = Pull(), [], []
    training = spec()
    begun = start(Point(), training)
    scores = iter([0.1, 0.3, 0.2])

    def evaluate() -> float:
        modes.append(begun.model.training)
        return next(scores)

    def report(progress: Progress) -> None:
        reports.append((progress.step, progress.epoch, progress.dev))

    progress = fit(begun, pull.objective(), evaluate, training, seed=0, report=report)
    assert reports == [
        (1, 0, None), (2, 0, None), (3, 0, None), (3, 1, 0.1), (4, 1, 0.1), (5, 1, 0.1), (6, 1, 0.1), (6, 2, 0.3),
        (7, 2, 0.3), (8, 2, 0.3), (9, 2, 0.3), (9, 3, 0.2),
    ]  # fmt: skip
    assert all(pull.modes)
    assert modes == [False] * 3
    assert (progress.best, progress.best_epoch, progress.steps) == (0.3, 2, 9)
    assert [entry["dev"] for entry in progress.history] == [0.1, 0.3, 0.2]
    assert [entry["epoch"] for entry in progress.history] == [1, 2, 3]
    assert progress.history[0]["loss"] > progress.history[1]["loss"] > progress.history[2]["loss"] > 0


def test_loss_is_the_mean_over_items_not_batches() -> None:
    losses = []

    def objective_loss(model: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        losses.extend(batch["values"].tolist())
        return batch["values"].sum() + 0 * model.matrix.sum(), {}

    def collate(stretch: Stretch, chance: Chance) -> Batch:
        return {"values": values[list(stretch.items)]}

    values = torch.arange(10.0)
    objective = Objective([1] * 10, lambda stretch: len(stretch.items), collate, objective_loss)
    training = spec(epochs=1)
    progress = fit(start(Point(), training), objective, lambda: 0.0, training, seed=0)
    assert sorted(losses) == values.tolist()
    assert progress.history[0]["loss"] == pytest.approx(4.5)


def test_training_stops_when_patience_is_over() -> None:
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.45, 0.9])
    begun = run(spec(epochs=6, patience=3), Pull(), lambda: next(scores))
    # An equal score is no improvement: epochs 3, 4 and 5 brought none.
    assert begun.progress.epoch == 5
    assert begun.progress.best_epoch == 2
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.45, 0.9])
    assert run(spec(epochs=6), Pull(), lambda: next(scores)).progress.best_epoch == 6


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_best_weights_are_kept(ema: float) -> None:
    kept: list[Tensor] = []
    training = spec(epochs=4, ema=ema)
    begun = start(Point(), training)
    scores = iter([0.1, 0.7, 0.3, 0.2])

    def evaluate() -> float:
        kept.append(begun.model.matrix.detach().clone())  # type: ignore[operator,union-attr]
        return next(scores)

    fit(begun, Pull().objective(), evaluate, training, seed=0)
    assert torch.equal(begun.model.matrix, kept[1])  # type: ignore[arg-type]
    assert not torch.equal(kept[1], kept[3])


def test_average_of_the_weights() -> None:
    training = spec(ema=0.5, epochs=2)
    begun = start(Point(), training)
    average, trail = torch.zeros(2, 2), []

    def report(progress: Progress) -> None:
        nonlocal average
        if len(trail) < progress.step:
            own = begun.model.matrix.detach().clone()  # type: ignore[operator,union-attr]
            decay = min(0.5, progress.step / (9 + progress.step))
            average = decay * average + (1 - decay) * own
            trail.append(own)
        torch.testing.assert_close(begun.average["matrix"], average)
        # Evaluation saw the average; training goes on with the weights themselves.
        assert torch.equal(begun.model.matrix, trail[-1])  # type: ignore[arg-type]

    fit(begun, Pull().objective(), lambda: 0.0, training, seed=0, report=report)
    assert len(trail) == 6
    with averaged(begun, training):
        assert not begun.model.training
        torch.testing.assert_close(begun.model.matrix.data, average)  # type: ignore[union-attr]


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_what_is_counted_in_training_is_averaged_and_kept_with_the_weights(ema: float) -> None:
    """Statistics of batches belong to the weights that made them."""

    class Counting(Point):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("counted", torch.zeros(2))
            self.register_buffer("whole", torch.zeros(1, dtype=torch.int64))
            self.register_buffer("aside", torch.zeros(2), persistent=False)

    training = spec(epochs=3, ema=ema)
    begun = start(Counting(), training)
    pull, seen, scores = Pull(), [], iter([0.1, 0.9, 0.2])

    def counts(model: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        model.counted += 1
        model.whole += 1
        model.aside += 1
        return pull.loss(model, batch, state)

    def evaluate() -> float:
        seen.append((begun.model.counted.clone(), begun.model.matrix.detach().clone()))  # type: ignore[operator,union-attr]
        return next(scores)

    fit(begun, dataclasses.replace(pull.objective(), loss=counts), evaluate, training, seed=0)
    assert torch.equal(begun.model.counted, seen[1][0])  # type: ignore[arg-type]
    assert torch.equal(begun.model.matrix, seen[1][1])  # type: ignore[arg-type]
    steps = 6.0
    assert (begun.model.counted < steps).all() if ema else (begun.model.counted == steps).all()  # type: ignore[operator,union-attr]
    assert begun.model.whole == begun.model.aside[0] == 9, "what is no weight goes on as it was"  # type: ignore[index]
    assert begun.best.keys() == begun.average.keys() == {"matrix", "frontend.bias", "counted"}


def test_a_score_that_is_not_a_number_loses_to_one_that_is() -> None:
    scores = iter([float("-inf"), 0.2, float("-inf")])
    assert run(spec(), Pull(), lambda: next(scores)).progress.best_epoch == 2


def test_run_is_saved_now_and_then_and_however_it_ends() -> None:
    saves: list[int] = []
    run(spec(epochs=1), Pull(), save=lambda run: saves.append(run.progress.step))
    assert saves == [3]
    saves.clear()
    run(spec(epochs=1), Pull(), save=lambda run: saves.append(run.progress.step), save_every=0.0)
    assert saves == [1, 2, 3, 3]
    saves.clear()

    def fail() -> float:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(spec(epochs=1), Pull(), fail, save=lambda run: saves.append(run.progress.step))
    assert saves == [3]


# -- interrupts --------------------------------------------------------------------------------------------


def test_ctrl_c_waits_for_the_step_it_comes_in() -> None:
    class Interrupted(Pull):
        def loss(self, model: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
            if len(self.seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().loss(model, batch, state)

    before = signal.getsignal(signal.SIGINT)
    saves: list[tuple[int, float, bool]] = []

    def save(run: Run) -> None:
        moments = run.optimizer.state[run.model.matrix]  # type: ignore[index]
        same = torch.equal(run.average["matrix"], torch.zeros(2, 2))
        saves.append((run.progress.step, float(moments["step"]), same))

    with pytest.raises(KeyboardInterrupt):
        run(spec(), Interrupted(), save=save)
    assert saves == [(2, 2.0, True)]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_evaluating_is_not_the_end_of_the_epoch() -> None:
    training = spec(ema=0.9)
    begun = start(Point(), training)
    own: list[Tensor] = []

    def report(progress: Progress) -> None:
        own.append(begun.model.matrix.detach().clone())  # type: ignore[operator,union-attr]

    def interrupted() -> float:
        os.kill(os.getpid(), signal.SIGINT)
        return 1.0  # pragma: no cover - the interrupt is raised before

    with pytest.raises(KeyboardInterrupt):
        fit(begun, Pull().objective(), interrupted, training, seed=0, report=report)
    assert (begun.progress.step, begun.progress.epoch, begun.progress.history) == (3, 0, [])
    # What is saved are the weights that were trained, not the average that was being evaluated.
    assert torch.equal(begun.model.matrix, own[-1])  # type: ignore[arg-type]
    progress = fit(begun, Pull().objective(), lambda: 0.5, training, seed=0)
    assert [entry["epoch"] for entry in progress.history] == [1, 2, 3]


def test_a_second_ctrl_c_does_not_wait() -> None:
    done = []

    def work() -> None:
        with whole():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)
            os.kill(os.getpid(), signal.SIGINT)
            done.append(2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_outside_the_main_thread_there_is_nothing_to_hold() -> None:
    def work() -> None:
        with whole():
            done.append(run(spec(epochs=1), Pull()).progress.step)

    done: list[int] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [3]


# -- a whole problem ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_a_small_problem_is_learnt(cell: str) -> None:
    """Was a large value among those read? Series of noise, of many lengths."""
    random = np.random.default_rng(0)
    inputs = [random.normal(0, 1, (int(random.integers(1, 9)), 2)).astype(np.float32) for _ in range(200)]
    targets = np.array([int(array[:, 0].max() > 1) for array in inputs], dtype=np.int64)
    torch.manual_seed(0)
    model = series_to_one(2, RecurrentSpec(cell=cell, hidden=16, layers=2, dropout=0), HeadSpec(dropout=0), 2)
    training = spec(epochs=25, batch_size=20, lr=0.02, schedule="cosine", warmup=0.05, clip=1.0, ema=0.9)
    objective = many_to_one(inputs, targets, cross_entropy)

    def accuracy() -> float:
        batch = objective.batch(Stretch(range(200)), np.random.default_rng)
        with torch.no_grad():
            outputs, _ = model(batch["inputs"], batch["lengths"], model.initial(200))
        return float((outputs.argmax(1) == batch["targets"]).float().mean())

    before = accuracy()
    progress = fit(start(model, training), objective, accuracy, training, seed=0)
    assert progress.best is not None
    assert progress.best > 0.95 > 0.8 > before
    assert accuracy() == progress.best


# -- long sequences in stretches -----------------------------------------------------------------------------

DELAY, CUT, STEPS = 2, 6, 30


def delayed() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Sixty sequences of four tokens; the target of a step is the token ``DELAY`` steps ago."""
    random = np.random.default_rng(0)
    inputs = [random.integers(0, 4, STEPS) for _ in range(60)]
    return inputs, [np.concatenate([np.zeros(DELAY, np.int64), array[:-DELAY]]) for array in inputs]


def tagger(seed: int = 0) -> Aligned:
    torch.manual_seed(seed)
    embedding, encoder = EmbeddingSpec(features=8, dropout=0), RecurrentSpec(cell="gru", hidden=24, dropout=0)
    return tokens_to_each(4, embedding, encoder, StepHeadSpec(dropout=0), 4)


@pytest.mark.parametrize("carried", [True, False])
def test_a_dependency_across_the_cut_is_learnt_if_state_is_carried(carried: bool) -> None:
    """Judged where the source of a target lies before the cut, which no gradient reaches."""
    inputs, targets = delayed()
    model = tagger()
    training = spec(epochs=12, batch_size=10, lr=0.02, clip=1.0, bptt=CUT, keep="last")
    objective = aligned(inputs, targets, cross_entropy)
    read = objective.loss

    def loss(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
        return read(model, batch, state if carried else {})

    fit(start(model, training), dataclasses.replace(objective, loss=loss), lambda: 0.0, training, seed=0)
    x, state, right = torch.from_numpy(np.stack(inputs)), model.initial(60), []
    with torch.no_grad():
        for begin in range(0, STEPS, CUT):
            piece = x[:, begin : begin + CUT]
            outputs, state = model(piece, torch.full((60,), CUT), state if carried else model.initial(60))
            right.append(outputs.argmax(2).numpy() == np.stack(targets)[:, begin : begin + CUT])
    across = np.concatenate([stretch[:, :DELAY] for stretch in right[1:]])
    within = np.concatenate([stretch[:, DELAY:] for stretch in right])
    assert within.mean() > 0.99
    if carried:
        assert across.mean() > 0.99
    else:
        assert 0.1 < across.mean() < 0.4  # chance is a quarter


def test_no_gradient_reaches_back_over_the_cut() -> None:
    """What a step remembers is bounded by ``bptt``: it reads so many steps, and a state without a past."""
    inputs, targets = delayed()
    training = spec(epochs=1, batch_size=60, bptt=CUT, lr=0.0)
    objective, seen = aligned(inputs, targets, cross_entropy), []
    read = objective.loss

    def loss(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
        assert batch["inputs"].shape == (60, CUT)
        assert all(not value.requires_grad and value.grad_fn is None for value in state.values())
        seen.append({name: value.clone() for name, value in state.items()})
        return read(model, batch, state)

    begun = start(tagger(), training)
    fit(begun, dataclasses.replace(objective, loss=loss), lambda: 0.0, training, seed=0)
    assert len(seen) == STEPS // CUT
    assert seen[0] == {}
    # Each begins where the one before ended: the weights do not move, so the whole says where.
    model, x = tagger(), torch.from_numpy(np.stack(inputs))
    x = x[list(batches_by_length([STEPS] * 60, 60, 0, 0)[0])]
    for number, state in enumerate(seen[1:], 1):
        _, wanted = model(x[:, : number * CUT], torch.full((60,), number * CUT), model.initial(60))
        assert state.keys() == wanted.keys()
        for name, value in state.items():
            torch.testing.assert_close(value, wanted[name].detach())
    assert begun.carried == {}


def test_stretches_are_counted_as_steps() -> None:
    random = np.random.default_rng(0)
    inputs = [random.integers(0, 4, int(random.integers(1, 20))) for _ in range(250)]
    training = spec(epochs=3, batch_size=2, bptt=4, lr=0.01, schedule="linear")
    counts = steps_each([len(array) for array in inputs], training, 0)
    assert len(set(counts)) > 1
    ends: list[int] = []

    def report(progress: Progress) -> None:
        assert progress.steps == sum(counts)
        if len(progress.history) > len(ends):
            ends.append(progress.step)

    begun = start(tagger(), training)
    progress = fit(begun, aligned(inputs, inputs, cross_entropy), lambda: 0.0, training, seed=0, report=report)
    assert ends == list(np.cumsum(counts))
    # The last step's rate is one step short of nothing; the mean loss is one over all targets.
    assert begun.optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(training, sum(counts) - 1, sum(counts)))
    assert progress.history[-1]["loss"] < 0.1


# -- half precision ------------------------------------------------------------------------------------------


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As under ``accelerate launch --mixed_precision bf16``; accelerate keeps what it was told first."""
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("cell", registry().cell_names())
def test_half_precision_trains_weights_in_full_precision(half: None, cell: str) -> None:
    inputs, targets = delayed()
    torch.manual_seed(0)
    embedding, encoder = (
        EmbeddingSpec(features=8, dropout=0),
        RecurrentSpec(cell=cell, hidden=24, dropout=0, norm="rms"),
    )
    model = tokens_to_each(4, embedding, encoder, StepHeadSpec(dropout=0, tied=True), 4)
    training = spec(epochs=4, batch_size=10, lr=0.02, clip=1.0, bptt=CUT, ema=0.9)
    objective, seen = aligned(inputs, targets, cross_entropy), set()
    read = objective.loss

    def loss(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
        seen.add(functional.linear(torch.ones(1, 1), torch.ones(1, 1)).dtype)
        assert all(value.dtype == torch.float32 for value in state.values())
        return read(model, batch, state)

    begun = start(model, training)
    progress = fit(begun, dataclasses.replace(objective, loss=loss), lambda: 0.0, training, seed=0)
    assert seen == {torch.bfloat16}
    losses = [entry["loss"] for entry in progress.history]
    assert losses[-1] < 0.9 * losses[0]
    kept = [*model.parameters(), *begun.average.values(), *begun.best.values()]
    assert {value.dtype for value in kept} == {torch.float32}
    assert {value.dtype for moments in begun.optimizer.state.values() for value in moments.values()} == {torch.float32}
