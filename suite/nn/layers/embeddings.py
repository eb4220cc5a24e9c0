"""Front ends: what turns a model's inputs into feature vectors for the first recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from suite.errors import UsageError
from suite.nn.layers.frontends import Frontend
from suite.nn.specs import EmbeddingSpec, MaskSpec


class Embedding(Frontend):
    """Token ids ``[B, T]`` to vectors ``[B, T, D]``.

    The token ``silent`` is the zero vector for good: an unknown word is then what a dropped word is, and says
    nothing. In training, whole words and whole features are dropped (Gal and Ghahramani, 2016, arXiv:1512.05287).
    ``scaled`` vectors are multiplied by √D: those of a table that also makes the outputs start too small to be read.
    """

    def __init__(self, vocabulary: int, spec: EmbeddingSpec, silent: int | None = None, scaled: bool = False) -> None:
        super().__init__()
        self.features = spec.features
        self.table = nn.Embedding(vocabulary, spec.features, padding_idx=silent)
        self.fill(spec.features**-0.5)
        self.drop_word, self.dropout = spec.drop_word, spec.dropout
        self.scale = spec.features**0.5 if scaled else None

    def fill(self, std: float) -> None:
        """Start every row anew from a normal distribution; the silent one stays zero."""
        with torch.no_grad():
            self.table.weight.normal_(std=std)
            if self.table.padding_idx is not None:
                self.table.weight[self.table.padding_idx] = 0

    def example(self) -> Tensor:
        return torch.zeros(2, 2, dtype=torch.int64)

    def forward(self, inputs: Tensor) -> Tensor:
        x: Tensor = self.table(inputs)
        if self.scale is not None:
            x = x * self.scale
        if self.training and self.drop_word:
            x = x * (torch.rand(inputs.shape, device=x.device) >= self.drop_word)[:, :, None]
        return _thinned(x, self.dropout) if self.training and self.dropout else x


class FactoredEmbedding(Frontend):
    """Rows of whole numbers ``[B, T, F]`` to vectors ``[B, T, D]``: a table for each of the F columns, joined.

    The first column is the token and has ``spec.features``; the others are what is known beside it, each with as
    many features as ``beside`` says. In training whole features are dropped, the same ones at all of a row's steps.
    """

    def __init__(self, sizes: Sequence[int], spec: EmbeddingSpec, beside: Sequence[int]) -> None:
        super().__init__()
        if len(beside) != len(sizes) - 1:
            raise UsageError(f"{len(sizes) - 1} columns stand beside the token, {len(beside)} widths are given")
        widths = (spec.features, *beside)
        self.features, self.dropout = sum(widths), spec.dropout
        self.table = nn.Embedding(sizes[0], spec.features)
        self.beside = nn.ModuleList([nn.Embedding(size, width) for size, width in zip(sizes[1:], beside, strict=True)])
        for table in (self.table, *self.beside):
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)

    def example(self) -> Tensor:
        return torch.zeros(2, 2, 1 + len(self.beside), dtype=torch.int64)

    def forward(self, inputs: Tensor) -> Tensor:
        tables = (self.table, *self.beside)
        x = torch.cat([table(inputs[..., i]) for i, table in enumerate(tables)], dim=-1)
        return _thinned(x, self.dropout) if self.training and self.dropout else x


class FeatureInput(Frontend):
    """Feature vectors ``[B, T, D]`` as they are."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def example(self) -> Tensor:
        return torch.zeros(2, 2, self.features)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


class SpecAugment(FeatureInput):
    """Feature vectors ``[B, T, stack · bands]`` as they are; in training, stretches of time and bands are hidden.

    What is hidden is zero, the mean of features that are normalised (Park et al., 2019, arXiv:1904.08779).
    """

    def __init__(self, bands: int, stack: int, spec: MaskSpec) -> None:
        super().__init__(bands * stack)
        self.bands, self.stack, self.spec = bands, stack, spec

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        rows, steps = inputs.shape[:2]
        x = inputs
        for _ in range(self.spec.bands):
            hidden = self._hidden(rows, self.bands, self.spec.width)
            x = x * ~hidden.repeat(1, self.stack)[:, None, :].to(x.device)
        for _ in range(round(self.spec.times * steps / 100)):
            x = x * ~self._hidden(rows, steps, self.spec.length)[:, :, None].to(x.device)
        return x

    def _hidden(self, rows: int, size: int, most: int) -> Tensor:
        """One stretch of up to ``most`` places in each row, bool ``[rows, size]``."""
        length = (torch.rand(rows, 1) * (min(most, size) + 1)).floor()
        start = (torch.rand(rows, 1) * (size - length + 1)).floor()
        places = torch.arange(size)[None, :]
        return (places >= start) & (places < start + length)


def _thinned(x: Tensor, dropout: float) -> Tensor:
    """One mask for all of a row's steps: the same features are missing throughout."""
    mask = x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(1 - dropout)
    return x * mask / (1 - dropout)
