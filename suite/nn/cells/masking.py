"""Masks over time: steps beyond a row's length give zeros and leave the state alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suite.nn.cells.state import State


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """Which steps count: bool ``[B, T]``, true before each row's length."""
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


def last_output(y: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """The output at each row's last step, ``[B, T, H] → [B, H]``; ``before [B, H]`` where a row is empty."""
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, y.shape[2])
    return torch.where((lengths > 0)[:, None], y.gather(1, index)[:, 0], before)


def masked_step(mask: Tensor, y: Tensor, following: State, state: State) -> tuple[Tensor, State]:
    """A step where ``mask [B]`` says that it counts; elsewhere its output is zero and the state stands still."""
    return _where(mask, y, torch.zeros_like(y)), {name: _where(mask, following[name], state[name]) for name in state}


def append_freeze_column(
    x: Tensor, weight: Tensor, mask: Tensor, gates: Sequence[float], multiple: int = 1
) -> tuple[Tensor, Tensor]:
    """Let gates stop a state beyond a row's length, without packing.

    Appends ``1 − mask`` as one more input feature and a fixed weight column for it. ``gates`` gives the
    column's value for each gate, in the order of the weight's rows: ±1e4 saturates a gate exactly, 0 leaves
    it alone. Returns the longer ``x [B, T, D + 1]`` and ``weight [gates · H, D + 1]``; features of zeros follow where
    D + 1 is no ``multiple`` of what a kernel is quick at.
    """
    hidden = weight.shape[0] // len(gates)
    column = torch.cat([weight.new_full((hidden, 1), value) for value in gates])
    stopped = (~mask).to(x.dtype)[:, :, None]
    zeros = -(x.shape[2] + 1) % multiple
    wide, long = [x, stopped], [weight, column]
    if zeros:
        wide.append(x.new_zeros(*x.shape[:2], zeros))
        long.append(weight.new_zeros(len(weight), zeros))
    return torch.cat(wide, dim=2), torch.cat(long, dim=1)


def _where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *(1 for _ in a.shape[1:])), a, b)
