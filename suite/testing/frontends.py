"""The laws of a front end with state: laws 2 to 4, and that it exports."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from suite.testing.base import DOUBLE, LawBroken, same, verified_export
from suite.testing.cells import LENGTHS, ROWS, STEPS

if TYPE_CHECKING:
    from torch import Tensor

    from suite.nn.cells.state import State
    from suite.nn.layers.frontends import StatefulFrontend


def check_frontend(frontend: StatefulFrontend) -> None:
    """Laws 2–4 for a front end with state, in float64, and that a model with it exports to ONNX.

    Every law is tried from the first state and from a random one, with three rows of random inputs of the type and
    shape of ``frontend.example()``.

    Raises:
        LawBroken: If a law does not hold.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = copy.deepcopy(frontend).double().eval()
        like = made.example()
        if like.is_floating_point():
            inputs = torch.randn(ROWS, STEPS, *like.shape[2:], dtype=torch.float64)
        else:
            inputs = torch.randint(0, 2, (ROWS, STEPS, *like.shape[2:]), dtype=like.dtype)
        shapes = made.state_shapes()
        first = {name: torch.zeros(ROWS, *shape, dtype=torch.float64) for name, shape in shapes.items()}
        other = {name: torch.randn_like(value).abs() for name, value in first.items()}
    with torch.no_grad():
        for state in (first, other):
            _shapes_are_declared(made, inputs, state)
            _chunks_equal_whole(made, inputs, state)
            _padding_is_invisible(made, inputs, state)
            _rows_are_independent(made, inputs, state)
    _exports_to_onnx(frontend)


def _shapes_are_declared(made: StatefulFrontend, inputs: Tensor, state: State) -> None:
    law = "a state is a flat dict of the declared arrays"
    features, after = _run(made, inputs, state)
    if tuple(features.shape) != (ROWS, STEPS, made.features):
        wanted = (ROWS, STEPS, made.features)
        raise LawBroken(f"{law}: features have shape {tuple(features.shape)}, expected {wanted}")
    found = {name: tuple(value.shape[1:]) for name, value in after.items()}
    if found != dict(made.state_shapes()):
        raise LawBroken(f"{law}: the next state has {found}, but state_shapes says {made.state_shapes()}")


def _chunks_equal_whole(made: StatefulFrontend, inputs: Tensor, state: State) -> None:
    law = "chunks with carried state equal the whole"
    whole, last = _run(made, inputs, state)
    for sizes in [(cut, STEPS - cut) for cut in range(1, STEPS)] + [(1,) * STEPS]:
        carried, at = state, 0
        for size in sizes:
            where = f"from step {at} of chunks of {' + '.join(map(str, sizes))} steps"
            features, carried = _run(made, inputs[:, at : at + size], carried)
            _same(law, f"the features {where}", features, whole[:, at : at + size])
            at += size
        _same_state(law, f"after chunks of {sizes} steps", carried, last)


def _padding_is_invisible(made: StatefulFrontend, inputs: Tensor, state: State) -> None:
    law = "padding is invisible"
    padded = inputs.clone()
    for row, length in enumerate(LENGTHS):
        padded[row, length:] = 1
    features, after = _run(made, padded, state, LENGTHS)
    for row, length in enumerate(LENGTHS):
        own = _rows(state, [row])
        name = f"a row of length {length} in a batch of {STEPS} steps"
        if length:
            alone, last = _run(made, inputs[row : row + 1, :length], own)
            _same(law, f"the features of {name}", features[row : row + 1, :length], alone)
        else:
            last = own
        _same_state(law, f"after {name}", _rows(after, [row]), last)


def _rows_are_independent(made: StatefulFrontend, inputs: Tensor, state: State) -> None:
    law = "rows are independent"
    whole, last = _run(made, inputs, state, LENGTHS)
    for order in ([2, 0, 1], [1, 1, 2], [1]):
        features, after = _run(made, inputs[order], _rows(state, order), [LENGTHS[i] for i in order])
        for at, row in enumerate(order):
            length = LENGTHS[row]
            _same(law, f"the features of rows {order}", features[at, :length], whole[row, :length])
        _same_state(law, f"after rows {order}", after, _rows(last, order))


def _exports_to_onnx(frontend: StatefulFrontend) -> None:
    import torch

    from suite.nn.build import aligned
    from suite.nn.specs import RecurrentSpec, StepHeadSpec

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = aligned(copy.deepcopy(frontend), RecurrentSpec("gru", hidden=4), StepHeadSpec(), 2)
        verified_export(model, "a front end")


def _run(
    made: StatefulFrontend, inputs: Tensor, state: State, lengths: list[int] | tuple[int, ...] | None = None
) -> tuple[Tensor, State]:  # fmt: skip
    import torch

    before = {name: value.clone() for name, value in state.items()}
    rows, steps = inputs.shape[:2]
    sizes = torch.full((rows,), steps) if lengths is None else torch.tensor(lengths)
    features, after = made(inputs, sizes, state)
    for name, value in before.items():
        if not torch.equal(state[name], value):
            raise LawBroken(f"forward is pure: it wrote into the state {name!r} it was given")
    return features, after


def _same(law: str, where: str, found: Tensor, wanted: Tensor) -> None:
    same(law, where, found.numpy(), wanted.numpy(), DOUBLE)


def _same_state(law: str, where: str, found: State, wanted: State) -> None:
    for name in wanted:
        _same(law, f"the state {name!r} {where}", found[name], wanted[name])


def _rows(state: State, order: list[int]) -> State:
    return {name: value[order] for name, value in state.items()}
