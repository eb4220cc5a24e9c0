from __future__ import annotations

import math

import pytest
import torch

from suite.errors import UsageError
from suite.training.losses import LOSSES, cross_entropy, loss, normal


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


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'normal'"):
        loss("nromal")
