"""Front ends without state: inputs to feature vectors for the first recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from suite.errors import UsageError
from suite.nn.layers.frontends import Frontend
from suite.nn.specs import EmbeddingSpec, MaskSpec


class Embedding(Frontend):
    """Token ids ``[B, T]`` to vectors ``[B, T, D]``.

    In training, whole words and whole features are dropped (Gal and Ghahramani, 2016, arXiv:1512.05287).

    Args:
        vocabulary: The number of tokens.
        spec: The number of features, D, and dropout.
        silent: A token whose vector stays zero, as that of a dropped word: the unknown word.
        scaled: Multiply vectors by √D, for a table that is tied to the outputs and therefore initialized small.
    """

    def __init__(self, vocabulary: int, spec: EmbeddingSpec, silent: int | None = None, scaled: bool = False) -> None:
        super().__init__()
        self.features = spec.features
        self.table = nn.Embedding(vocabulary, spec.features, padding_idx=silent)
        self.fill(spec.features**-0.5)
        self.drop_word, self.dropout = spec.drop_word, spec.dropout
        self.scale = spec.features**0.5 if scaled else None

    def fill(self, std: float) -> None:
        """Initialize every row from a normal distribution; the silent token's stays zero."""
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
        return _locked_dropout(x, self.dropout) if self.training and self.dropout else x


class FactoredEmbedding(Frontend):
    """Tokens with token features ``[B, T, C]`` to vectors ``[B, T, D]``: one table for each column, concatenated.

    In training whole features are dropped, the same ones at all steps of a row.

    Args:
        sizes: The number of values of each column; the first column is the token.
        spec: The token's number of features, and dropout.
        beside: The number of features of each other column.
    """

    def __init__(self, sizes: Sequence[int], spec: EmbeddingSpec, beside: Sequence[int]) -> None:
        super().__init__()
        if len(beside) != len(sizes) - 1:
            raise UsageError(f"{len(sizes) - 1} token features need as many sizes; {len(beside)} are given")
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
        return _locked_dropout(x, self.dropout) if self.training and self.dropout else x


class FeatureInput(Frontend):
    """Feature vectors ``[B, T, D]``, unchanged."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def example(self) -> Tensor:
        return torch.zeros(2, 2, self.features)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


class SpecAugment(FeatureInput):
    """Stacked frames ``[B, T, stack · bands]``, unchanged; in training, ranges of time and of bands are masked.

    Masked values are zero, the mean of normalised features (Park et al., 2019, arXiv:1904.08779).

    Args:
        bands: The number of frequency bands of a frame.
        stack: The number of frames of a step.
        spec: The number of masks and their sizes.
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
            masked = self._random_range(rows, self.bands, self.spec.width)
            x = x * ~masked.repeat(1, self.stack)[:, None, :].to(x.device)
        for _ in range(round(self.spec.times * steps / 100)):
            x = x * ~self._random_range(rows, steps, self.spec.length)[:, :, None].to(x.device)
        return x

    def _random_range(self, rows: int, size: int, most: int) -> Tensor:
        """A random range of up to ``most`` of ``size`` places in each row, bool ``[rows, size]``."""
        length = (torch.rand(rows, 1) * (min(most, size) + 1)).floor()
        start = (torch.rand(rows, 1) * (size - length + 1)).floor()
        places = torch.arange(size)[None, :]
        return (places >= start) & (places < start + length)


def _locked_dropout(x: Tensor, dropout: float) -> Tensor:
    """Dropout with one mask for all steps of a row."""
    mask = x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(1 - dropout)
    return x * mask / (1 - dropout)
