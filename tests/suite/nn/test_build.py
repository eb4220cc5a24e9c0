"""Builders: from specs to models."""

from __future__ import annotations

import torch

from suite.nn.build import (
    series_to_one,
    tokens_to_one,
)
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.plugins import registry


def test_builders() -> None:
    tokens = tokens_to_one(50, EmbeddingSpec(features=7), RecurrentSpec(cell="gru", hidden=6), HeadSpec(), 2)
    outputs, _ = tokens(torch.tensor([[1, 49]]), torch.tensor([2]), tokens.initial(1))
    assert outputs.shape == (1, 2)
    assert type(tokens.encoder.layers[0].cell) is registry().cell("gru")
    series = series_to_one(4, RecurrentSpec(cell="mingru", hidden=6), HeadSpec(), 3)
    outputs, _ = series(torch.zeros(2, 5, 4), torch.tensor([5, 0]), series.initial(2))
    assert outputs.shape == (2, 3)
