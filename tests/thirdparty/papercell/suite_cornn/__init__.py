"""A network of driven, damped, coupled oscillators (Rusch and Mishra, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from suite.hooks import hookimpl
from suite.nn.cells.base import Cell, State

api_version = 2


@dataclass(frozen=True)
class CoRNNOptions:
    """``step`` is the paper's Δt, ``stiffness`` its γ and ``damping`` its ε."""

    step: float = 0.1
    stiffness: float = 1.0
    damping: float = 1.0

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"step must be above 0, not {self.step}")


class CoRNN(Cell):
    """Two arrays of state: the position of each oscillator (y), and its velocity (z).

    The velocity in the damping term is the next one, which solves the step implicitly in it.
    """

    equation = "z' = (z + Δt (tanh(W y + V z + U x + b) − γ y)) / (1 + Δt ε)\ny' = y + Δt z'"
    source = "Rusch and Mishra (2021), Coupled oscillatory recurrent neural network; arXiv:2010.00951"
    options = CoRNNOptions

    def __init__(self, inputs: int, hidden: int, options: CoRNNOptions = CoRNNOptions()) -> None:
        super().__init__(inputs, hidden)
        self.dt, self.stiffness, self.damping = options.step, options.stiffness, options.damping
        self.input = nn.Linear(inputs, hidden)
        self.place, self.velocity = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"y": (self.hidden,), "z": (self.hidden,)}

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        y, z = state["y"], state["z"]
        force = torch.tanh(self.place(y) + self.velocity(z) + projected) - self.stiffness * y
        z = (z + self.dt * force) / (1 + self.dt * self.damping)
        y = y + self.dt * z
        return y, {"y": y, "z": z}


@hookimpl
def suite_cells() -> dict[str, type[Cell]]:
    return {"cornn": CoRNN}
