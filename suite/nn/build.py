"""Builders: a configuration's specs to a model. Layers below never see a configuration."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from suite.nn.cells.registry import cell_class
from suite.nn.layers.embeddings import Embedding, FactoredEmbedding, FeatureInput, SpecAugment
from suite.nn.layers.vision import ImageBackbone
from suite.nn.models import Aligned, ManyToOne, OneToMany, Transducer, Unaligned
from suite.nn.specs import AttentionSpec, BackboneSpec, EmbeddingSpec, HeadSpec, MaskSpec, RecurrentSpec, StepHeadSpec


def tokens_to_one(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, head: HeadSpec, outputs: int,
    silent: int | None = None,
) -> ManyToOne:  # fmt: skip
    """A many-to-one model over token ids ``[B, T]``; the token ``silent`` says nothing (see ``Embedding``)."""
    cell = cell_class(encoder.cell)
    example = torch.zeros(2, 2, dtype=torch.int64)
    return ManyToOne(Embedding(vocabulary, embedding, silent), cell, encoder, head, outputs, example)


def series_to_one(features: int, encoder: RecurrentSpec, head: HeadSpec, outputs: int) -> ManyToOne:
    """A many-to-one model over feature vectors ``[B, T, D]``."""
    cell = cell_class(encoder.cell)
    return ManyToOne(FeatureInput(features), cell, encoder, head, outputs, torch.zeros(2, 2, features))


def tokens_to_each(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int,
    graph: str = "encoder",
) -> Aligned:  # fmt: skip
    """An aligned model over token ids ``[B, T]``; ``graph`` is ``"decoder"`` where it writes tokens itself."""
    cell = cell_class(encoder.cell)
    example = torch.zeros(2, 2, dtype=torch.int64)
    return Aligned(Embedding(vocabulary, embedding), cell, encoder, head, outputs, example, graph)


def columns_to_each(
    sizes: Sequence[int], embedding: EmbeddingSpec, beside: Sequence[int], encoder: RecurrentSpec, head: StepHeadSpec,
    outputs: int, graph: str = "encoder",
) -> Aligned:  # fmt: skip
    """An aligned model over tokens and what is known beside them, ``[B, T, F]`` (see ``Columns``)."""
    cell = cell_class(encoder.cell)
    example = torch.zeros(2, 2, len(sizes), dtype=torch.int64)
    return Aligned(FactoredEmbedding(sizes, embedding, beside), cell, encoder, head, outputs, example, graph)


def series_to_each(features: int, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int) -> Aligned:
    """An aligned model over feature vectors ``[B, T, D]``."""
    cell = cell_class(encoder.cell)
    return Aligned(FeatureInput(features), cell, encoder, head, outputs, torch.zeros(2, 2, features))


def frames_to_each(
    bands: int, stack: int, masks: MaskSpec, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int
) -> Aligned:
    """An aligned model over frames of bands, ``stack`` of them a step, ``[B, T, stack · bands]`` (see ``Masked``)."""
    cell = cell_class(encoder.cell)
    return Aligned(SpecAugment(bands, stack, masks), cell, encoder, head, outputs, torch.zeros(2, 2, bands * stack))


def frames_to_tokens(
    bands: int, stack: int, masks: MaskSpec, encoder: RecurrentSpec, head: StepHeadSpec, joint: int,
    prediction: RecurrentSpec, outputs: int,
) -> Transducer:  # fmt: skip
    """A transducer over frames of bands, as ``frames_to_each``; ``joint`` is the size of what is joined."""
    cells = cell_class(encoder.cell), cell_class(prediction.cell)
    example = torch.zeros(2, 2, bands * stack)
    frontend = SpecAugment(bands, stack, masks)
    return Transducer(frontend, cells[0], encoder, head, joint, cells[1], prediction, outputs, example)


def tokens_to_tokens(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, decoder: RecurrentSpec, attention: AttentionSpec,
    head: StepHeadSpec,
) -> Unaligned:  # fmt: skip
    """An unaligned model from token ids ``[B, S]`` to tokens of the same vocabulary, in one table for both."""
    cells = cell_class(encoder.cell), cell_class(decoder.cell)
    example = torch.zeros(2, 2, dtype=torch.int64)
    frontend = Embedding(vocabulary, embedding, scaled=head.tied)
    return Unaligned(
        frontend, cells[0], encoder, decoder, attention, head, vocabulary, example, decoder_cell=cells[1]
    )  # fmt: skip


def image_to_tokens(
    size: int, vocabulary: int, embedding: EmbeddingSpec, backbone: BackboneSpec, decoder: RecurrentSpec,
    attention: AttentionSpec, head: StepHeadSpec,
) -> OneToMany:  # fmt: skip
    """A one-to-many model from a picture ``[B, 3, size, size]`` (uint8) to tokens of a vocabulary."""
    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    table = Embedding(vocabulary, embedding, scaled=head.tied)
    cell = cell_class(decoder.cell)
    return OneToMany(ImageBackbone(backbone, size), cell, decoder, attention, head, vocabulary, example, table)
