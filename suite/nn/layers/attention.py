"""Attention over a memory of S places."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.nn.cells.masking import length_mask
from suite.nn.cells.state import State
from suite.nn.specs import AttentionSpec

#: Added to the scores of masked places: their weights are 0 after softmax. Finite, so that where all places are masked
#: the weights are no NaN.
MASKED = -1e9


class Attention(nn.Module):
    """Additive or multiplicative attention over a memory (Bahdanau et al., 2015; Luong et al., 2015).

    ``make_memory(values [B, S, M], lengths [B])`` projects the values once: ``keys`` and ``values``, both
    ``[B, S, A]``, and ``mask [B, S]``. ``forward(x [B, T, Q], memory) -> (context [B, T, A], weights [B, T, S])``; with
    several heads, the weights returned are their mean.

    Args:
        query_features: The number of features of a query, Q.
        memory_features: The number of features of a place, M.
        spec: The kind of attention, its features A, and its heads.
    """

    def __init__(self, query_features: int, memory_features: int, spec: AttentionSpec) -> None:
        super().__init__()
        self.query = nn.Linear(query_features, spec.features)
        self.key = nn.Linear(memory_features, spec.features, bias=False)
        self.value = nn.Linear(memory_features, spec.features, bias=False)
        self.heads, self.features = spec.heads, spec.features
        size = spec.features // spec.heads
        self.scale = size**-0.5
        self.energy = nn.Parameter(torch.randn(spec.heads, size) * size**-0.5) if spec.kind == "additive" else None

    def make_memory(self, values: Tensor, lengths: Tensor) -> State:
        """The memory as named arrays; places beyond a row's length are masked."""
        return {"keys": self.key(values), "values": self.value(values), "mask": length_mask(lengths, values.shape[1])}

    def forward(self, x: Tensor, memory: State) -> tuple[Tensor, Tensor]:
        query, keys, values = (self._split(a) for a in (self.query(x), memory["keys"], memory["values"]))
        if self.energy is None:
            scores = query @ keys.transpose(2, 3) * self.scale
        else:
            each = torch.tanh(query[:, :, :, None] + keys[:, :, None])
            scores = (each * self.energy[:, None, None]).sum(4)
        scores = scores + torch.where(memory["mask"], 0.0, MASKED).to(scores.dtype)[:, None, None]
        weights = torch.softmax(scores, dim=3)
        context = (weights @ values).transpose(1, 2).flatten(2)
        return context, weights.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        """``[B, T, A]`` to heads, ``[B, N, T, A / N]``."""
        return x.view(x.shape[0], x.shape[1], self.heads, self.features // self.heads).transpose(1, 2)
