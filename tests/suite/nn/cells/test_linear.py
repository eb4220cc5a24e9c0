"""Cells whose step is linear in the state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite import testing
from suite.nn.cells.linear import LinearCell


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


def test_a_linear_cell_needs_its_coefficients_only() -> None:
    class Leaky(LinearCell):
        def __init__(self, inputs: int, hidden: int) -> None:
            super().__init__(inputs, hidden)
            self.input = torch.nn.Linear(inputs, hidden)

        def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
            u = self.input(x)
            return torch.full_like(u, 0.5), u

    testing.check_cell(Leaky)
    with pytest.raises(RuntimeError, match="LinearCell does not define coefficients"):
        LinearCell(2, 3).scan(torch.zeros(1, 1, 2), {"h": torch.zeros(1, 3)})
