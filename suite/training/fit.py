"""Training, in one function. Read ``fit`` top to bottom and you know how every task is trained."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.batching import bucketed, pad
from suite.training.specs import TrainingSpec

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """What is minimised, over which items.

    ``lengths`` of the N items decide which go together; ``batch(indices, random)`` collates some of them, its
    chance taken from ``random`` alone; ``loss`` is the model's loss of each row of a batch, ``[B]``.
    """

    lengths: Sequence[int]
    batch: Callable[[Sequence[int], np.random.Generator], Batch]
    loss: Callable[[nn.Module, Batch], Tensor]


@dataclass
class Progress:
    """Where a run stands. ``history`` has one entry an epoch; ``dev`` and ``best`` are of the dev metric."""

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
    """Everything that changes while a model is trained; saved and restored, the run goes on bit for bit."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    progress: Progress
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # loss, items, gradient norms; this epoch


def start(model: nn.Module, spec: TrainingSpec, seed: int) -> Run:
    """A run before its first step."""
    torch.manual_seed(seed)
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    return Run(model, _optimizer(model, spec), weights, dict(weights), Progress())


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
) -> Progress:
    """Train ``run.model`` until the epochs are over or dev stops improving; it ends with its best weights.

    ``evaluate()`` is the dev metric of the model as it stands, higher better. ``report`` is called after each
    step, ``save`` every ``save_every`` seconds and however the training ends, an interrupt included. The order
    of the data depends on the seed and the epoch alone, so that a run resumed at any step sees what it would have.
    """
    model, optimizer, progress = run.model, run.optimizer, run.progress
    parameters = [p for p in model.parameters() if p.requires_grad]
    average = [run.average[name] for name, p in model.named_parameters()]
    per_epoch = len(bucketed(objective.lengths, spec.batch_size, seed, 0))
    progress.steps = per_epoch * spec.epochs
    saved = clock = time.monotonic()
    since = 0

    try:
        while progress.epoch < spec.epochs and not _stale(progress, spec):
            batches = bucketed(objective.lengths, spec.batch_size, seed, progress.epoch)
            model.train()
            for indices in batches[progress.step - progress.epoch * per_epoch :]:
                with whole():
                    _set_lr(optimizer, spec, progress.step, progress.steps)
                    optimizer.zero_grad(set_to_none=True)
                    random = np.random.default_rng([seed, progress.step])
                    losses = objective.loss(model, objective.batch(indices, random))
                    losses.mean().backward()  # type: ignore[no-untyped-call]
                    norm = nn.utils.clip_grad_norm_(parameters, spec.clip or math.inf)
                    optimizer.step()
                    if spec.ema:
                        # The average starts short and lengthens: early weights are not worth remembering.
                        decay = min(spec.ema, (1 + progress.step) / (10 + progress.step))
                        torch._foreach_lerp_(average, [p.detach() for p in model.parameters()], 1 - decay)
                    progress.step += 1
                    run.totals[0] += float(losses.detach().sum())
                    run.totals[1] += len(indices)
                    run.totals[2] += float(norm)
                    progress.loss, progress.grad_norm = run.totals[0] / run.totals[1], float(norm)

                since += len(indices)
                now = time.monotonic()
                if now - clock >= 0.5:
                    progress.items_per_second, clock, since = since / (now - clock), now, 0
                report(progress)
                if now - saved >= save_every:
                    save(run)
                    saved = now

            with averaged(run, spec):
                dev = evaluate()
                # The epoch counts from here: a run interrupted while it was evaluated evaluates it again.
                with whole():
                    progress.epoch, progress.dev = progress.epoch + 1, dev
                    if progress.best is None or dev > progress.best or spec.keep == "last":
                        progress.best, progress.best_epoch = dev, progress.epoch
                        run.best = {name: value.detach().clone() for name, value in model.named_parameters()}
                    mean_norm = run.totals[2] / per_epoch
                    entry = {"epoch": progress.epoch, "loss": progress.loss, "dev": dev, "grad_norm": mean_norm}
                    progress.history.append(entry)
                    run.totals = [0.0, 0.0, 0.0]
            report(progress)
    finally:
        # However it ends (done, an interrupt, a failure), the run can be resumed from its last whole step.
        save(run)
    _put(model, run.best)
    return progress


class averaged:  # noqa: N801 - used as a function
    """The model with its averaged weights, for the length of a block."""

    def __init__(self, run: Run, spec: TrainingSpec) -> None:
        self.run, self.spec = run, spec

    def __enter__(self) -> None:
        with whole():
            if self.spec.ema:
                self.own = {name: value.detach().clone() for name, value in self.run.model.named_parameters()}
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
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def many_to_one(
    inputs: Sequence[np.ndarray],
    targets: np.ndarray,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    weights: np.ndarray | None = None,
    vary: Callable[[int, np.random.Generator], np.ndarray] | None = None,
) -> Objective:
    """The objective of a many-to-one model.

    ``inputs`` are arrays ``[T, …]``, ``targets`` ``[N, …]``; ``weights [N]`` says what each item counts, and
    ``vary(index, random)`` gives an input changed, anew each time it is used.
    """
    wanted = torch.from_numpy(targets)
    shares = None if weights is None else torch.from_numpy(np.asarray(weights, np.float32))

    def batch(indices: Sequence[int], random: np.random.Generator) -> Batch:
        rows = [inputs[i] if vary is None else vary(i, random) for i in indices]
        padded, lengths = pad(rows)
        made = {"inputs": torch.from_numpy(padded), "lengths": torch.from_numpy(lengths), "targets": wanted[indices]}
        return made if shares is None else {**made, "weights": shares[indices]}

    def row_losses(model: Any, batch: Batch) -> Tensor:
        outputs, _ = model(batch["inputs"], batch["lengths"], model.initial(len(batch["lengths"])))
        losses = loss(outputs, batch["targets"])
        return losses * batch["weights"] if "weights" in batch else losses

    return Objective([len(array) for array in inputs], batch, row_losses)
