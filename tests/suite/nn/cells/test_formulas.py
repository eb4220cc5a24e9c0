"""Every cell against its published formula, written out once more in plain numpy, and its first weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.nn.cells.base import Cell
from suite.nn.cells.gru import GRU
from suite.nn.cells.lstm import LSTM
from suite.nn.cells.mingru import MinGRU
from suite.nn.cells.rglru import RGLRU
from suite.nn.cells.rnn import RNN
from suite.plugins import registry
from suite.testing import exports_to_onnx

B, T, D, H = 3, 6, 4, 5
Weights = dict[str, np.ndarray]
State = dict[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn(w: Weights, x: np.ndarray, s: State) -> State:
    b = w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"]
    return {"h": np.tanh(w["rnn.weight_ih_l0"] @ x + w["rnn.weight_hh_l0"] @ s["h"] + b)}


def lstm(w: Weights, x: np.ndarray, s: State) -> State:
    # torch keeps the gates in the order input, forget, cell, output.
    W, U = w["rnn.weight_ih_l0"].reshape(4, H, D), w["rnn.weight_hh_l0"].reshape(4, H, H)
    b = (w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"]).reshape(4, H)
    i, f, o = (sigmoid(W[k] @ x + U[k] @ s["h"] + b[k]) for k in (0, 1, 3))
    c = f * s["c"] + i * np.tanh(W[2] @ x + U[2] @ s["h"] + b[2])
    return {"h": o * np.tanh(c), "c": c}


def gru(w: Weights, x: np.ndarray, s: State) -> State:
    # The order is reset, update, new; the new gate has a bias of its own inside the reset product.
    W, U = w["rnn.weight_ih_l0"].reshape(3, H, D), w["rnn.weight_hh_l0"].reshape(3, H, H)
    b, c = w["rnn.bias_ih_l0"].reshape(3, H), w["rnn.bias_hh_l0"].reshape(3, H)
    r = sigmoid(W[0] @ x + b[0] + U[0] @ s["h"] + c[0])
    z = sigmoid(W[1] @ x + b[1] + U[1] @ s["h"] + c[1])
    n = np.tanh(W[2] @ x + b[2] + r * (U[2] @ s["h"] + c[2]))
    return {"h": (1 - z) * n + z * s["h"]}


def mingru(w: Weights, x: np.ndarray, s: State) -> State:
    W, b = w["gates.weight"].reshape(2, H, D), w["gates.bias"].reshape(2, H)
    z = sigmoid(W[0] @ x + b[0])
    return {"h": (1 - z) * s["h"] + z * (W[1] @ x + b[1])}


def rglru(w: Weights, x: np.ndarray, s: State) -> State:
    u = w["input.weight"] @ x + w["input.bias"]
    W, b = w["gates.weight"].reshape(2, H, H), w["gates.bias"].reshape(2, H)
    r, i = sigmoid(W[0] @ u + b[0]), sigmoid(W[1] @ u + b[1])
    a = np.exp(-8 * np.log1p(np.exp(w["decay"])) * r)
    return {"h": a * s["h"] + np.sqrt(1 - a**2) * (i * u)}


FORMULAS: dict[type[Cell], Callable[[Weights, np.ndarray, State], State]] = {
    RNN: rnn, LSTM: lstm, GRU: gru, MinGRU: mingru, RGLRU: rglru,
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMULAS, ids=lambda kind: kind.__name__)
def test_cell_computes_its_formula(kind: type[Cell]) -> None:
    torch.manual_seed(3)
    cell = kind(D, H).double()
    for weight in cell.parameters():
        # Biases are zero at first: a formula that drops one must not pass.
        weight.data += 0.3 * torch.randn_like(weight)
    weights = {name: value.detach().numpy() for name, value in cell.named_parameters()}
    x = torch.randn(B, T, D, dtype=torch.float64)
    start = {name: torch.randn(B, *shape, dtype=torch.float64) for name, shape in cell.state_shapes().items()}
    y, last = cell.scan(x, start)
    output, stepped = cell.step(x[:, 0], start)
    for row in range(B):
        state = {name: value[row].numpy() for name, value in start.items()}
        for t in range(T):
            state = FORMULAS[kind](weights, x[row, t].numpy(), state)
            np.testing.assert_allclose(y[row, t].detach(), state["h"], atol=1e-12)
            if t == 0:
                np.testing.assert_allclose(output[row].detach(), state["h"], atol=1e-12)
                for name, value in state.items():
                    np.testing.assert_allclose(stepped[name][row].detach(), value, atol=1e-12)
        for name, value in state.items():
            np.testing.assert_allclose(last[name][row].detach(), value, atol=1e-12)


def test_every_registered_cell_says_what_it_is() -> None:
    cells = {registry().cell(name) for name in registry().cell_names()}
    assert set(FORMULAS) <= cells
    for cell in cells:
        assert cell.equation
        assert cell.source


def orthogonal(block: Tensor) -> bool:
    return torch.allclose(block @ block.T, torch.eye(len(block)), atol=1e-5)


@pytest.mark.parametrize(("kind", "gates"), [(RNN, 1), (LSTM, 4), (GRU, 3)])
def test_recurrent_weights_are_orthogonal_and_input_weights_are_glorot(kind: type[Cell], gates: int) -> None:
    torch.manual_seed(0)
    weights = dict(kind(24, 16).named_parameters())
    blocks = weights["rnn.weight_hh_l0"].split(16)
    assert len(blocks) == gates
    assert all(orthogonal(block) for block in blocks)
    assert not any(torch.equal(blocks[0], other) for other in blocks[1:])
    bound = (6 / (24 + 16)) ** 0.5
    largest = float(weights["rnn.weight_ih_l0"].detach().abs().max())
    assert 0.95 * bound < largest <= bound
    assert not weights["rnn.bias_hh_l0"].any()
    bias = weights["rnn.bias_ih_l0"].reshape(gates, 16)
    if kind is LSTM:
        assert (bias[1] == 1).all()
        bias = bias[[0, 2, 3]]
    assert not bias.any()


def test_mingru_starts_by_remembering() -> None:
    torch.manual_seed(0)
    cell = MinGRU(24, 16)
    bound = (6 / (24 + 16)) ** 0.5
    assert 0.95 * bound < float(cell.gates.weight.detach().abs().max()) <= bound
    assert (cell.gates.bias[:16] == -1).all()
    assert not cell.gates.bias[16:].any()
    kept, _ = cell.coefficients(torch.zeros(1, 24))
    torch.testing.assert_close(kept, torch.sigmoid(torch.tensor(1.0)).expand(1, 16))


def test_rglru_decay_is_spread_over_its_range() -> None:
    torch.manual_seed(0)
    cell = RGLRU(24, 512)
    at_full_gate = torch.exp(-cell.sharpness * torch.nn.functional.softplus(cell.decay.detach()))
    assert 0.9 - 1e-4 <= float(at_full_gate.min()) < 0.905
    assert 0.995 < float(at_full_gate.max()) <= 0.999 + 1e-4
    assert 0.94 < float(at_full_gate.mean()) < 0.96
    for weight, size in ((cell.input.weight, 24), (cell.gates.weight, 512)):
        bound = (6 / (512 + size)) ** 0.5
        assert 0.95 * bound < float(weight.detach().abs().max()) <= bound
    assert not cell.input.bias.any()
    assert not cell.gates.bias.any()


def test_rglru_keeps_the_norm_where_the_decay_is_almost_one() -> None:
    cell = RGLRU(2, 3)
    torch.nn.init.constant_(cell.decay, -16.0)
    x = torch.randn(4, 2)
    with torch.no_grad():
        a, b = cell.coefficients(x)
        reference_a, reference_b = cell.double().coefficients(x.double())
    # In single precision 1 − a² would be zero here, or off by half; as written it keeps its digits.
    assert float((1 - a).max()) < 1e-5
    torch.testing.assert_close(b.double(), reference_b, rtol=1e-5, atol=0)
    torch.testing.assert_close(a.double(), reference_a, rtol=1e-6, atol=0)


@pytest.mark.parametrize("gate", [-30.0, -16.0, -12.0, -6.0, 0.0, 9.0])
def test_rglru_is_exported_as_exactly_where_it_has_learnt_to_keep_all(gate: float) -> None:
    """ONNX Runtime's sigmoid is right to 1e-7 of 1, which is more than a gate that is shut."""

    def keeping(inputs: int, hidden: int) -> RGLRU:
        cell = RGLRU(inputs, hidden)
        cell.gates.bias.data[:hidden] = gate
        cell.input.bias.data.fill_(4.0)
        return cell

    exports_to_onnx(keeping, inputs=5, hidden=64)
