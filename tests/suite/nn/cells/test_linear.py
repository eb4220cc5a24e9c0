"""Cells whose step is linear in the state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite import testing
from suite.nn.cells.linear import LinearCell


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
