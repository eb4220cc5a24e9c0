"""Linear recurrences: cells whose step is ``h' = a ⊙ h + b`` with a and b of the input alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.nn.cells.base import Cell, State, within


class LinearCell(Cell):
    """A cell of the form ``h' = a ⊙ h + b``; a subclass defines ``coefficients``."""

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x […, D] → a, b […, H]``."""
        raise RuntimeError(f"{type(self).__name__} does not define coefficients")

    def project(self, x: Tensor) -> Tensor:
        return torch.cat(self.coefficients(x), dim=-1)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        a, b = projected.chunk(2, dim=-1)
        h = a * state["h"] + b
        return h, {"h": h}

    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        if torch.onnx.is_in_onnx_export() or x.shape[1] == 0:
            return super().scan(x, state, lengths)
        a, b = self.coefficients(x)
        mask = None if lengths is None else within(lengths, x.shape[1])[:, :, None]
        if mask is not None:
            # Beyond a row's length the state is kept as it is: a = 1, b = 0.
            a, b = torch.where(mask, a, 1.0), torch.where(mask, b, 0.0)
        y = linear_scan(a, b, state["h"])
        return y if mask is None else y * mask, {"h": y[:, -1]}


def linear_scan(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """``h[t] = a[t] ⊙ h[t − 1] + b[t]`` for ``a, b [B, T, H]`` from ``start [B, H]``: ``[B, T, H]``.

    It is summed in the precision of ``start``, also where autocast gives coefficients in a lower one.
    """
    scanned: Tensor = _LinearScan.apply(a.to(start.dtype), b.to(start.dtype), start)  # type: ignore[no-untyped-call]
    return scanned


class _LinearScan(torch.autograd.Function):
    """The scan and its gradient as two fused loops over time.

    On a processor this beats both the log-space scan (which pays for its logarithms) and autograd through a
    loop (which keeps a graph node a step): the backward pass is the same recurrence run from the end.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
        steps = a.transpose(0, 1).contiguous()
        h = b.transpose(0, 1).clone(memory_format=torch.contiguous_format)
        previous = start
        for t in range(h.shape[0]):
            previous = h[t].addcmul_(steps[t], previous)
        ctx.save_for_backward(steps, h, start)
        return h.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, h, start = ctx.saved_tensors
        grad_b = grads[0].transpose(0, 1).clone(memory_format=torch.contiguous_format)
        for t in range(h.shape[0] - 2, -1, -1):
            grad_b[t].addcmul_(steps[t + 1], grad_b[t + 1])
        grad_a = torch.cat([start[None], h[:-1]]) * grad_b
        return grad_a.transpose(0, 1), grad_b.transpose(0, 1), steps[0] * grad_b[0]
