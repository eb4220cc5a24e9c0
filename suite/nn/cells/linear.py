"""Linear recurrences: cells whose step is ``h' = a ⊙ h + b`` with a and b of the input alone."""

from __future__ import annotations

import torch
from torch import Tensor

from suite.nn.cells.base import Cell
from suite.nn.cells.masking import length_mask
from suite.nn.cells.state import State
from suite.nn.ops.linear_scan import linear_scan


class LinearCell(Cell):
    """A cell of the form ``h' = a ⊙ h + b``; a subclass defines ``coefficients``."""

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The coefficients of a step: ``x […, D] → a, b […, H]``."""
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
        mask = None if lengths is None else length_mask(lengths, x.shape[1])[:, :, None]
        if mask is not None:
            # Padding leaves the state unchanged: a = 1, b = 0.
            a, b = torch.where(mask, a, 1.0), torch.where(mask, b, 0.0)
        y = linear_scan(a, b, state["h"])
        return y if mask is None else y * mask, {"h": y[:, -1]}
