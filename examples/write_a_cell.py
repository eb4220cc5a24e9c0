"""A recurrent cell of your own: defined, held to every law of a cell, and trained in a task that never heard of it."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

import suite
from suite.nn.cells.base import Cell, State
from suite.plugins import registry
from suite.testing import check_cell


class Leaky(Cell):
    """A leaky integrator: h' = a ⊙ h + (1 − a) ⊙ tanh(W x)."""

    equation = "h' = a ⊙ h + (1 − a) ⊙ tanh(W x)"
    source = "Jaeger et al. (2007), doi:10.1016/j.neunet.2007.04.016"

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight = nn.Linear(inputs, hidden)
        self.leak = nn.Parameter(torch.zeros(hidden))

    def project(self, x: Tensor) -> Tensor:
        """What needs no state: computed for all steps at once."""
        return torch.tanh(self.weight(x))

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """One step."""
        a = torch.sigmoid(self.leak)
        h = a * state["h"] + (1 - a) * projected
        return h, {"h": h}


def main() -> None:
    check_cell(Leaky)
    print("every law of a cell holds")
    # An installed package names the cell in an entry point (see docs/cells.md); a script may register it itself.
    registry().register_cell("leaky", Leaky)
    with tempfile.TemporaryDirectory() as place:
        checkpoint = suite.train(
            "sentiment",
            data=Path(__file__).parents[1] / "assets" / "sentiment" / "samples" / "labelled.csv",
            out=Path(place) / "model",
            cell="leaky",
            epochs=2,
            settings={"encoder.hidden": 32},
        )
        print(suite.pipeline("sentiment", checkpoint.path)("What a lovely day").label)


if __name__ == "__main__":
    main()
