"""Measurements of a recurrent cell: gradients over distance, recall over a delay, and cost.

They use the public contract of a cell alone (``step``, ``scan``, ``initial``, ``state_shapes``), and so work for any
registered cell. They run on one CPU thread, take seconds, and except for times are the same for the same seed.
Letters: N sequences, T steps, D inputs, H hidden features.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.config import from_dict, to_dict
from suite.nn.cells.base import Cell, make_cell, with_options
from suite.nn.cells.initialisation import rnn_parameters
from suite.nn.cells.rnn import RNN

#: Options of a cell, by name.
Options = Mapping[str, object]
#: A cell class, or a function from the numbers of inputs and hidden features to a cell.
MakeCell = Callable[[int, int], Cell]

#: The distances of gradients and the delays of recall, in steps.
DISTANCES = (1, 2, 5, 10, 20, 50, 100)
#: The delay of the trained cell whose gradient is shown. All built-in cells start to learn it.
TRAINED_AT = 10
#: The norm to which gradients are clipped.
LIMIT = 1.0
#: The recall task: the number of symbols to remember, and of distractors.
SYMBOLS, DISTRACTORS = 4, 4


# --- facts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What a cell is, without running it. ``state`` is that of one sequence."""

    equation: str
    source: str
    inputs: int
    hidden: int
    options: dict[str, Any]
    parameters: int
    state: dict[str, tuple[int, ...]]
    state_numbers: int
    state_bytes: int


def facts(cell_class: type[Cell], inputs: int, hidden: int, options: Options | None = None) -> Facts:
    """A cell's equation, source, parameters, options, and state: its arrays, and their numbers and bytes."""
    with _repeatable(0):
        cell = make_cell(cell_class, inputs, hidden, options)
        arrays = cell.initial(1).values()
    return Facts(
        equation=cell_class.equation,
        source=cell_class.source,
        inputs=inputs,
        hidden=hidden,
        parameters=sum(parameter.numel() for parameter in cell.parameters()),
        state={name: tuple(shape) for name, shape in cell.state_shapes().items()},
        state_numbers=sum(array.numel() for array in arrays),
        state_bytes=sum(array.numel() * array.element_size() for array in arrays),
        options=to_dict(from_dict(cell_class.options, options or {})) if cell_class.options else {},
    )


# --- gradients over distance ---------------------------------------------------------------------------------------


def gradient_by_distance(
    cell: Cell, steps: int = 101, *, x: Tensor | None = None, rows: int = 16, seed: int = 0
) -> list[float]:
    """The norm of the gradient of the last output with respect to each input, by distance from the end.

    Each sequence's last output is projected on a random direction v ~ N(0, I), so that the expected squared norm of the
    gradient is that of the Jacobian dy[T]/dx[T − distance] (Hutchinson, 1990). Computed in float64, so that vanishing
    gradients are visible. After Bengio et al. (1994), doi:10.1109/72.279181.

    Args:
        cell: The cell.
        steps: The number of distances, and of steps where ``x`` is not given.
        x: Sequences ``[N, T, D]``; by default ``rows`` standard normal ones.
        rows: The number of sequences where ``x`` is not given.
        seed: The random seed.

    Returns:
        The median over sequences for each distance, starting with the last input, at distance 0.
    """
    with _repeatable(seed):
        cell = copy.deepcopy(cell).double()
        x = torch.randn(rows, steps, cell.inputs) if x is None else x
        x = x.detach().double().requires_grad_()
        y, _ = cell.scan(x, cell.initial(len(x)))
        last = y[:, -1]
        (gradient,) = torch.autograd.grad((last * torch.randn_like(last)).sum(), x)
        median = gradient.norm(dim=2).median(dim=0).values
    found: list[float] = median.flip(0).tolist()
    return found[:steps]


# --- recall over a delay -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learnt:
    """A cell trained to recall over one delay.

    ``accuracy`` is the share of symbols recalled in new sequences. ``before`` and ``after`` are the norms of each
    training step's gradient, before and after clipping.
    """

    cell: Cell
    accuracy: float
    before: list[float]
    after: list[float]


def recall_sequences(inputs: int, rows: int, delay: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences of the recall task: one of four symbols, then ``delay`` distractors of four kinds.

    Symbols and distractors are standard normal vectors, the same in every call. After Hochreiter and Schmidhuber
    (1997).

    Returns:
        The sequences, ``[rows, 1 + delay, inputs]``, and the symbols to recall, ``[rows]``.
    """
    vectors = torch.randn(SYMBOLS + DISTRACTORS, inputs, generator=torch.Generator().manual_seed(0))
    symbols = torch.randint(SYMBOLS, (rows, 1), generator=generator)
    others = torch.randint(SYMBOLS, SYMBOLS + DISTRACTORS, (rows, delay), generator=generator)
    return vectors[torch.cat([symbols, others], dim=1)], symbols[:, 0]


def learn_recall(
    make: MakeCell, delay: int, *, inputs: int = 16, hidden: int = 32, steps: int = 100, seed: int = 0
) -> Learnt:
    """Train a cell and a linear readout of its last output to recall over ``delay``, for at most ``steps`` steps.

    32 sequences per step, Adam at a learning rate of 0.01, gradients clipped to a norm of 1. Training ends early after
    a loss below 0.1 three times in a row.
    """
    with _repeatable(seed):
        generator = torch.Generator().manual_seed(seed)
        cell = make(inputs, hidden)
        readout = nn.Linear(hidden, SYMBOLS)
        parameters = [*cell.parameters(), *readout.parameters()]
        adam = _Adam(parameters, lr=0.01)
        before, after = list[float](), list[float]()
        learnt = 0
        while len(before) < steps and learnt < 3:
            loss = _recall_loss(cell, readout, delay, generator)
            norm, clipped = _clipped_gradient(loss, parameters)
            before.append(norm)
            after.append(clipped)
            if math.isfinite(norm):  # else the gradient has no direction
                adam.step()
            learnt = learnt + 1 if loss.item() < 0.1 else 0
        with torch.no_grad():
            x, symbols = recall_sequences(inputs, 400, delay, generator)
            y, _ = cell.scan(x, cell.initial(len(x)))
            accuracy = (readout(y[:, -1]).argmax(dim=1) == symbols).double().mean().item()
    return Learnt(cell, accuracy, before, after)


def recall_by_delay(
    make: MakeCell,
    delays: Sequence[int] = DISTANCES,
    *,
    inputs: int = 16,
    hidden: int = 32,
    steps: int = 100,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> dict[int, Learnt]:
    """Train one small model for each delay, with the same budget (see ``learn_recall``).

    Each sees its own delay only, without shorter ones to learn first, so that the longest delay learnt shows how far
    the gradient reaches. ``say`` is called with a line before each delay.
    """
    found = {}
    for delay in delays:
        if say is not None:
            say(f"learning to recall over {delay}")
        found[delay] = learn_recall(make, delay, inputs=inputs, hidden=hidden, steps=steps, seed=seed)
    return found


# --- clipping ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clipping:
    """A network with exploding gradients, trained with clipping.

    ``gradient`` is the gradient by distance before training; ``before`` and ``after`` are the norms of each training
    step's gradient, before and after clipping.
    """

    gain: float
    limit: float
    gradient: list[float]
    before: list[float]
    after: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the gradient at ``DISTANCES`` only."""
        gradient = {"distance": list(DISTANCES), "initial": [self.gradient[d] for d in DISTANCES]}
        clipped = {"limit": self.limit, "before": self.before, "after": self.after}
        return {"cell": "rnn", "gain": self.gain, "gradient": gradient, "clipping": clipped}


def clipping(
    inputs: int = 16, hidden: int = 32, *, gain: float = 3.0, delay: int = 30, steps: int = 40, seed: int = 0
) -> Clipping:
    """Train an ``rnn`` cell whose recurrent weights are scaled by ``gain`` on the recall task, with clipping.

    Gradient descent at a learning rate of 0.1; gradients are clipped to a norm of 1 (Pascanu et al., 2013,
    arXiv:1211.5063).
    """
    with _repeatable(seed):
        generator = torch.Generator().manual_seed(seed)
        cell, readout = RNN(inputs, hidden), nn.Linear(hidden, SYMBOLS)
        parameters = [*cell.parameters(), *readout.parameters()]
        with torch.no_grad():
            rnn_parameters(cell.rnn)[1].mul_(gain)
        x, _ = recall_sequences(inputs, 16, DISTANCES[-1] + 20, generator)
        gradient = gradient_by_distance(cell, x=x, seed=seed)
        before, after = list[float](), list[float]()
        for _ in range(steps):
            norm, clipped = _clipped_gradient(_recall_loss(cell, readout, delay, generator), parameters)
            before.append(norm)
            after.append(clipped)
            with torch.no_grad():
                for parameter in parameters:
                    if parameter.grad is not None:
                        parameter.sub_(parameter.grad, alpha=0.1)
    return Clipping(gain, LIMIT, gradient, before, after)


# --- cost ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Microseconds per step, of ``step`` and of ``scan``, for one sequence; and as multiples of the ``rnn`` cell's."""

    step: float
    scan: float
    step_ratio: float
    scan_ratio: float


def cost_per_step(make: MakeCell, inputs: int = 16, hidden: int = 32) -> Cost:
    """The cost of a step of one cell (see ``costs_per_step``)."""
    return costs_per_step([make], inputs, hidden)[0]


def costs_per_step(
    makers: Sequence[MakeCell], inputs: int = 16, hidden: int = 32, *, length: int = 1000, rounds: int = 10
) -> list[Cost]:
    """The cost of a step without gradients, for one sequence: by ``step``, and in a ``scan`` of ``length`` steps.

    The cells and ``rnn`` are measured in turns, and the best of ``rounds`` counts, to reduce the influence of other
    work on the machine.
    """
    with _repeatable(0), torch.no_grad():
        each: list[MakeCell] = list(dict.fromkeys([RNN, *makers]))
        cells = [make(inputs, hidden).eval() for make in each]
        x = torch.randn(1, length, inputs)
        best = [[math.inf, math.inf] for _ in cells]
        for i in range(rounds + 1):
            for cell, least in zip(cells, best, strict=True):
                found = _step_time(cell, x[:, :200]), _scan_time(cell, x)
                if i:  # the first round is a warm-up
                    least[:] = map(min, least, found)
    step, scan = best[0]
    costs = {make: Cost(a, b, a / step, b / scan) for make, (a, b) in zip(each, best, strict=True)}
    return [costs[make] for make in makers]


def _step_time(cell: Cell, x: Tensor) -> float:
    state = cell.initial(1)
    inputs = x.unbind(dim=1)
    began = time.perf_counter()
    for one in inputs:
        _, state = cell.step(one, state)
    return (time.perf_counter() - began) / len(inputs) * 1e6


def _scan_time(cell: Cell, x: Tensor) -> float:
    state = cell.initial(1)
    began = time.perf_counter()
    cell.scan(x, state)
    return (time.perf_counter() - began) / x.shape[1] * 1e6


# --- all of it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inspection:
    """All measurements of one cell. ``initial`` and ``trained`` are gradients by distance, from 0."""

    facts: Facts
    initial: list[float]
    trained: list[float]
    recall: dict[int, Learnt]
    cost: Cost

    @property
    def trained_at(self) -> int:
        """The delay that the cell of ``trained`` learned to recall over."""
        return TRAINED_AT

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / SYMBOLS

    @property
    def accuracy(self) -> dict[int, float]:
        """The share of symbols recalled, by delay."""
        return {delay: learnt.accuracy for delay, learnt in self.recall.items()}

    @property
    def training(self) -> Learnt:
        """The training of the cell whose gradients are ``trained``."""
        return self.recall[self.trained_at]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; gradients at ``DISTANCES`` only."""
        known = asdict(self.facts)
        shapes, numbers, size = (known.pop(key) for key in ("state", "state_numbers", "state_bytes"))
        return {
            **known,
            "state": {"arrays": shapes, "numbers": numbers, "bytes": size},
            "gradient": {
                "distance": list(DISTANCES),
                "initial": [self.initial[d] for d in DISTANCES],
                "trained": [self.trained[d] for d in DISTANCES],
                "trained_at": self.trained_at,
            },
            "recall": {
                "delay": list(self.accuracy),
                "accuracy": list(self.accuracy.values()),
                "chance": self.chance,
            },
            "clipping": {"limit": LIMIT, "before": self.training.before, "after": self.training.after},
            "cost_us": asdict(self.cost),
        }


def inspect(
    cell_class: type[Cell],
    inputs: int = 16,
    hidden: int = 32,
    *,
    options: Options | None = None,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Inspection:
    """Measure one cell, which takes a few seconds at the default sizes.

    Args:
        cell_class: The cell class.
        inputs, hidden: The numbers of features.
        options: Options of the cell, by name; those left out have their defaults.
        seed: The random seed.
        say: Called with a line before each part.

    Raises:
        UsageError: For options that the cell does not have, or of the wrong type.
    """
    say = say or (lambda line: None)
    say("gradients")
    known = facts(cell_class, inputs, hidden, options)
    make = with_options(cell_class, options or {})
    # Longer than the distances, since a trained cell treats the symbol, which comes first, in a special way.
    x, _ = recall_sequences(inputs, 16, DISTANCES[-1] + 20, torch.Generator().manual_seed(seed))
    with _repeatable(seed):
        fresh = make(inputs, hidden)
    initial = gradient_by_distance(fresh, x=x, seed=seed)
    recall = recall_by_delay(make, inputs=inputs, hidden=hidden, seed=seed, say=say)
    trained = gradient_by_distance(recall[TRAINED_AT].cell, x=x, seed=seed)
    say("cost")
    return Inspection(known, initial, trained, recall, cost_per_step(make, inputs, hidden))


# --- inside --------------------------------------------------------------------------------------------------------


def _recall_loss(cell: Cell, readout: nn.Linear, delay: int, generator: torch.Generator) -> Tensor:
    """The cross-entropy of recall in 32 new sequences."""
    x, symbols = recall_sequences(cell.inputs, 32, delay, generator)
    y, _ = cell.scan(x, cell.initial(len(x)))
    return functional.cross_entropy(readout(y[:, -1]), symbols)


def _clipped_gradient(loss: Tensor, parameters: list[nn.Parameter]) -> tuple[float, float]:
    """Compute the loss's gradient and clip it, in ``parameters``; returns its norm before and after."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(parameters, LIMIT).item()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return norm, nn.utils.get_total_norm(gradients).item()


class _Adam:
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980). That of torch imports torch's compiler, which takes seconds."""

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        self.moments = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        self.lr, self.steps = lr, 0

    def step(self) -> None:
        self.steps += 1
        rate, share = self.lr / (1 - 0.9**self.steps), 1 - 0.999**self.steps
        with torch.no_grad():
            for parameter, mean, square in self.moments:
                if parameter.grad is not None:
                    mean.lerp_(parameter.grad, 0.1)
                    square.lerp_(parameter.grad.square(), 0.001)
                    parameter.addcdiv_(mean, (square / share).sqrt() + 1e-8, value=-rate)


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """A context with one thread, gradients enabled, and this random seed; restores all three."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def typical(norms: Sequence[float]) -> tuple[float, float]:
    """The median and the largest of norms."""
    return statistics.median(norms), max(norms)
