from __future__ import annotations

import math

import pytest
import torch

from suite.errors import UsageError
from suite.training.losses import LOSSES, ROWS, cross_entropy, loss, normal, written


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
    assert loss(name)(torch.randn(4, 2), targets).shape == (4,)


def test_smoothing_spreads_a_share_of_the_target_over_all_outputs() -> None:
    outputs, target = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([2])
    each = -torch.log_softmax(outputs, dim=1)[0]
    found = loss("cross_entropy", 0.3)(outputs, target)
    torch.testing.assert_close(found[0], 0.7 * each[2] + 0.3 * each.mean())
    with pytest.raises(UsageError, match="not for the loss 'normal'"):
        loss("normal", 0.3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, ROWS, 2 * ROWS + 7])
def test_a_large_heads_loss_and_gradients_are_those_of_its_outputs(rows: int, smoothing: float) -> None:
    torch.manual_seed(0)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((rows, 5), (40, 5), (40,))]
    targets = torch.randint(0, 40, (rows,))
    total = written(*given, targets, smoothing)
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
    exact = torch.autograd.grad(written(*given, targets, 0.1), given)
    with torch.autocast("cpu", torch.bfloat16):
        total = written(*given, targets, 0.1)
    for ours, theirs in zip(torch.autograd.grad(total, given), exact, strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - theirs).norm() / theirs.norm()) < 0.02


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'normal'"):
        loss("nromal")
