"""Pooling over time, with state, so that it also works on a stream.

Each pooling maps a chunk of encoder outputs ``[B, T, H]`` and a state to one vector ``[B, H]`` for all steps so far,
and the next state. All are exact: every chunking gives the same vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.errors import UsageError, nearest
from suite.nn.cells.masking import last_output, length_mask
from suite.nn.cells.state import State


class Pooling(nn.Module):
    """The base class: ``forward(y [B, T, H], lengths [B], state) -> (pooled [B, H], next)``."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The state's arrays by name, without the batch axis; the state starts at zero."""
        raise NotImplementedError


class LastPooling(Pooling):
    """The output of the last step."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"last": (self.hidden,)}

    def forward(self, y: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        pooled = last_output(y, lengths, state["last"])
        return pooled, {"last": pooled}


class MeanPooling(Pooling):
    """The running mean."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"mean": (self.hidden,), "count": (1,)}

    def forward(self, y: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        # A mean and a count: a sum would lose precision on a long stream.
        count = state["count"] + lengths[:, None].to(y.dtype)
        total = (y * length_mask(lengths, y.shape[1])[:, :, None]).sum(dim=1)
        share = lengths[:, None].to(y.dtype) / count.clamp(min=1)
        mean = state["mean"] * (1 - share) + total / count.clamp(min=1)
        return mean, {"mean": mean, "count": count}


class MaxPooling(Pooling):
    """The running maximum of each feature; zero before the first step."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"max": (self.hidden,), "begun": (1,)}

    def forward(self, y: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        inside = length_mask(lengths, y.shape[1])[:, :, None]
        begun = torch.maximum(state["begun"], (lengths > 0)[:, None].to(y.dtype))
        before = torch.where(state["begun"] > 0, state["max"], -1e30)
        top = torch.maximum(before, torch.where(inside, y, -1e30).amax(dim=1))
        pooled = torch.where(begun > 0, top, 0.0)
        return pooled, {"max": pooled, "begun": begun}


class AttentionPooling(Pooling):
    """A weighted mean, with a softmax over time of a learnt score of each output (Yang et al., 2016).

    The state is that of an online softmax (Milakov and Gimelshein, 2018, arXiv:1805.02867): the highest score, the sum
    of weights relative to it, and the weighted mean.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden)
        self.score = nn.Linear(hidden, 1)
        nn.init.normal_(self.score.weight, std=hidden**-0.5)
        nn.init.zeros_(self.score.bias)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"attended": (self.hidden,), "top": (1,), "weight": (1,)}

    def forward(self, y: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        inside = length_mask(lengths, y.shape[1])
        scores = torch.where(inside, self.score(y)[:, :, 0], -1e30)
        # Before the first step the weight is zero, and the score in the state is ignored.
        top = torch.maximum(torch.where(state["weight"] > 0, state["top"], -1e30), scores.amax(dim=1, keepdim=True))
        top = torch.where(top > -1e29, top, torch.zeros_like(top))
        weights = torch.where(inside, torch.exp(scores - top), 0.0)
        before = state["weight"] * torch.exp(torch.where(state["weight"] > 0, state["top"] - top, 0.0))
        weight = before + weights.sum(dim=1, keepdim=True)
        attended = (state["attended"] * before + (weights[:, :, None] * y).sum(dim=1)) / weight.clamp(min=1e-30)
        return attended, {"attended": attended, "top": top, "weight": weight}


POOLINGS: dict[str, type[Pooling]] = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "attention": AttentionPooling,
}


def make_pooling(name: str, hidden: int) -> Pooling:
    """The pooling of a name, over ``hidden`` features. Raises UsageError for an unknown name."""
    if name not in POOLINGS:
        raise UsageError(f"pooling {name!r}: no such pooling; {nearest(name, POOLINGS)}")
    return POOLINGS[name](hidden)
