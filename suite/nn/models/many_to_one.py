"""Many-to-one models: one output vector for a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.nn.cells.base import Cell
from suite.nn.cells.state import State
from suite.nn.layers.pooling import make_pooling
from suite.nn.models.base import SingleGraphModel, output_head
from suite.nn.specs import HeadSpec, RecurrentSpec


class ManyToOne(SingleGraphModel):
    """A sequence to one vector of K outputs: front end, encoder, pooling, head.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs [B, K], next)``. The outputs are those of all steps so
    far, so that the same graph classifies a whole sequence and streams it. See ``SingleGraphModel`` for the arguments.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: RecurrentSpec, head: HeadSpec, outputs: int,
        example: Tensor,
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, example)
        self.poolings = nn.ModuleList([make_pooling(name, self.encoder.outputs) for name in head.pooling])
        self.head, width = output_head(self.encoder.outputs * len(head.pooling), head)
        self.head.append(nn.Linear(width, outputs))

    def initial(self, batch: int) -> State:
        """The first state of ``batch`` rows, zeros; arrays of poolings are prefixed ``pool.``."""
        like = next(self.parameters())
        pools = {
            f"pool.{name}": torch.zeros(batch, *shape, dtype=like.dtype, device=like.device)
            for module in self.poolings
            for name, shape in module.state_shapes().items()  # type: ignore[operator]
        }
        return {**super().initial(batch), **pools}

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        carried = {k: v for k, v in state.items() if not k.startswith("pool.")}
        pools = {k[5:]: v for k, v in state.items() if k.startswith("pool.")}
        y, following = self.encode(inputs, lengths, carried)
        vectors = []
        for module in self.poolings:
            vector, after = module(y, lengths, pools)
            vectors.append(vector)
            following.update({f"pool.{name}": value for name, value in after.items()})
        return self.head(torch.cat(vectors, dim=1)), following
