from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from suite.errors import UsageError
from suite.task import lazy
from suite.training.losses import (
    LOSSES,
    ROWS,
    SEQUENCE_LOSSES,
    chunked_cross_entropy,
    cross_entropy,
    normal,
    quantile,
    resolve_loss,
    resolve_sequence_loss,
)


def test_cross_entropy_is_minus_log_softmax_of_each_row() -> None:
    outputs = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    found = cross_entropy(outputs, torch.tensor([2, 0]))
    total = math.exp(1) + math.exp(2) + math.exp(4)
    torch.testing.assert_close(found, torch.tensor([-math.log(math.exp(4) / total), math.log(3)]))


def test_normal_is_squared_error_and_a_share_of_the_likelihood() -> None:
    outputs = torch.tensor([[0.5, 0.0], [0.5, 1.0]])
    found = normal(outputs, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(found, torch.tensor([0.25 + 0.05 * 0.5 * 0.25, 0.05 * 1.0]))


def test_likelihood_teaches_the_spread_and_not_the_mean() -> None:
    outputs = torch.tensor([[0.4, -1.0]], requires_grad=True)
    target = torch.tensor([0.0])
    normal(outputs, target).sum().backward()
    assert outputs.grad is not None
    assert outputs.grad[0, 0].item() == pytest.approx(2 * 0.4)
    assert outputs.grad[0, 1].item() == pytest.approx(0.05 * (1 - 0.16 * math.exp(2)), rel=1e-5)
    # The best spread is the size of the error itself.
    at_best = torch.tensor([[0.4, math.log(0.4)]], requires_grad=True)
    normal(at_best, target).sum().backward()
    assert at_best.grad is not None
    assert at_best.grad[0, 1].item() == pytest.approx(0, abs=1e-6)


def test_wild_spreads_stay_finite() -> None:
    outputs = torch.tensor([[3.0, -1e6], [3.0, 1e6]], requires_grad=True)
    found = normal(outputs, torch.zeros(2))
    found.sum().backward()
    assert found.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_one_loss_a_row(name: str) -> None:
    targets = torch.zeros(4, dtype=torch.int64) if name == "cross_entropy" else torch.zeros(4)
    assert resolve_loss(name)(torch.randn(4, 2), targets).shape == (4,)


def test_smoothing_spreads_a_share_of_the_target_over_all_outputs() -> None:
    outputs, target = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([2])
    each = -torch.log_softmax(outputs, dim=1)[0]
    found = resolve_loss("cross_entropy", 0.3)(outputs, target)
    torch.testing.assert_close(found[0], 0.7 * each[2] + 0.3 * each.mean())
    with pytest.raises(UsageError, match="not for the loss 'normal'"):
        resolve_loss("normal", 0.3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, ROWS, 2 * ROWS + 7])
def test_a_large_heads_loss_and_gradients_are_those_of_its_outputs(rows: int, smoothing: float) -> None:
    torch.manual_seed(0)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((rows, 5), (40, 5), (40,))]
    targets = torch.randint(0, 40, (rows,))
    total = chunked_cross_entropy(*given, targets, smoothing)
    found = torch.autograd.grad(3 * total, given)
    features, weight, bias = given
    plain = cross_entropy(features @ weight.T + bias, targets, smoothing).sum()
    torch.testing.assert_close(total, plain)
    for ours, theirs in zip(found, torch.autograd.grad(3 * plain, given), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_large_heads_loss_in_half_precision_is_near_and_its_gradients_are_in_full() -> None:
    torch.manual_seed(0)
    given = [torch.randn(shape, requires_grad=True) for shape in ((30, 8), (50, 8), (50,))]
    targets = torch.randint(0, 50, (30,))
    exact = torch.autograd.grad(chunked_cross_entropy(*given, targets, 0.1), given)
    with torch.autocast("cpu", torch.bfloat16):
        total = chunked_cross_entropy(*given, targets, 0.1)
    for ours, theirs in zip(torch.autograd.grad(total, given), exact, strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - theirs).norm() / theirs.norm()) < 0.02


def pinball(outputs: list[float], target: float) -> float:
    """The mean pinball loss of quantiles at equal distances, written out."""
    levels = [(q + 0.5) / len(outputs) for q in range(len(outputs))]
    parts = [
        level * (target - found) if target > found else (1 - level) * (found - target)
        for level, found in zip(levels, outputs, strict=True)
    ]
    return sum(parts) / len(parts)


def test_quantile_is_the_mean_pinball_loss() -> None:
    outputs = [[-1.0, 0.5, 2.0], [0.0, 0.0, 3.0], [4.0, 2.0, 1.0]]
    targets = [0.7, -2.0, 3.0]
    found = quantile(torch.tensor(outputs), torch.tensor(targets))
    torch.testing.assert_close(found, torch.tensor([pinball(o, t) for o, t in zip(outputs, targets, strict=True)]))


def test_quantile_of_several_steps_is_the_mean_of_each() -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(5, 4 * 3), torch.randn(5, 4)
    steps = [quantile(outputs[:, 3 * step : 3 * step + 3], targets[:, step]) for step in range(4)]
    torch.testing.assert_close(quantile(outputs, targets), torch.stack(steps).mean(0))


def test_quantile_teaches_the_quantiles() -> None:
    """Of a lopsided distribution, each by the share of targets that lie below it."""
    torch.manual_seed(0)
    targets = torch.rand(1000) ** 3
    found = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.Adam([found], lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        quantile(found.expand(len(targets), 4), targets).mean().backward()
        optimizer.step()
    shares = (targets[:, None] < found.detach()).float().mean(0)
    torch.testing.assert_close(shares, torch.tensor([0.125, 0.375, 0.625, 0.875]), atol=0.02, rtol=0)


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'normal'"):
        resolve_loss("nromal")
    with pytest.raises(
        UsageError, match=r"^loss 'cct': no such sequence loss; did you mean 'ctc'\? or give a function$"
    ):
        resolve_sequence_loss("cct")


def test_a_loss_that_a_plugin_brings_is_taken_as_it_is() -> None:
    own = lazy("suite.training.losses:quantile")
    outputs, targets = torch.randn(4, 3), torch.randn(4)
    assert torch.equal(resolve_loss(own)(outputs, targets), quantile(outputs, targets))
    assert resolve_sequence_loss(own) is own
    with pytest.raises(
        UsageError, match=r"^training\.label_smoothing is for targets that are one of many, not for the"
    ):
        resolve_loss(own, 0.1)


# --- sequences ------------------------------------------------------------------------------------------------


def every_path(chances: np.ndarray, wanted: list[int]) -> float:
    """The probability of all paths ``[T]`` that say the letters wanted, one by one."""
    total = 0.0
    for path in itertools.product(range(chances.shape[1]), repeat=len(chances)):
        said = [number for i, number in enumerate(path) if number and (i == 0 or path[i - 1] != number)]
        if said == wanted:
            total += float(np.prod([chances[t, number] for t, number in enumerate(path)]))
    return total


def test_ctc_is_minus_log_of_all_ways_to_say_the_letters() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(3, 5, 3)
    batch = {
        "lengths": torch.tensor([5, 4, 1]), "targets": torch.tensor([[1, 2, 1], [1, 1, 0], [1, 2, 0]]),
        "sizes": torch.tensor([3, 2, 2]),
    }  # fmt: skip
    losses = SEQUENCE_LOSSES["ctc"](None, batch, outputs)
    chances = outputs.softmax(2).numpy()
    assert float(losses[0]) == pytest.approx(-math.log(every_path(chances[0], [1, 2, 1])), abs=1e-4)
    assert float(losses[1]) == pytest.approx(-math.log(every_path(chances[1, :4], [1, 1])), abs=1e-4)
    assert float(losses[2]) == 0, "a row too short for its letters has no loss"


class Joined:
    """A joiner that adds, over a table of predictions."""

    def __init__(self, table: torch.Tensor) -> None:
        self.table = table

    def predict(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.table[torch.cat([torch.zeros_like(tokens[:, :1]), tokens], dim=1)]

    def join(self, frames: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        return frames + predicted


def test_the_loss_of_a_transducer_is_minus_log_of_all_ways_through_its_lattice() -> None:
    torch.manual_seed(0)
    frames, table = torch.randn(2, 4, 3), torch.randn(3, 3)
    batch = {
        "lengths": torch.tensor([4, 3]), "targets": torch.tensor([[1, 2], [2, 0]]), "sizes": torch.tensor([2, 1]),
    }  # fmt: skip
    losses = SEQUENCE_LOSSES["rnnt"](Joined(table), batch, frames)
    for row, (steps, letters) in enumerate([(4, [1, 2]), (3, [2])]):
        predicted = table[[0, *letters]]
        chances = (frames[row, :, None] + predicted[None]).softmax(-1).numpy()

        def ways(t: int, u: int, steps: int = steps, letters: list[int] = letters, p: np.ndarray = chances) -> float:
            if t == steps:
                return float(u == len(letters))
            found = p[t, u, 0] * ways(t + 1, u)
            return found + (p[t, u, letters[u]] * ways(t, u + 1) if u < len(letters) else 0.0)

        assert float(losses[row]) == pytest.approx(-math.log(ways(0, 0)), abs=1e-4)
