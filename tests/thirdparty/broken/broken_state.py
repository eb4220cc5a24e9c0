"""A state of other shapes than the cell declares."""

import torch

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell


class Wrong(Cell):
    def __init__(self, inputs, hidden):
        super().__init__(inputs, hidden)
        self.weight = torch.nn.Linear(inputs, hidden + 1)

    def recur(self, projected, state):
        h = torch.tanh(self.weight(projected))
        return h, {"h": h}


@hookimpl
def suite_cells():
    return {"wrong-state": Wrong}
