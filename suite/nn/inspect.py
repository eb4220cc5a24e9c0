"""What a recurrent cell does, measured: its gradients over distance, what it can recall, and what it costs.

Everything here uses the public contract of a cell alone (``step``, ``scan``, ``initial``, ``state_shapes``), so it
works for any registered cell. It runs on one thread of the processor, takes seconds, and says the same again for the
same seed, times excepted. Letters: N sequences, T steps, D inputs, H hidden features.
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
#: A cell class, or a function that makes a cell of some numbers of inputs and hidden features.
MakeCell = Callable[[int, int], Cell]

#: How far apart in time: distances of gradients, and delays of recall.
DISTANCES = (1, 2, 5, 10, 20, 50, 100)
#: The delay whose trained cell shows the gradient after training. Every shipped cell begins to learn it.
TRAINED_AT = 10
#: The norm that gradients are clipped to.
LIMIT = 1.0
#: The recall task: so many symbols to remember, and so many others that distract.
SYMBOLS, DISTRACTORS = 4, 4


# --- facts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What is known of a cell without running it. ``state`` is that of one sequence."""

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
    """The norm of the gradient of the last output with respect to each input, by its distance from the end.

    ``x [N, T, D]`` are the sequences; without it ``rows`` standard normal ones of ``steps``. The last ``steps`` inputs
    are reported, the very last as entry 0. Each sequence's output is read along a random direction v ~ N(0, I), whose
    gradient's squared norm is on average that of the whole Jacobian dy[T]/dx[T − distance] (Hutchinson, 1990); the
    value is the median over sequences. In float64, so that what vanishes is seen doing so. After Bengio et
    al. (1994), doi:10.1109/72.279181.
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

    ``accuracy`` is the share of symbols recalled on fresh sequences. ``before`` and ``after`` are the norms of each
    training step's gradient, before and after clipping.
    """

    cell: Cell
    accuracy: float
    before: list[float]
    after: list[float]


def recall_sequences(inputs: int, rows: int, delay: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The recall task: one of four symbols, then ``delay`` distractors of four kinds; the symbol is asked for.

    Returns ``x [rows, 1 + delay, inputs]`` and the symbols ``[rows]``. A symbol or distractor is a standard normal
    vector, the same in every call. After the copy task of Hochreiter and Schmidhuber (1997).
    """
    vectors = torch.randn(SYMBOLS + DISTRACTORS, inputs, generator=torch.Generator().manual_seed(0))
    symbols = torch.randint(SYMBOLS, (rows, 1), generator=generator)
    others = torch.randint(SYMBOLS, SYMBOLS + DISTRACTORS, (rows, delay), generator=generator)
    return vectors[torch.cat([symbols, others], dim=1)], symbols[:, 0]


def learn_recall(
    make: MakeCell, delay: int, *, inputs: int = 16, hidden: int = 32, steps: int = 100, seed: int = 0
) -> Learnt:
    """Train a cell and a linear readout of its last output to recall over ``delay``, for at most ``steps`` steps.

    32 sequences a step, Adam at 0.01, gradients clipped to a norm of 1. Training ends early once the task is learnt:
    a loss under 0.1 three times in a row.
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
            if math.isfinite(norm):  # else there is no direction to go
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
    """One tiny model a delay, each trained by itself with the same budget (see ``learn_recall``).

    A model that is trained on a delay alone has no shorter one to learn from first: the further its gradient
    reaches, the longer a delay it can learn. ``say`` gets a line before each delay.
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
    """A network whose gradients explode, trained with clipping.

    ``gradient`` is that of its last output by distance, at the start; ``before`` and ``after`` are the norms of each
    training step's gradient, before and after clipping.
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
    """Clipping at work: the ``rnn`` cell, its recurrent weights scaled by ``gain``, on the recall task.

    Plain gradient descent at 0.1; each gradient is scaled down to a norm of 1 where it is longer, as Pascanu et
    al. (2013), arXiv:1211.5063, do.
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
    """Microseconds a step: of ``step`` for one sequence, and of ``scan``; and as a multiple of the ``rnn`` cell's."""

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
    """What a step costs now, without gradients, at batch 1: stepping, and in a scan of ``length`` steps.

    The cells and ``rnn`` take turns, and the best of ``rounds`` counts, so that other work on the machine is felt as
    little as can be.
    """
    with _repeatable(0), torch.no_grad():
        each: list[MakeCell] = list(dict.fromkeys([RNN, *makers]))
        cells = [make(inputs, hidden).eval() for make in each]
        x = torch.randn(1, length, inputs)
        best = [[math.inf, math.inf] for _ in cells]
        for i in range(rounds + 1):
            for cell, least in zip(cells, best, strict=True):
                found = _step_time(cell, x[:, :200]), _scan_time(cell, x)
                if i:  # the first round warms up
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
    """All that is measured of one cell. ``initial`` and ``trained`` are gradients by distance, from 0 on."""

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
        """The training whose cell ``trained`` is of."""
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
    """Measure one cell: a few seconds at the sizes given here. ``say`` gets a line before each part.

    Raises UsageError for options that the cell does not have, or of the wrong type.
    """
    say = say or (lambda line: None)
    say("gradients")
    known = facts(cell_class, inputs, hidden, options)
    make = with_options(cell_class, options or {})
    # Longer than the distances asked for: a trained cell treats the symbol, which comes first, like nothing else.
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
    """The cross-entropy of 32 fresh sequences' symbols."""
    x, symbols = recall_sequences(cell.inputs, 32, delay, generator)
    y, _ = cell.scan(x, cell.initial(len(x)))
    return functional.cross_entropy(readout(y[:, -1]), symbols)


def _clipped_gradient(loss: Tensor, parameters: list[nn.Parameter]) -> tuple[float, float]:
    """Put the loss's gradient, clipped, into ``parameters``; its norm before and after."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(parameters, LIMIT).item()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return norm, nn.utils.get_total_norm(gradients).item()


class _Adam:
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980): torch's own imports its compiler, seconds, when first used."""

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
    """One thread, gradients on, and random numbers of this seed; as it was, afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def typical(norms: Sequence[float]) -> tuple[float, float]:
    """The median and the largest of some norms."""
    return statistics.median(norms), max(norms)
