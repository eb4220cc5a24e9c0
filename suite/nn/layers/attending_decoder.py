"""The decoder: a stack of recurrent layers of any cell that looks at a memory while it writes."""

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
    """Layers, attention, more layers, and the features that outputs are made of.

    ``forward(x [B, T, D], state, memory) -> (features [B, T, F], next, weights [B, T, S])`` is a step at T = 1, and
    teacher forcing is the same call over the whole target: attention asks with what the layers below it said, which
    depends on no later layer, so all steps of it are one product. What is found goes to the layers above, whose
    state carries it on. Only with ``feeding`` must a step wait for the step before; the steps are then taken one by
    one.
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
            raise UsageError("a decoder writes forwards: decoder.bidirectional must be false")
        if attention.after > spec.layers:
            raise UsageError(f"attention.after={attention.after}: the decoder has {spec.layers} layers")
        below = attention.after or spec.layers
        self.below = RecurrentStack(
            cell, inputs + features * attention.feeding, dataclasses.replace(spec, layers=below)
        )
        self.attention = Attention(self.below.outputs, memory_features, attention)
        read = self.below.outputs + attention.features
        above = spec.layers - below
        self.above = RecurrentStack(cell, read, dataclasses.replace(spec, layers=above)) if above else None
        # What was found goes past the layers above too: a name is copied by finding it.
        read = self.above.outputs + attention.features if self.above is not None else read
        self.join = nn.Linear(read, features)
        self.features, self.feeding, self.residual = features, attention.feeding, spec.residual

    def initial(self, batch: int) -> State:
        """The state before anything is written or told: zeros."""
        state = {f"below.{name}": value for name, value in self.below.initial(batch).items()}
        if self.above is not None:
            state |= {f"above.{name}": value for name, value in self.above.initial(batch).items()}
        if self.feeding:
            like = self.join.weight
            state["found"] = torch.zeros(batch, self.features, dtype=like.dtype, device=like.device)
        return state

    def forward(self, x: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor]:
        if not self.feeding:
            return self._read(x, state, memory)
        steps = []
        for t in range(x.shape[1]):
            fed = torch.cat([x[:, t : t + 1], state["found"][:, None].to(x.dtype)], dim=2)
            features, state, weights = self._read(fed, state, memory)
            state["found"] = features[:, 0]
            steps.append((features, weights))
        return torch.cat([f for f, _ in steps], dim=1), state, torch.cat([w for _, w in steps], dim=1)

    def _read(self, x: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor]:
        y, after = self.below(x, None, _of("below", state))
        following = {f"below.{name}": value for name, value in after.items()}
        found, weights = self.attention(y, memory)
        if self.above is not None:
            higher, after = self.above(torch.cat([y, found], dim=2), None, _of("above", state))
            following |= {f"above.{name}": value for name, value in after.items()}
            y = y + higher if self.residual else higher
        y = torch.cat([y, found], dim=2)
        return self.join(y), following, weights


def _of(part: str, state: State) -> State:
    """The arrays of a part of the state, by the names they have there."""
    return {name.partition(".")[2]: value for name, value in state.items() if name.startswith(f"{part}.")}
