"""Masks over time: padding steps give zero outputs and leave the state unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suite.nn.cells.state import State


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """A mask of the steps within each row's length: bool ``[B, T]``, false for padding."""
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


def last_output(y: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """The output at each row's last step, ``[B, T, H] → [B, H]``; ``before [B, H]`` for rows of length 0."""
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, y.shape[2])
    return torch.where((lengths > 0)[:, None], y.gather(1, index)[:, 0], before)


def masked_step(mask: Tensor, y: Tensor, following: State, state: State) -> tuple[Tensor, State]:
    """The results of a step; where ``mask [B]`` is false, zeros for output and the state before it."""
    return _where(mask, y, torch.zeros_like(y)), {name: _where(mask, following[name], state[name]) for name in state}


def append_freeze_column(
    x: Tensor, weight: Tensor, mask: Tensor, gates: Sequence[float], multiple: int = 1
) -> tuple[Tensor, Tensor]:
    """Freeze the state of padding steps through the gates, without packing.

    ``1 − mask`` becomes one more input feature, with a fixed weight column.

    Args:
        x: The inputs, ``[B, T, D]``.
        weight: The input weights of all gates, ``[gates · H, D]``.
        mask: False for padding, bool ``[B, T]``.
        gates: The value of the column for each gate, in the order of the weight's rows: ±1e4 saturates a gate exactly,
            0 leaves it unchanged.
        multiple: Features of zeros are added until their number is a multiple of this, for kernels that need it.

    Returns:
        The extended ``x [B, T, D + 1]`` and ``weight [gates · H, D + 1]``.
    """
    hidden = weight.shape[0] // len(gates)
    column = torch.cat([weight.new_full((hidden, 1), value) for value in gates])
    padding = (~mask).to(x.dtype)[:, :, None]
    zeros = -(x.shape[2] + 1) % multiple
    columns, weights = [x, padding], [weight, column]
    if zeros:
        columns.append(x.new_zeros(*x.shape[:2], zeros))
        weights.append(weight.new_zeros(len(weight), zeros))
    return torch.cat(columns, dim=2), torch.cat(weights, dim=1)


def _where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *(1 for _ in a.shape[1:])), a, b)
