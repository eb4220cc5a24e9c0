"""The decoder: recurrent layers of any cell with attention over a memory."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from suite.errors import UsageError
from suite.nn.cells.base import Cell
from suite.nn.cells.state import State
from suite.nn.layers.attention import Attention
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.specs import AttentionSpec, RecurrentSpec


class AttendingDecoder(nn.Module):
    """Recurrent layers, attention, more recurrent layers, and a linear map to features.

    ``forward(x [B, T, D], state, memory) -> (features [B, T, F], next, weights [B, T, S])`` is one step of generation
    at T = 1, and teacher forcing over a whole target. The queries are the outputs of the layers below the attention,
    which do not depend on the context, so that all steps are computed together. With ``attention.feeding`` (input
    feeding) each step depends on the one before, and they are computed one by one.

    Args:
        cell: The cell class.
        inputs: The number of input features, D.
        memory_features: The number of features of a place of the memory.
        spec: The recurrent layers.
        attention: The attention, and after which layer it comes.
        features: The number of output features, F.

    Raises:
        UsageError: If ``spec`` is bidirectional, or has fewer layers than ``attention.after``.
    """

    def __init__(
        self,
        cell: type[Cell],
        inputs: int,
        memory_features: int,
        spec: RecurrentSpec,
        attention: AttentionSpec,
        features: int,
    ) -> None:
        super().__init__()
        if spec.bidirectional:
            raise UsageError("a decoder is causal: decoder.bidirectional must be false")
        if attention.after > spec.layers:
            raise UsageError(f"attention.after={attention.after}: the decoder has {spec.layers} layers")
        below = attention.after or spec.layers
        self.below = RecurrentStack(
            cell, inputs + features * attention.feeding, dataclasses.replace(spec, layers=below)
        )
        self.attention = Attention(self.below.outputs, memory_features, attention)
        width = self.below.outputs + attention.features
        above = spec.layers - below
        self.above = RecurrentStack(cell, width, dataclasses.replace(spec, layers=above)) if above else None
        # The context also skips the layers above, which helps to copy names.
        width = self.above.outputs + attention.features if self.above is not None else width
        self.join = nn.Linear(width, features)
        self.features, self.feeding, self.residual = features, attention.feeding, spec.residual

    def initial(self, batch: int) -> State:
        """The first state, zeros, of ``batch`` rows."""
        state = {f"below.{name}": value for name, value in self.below.initial(batch).items()}
        if self.above is not None:
            state |= {f"above.{name}": value for name, value in self.above.initial(batch).items()}
        if self.feeding:
            like = self.join.weight
            state["found"] = torch.zeros(batch, self.features, dtype=like.dtype, device=like.device)
        return state

    def forward(self, x: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor]:
        if not self.feeding:
            return self._forward(x, state, memory)
        steps = []
        for t in range(x.shape[1]):
            fed = torch.cat([x[:, t : t + 1], state["found"][:, None].to(x.dtype)], dim=2)
            features, state, weights = self._forward(fed, state, memory)
            state["found"] = features[:, 0]
            steps.append((features, weights))
        return torch.cat([f for f, _ in steps], dim=1), state, torch.cat([w for _, w in steps], dim=1)

    def _forward(self, x: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor]:
        y, after = self.below(x, None, _of("below", state))
        following = {f"below.{name}": value for name, value in after.items()}
        context, weights = self.attention(y, memory)
        if self.above is not None:
            higher, after = self.above(torch.cat([y, context], dim=2), None, _of("above", state))
            following |= {f"above.{name}": value for name, value in after.items()}
            y = y + higher if self.residual else higher
        y = torch.cat([y, context], dim=2)
        return self.join(y), following, weights


def _of(part: str, state: State) -> State:
    """The arrays of a part of the state, without its prefix."""
    return {name.partition(".")[2]: value for name, value in state.items() if name.startswith(f"{part}.")}
