"""Front ends: what turns a model's inputs into feature vectors for the first recurrent layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.nn.specs import EmbeddingSpec


class Embedding(nn.Module):
    """Token ids ``[B, T]`` to vectors ``[B, T, D]``."""

    def __init__(self, vocabulary: int, spec: EmbeddingSpec) -> None:
        super().__init__()
        self.features = spec.features
        self.table = nn.Embedding(vocabulary, spec.features)
        nn.init.normal_(self.table.weight, std=spec.features**-0.5)
        self.drop_word = spec.drop_word
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        x: Tensor = self.table(inputs)
        if self.training and self.drop_word:
            kept = torch.rand(inputs.shape, device=x.device) >= self.drop_word
            x = x * kept[:, :, None] / (1 - self.drop_word)
        dropped: Tensor = self.dropout(x)
        return dropped


class Features(nn.Module):
    """Feature vectors ``[B, T, D]`` as they are."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs
