"""The minimal gated recurrent unit, whose gate depends on the input alone (Feng et al., 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell
from suite.nn.cells.initialisation import glorot_gates_
from suite.nn.cells.linear import LinearCell


class MinGRU(LinearCell):
    """minGRU in its plain form (section 3.1 of the paper): a linear recurrence, since no gate depends on the state."""

    equation = "z = σ(W_z x + b_z);  n = W_n x + b_n;  h' = (1 − z) ⊙ h + z ⊙ n"
    source = "Feng et al. (2024), Were RNNs all we needed?; arXiv:2410.01201, section 3.1"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.gates = nn.Linear(inputs, 2 * hidden)
        glorot_gates_(self.gates.weight.data, gates=2)
        nn.init.zeros_(self.gates.bias)
        # An update bias of −1 corresponds to the forget bias 1 of the other cells.
        self.gates.bias.data[:hidden] = -1.0

    def init_time_constants(self, times: Tensor) -> None:
        self.gates.bias.data[: self.hidden] = -torch.log(times - 1)
        self.gates.bias.data[self.hidden :].normal_(std=0.5)

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        update, candidate = self.gates(x).chunk(2, dim=-1)
        update = torch.sigmoid(update)
        return 1 - update, update * candidate


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"mingru": MinGRU}
