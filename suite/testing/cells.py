"""The laws of a cell: 1 to 5, and that it exports."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.errors import one_line
from suite.testing.base import DOUBLE, SINGLE, LawBroken, same, verified_export

if TYPE_CHECKING:
    from torch import Tensor

    from suite.nn.cells.base import Cell
    from suite.nn.cells.state import State

#: Rows, steps, and each row's length where rows are padded: an empty one, a short one and a full one.
ROWS, STEPS, LENGTHS = 3, 7, (0, 4, 7)

#: ``start(cell, rows)``: a random state for a cell whose arrays cannot hold just any number.
Start = Callable[["Cell", int], "State"]


def check_cell(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None,
    options: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    """Laws 1–5 for a cell class, in float64 and float32, and that it exports to ONNX.

    Every law is tried from a random non-zero state with three rows.

    Args:
        cell: The cell class, or a function that makes a cell of ``inputs`` and ``hidden`` features.
        inputs, hidden: The sizes to check it at.
        start: ``start(cell, rows)`` makes the random state, where standard normal numbers are no valid state.
        options: Options of the cell by name, of a class that has some; those left out have their defaults.

    Raises:
        LawBroken: If a law does not hold.
        UsageError: For an unknown option, or a wrong value.
    """
    from suite.nn.cells.base import make_cell

    cell = functools.partial(make_cell, cell, options=options)
    for law in (
        state_is_declared, steps_equal_scan, chunks_equal_whole, padding_is_invisible, rows_are_independent,
        gradients_are_right,
    ):  # fmt: skip
        law(cell, inputs=inputs, hidden=hidden, start=start)
    exports_to_onnx(cell, inputs=inputs, hidden=hidden)


def state_is_declared(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """What the other laws rely on: the state has the declared names and shapes, and starts at zero.

    A step and a scan give ``y`` of ``hidden`` features and a state of the same names, shapes and types as
    the one they were given, which they leave as it is.
    """
    law = "a state is a flat dict of the declared arrays"
    for trial in _trials(cell, inputs, hidden, start):
        made, x = trial.cell, trial.x
        shapes = {name: (ROWS, *shape) for name, shape in made.state_shapes().items()}
        first = made.initial(ROWS)
        _same_arrays(law, "initial", first, shapes, trial)
        for name, value in first.items():
            if value.any():
                raise LawBroken(f"{law}: initial {name!r} is not zero; runtimes start every state at zero")
        before = {name: value.clone() for name, value in trial.state.items()}
        for what, (y, after), size in (
            ("step", made.step(x[:, 0], trial.state), (ROWS, hidden)),
            ("scan", made.scan(x, trial.state), (ROWS, STEPS, hidden)),
        ):
            if tuple(y.shape) != size:
                raise LawBroken(f"{law}: {what} gives y of shape {tuple(y.shape)}, expected {size}")
            _same_arrays(law, f"{what}'s next state", after, shapes, trial)
            for name, value in before.items():
                if not bool((trial.state[name] == value).all()):
                    raise LawBroken(f"a step is pure: {what} wrote into the state {name!r} it was given")


def steps_equal_scan(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 1: stepping through time gives the outputs and the last state that ``scan`` gives."""
    law = "stepping equals scanning"
    for trial in _trials(cell, inputs, hidden, start):
        y, last = trial.cell.scan(trial.x, trial.state)
        state = trial.state
        for t in range(STEPS):
            output, state = trial.cell.step(trial.x[:, t], state)
            trial.same(law, f"the output of step {t}", y[:, t], output)
        trial.same_state(law, "after the last step", last, state)


def chunks_equal_whole(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 2: every split in two (an empty chunk changes nothing), and chunks of one step, equal the whole."""
    law = "chunks with carried state equal the whole"
    for trial in _trials(cell, inputs, hidden, start):
        y, last = trial.cell.scan(trial.x, trial.state)
        for sizes in [(cut, STEPS - cut) for cut in range(STEPS + 1)] + [(1,) * STEPS]:
            state, at = trial.state, 0
            where = f"of chunks of {' + '.join(map(str, sizes))} steps"
            for size in sizes:
                output, state = trial.cell.scan(trial.x[:, at : at + size], state)
                trial.same(law, f"the output from step {at} {where}", output, y[:, at : at + size])
                at += size
            trial.same_state(law, f"after the last {where}", state, last)


def padding_is_invisible(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 3: padded rows of lengths 0, 4 and 7 give what each gives alone, and zeros beyond their ends.

    The padding is batches_by_tokens with noise. The same holds when the batch is read in two chunks, one of which some
    rows do not reach.
    """
    import torch

    law = "padding is invisible"
    lengths = torch.tensor(LENGTHS)
    for trial in _trials(cell, inputs, hidden, start):
        x = trial.x.clone()
        for row, length in enumerate(LENGTHS):
            x[row, length:] = 3 * x[row, length:] + 1
        for cut in range(STEPS):
            where = f", cut after step {cut}" if cut else ""
            state, outputs = trial.state, []
            for piece, begin in ((x[:, :cut], 0), (x[:, cut:], cut)):
                if piece.shape[1]:
                    here = (lengths - begin).clamp(0, piece.shape[1])
                    y, state = trial.cell.scan(piece, state, here)
                    outputs.append(y)
            y = torch.cat(outputs, dim=1)
            for row, length in enumerate(LENGTHS):
                alone, last = trial.cell.scan(trial.x[row : row + 1, :length], _rows(trial.state, [row]))
                name = f"a row of length {length} in a batch of {STEPS} steps{where}"
                trial.same(law, f"the output of {name}", y[row : row + 1, :length], alone)
                trial.same_state(law, f"after {name}", _rows(state, [row]), last)
                if y[row, length:].any():
                    raise LawBroken(f"{law}: outputs beyond the end of {name} are not zero ({trial.kind})")


def rows_are_independent(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 4: reordering, repeating or singling out rows of inputs and state does the same to the results."""
    import torch

    law = "rows are independent"
    for trial in _trials(cell, inputs, hidden, start):
        for lengths in (None, torch.tensor(LENGTHS[::-1])):
            y, last = trial.cell.scan(trial.x, trial.state, lengths)
            output, following = trial.cell.step(trial.x[:, 0], trial.state)
            for order in ([2, 0, 1], [1, 1, 0], [0], [1], [2]):
                x, state = trial.x[order], _rows(trial.state, order)
                where = f"for rows {order} of {ROWS}" + ("" if lengths is None else ", padded")
                got, after = trial.cell.scan(x, state, None if lengths is None else lengths[order])
                trial.same(law, f"the output of a scan {where}", got, y[order])
                trial.same_state(law, f"after a scan {where}", after, _rows(last, order))
                got, after = trial.cell.step(x[:, 0], state)
                trial.same(law, f"the output of a step {where}", got, output[order])
                trial.same_state(law, f"after a step {where}", after, _rows(following, order))


def gradients_are_right(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 5: in float64, the gradients of ``scan`` are those of finite differences.

    They are taken of outputs and last state, with respect to the input, the first state and every parameter,
    with and without padding.
    """
    import torch

    steps = 4
    for trial in _trials(cell, inputs, hidden, start):
        if trial.tolerance != DOUBLE:
            continue
        x = trial.x[:, :steps].clone().requires_grad_()
        state = {n: v.clone().requires_grad_(v.is_floating_point()) for n, v in trial.state.items()}
        weights = [p for p in trial.cell.parameters() if p.requires_grad]
        wanted = [x, *(v for v in state.values() if v.requires_grad), *weights]
        for lengths in (None, torch.tensor([0, 2, steps])):
            # gradcheck perturbs the tensors in place; scan reads them by name, whatever is passed.
            def scan(*_: Tensor, lengths: Tensor | None = lengths) -> tuple[Tensor, ...]:
                y, after = trial.cell.scan(x, state, lengths)  # noqa: B023 - called inside this iteration only
                return (y, *(v for v in after.values() if v.is_floating_point()))

            try:
                torch.autograd.gradcheck(scan, wanted, eps=1e-6, atol=1e-6, rtol=1e-4)
            except (RuntimeError, ValueError) as error:
                padded = "" if lengths is None else ", padded"
                raise LawBroken(
                    f"gradients match finite differences: those of scan{padded} do not; {one_line(error):.500}"
                ) from error


def exports_to_onnx(cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7) -> None:
    """A model of one layer of the cell, exported and run by ONNX Runtime, gives what torch gives.

    Compared at batch sizes and lengths that were not traced, from random states, padded rows included.
    """
    import torch

    from suite.nn.layers.embeddings import FeatureInput
    from suite.nn.models import ManyToOne
    from suite.nn.specs import HeadSpec, RecurrentSpec

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        example = torch.zeros(2, 2, inputs)
        spec, head = RecurrentSpec(hidden=hidden, residual=False), HeadSpec(pooling=("last", "mean"))
        model = ManyToOne(FeatureInput(inputs), cell, spec, head, 2, example)  # type: ignore[arg-type]
        verified_export(model, "a cell")


@dataclass(frozen=True)
class _Trial:
    """A cell in one precision, with random inputs ``[B, T, D]`` and a random state."""

    cell: Cell
    x: Tensor
    state: State
    tolerance: float

    @property
    def kind(self) -> str:
        return str(self.x.dtype).removeprefix("torch.")

    def same(self, law: str, where: str, found: Tensor, wanted: Tensor) -> None:
        same(law, f"{where} ({self.kind})", found.detach().numpy(), wanted.detach().numpy(), self.tolerance)

    def same_state(self, law: str, where: str, found: State, wanted: State) -> None:
        if found.keys() != wanted.keys():
            raise LawBroken(f"{law}: the state {where} has {sorted(found)}, expected {sorted(wanted)}")
        for name in wanted:
            self.same(law, f"the state {name!r} {where}", found[name], wanted[name])


def _trials(cell: Callable[[int, int], Cell], inputs: int, hidden: int, start: Start | None) -> list[_Trial]:
    """The cell in both precisions; the same random numbers each time, and the caller's are not touched."""
    import torch

    trials = []
    for dtype, tolerance in ((torch.float64, DOUBLE), (torch.float32, SINGLE)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = cell(inputs, hidden).to(dtype).eval()
            x = torch.randn(ROWS, STEPS, inputs, dtype=dtype)
            state = {n: _noise(v) for n, v in made.initial(ROWS).items()} if start is None else start(made, ROWS)
            trials.append(_Trial(made, x, state, tolerance))
    return trials


def _noise(like: Tensor) -> Tensor:
    import torch

    return torch.randn_like(like) if like.is_floating_point() else torch.randint_like(like, 0, 2)


def _rows(state: State, order: list[int]) -> State:
    return {name: value[order] for name, value in state.items()}


def _same_arrays(law: str, what: str, state: State, shapes: Mapping[str, tuple[int, ...]], trial: _Trial) -> None:
    found = {name: tuple(value.shape) for name, value in state.items()}
    if found != dict(shapes):
        raise LawBroken(f"{law}: {what} has {found}, but state_shapes says {dict(shapes)}")
    for name, value in state.items():
        if value.dtype != trial.state[name].dtype or (value.is_floating_point() and value.dtype != trial.x.dtype):
            raise LawBroken(f"{law}: {what} {name!r} is {value.dtype} in a {trial.kind} cell")
