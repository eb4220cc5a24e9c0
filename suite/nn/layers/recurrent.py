"""The encoder: a stack of recurrent layers of any cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.nn.cells.base import Cell, make_cell
from suite.nn.cells.masking import length_mask
from suite.nn.cells.state import State
from suite.nn.specs import RecurrentSpec


class RecurrentLayer(nn.Module):
    """Norm → cell (in one direction or both) → dropout → residual connection, then a feedforward block if asked for."""

    def __init__(self, cell: type[Cell], inputs: int, spec: RecurrentSpec) -> None:
        super().__init__()
        self.norm = _norm(spec.norm, inputs)
        self.cell = make_cell(cell, inputs, spec.hidden, spec.cell_options)
        self.back = make_cell(cell, inputs, spec.hidden, spec.cell_options) if spec.bidirectional else None
        self.outputs = spec.hidden * (2 if spec.bidirectional else 1)
        self.dropout = nn.Dropout(spec.dropout)
        self.residual = spec.residual and inputs == self.outputs
        width = int(self.outputs * spec.feedforward)
        self.feedforward = (
            nn.Sequential(
                _norm(spec.norm if spec.norm != "none" else "layer", self.outputs),
                nn.Linear(self.outputs, width),
                nn.GELU(),
                nn.Linear(width, self.outputs),
                nn.Dropout(spec.dropout),
            )
            if width
            else None
        )

    def forward(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        normed = self.norm(x)
        y, following = self.cell.scan(normed, state, lengths)
        if self.back is not None:
            assert lengths is not None
            start = self.back.initial(x.shape[0])
            reverse, _ = self.back.scan(reverse_by_length(normed, lengths), start, lengths)
            y = torch.cat([y, reverse_by_length(reverse, lengths)], dim=2)
        y = self.dropout(y)
        if self.residual:
            y = y + x
        if self.feedforward is not None:
            y = y + self.feedforward(y)
        return y, following


class RecurrentStack(nn.Module):
    """Recurrent layers: ``forward(x [B, T, D], lengths [B], state) -> (y [B, T, outputs], next)``.

    The state is flat, with names prefixed by layer: ``0.h``, ``0.c``, ``1.h``, … With ``lengths`` None there is no
    padding; else outputs beyond a row's length are zero.

    Args:
        cell: The cell class.
        inputs: The number of input features, D.
        spec: The sizes of the layers.

    Raises:
        UsageError: For options that the cell does not have, or of the wrong type.
    """

    def __init__(self, cell: type[Cell], inputs: int, spec: RecurrentSpec) -> None:
        super().__init__()
        layers: list[RecurrentLayer] = []
        for _ in range(spec.layers):
            layers.append(RecurrentLayer(cell, layers[-1].outputs if layers else inputs, spec))
        self.layers = nn.ModuleList(layers)
        self.outputs = layers[-1].outputs
        self.causal = not spec.bidirectional

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The state's arrays by name, without the batch axis."""
        return {
            f"{i}.{name}": shape
            for i, layer in enumerate(self.layers)
            for name, shape in layer.cell.state_shapes().items()  # type: ignore[union-attr,operator]
        }

    def initial(self, batch: int) -> State:
        """The first state of all cells, with ``batch`` rows."""
        return {
            f"{i}.{name}": value
            for i, layer in enumerate(self.layers)
            for name, value in layer.cell.initial(batch).items()  # type: ignore[union-attr,operator]
        }

    def forward(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        following: State = {}
        for i, layer in enumerate(self.layers):
            own = {k.partition(".")[2]: v for k, v in state.items() if k.startswith(f"{i}.")}
            x, after = layer(x, lengths, own)
            following.update({f"{i}.{name}": value for name, value in after.items()})
        return x if lengths is None else x * length_mask(lengths, x.shape[1])[:, :, None], following


class RMSNorm(nn.Module):
    """Root mean square normalisation (Zhang and Sennrich, 2019, arXiv:1910.07467)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = functional.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * self.weight
        return normed


def reverse_by_length(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the steps within each row's length, leaving padding in place: ``[B, T, D] → [B, T, D]``."""
    steps = torch.arange(x.shape[1], device=x.device)[None, :].expand(x.shape[0], -1)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


def _norm(name: str, features: int) -> nn.Module:
    if name == "none":
        return nn.Identity()
    return nn.LayerNorm(features) if name == "layer" else RMSNorm(features)
