"""What cells are built on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.nn.cells.base import Cell, State, fold
from suite.nn.cells.masking import length_mask


class Counter(Cell):
    """Adds up what it reads; its second array holds two copies of the step before."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.scale = torch.nn.Parameter(torch.ones(1))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"h": (self.hidden,), "before": (2, self.hidden)}

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        h = state["h"] + projected * self.scale
        return h, {"h": h, "before": torch.stack([state["h"]] * 2, dim=1)}


def test_fold() -> None:
    cell = Counter(2, 2)
    x = torch.arange(12.0).reshape(3, 2, 2)
    start = {"h": torch.ones(3, 2), "before": torch.zeros(3, 2, 2)}
    y, state = fold(cell, x, start, length_mask(torch.tensor([2, 0, 1]), 2))
    assert y.tolist() == [[[1, 2], [3, 5]], [[0, 0], [0, 0]], [[9, 10], [0, 0]]]
    assert state["h"].tolist() == [[3, 5], [1, 1], [9, 10]]
    assert state["before"].tolist() == [[[1, 2]] * 2, [[0, 0]] * 2, [[1, 1]] * 2]


def test_fold_of_no_steps_gives_no_outputs_and_the_state_as_it_was() -> None:
    start = {"h": torch.ones(3, 2), "before": torch.ones(3, 2, 2)}
    for mask in (None, torch.zeros(3, 0, dtype=torch.bool)):
        y, state = fold(Counter(2, 2), torch.zeros(3, 0, 2), start, mask)
        assert y.shape == (3, 0, 2)
        assert all(torch.equal(state[name], start[name]) for name in start)


def test_initial_state_is_zero_of_the_cells_own_type() -> None:
    state = Counter(2, 3).double().initial(4)
    assert {name: tuple(value.shape) for name, value in state.items()} == {"h": (4, 3), "before": (4, 2, 3)}
    assert all(value.dtype == torch.float64 and not value.any() for value in state.values())


def test_a_cell_may_define_its_step_alone() -> None:
    class Steps(Counter):
        def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
            return x, {"h": x, "before": state["before"]}

    x = torch.randn(1, 3, 2)
    cell = Steps(2, 2)
    assert torch.equal(cell.step(x[:, 0], cell.initial(1))[0], x[:, 0])

    class Only(Cell):
        def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
            return state["h"] + x, {"h": state["h"] + x}

    y, state = Only(2, 2).scan(x, {"h": torch.zeros(1, 2)})
    torch.testing.assert_close(y, x.cumsum(dim=1))
    assert torch.equal(state["h"], y[:, -1])


def test_a_cell_that_defines_nothing_says_so() -> None:
    class Empty(Cell):
        pass

    with pytest.raises(RuntimeError, match="Empty defines neither recur nor step"):
        Empty(2, 2).scan(torch.zeros(1, 1, 2), {"h": torch.zeros(1, 2)})
