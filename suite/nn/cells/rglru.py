"""The real-gated linear recurrent unit of Griffin (De et al., 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell
from suite.nn.cells.initialisation import glorot_gates_
from suite.nn.cells.linear import LinearCell


class RGLRU(LinearCell):
    """RG-LRU: a diagonal linear recurrence with a decay gated by the input, and normalised inputs.

    A linear map first brings the input to H features, as in the recurrent block of Griffin. The gates are dense; those
    of the published models are block-diagonal.
    """

    equation = (
        "u = W x + b;  r = σ(W_r u + b_r);  i = σ(W_i u + b_i);\n"
        "log a = −8 · softplus(Λ) ⊙ r;  h' = a ⊙ h + sqrt(1 − a²) ⊙ (i ⊙ u)"
    )
    source = "De et al. (2024), Griffin; arXiv:2402.19427, section 2.4"
    sharpness = 8.0

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.input = nn.Linear(inputs, hidden)
        self.gates = nn.Linear(hidden, 2 * hidden)
        glorot_gates_(self.input.weight.data, gates=1)
        glorot_gates_(self.gates.weight.data, gates=2)
        nn.init.zeros_(self.input.bias)
        nn.init.zeros_(self.gates.bias)
        # The decay a at r = 1 is spread over 0.9 … 0.999 (Griffin, section 2.4; LRU, arXiv:2303.06349).
        decay = torch.empty(hidden).uniform_(0.9, 0.999)
        self.decay = nn.Parameter(torch.log(torch.expm1(-torch.log(decay) / self.sharpness)))

    def init_time_constants(self, times: Tensor) -> None:
        # Before training the gate r is about one half.
        rate = -torch.log1p(-1 / times) * 2 / self.sharpness
        self.decay.data.copy_(torch.log(torch.expm1(rate)))

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = self.input(x)
        recurrence, gate = self.gates(u).chunk(2, dim=-1)
        gate = torch.sigmoid(gate)
        # σ(r) as exp(−softplus(−r)), which is accurate near 0: ONNX Runtime's sigmoid has an absolute error of 1e-7.
        log_a = -self.sharpness * functional.softplus(self.decay) * torch.exp(-functional.softplus(-recurrence))
        # sqrt(1 − a²) as tanh and exp: exact near a = 1, where 1 − a² cancels; and expm1 has no ONNX form.
        keep = torch.sqrt(torch.tanh(-log_a) * (torch.exp(2 * log_a) + 1))
        return torch.exp(log_a), keep * gate * u


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"rglru": RGLRU}
