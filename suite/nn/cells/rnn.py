"""The simple recurrent network (Elman, 1990)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell
from suite.nn.cells.initialisation import init_rnn_, rnn_parameters
from suite.nn.cells.masking import last_output, length_mask
from suite.nn.cells.precision import full_precision
from suite.nn.cells.state import State


class RNN(Cell):
    """``torch.nn.RNN`` as a cell: tanh of a linear map of input and state."""

    equation = "h' = tanh(W x + U h + b)"
    source = "Elman (1990), Finding structure in time; doi:10.1207/s15516709cog1402_1"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.rnn = nn.RNN(inputs, hidden, batch_first=True)
        init_rnn_(self.rnn, gates=1)

    def project(self, x: Tensor) -> Tensor:
        weight, _, bias, _ = rnn_parameters(self.rnn)
        return functional.linear(x, weight, bias)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        _, weight, _, bias = rnn_parameters(self.rnn)
        h = torch.tanh(projected + functional.linear(state["h"], weight, bias))
        return h, {"h": h}

    @full_precision
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return super().scan(x, state, lengths)
        y, h = self.rnn(x, state["h"][None])
        if lengths is None:
            return y, {"h": h[0]}
        return y * length_mask(lengths, x.shape[1])[:, :, None], {"h": last_output(y, lengths, state["h"])}


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"rnn": RNN}
