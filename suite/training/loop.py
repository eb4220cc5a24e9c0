"""Training, in one function. Read ``fit`` top to bottom and you know how every task is trained."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.nn.cells.state import State
from suite.training.distributed import Processes
from suite.training.objectives import Objective, Stretch, plan, steps_each
from suite.training.specs import TrainingSpec


@dataclass
class Progress:
    """Where a run stands. ``history`` has one entry an epoch; ``dev`` and ``best`` are of the dev metric.

    ``loss`` is a mean over what the objective counts, items or an aligned model's steps, and so is the speed.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss: float = math.nan
    grad_norm: float = math.nan
    items_per_second: float = 0.0
    dev: float | None = None
    best: float | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Run:
    """Everything that changes while a model is trained; saved and restored, the run goes on bit for bit.

    ``carried`` is the state of a batch that is read in stretches, between two of them; it has no gradients.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    progress: Progress
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # loss, count, gradient norms; this epoch
    carried: State = field(default_factory=dict)


def start(model: nn.Module, spec: TrainingSpec) -> Run:
    """A run before its first step, on the device where the model is."""
    weights = _copied(model)
    return Run(model, _optimizer(model, spec), weights, dict(weights), Progress())


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """What a model learns, itself: its parameters, and the statistics that it counts while it is trained."""
    return {name: value for name, value in model.state_dict().items() if value.is_floating_point()}


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in weights_of(model).items()}


def fit(
    run: Run,
    objective: Objective,
    evaluate: Callable[[], float],
    spec: TrainingSpec,
    *,
    seed: int,
    report: Callable[[Progress], None] = lambda progress: None,
    save: Callable[[Run], None] = lambda run: None,
    save_every: float = 120.0,
    processes: Processes | None = None,
) -> Progress:
    """Train ``run.model`` until the epochs are over or dev stops improving; it ends with its best weights.

    ``evaluate()`` is the dev metric of the model as it stands, higher better. ``report`` is called after each
    step, ``save`` every ``save_every`` seconds and however the training ends, an interrupt included. The order
    of the data and all chance depend on the seed and the step alone, so that a run resumed at any step sees what
    it would have. ``processes`` train together, each with its share of every batch.
    """
    model, optimizer, progress = run.model, run.optimizer, run.progress
    together = processes or Processes()
    parameters = [p for p in model.parameters() if p.requires_grad]
    average = [run.average[name] for name in weights_of(model)]
    own = list(weights_of(model).values())
    steps = steps_each(objective.lengths, spec, seed)
    progress.steps = sum(steps)
    saved = clock = time.monotonic()
    since = 0

    try:
        while progress.epoch < len(steps) and not _stale(progress, spec):
            stretches = plan(objective.lengths, spec, seed, progress.epoch)[: steps[progress.epoch]]
            model.train()
            for stretch in stretches[progress.step - sum(steps[: progress.epoch]) :]:
                with whole():
                    _set_lr(optimizer, spec, progress.step, progress.steps)
                    optimizer.zero_grad(set_to_none=True)
                    count = objective.count(stretch)
                    loss, carried = _gradients(run, objective, stretch, count, spec, seed, together)
                    norm = nn.utils.clip_grad_norm_(parameters, spec.clip or math.inf)
                    optimizer.step()
                    if spec.ema:
                        # The average starts short and lengthens: early weights are not worth remembering.
                        decay = min(spec.ema, (1 + progress.step) / (10 + progress.step))
                        torch._foreach_lerp_(average, own, 1 - decay)
                    run.carried = carried
                    progress.step += 1
                    run.totals[0] += float(loss)
                    run.totals[1] += count
                    run.totals[2] += float(norm)
                    progress.loss, progress.grad_norm = run.totals[0] / run.totals[1], float(norm)

                since += count
                now = time.monotonic()
                if now - clock >= 0.5:
                    progress.items_per_second, clock, since = since / (now - clock), now, 0
                report(progress)
                if now - saved >= save_every:
                    save(run)
                    saved = now

            with averaged(run, spec):
                dev = together.of_main(evaluate)
                # The epoch counts from here: a run interrupted while it was evaluated evaluates it again.
                with whole():
                    progress.epoch, progress.dev = progress.epoch + 1, dev
                    if progress.best is None or dev > progress.best or spec.keep == "last":
                        progress.best, progress.best_epoch = dev, progress.epoch
                        run.best = _copied(model)
                    mean_norm = run.totals[2] / len(stretches)
                    entry = {"epoch": progress.epoch, "loss": progress.loss, "dev": dev, "grad_norm": mean_norm}
                    progress.history.append(entry)
                    run.totals = [0.0, 0.0, 0.0]
            report(progress)
    finally:
        # However it ends (done, an interrupt, a failure), the run can be resumed from its last whole step.
        save(run)
    _put(model, run.best)
    return progress


def _gradients(
    run: Run, objective: Objective, stretch: Stretch, count: int, spec: TrainingSpec, seed: int, together: Processes
) -> tuple[Tensor, State]:
    """Leave a step's gradients on the parameters; gives the sum of its losses and the state to carry on.

    The loss is a sum over this process' share of the rows, divided by the ``count`` of all, and the gradients
    are then added up over the processes: a step is the same however many there are.
    """
    model, step, rows = run.model, run.progress.step, len(stretch.items)
    device = next(model.parameters()).device
    _seed_dropout(device, [seed, step, together.rank])
    # An item is changed in the same way in every stretch of its batch.
    first = step - (stretch.begin // spec.bptt if spec.bptt else 0)

    share = Stretch(together.share(stretch.items), stretch.begin, stretch.end)
    batch = objective.batch(share, lambda item: np.random.default_rng([seed, first, item]))
    batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
    with together.autocast():
        loss, following = objective.loss(model, batch, {n: together.share(v) for n, v in run.carried.items()})
    loss = loss * together.weight(stretch.items)
    (loss / count).backward()  # type: ignore[no-untyped-call]
    loss = loss.detach()

    # The next stretch goes on from here, but its gradients do not reach back.
    after = following if stretch.end is not None else {}
    carried = {name: together.spread(_full(value.detach()), rows) for name, value in after.items()}
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    together.add_up([loss, *gradients, *carried.values()])
    return loss, carried


def _seed_dropout(device: torch.device, numbers: list[int]) -> None:
    """Chance inside the model is a function of seed, step and process: nothing of it needs to be saved."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def _full(value: Tensor) -> Tensor:
    """A state in full precision, whatever autocast made of it."""
    return value.float() if value.is_floating_point() else value


class averaged:  # noqa: N801 - used as a function
    """The model with its averaged weights, for the length of a block."""

    def __init__(self, run: Run, spec: TrainingSpec) -> None:
        self.run, self.spec = run, spec

    def __enter__(self) -> None:
        with whole():
            if self.spec.ema:
                self.own = _copied(self.run.model)
                _put(self.run.model, self.run.average)
            self.run.model.eval()

    def __exit__(self, *error: object) -> None:
        with whole():
            if self.spec.ema:
                _put(self.run.model, self.own)
            self.run.model.train()


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """Ctrl-C waits for the end of the block: what changes together is saved together. A second one does not wait."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held: list[int] = []

    def hold(number: int, frame: Any) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        before(held[0], None)


def learning_rate(spec: TrainingSpec, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0, of ``steps`` in all."""
    rising = max(1, round(spec.warmup * steps))
    if step < rising:
        return spec.lr * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    shape = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
    return spec.lr * shape[spec.schedule]


def _stale(progress: Progress, spec: TrainingSpec) -> bool:
    return bool(spec.patience) and progress.epoch - progress.best_epoch >= spec.patience and progress.best is not None


def _optimizer(model: nn.Module, spec: TrainingSpec) -> torch.optim.Optimizer:
    """AdamW; vectors and scalars (biases, norms, decays) are not decayed, front ends have their own rate."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault((parameter.ndim > 1, name.startswith("frontend.")), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "weight_decay": spec.weight_decay if decays else 0.0,
                "scale": spec.frontend_lr if front else 1.0,
            }
            for (decays, front), members in groups.items()
        ],
        lr=spec.lr,
        fused=True,
    )


def _set_lr(optimizer: torch.optim.Optimizer, spec: TrainingSpec, step: int, steps: int) -> None:
    rate = learning_rate(spec, step, steps)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def _put(model: nn.Module, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in weights_of(model).items():
            value.copy_(weights[name])
