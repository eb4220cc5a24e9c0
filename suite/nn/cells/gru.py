"""The gated recurrent unit (Cho et al., 2014), in the form of cuDNN and torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell
from suite.nn.cells.initialisation import init_rnn_, rnn_parameters
from suite.nn.cells.masking import append_freeze_column, length_mask
from suite.nn.cells.precision import full_precision
from suite.nn.cells.state import State


class GRU(Cell):
    """``torch.nn.GRU`` as a cell: an update gate and a reset gate."""

    equation = (
        "r = σ(W_r x + U_r h + b_r);  z = σ(W_z x + U_z h + b_z);\n"
        "n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n));  h' = (1 − z) ⊙ n + z ⊙ h"
    )
    source = "Cho et al. (2014), arXiv:1406.1078; the reset gate inside U h as in torch.nn.GRU"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.rnn = nn.GRU(inputs, hidden, batch_first=True)
        init_rnn_(self.rnn, gates=3)

    def init_time_constants(self, times: Tensor) -> None:
        bias = rnn_parameters(self.rnn)[2].data
        bias[self.hidden : 2 * self.hidden] = torch.log(times - 1)
        bias[2 * self.hidden :].normal_()

    def project(self, x: Tensor) -> Tensor:
        weight, _, bias, _ = rnn_parameters(self.rnn)
        return functional.linear(x, weight, bias)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        h = state["h"]
        xr, xz, xn = projected.chunk(3, dim=-1)
        _, weight, _, bias = rnn_parameters(self.rnn)
        hr, hz, hn = functional.linear(h, weight, bias).chunk(3, dim=-1)
        reset, update = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        h = (1 - update) * torch.tanh(xn + reset * hn) + update * h
        return h, {"h": h}

    @full_precision
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return super().scan(x, state, lengths)
        if lengths is None:
            y, h = self.rnn(x, state["h"][None])
            return y, {"h": h[0]}
        mask = length_mask(lengths, x.shape[1])
        weight, *others = rnn_parameters(self.rnn)
        x, weight = append_freeze_column(x, weight, mask, (0.0, 1e4, 0.0))
        y, h = torch.gru(x, state["h"][None], [weight, *others], True, 1, 0.0, self.training, False, True)
        return y * mask[:, :, None], {"h": h[0]}


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"gru": GRU}
