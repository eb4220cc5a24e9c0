from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.nn.cells.base import Cell, State, fold
from suite.nn.cells.initialisation import glorot_gates_, orthogonal_gates_
from suite.nn.cells.masking import append_freeze_column, last_output, length_mask
from suite.nn.cells.precision import full_precision


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


def test_within() -> None:
    wanted = [[False, False, False], [True, False, False], [True, True, True]]
    assert length_mask(torch.tensor([0, 1, 3]), 3).tolist() == wanted
    assert length_mask(torch.tensor([0, 5]), 0).shape == (2, 0)


def test_last() -> None:
    y = torch.arange(12.0).reshape(3, 2, 2)
    before = torch.full((3, 2), -1.0)
    assert last_output(y, torch.tensor([2, 0, 1]), before).tolist() == [[2, 3], [-1, -1], [8, 9]]


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


def test_freeze_column() -> None:
    weight = torch.arange(8.0).reshape(4, 2)
    x, longer = append_freeze_column(torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4))
    assert x[0].tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 1]]
    assert torch.equal(longer[:, :2], weight)
    assert longer[:, 2].tolist() == [0, 0, 1e4, 1e4]
    # Zeros up to a multiple of what a kernel is quick at change no product; three is one of three already.
    wide, long = append_freeze_column(
        torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4), multiple=4
    )
    assert (wide.shape[2], long.shape[1]) == (4, 4)
    assert torch.equal(wide @ long.T, x @ longer.T)
    assert (
        append_freeze_column(torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4), 3)[0].shape[2]
        == 3
    )


def test_first_weights_are_filled_gate_by_gate() -> None:
    torch.manual_seed(0)
    weight = torch.zeros(12, 4)
    orthogonal_gates_(weight)
    for block in weight.split(4):
        torch.testing.assert_close(block @ block.T, torch.eye(4))
    wide = torch.zeros(3 * 50, 70)
    glorot_gates_(wide, gates=3)
    bound = (6 / 120) ** 0.5
    assert 0.99 * bound < float(wide.abs().max()) <= bound
    assert abs(float(wide.std()) - bound / 3**0.5) < 0.01


def test_a_processor_without_a_kernel_for_bfloat16_takes_the_other() -> None:
    tried: list[tuple[bool, torch.dtype]] = []

    def scan(cell: Any, x: Tensor, state: State, lengths: Any = None) -> tuple[Tensor, State]:
        tried.append((torch.is_autocast_enabled("cpu"), x.dtype))
        if tried[-1][0]:
            raise RuntimeError("could not create a primitive descriptor for the LSTM forward propagation primitive")
        return x, state

    kept, x = full_precision(scan), torch.zeros(1, 2, 3)
    for _ in range(2):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kept(None, x.bfloat16(), {})
    assert tried == [(True, torch.bfloat16), (False, torch.float32), (False, torch.float32)]
    kept(None, x, {})
    assert tried[-1] == (False, torch.float32)

    def wrong(cell: Any, x: Tensor, state: State, lengths: Any = None) -> tuple[Tensor, State]:
        raise RuntimeError("of another kind")

    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(RuntimeError, match="of another kind"):
        full_precision(wrong)(None, x, {})


@pytest.mark.parametrize(
    ("device", "autocast", "kept"), [("cpu", True, False), ("cuda", False, False), ("cuda", True, True)]
)
def test_full_precision_is_for_accelerators_under_autocast(
    device: str, autocast: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried with a stand-in for a tensor, since few machines that run this have an accelerator."""
    entered: list[tuple[str, bool]] = []

    @contextlib.contextmanager
    def context(kind: str, *, enabled: bool) -> Iterator[None]:
        entered.append((kind, enabled))
        yield
        entered.pop()

    def scan(self: Any, x: Any, state: Any, lengths: Any = None) -> Any:
        return x, list(entered), lengths

    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: autocast)
    monkeypatch.setattr(torch, "autocast", context)
    x = SimpleNamespace(device=SimpleNamespace(type=device), float=lambda: "in full")
    given, inside, lengths = full_precision(scan)(None, x, {}, "lengths")  # type: ignore[arg-type]
    assert lengths == "lengths"
    assert inside == ([(device, False)] if kept else [])
    assert given == ("in full" if kept else x)
