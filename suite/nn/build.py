"""Builders: a configuration's specs to a model. Layers below never see a configuration."""

from __future__ import annotations

import torch

from suite.nn.frontends import Embedding, Features
from suite.nn.mappings import ManyToOne
from suite.nn.specs import EmbeddingSpec, EncoderSpec, HeadSpec
from suite.plugins import registry


def tokens_to_one(
    vocabulary: int, embedding: EmbeddingSpec, encoder: EncoderSpec, head: HeadSpec, outputs: int,
    silent: int | None = None,
) -> ManyToOne:  # fmt: skip
    """A many-to-one model over token ids ``[B, T]``; the token ``silent`` says nothing (see ``Embedding``)."""
    cell = registry().cell(encoder.cell)
    example = torch.zeros(2, 2, dtype=torch.int64)
    return ManyToOne(Embedding(vocabulary, embedding, silent), cell, encoder, head, outputs, example)


def series_to_one(features: int, encoder: EncoderSpec, head: HeadSpec, outputs: int) -> ManyToOne:
    """A many-to-one model over feature vectors ``[B, T, D]``."""
    cell = registry().cell(encoder.cell)
    return ManyToOne(Features(features), cell, encoder, head, outputs, torch.zeros(2, 2, features))
