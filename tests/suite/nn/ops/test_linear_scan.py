"""The scan of linear recurrences, against a loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.nn.ops.linear_scan import linear_scan


def looped(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    h, found = start, []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        found.append(h)
    return torch.stack(found, dim=1)


def arrays(steps: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(steps)
    a, b = (torch.randn(3, steps, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return a, b, torch.randn(3, 4, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_scan_equals_a_loop_and_so_do_its_gradients(steps: int) -> None:
    given = arrays(steps)
    before = [array.detach().clone() for array in given]
    found, wanted = linear_scan(*given), looped(*given)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), given)
    theirs = torch.autograd.grad((wanted * weights).sum(), given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    assert all(torch.equal(array.detach(), kept) for array, kept in zip(given, before, strict=True))


def test_gradient_matches_finite_differences() -> None:
    assert torch.autograd.gradcheck(linear_scan, arrays(4))


def test_gradient_reaches_arrays_that_are_not_contiguous() -> None:
    a, b, start = arrays(5)
    found = linear_scan(a.transpose(1, 2).contiguous().transpose(1, 2), b, start.T.contiguous().T)
    found[:, ::2].sum().backward()
    ours = a.grad
    assert ours is not None
    (theirs,) = torch.autograd.grad(looped(a, b, start)[:, ::2].sum(), [a])
    torch.testing.assert_close(ours, theirs)


def test_second_derivatives_are_refused_rather_than_wrong() -> None:
    a, b, start = arrays(3)
    (gradient,) = torch.autograd.grad(linear_scan(a, b, start).square().sum(), [a], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
