"""Initial weights: word vectors, and time constants of gates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from suite.errors import DataError, UsageError
from suite.nn.cells.base import Cell
from suite.nn.layers.embeddings import Embedding
from suite.nn.layers.vision import ImageBackbone


def set_vectors(frontend: nn.Module, vocabulary: Sequence[str], vectors: Mapping[str, np.ndarray]) -> int:
    """Initialize an embedding from word vectors.

    Words without a vector, and word pieces (``##…``), are initialized randomly at a fraction of the vectors' standard
    deviation, so that they have little influence at first.

    Args:
        frontend: The embedding.
        vocabulary: The word of each row.
        vectors: Word vectors by word, ``[D]`` each.

    Returns:
        The number of words that have a vector.

    Raises:
        UsageError: If the vectors and the embedding differ in size.
        DataError: If no word has a vector.
    """
    assert isinstance(frontend, Embedding)
    known = [(i, vectors[word]) for i, word in enumerate(vocabulary) if word in vectors]
    if not known:
        raise DataError("no word of the vocabulary has a word vector; check the file of vectors and its language")
    size = len(known[0][1])
    if size != frontend.features:
        raise UsageError(f"the word vectors have {size} features: add --set embedding.features={size}")
    table = frontend.table.weight
    with torch.no_grad():
        rows = torch.from_numpy(np.stack([vector for _, vector in known])).to(table.dtype)
        frontend.fill(0.15 * float(rows.std(correction=0)) or size**-0.5)
        table[[i for i, _ in known]] = rows
    return len(known)


def set_time_constants(stack: nn.Module, shortest: float, longest: float) -> None:
    """Initialize the time constants of all cells in ``stack``, log-uniformly from ``shortest`` to ``longest`` steps.

    Cells without gates are left unchanged (see `Cell.init_time_constants`). Raises UsageError unless 1 < shortest.
    """
    if not shortest > 1:
        raise UsageError(f"a time constant of {shortest:g} steps: it must be above 1")
    low, high = math.log(shortest), math.log(max(longest, shortest * 1.01))
    for cell in stack.modules():
        if isinstance(cell, Cell):
            cell.init_time_constants(torch.exp(low + (high - low) * torch.rand(cell.hidden)))


def load_pretrained(model: nn.Module) -> None:
    """Load the published weights of a model's image backbone, if its settings name any (``BackboneSpec.weights``).

    Raises DataError if they are not here and cannot be downloaded.
    """
    for part in model.modules():
        if isinstance(part, ImageBackbone):
            part.load_pretrained()
