"""Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate of Gers et al., 2000)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell
from suite.nn.cells.initialisation import init_rnn_, rnn_parameters
from suite.nn.cells.masking import append_freeze_column, last_output, length_mask
from suite.nn.cells.precision import full_precision
from suite.nn.cells.state import State

#: The number of features that oneDNN's bfloat16 kernel processes at once.
MULTIPLE = 32


class LSTM(Cell):
    """``torch.nn.LSTM`` as a cell: input, forget and output gates around an additive memory."""

    equation = (
        "i, f, o = σ(W x + U h + b) by gate;  g = tanh(W_g x + U_g h + b_g);\nc' = f ⊙ c + i ⊙ g;  h' = o ⊙ tanh(c')"
    )
    source = "Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; Gers et al. (2000)"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.rnn = nn.LSTM(inputs, hidden, batch_first=True)
        init_rnn_(self.rnn, gates=4)
        # Forget bias 1, so that the cell remembers by default (Jozefowicz et al., 2015).
        rnn_parameters(self.rnn)[2].data[hidden : 2 * hidden] = 1.0

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"h": (self.hidden,), "c": (self.hidden,)}

    def init_time_constants(self, times: Tensor) -> None:
        # Chrono initialisation (Tallec and Ollivier, 2018, arXiv:1804.11188). Random candidate biases make the units
        # differ.
        bias, keep = rnn_parameters(self.rnn)[2].data, torch.log(times - 1)
        bias[: self.hidden], bias[self.hidden : 2 * self.hidden] = -keep, keep
        bias[2 * self.hidden : 3 * self.hidden].normal_(std=0.5)

    def project(self, x: Tensor) -> Tensor:
        weight, _, bias, _ = rnn_parameters(self.rnn)
        return functional.linear(x, weight, bias)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        _, weight, _, bias = rnn_parameters(self.rnn)
        gates = projected + functional.linear(state["h"], weight, bias)
        i, f, g, o = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * state["c"] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, {"h": h, "c": c}

    @full_precision
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return super().scan(x, state, lengths)
        before = (state["h"][None], state["c"][None])
        if lengths is None:
            y, (h, c) = self.rnn(x, before)
            return y, {"h": h[0], "c": c[0]}
        mask = length_mask(lengths, x.shape[1])
        weight, *others = rnn_parameters(self.rnn)
        # In bfloat16 oneDNN takes 1.5 times as long for an odd number of features.
        multiple = MULTIPLE if self.training else 1
        x, weight = append_freeze_column(x, weight, mask, (-1e4, 1e4, 0.0, 0.0), multiple)
        y, _, c = torch.lstm(x, before, [weight, *others], True, 1, 0.0, self.training, False, True)
        return y * mask[:, :, None], {"h": last_output(y, lengths, state["h"]), "c": c[0]}


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"lstm": LSTM}
