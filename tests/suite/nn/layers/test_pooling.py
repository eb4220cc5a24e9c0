from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.errors import UsageError
from suite.nn.cells.base import State
from suite.nn.layers.pooling import POOLINGS, AttentionPooling, Pooling, make_pooling

B, T, H = 4, 9, 3
LENGTHS = torch.tensor([9, 0, 1, 5])


def made(name: str) -> Pooling:
    torch.manual_seed(0)
    return make_pooling(name, H).double()


def initial(module: Pooling, batch: int = B) -> State:
    return {key: torch.zeros(batch, *shape, dtype=torch.float64) for key, shape in module.state_shapes().items()}


def outputs() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(B, T, H, dtype=torch.float64)


def by_hand(module: Pooling, y: np.ndarray, length: int) -> np.ndarray:
    rows = y[:length]
    if not length:
        return np.zeros(H)
    match module:
        case AttentionPooling():
            w, b = module.score.weight.detach().numpy()[0], module.score.bias.item()
            weights = np.exp(rows @ w + b - (rows @ w + b).max())
            return (weights[:, None] * rows).sum(0) / weights.sum()
        case _ if type(module) is POOLINGS["mean"]:
            return rows.mean(0)
        case _ if type(module) is POOLINGS["max"]:
            return rows.max(0)
        case _:
            return rows[-1]


@pytest.mark.parametrize("name", POOLINGS)
def test_whole_sequence_against_numpy(name: str) -> None:
    module, y = made(name), outputs()
    found, state = module(y, LENGTHS, initial(module))
    for row, length in enumerate(LENGTHS.tolist()):
        np.testing.assert_allclose(found[row].detach(), by_hand(module, y[row].numpy(), length), atol=1e-12)
    assert {key: tuple(value.shape[1:]) for key, value in state.items()} == module.state_shapes()


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_chunks_equal_the_whole(name: str, size: int) -> None:
    module, y = made(name), outputs()
    whole, last = module(y, LENGTHS, initial(module))
    state = initial(module)
    for at in range(0, T, size):
        piece = y[:, at : at + size]
        found, state = module(piece, (LENGTHS - at).clamp(0, piece.shape[1]), state)
        for row, length in enumerate(LENGTHS.tolist()):
            # At every moment the vector is that of what was read so far.
            wanted = by_hand(module, y[row].numpy(), min(length, at + size))
            np.testing.assert_allclose(found[row].detach(), wanted, atol=1e-12)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-12)
    for key in last:
        torch.testing.assert_close(state[key], last[key], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", POOLINGS)
def test_padding_and_other_rows_are_invisible(name: str) -> None:
    module, y = made(name), outputs()
    found, _ = module(y, LENGTHS, initial(module))
    noisy = y.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        noisy[row, length:] = 50.0
    torch.testing.assert_close(module(noisy, LENGTHS, initial(module))[0], found, rtol=0, atol=1e-12)
    order = [3, 1, 0, 2]
    reordered, _ = module(y[order], LENGTHS[order], initial(module))
    torch.testing.assert_close(reordered, found[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", POOLINGS)
def test_an_empty_row_keeps_what_was_read(name: str) -> None:
    module, y = made(name), outputs()
    before, state = module(y, LENGTHS, initial(module))
    after, kept = module(50 * y, torch.zeros(B, dtype=torch.int64), state)
    torch.testing.assert_close(after, before)
    for key in state:
        torch.testing.assert_close(kept[key], state[key])


@pytest.mark.parametrize("name", POOLINGS)
def test_gradients_match_finite_differences(name: str) -> None:
    module = made(name)
    y = outputs()[:3, :4].clone().requires_grad_()
    lengths = torch.tensor([4, 0, 2])
    state = {key: torch.rand_like(value) + 0.5 for key, value in initial(module, 3).items()}

    def run(y: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        found, after = module(y, lengths, state)
        return (found, *after.values())

    assert torch.autograd.gradcheck(run, (y, *module.parameters()))


@pytest.mark.parametrize("scale", [1e4, -1e4])
@pytest.mark.parametrize("chunk", [1, 3])
def test_attention_survives_extreme_scores(scale: float, chunk: int) -> None:
    module = AttentionPooling(1)
    module.score.weight.data.fill_(scale)
    y = torch.tensor([[[-3.0], [1.0], [2.0]], [[2.0], [-3.0], [7.0]]])
    lengths = torch.tensor([3, 2])
    state = {key: torch.zeros(2, *shape) for key, shape in module.state_shapes().items()}
    for at in range(0, 3, chunk):
        found, state = module(y[:, at : at + chunk], (lengths - at).clamp(0, chunk), state)
    # One score towers over the others: its output is the whole of the mean.
    wanted = [[2.0], [2.0]] if scale > 0 else [[-3.0], [-3.0]]
    torch.testing.assert_close(found, torch.tensor(wanted))
    assert all(value.isfinite().all() for value in state.values())


def test_attention_of_negative_scores_does_not_see_its_starting_score_of_zero() -> None:
    module = AttentionPooling(1)
    module.score.weight.data.fill_(0.0)
    module.score.bias.data.fill_(-90.0)
    state = {key: torch.zeros(1, *shape) for key, shape in module.state_shapes().items()}
    found, state = module(torch.tensor([[[1.0], [3.0]]]), torch.tensor([2]), state)
    assert found.item() == pytest.approx(2.0)
    assert state["top"].item() == -90
    assert state["weight"].item() == 2


def test_running_mean_keeps_its_digits_on_a_long_stream() -> None:
    module = make_pooling("mean", 1)
    state = {"mean": torch.full((1, 1), 1000.0), "count": torch.full((1, 1), 4e6)}
    for _ in range(50):
        found, state = module(torch.full((1, 1000, 1), 1000.1), torch.tensor([1000]), state)
    exact = (4e6 * 1000.0 + 50_000 * float(np.float32(1000.1))) / 4.05e6
    assert found.item() == pytest.approx(exact, abs=1e-2)


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'mean'"):
        make_pooling("meen", 4)
