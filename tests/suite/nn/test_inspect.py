"""What a cell is shown to do: facts, gradients over distance, recall over a delay, clipping, cost."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from suite.nn.cells.base import Cell, State
from suite.nn.cells.lstm import LSTM
from suite.nn.cells.rglru import RGLRU
from suite.nn.cells.rnn import RNN
from suite.nn.inspect import (
    DISTANCES,
    TRAINED_AT,
    Inspection,
    clipping,
    cost_per_step,
    costs_per_step,
    facts,
    gradient_by_distance,
    inspect,
    learn_recall,
    recall_by_delay,
    recall_sequences,
)


class Average(Cell):
    """h' = ½ h + ½ W x: its gradient is known exactly."""

    equation = "h' = ½ h + ½ W x"
    source = "this test"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight = nn.Linear(inputs, hidden, bias=False)
        self.unused = nn.Parameter(torch.zeros(3))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = 0.5 * state["h"] + 0.5 * self.weight(x)
        return h, {"h": h}


def made(cell_class: type[Cell], inputs: int = 16, hidden: int = 32) -> Cell:
    torch.manual_seed(0)
    return cell_class(inputs, hidden)


@pytest.fixture(scope="module")
def lstm() -> Inspection:
    return inspect(LSTM)


# --- facts ---------------------------------------------------------------------------------------------------------


def test_facts() -> None:
    found = facts(LSTM, 16, 32)
    assert found.parameters == 4 * (16 * 32 + 32 * 32 + 32 + 32)
    assert found.state == {"h": (32,), "c": (32,)}
    assert (found.state_numbers, found.state_bytes) == (64, 256)
    assert (found.equation, found.source) == (LSTM.equation, LSTM.source)


# --- gradients -----------------------------------------------------------------------------------------------------


def test_a_known_gradient() -> None:
    norms = np.array(gradient_by_distance(made(Average), steps=11))
    np.testing.assert_allclose(norms[1:] / norms[:-1], 0.5)


def test_the_norm_is_that_of_the_jacobian_on_average() -> None:
    cell = made(Average)
    (last,) = gradient_by_distance(cell, steps=1, rows=2001)
    jacobian = 0.5 * next(cell.weight.parameters()).norm().item()  # type: ignore[union-attr,operator]
    assert last == pytest.approx(jacobian, rel=0.05)


def test_it_vanishes_faster_in_rnn_than_in_lstm_and_rglru() -> None:
    rnn, lstm, rglru = (gradient_by_distance(made(cell)) for cell in (RNN, LSTM, RGLRU))
    for distance in (20, 50, 100):
        kept = [found[distance] / found[0] for found in (rnn, lstm, rglru)]
        assert kept[0] < 0.05 * kept[1] < 0.05 * kept[2]
    assert rglru[100] / rglru[0] > 0.01  # made to keep
    assert 0 < rnn[100] < 1e-12  # seen vanishing, not as a zero


def test_the_last_steps_of_given_sequences() -> None:
    x = torch.randn(4, 30, 16, generator=torch.Generator().manual_seed(0))
    cell = made(LSTM)
    whole, last = gradient_by_distance(cell, steps=30, x=x), gradient_by_distance(cell, steps=5, x=x)
    assert len(whole) == 30
    assert last == whole[:5]


def test_measuring_leaves_the_cell_and_the_random_numbers_alone() -> None:
    cell = made(LSTM)
    torch.manual_seed(3)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(3)
    gradient_by_distance(cell, steps=3)
    learn_recall(RNN, 1, steps=1)
    clipping(steps=1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads
    assert all(p.grad is None and p.dtype == torch.float32 for p in cell.parameters())


# --- recall --------------------------------------------------------------------------------------------------------


def test_the_task() -> None:
    x, symbols = recall_sequences(5, 200, 3, torch.Generator().manual_seed(0))
    assert x.shape == (200, 4, 5)
    assert sorted(set(symbols.tolist())) == [0, 1, 2, 3]
    first = {tuple(row) for row in x[:, 0].tolist()}
    rest = {tuple(row) for row in x[:, 1:].reshape(-1, 5).tolist()}
    assert (len(first), len(rest)) == (4, 4)
    assert not first & rest
    again, _ = recall_sequences(5, 200, 0, torch.Generator().manual_seed(9))
    assert {tuple(row) for row in again[:, 0].tolist()} == first


def test_lstm_recalls_over_ten_steps_and_rnn_does_not_over_a_hundred(lstm: Inspection) -> None:
    assert lstm.accuracy[10] > 0.9
    assert learn_recall(RNN, 100, steps=30).accuracy < 0.4  # chance is 0.25


def test_the_budget_and_the_early_end() -> None:
    easy, hard = learn_recall(LSTM, 1), learn_recall(LSTM, 30, steps=7)
    assert len(easy.before) < 60
    assert len(hard.before) == len(hard.after) == 7


def test_the_same_seed_gives_the_same() -> None:
    one, two, other = (learn_recall(LSTM, 5, steps=8, seed=seed) for seed in (1, 1, 2))
    assert one.before == two.before
    assert one.accuracy == two.accuracy
    assert one.before != other.before


def test_stages_are_told() -> None:
    told: list[str] = []
    found = recall_by_delay(LSTM, (1, 2), steps=1, say=told.append)
    assert list(found) == [1, 2]
    assert told == ["learning to recall over 1", "learning to recall over 2"]


# --- clipping ------------------------------------------------------------------------------------------------------


def test_gradients_explode_and_clipping_bounds_them() -> None:
    found = clipping()
    assert found.gradient[100] > 1e6 * found.gradient[0]
    assert np.median(found.before) > 100
    assert max(found.after) <= 1.001
    assert all(math.isfinite(norm) for norm in found.before)


def test_a_short_gradient_is_left_alone(lstm: Inspection) -> None:
    for before, after in zip(lstm.training.before, lstm.training.after, strict=True):
        assert after == pytest.approx(min(before, 1), rel=1e-4)


# --- cost ----------------------------------------------------------------------------------------------------------


def test_cost_beside_rnn() -> None:
    cost = cost_per_step(LSTM)
    assert 0 < cost.scan < cost.step < 1e4
    assert cost.step_ratio > 0
    average, rnn = costs_per_step([Average, RNN], 4, 4, length=50, rounds=1)
    assert (rnn.step_ratio, rnn.scan_ratio) == (1, 1)
    assert average.step / average.step_ratio == pytest.approx(rnn.step)


# --- all of it -----------------------------------------------------------------------------------------------------


def test_as_json(lstm: Inspection) -> None:
    values = json.loads(json.dumps(lstm.to_dict()))
    assert list(values) == [
        "equation", "source", "inputs", "hidden", "options", "parameters", "state", "gradient", "recall", "clipping",
        "cost_us",
    ]  # fmt: skip
    assert values["state"] == {"arrays": {"h": [32], "c": [32]}, "numbers": 64, "bytes": 256}
    assert values["gradient"]["distance"] == values["recall"]["delay"] == list(DISTANCES)
    assert values["gradient"]["trained_at"] == TRAINED_AT
    assert len(values["gradient"]["trained"]) == len(values["recall"]["accuracy"]) == len(DISTANCES)
    assert set(values["cost_us"]) == {"step", "scan", "step_ratio", "scan_ratio"}


def test_any_cell_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.nn.inspect.DISTANCES", (1, TRAINED_AT))
    found = inspect(Average, 3, 5)
    assert found.facts.parameters == 3 * 5 + 3
    assert found.initial[2] == pytest.approx(found.initial[1] / 2)
    assert found.cost.step > 0


def test_torchs_compiler_is_not_loaded() -> None:
    """It takes seconds, more than all that is measured."""
    code = (
        "import sys; from suite.nn.inspect import *; from suite.nn.cells.gru import GRU;"
        "learn_recall(GRU, 1, steps=2); clipping(steps=2); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
