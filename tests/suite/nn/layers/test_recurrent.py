from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from suite.errors import UsageError
from suite.nn.cells.base import Cell, State
from suite.nn.cells.gru import GRU
from suite.nn.cells.lstm import LSTM
from suite.nn.layers.recurrent import RecurrentStack, RMSNorm, reverse_by_length
from suite.nn.specs import RecurrentSpec
from suite.plugins import registry

B, T, D, H = 3, 7, 5, 6
LENGTHS = torch.tensor([0, 4, 7])


class Echo(Cell):
    """Gives twice what it reads, and remembers the sum: easy to follow by hand."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.scale = torch.nn.Parameter(torch.tensor(2.0))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"sum": (self.hidden,)}

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return projected * self.scale, {"sum": state["sum"] + projected}


def encoder(cell: type[Cell], **sizes: object) -> RecurrentStack:
    torch.manual_seed(0)
    return RecurrentStack(cell, D, RecurrentSpec(hidden=H, **sizes)).double().eval()  # type: ignore[arg-type]


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def random_state(model: RecurrentStack, batch: int = B) -> State:
    return {name: torch.randn_like(value) for name, value in model.initial(batch).items()}


DEEP = {"layers": 2, "norm": "rms", "feedforward": 2.0}


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("sizes", [{"layers": 2}, DEEP, {"layers": 2, "norm": "layer", "residual": False}], ids=str)
def test_chunks_equal_the_whole(name: str, sizes: dict[str, object]) -> None:
    model = encoder(registry().cell(name), **sizes)
    x, start = noise(B, T, D), random_state(model)
    y, last = model(x, LENGTHS, start)
    assert y.shape == (B, T, H)
    for cut in range(1, T):
        first, state = model(x[:, :cut], LENGTHS.clamp(max=cut), start)
        second, state = model(x[:, cut:], (LENGTHS - cut).clamp(min=0), state)
        torch.testing.assert_close(torch.cat([first, second], dim=1), y, rtol=0, atol=1e-9)
        for key in last:
            torch.testing.assert_close(state[key], last[key], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("both", [False, True], ids=["causal", "bidirectional"])
def test_padded_rows_equal_rows_alone(name: str, both: bool) -> None:
    model = encoder(registry().cell(name), bidirectional=both, **DEEP)
    x, start = noise(B, T, D), random_state(model)
    y, last = model(x, LENGTHS, start)
    for row, length in enumerate(LENGTHS.tolist()):
        own = {key: value[row : row + 1] for key, value in start.items()}
        alone, after = model(x[row : row + 1, :length], torch.tensor([length]), own)
        torch.testing.assert_close(y[row, :length], alone[0], rtol=0, atol=1e-9)
        assert not y[row, length:].any()
        for key in after:
            torch.testing.assert_close(last[key][row], after[key][0], rtol=0, atol=1e-9)


def test_state_names_and_shapes() -> None:
    model = encoder(LSTM, layers=2)
    assert model.state_shapes() == {"0.h": (H,), "0.c": (H,), "1.h": (H,), "1.c": (H,)}
    first = model.initial(4)
    assert {key: tuple(value.shape) for key, value in first.items()} == dict.fromkeys(model.state_shapes(), (4, H))
    _, after = model(noise(4, 2, D), torch.tensor([2, 2, 2, 2]), first)
    assert list(after) == list(first)


def test_ten_layers_keep_their_states_apart() -> None:
    model = encoder(GRU, layers=11)
    start = random_state(model)
    _, after = model(noise(B, 1, D), torch.zeros(B, dtype=torch.int64), start)
    assert list(after) == [f"{i}.h" for i in range(11)]
    for key in start:
        torch.testing.assert_close(after[key], start[key])


def test_layer_is_norm_cell_residual() -> None:
    model = RecurrentStack(Echo, H, RecurrentSpec(hidden=H, dropout=0.9)).double().eval()
    x = noise(B, T, H)
    full = torch.full((B,), T)
    y, state = model(x, full, model.initial(B))
    torch.testing.assert_close(y, 3 * x)
    torch.testing.assert_close(state["0.sum"], x.sum(dim=1))
    spec = RecurrentSpec(hidden=H, norm="layer")
    normed = RecurrentStack(Echo, H, spec).double().eval()
    y, state = normed(x, full, normed.initial(B))
    torch.testing.assert_close(y, x + 2 * functional.layer_norm(x, (H,)))
    plain = RecurrentStack(Echo, H, dataclasses.replace(spec, residual=False)).double().eval()
    torch.testing.assert_close(plain(x, full, plain.initial(B))[0], 2 * functional.layer_norm(x, (H,)))


def test_residual_is_left_out_where_sizes_differ() -> None:
    model = encoder(GRU, layers=2)
    assert [layer.residual for layer in model.layers] == [False, True]
    assert [layer.residual for layer in encoder(GRU, layers=2, bidirectional=True).layers] == [False, True]


def test_feedforward() -> None:
    model = RecurrentStack(Echo, H, RecurrentSpec(hidden=H, feedforward=1.5, norm="rms")).double().eval()
    (layer,) = model.layers
    norm, up, _, down, _ = layer.feedforward
    assert isinstance(norm, RMSNorm)
    assert up.out_features == 9
    x = noise(B, T, H)
    y, _ = model(x, torch.full((B,), T), model.initial(B))
    inner = x + 2 * layer.norm(x)
    torch.testing.assert_close(y, inner + down(functional.gelu(up(norm(inner)))))
    assert RecurrentStack(Echo, H, RecurrentSpec(hidden=H)).layers[0].feedforward is None
    unnormed = RecurrentStack(Echo, H, RecurrentSpec(hidden=H, feedforward=1)).layers[0].feedforward
    assert isinstance(unnormed[0], torch.nn.LayerNorm)


def test_rms_norm() -> None:
    norm = RMSNorm(4).double()
    norm.weight.data = torch.tensor([1.0, 2, 3, 4]).double()
    x = noise(2, 3, 4)
    wanted = x.numpy() / np.sqrt((x.numpy() ** 2).mean(-1, keepdims=True)) * np.array([1, 2, 3, 4])
    np.testing.assert_allclose(norm(x).detach(), wanted, atol=1e-12)
    assert not norm(torch.zeros(1, 4).double()).any()


def test_bidirectional_reads_each_row_from_its_own_end() -> None:
    model = encoder(GRU, bidirectional=True)
    assert model.outputs == 2 * H
    assert not model.causal
    assert list(model.state_shapes()) == ["0.h"]
    x, start = noise(B, T, D), random_state(model)
    y, _ = model(x, LENGTHS, start)
    (layer,) = model.layers
    for row, length in enumerate(LENGTHS.tolist()):
        own = x[row : row + 1, :length]
        forth, _ = layer.cell.scan(own, {"h": start["0.h"][row : row + 1]})
        back, _ = layer.back.scan(own.flip(1), layer.back.initial(1))
        torch.testing.assert_close(y[row, :length], torch.cat([forth, back.flip(1)], dim=2)[0])


def test_reversed_by_length() -> None:
    x = torch.arange(8.0).reshape(2, 4, 1)
    assert reverse_by_length(x, torch.tensor([3, 0]))[:, :, 0].tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]
    twice = reverse_by_length(reverse_by_length(x, torch.tensor([3, 4])), torch.tensor([3, 4]))
    assert torch.equal(twice, x)
    assert reverse_by_length(torch.zeros(2, 0, 3), torch.tensor([0, 0])).shape == (2, 0, 3)


@pytest.mark.parametrize("name", registry().cell_names())
def test_an_empty_chunk_changes_nothing(name: str) -> None:
    model = encoder(registry().cell(name), **DEEP)
    start = random_state(model)
    y, after = model(noise(B, 0, D), torch.zeros(B, dtype=torch.int64), start)
    assert y.shape == (B, 0, H)
    assert all(torch.equal(after[key], start[key]) for key in start)


@pytest.mark.parametrize("sizes", [{"layers": 0}, {"hidden": 0}])
def test_no_layers_or_no_units_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises((ValueError, UsageError), match=next(iter(sizes))):
        RecurrentStack(GRU, D, RecurrentSpec(**sizes))
