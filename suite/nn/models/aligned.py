"""Aligned models: outputs at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.errors import UsageError
from suite.nn.cells.base import Cell
from suite.nn.cells.masking import length_mask
from suite.nn.cells.state import State
from suite.nn.models.base import SingleGraphModel, output_head
from suite.nn.specs import RecurrentSpec, StepHeadSpec


class Aligned(SingleGraphModel):
    """A sequence to K outputs at every step: front end, encoder, and one head for all steps.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs [B, T, K], next)``; outputs beyond a row's length are
    zero. With ``head.tied`` the output weights are the embedding of the front end (Press and Wolf, 2017,
    arXiv:1608.05859), after a projection where the sizes differ. See ``SingleGraphModel`` for the arguments.

    Raises:
        UsageError: If ``head.tied`` is set and the front end is not an embedding of K tokens.
    """

    over_time = True

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: RecurrentSpec, head: StepHeadSpec, outputs: int,
        example: Tensor, graph: str = "encoder",
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, example, graph)
        self.head, width = output_head(self.encoder.outputs, head)
        self.bias = nn.Parameter(torch.zeros(outputs)) if head.tied else None
        if not head.tied:
            self.head.append(nn.Linear(width, outputs))
            return
        table = getattr(frontend, "table", None)
        if not isinstance(table, nn.Embedding) or table.num_embeddings != outputs:
            raise UsageError(f"head.tied needs an embedding of {outputs} tokens, as many as outputs, as front end")
        if width != table.embedding_dim:
            self.head.append(nn.Linear(width, table.embedding_dim))

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        y, following = self.encode(inputs, lengths, state)
        outputs: Tensor = self.head(y)
        if self.bias is not None:
            outputs = functional.linear(outputs, self.frontend.table.weight, self.bias)  # type: ignore[union-attr,arg-type]
        return outputs * length_mask(lengths, outputs.shape[1])[:, :, None], following
