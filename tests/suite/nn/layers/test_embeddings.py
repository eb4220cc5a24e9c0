from __future__ import annotations

from pathlib import Path

import pytest
import torch

from suite.errors import UsageError
from suite.nn.build import columns_to_each
from suite.nn.layers.embeddings import Embedding, FactoredEmbedding, FeatureInput, SpecAugment
from suite.nn.specs import EmbeddingSpec, MaskSpec, RecurrentSpec, StepHeadSpec


def test_embedding_is_a_table() -> None:
    torch.manual_seed(0)
    module = Embedding(1000, EmbeddingSpec(features=25, dropout=0.5, drop_word=0.5)).eval()
    ids = torch.tensor([[3, 3, 0]])
    x = module(ids)
    assert x.shape == (1, 3, module.features)
    assert torch.equal(x[0, 0], module.table.weight[3])
    assert torch.equal(module(ids), x)
    assert abs(float(module.table.weight.detach().std()) - 0.2) < 0.01


def test_whole_words_are_dropped_in_training_only() -> None:
    torch.manual_seed(0)
    module = Embedding(10, EmbeddingSpec(features=4, dropout=0.0, drop_word=0.25)).train()
    x = module(torch.ones(100, 100, dtype=torch.int64))
    dropped = (x == 0).all(dim=-1)
    assert torch.equal(dropped, (x == 0).any(dim=-1))
    assert abs(float(dropped.float().mean()) - 0.25) < 0.02
    assert module.eval()(torch.ones(9, 9, dtype=torch.int64)).all()


def test_features_are_dropped_in_training_without_changing_the_mean() -> None:
    torch.manual_seed(0)
    module = Embedding(10, EmbeddingSpec(features=50, dropout=0.25)).train()
    torch.nn.init.ones_(module.table.weight)
    x = module(torch.ones(400, 3, dtype=torch.int64)).detach()
    assert abs(float((x == 0).float().mean()) - 0.25) < 0.02
    assert abs(float(x.mean()) - 1) < 0.03


def test_features_pass() -> None:
    x = torch.randn(2, 3, 4)
    assert torch.equal(FeatureInput(4)(x), x)


def test_a_silent_token_stays_zero() -> None:
    module = Embedding(5, EmbeddingSpec(features=3, dropout=0), silent=1)
    assert not module.table.weight[1].any()
    module.fill(2.0)
    assert not module.table.weight[1].any()
    module(torch.tensor([[0, 1, 2]])).sum().backward()
    assert module.table.weight.grad is not None
    assert not module.table.weight.grad[1].any()
    assert module.table.weight.grad[2].any()


def test_columns_join_a_table_each() -> None:
    torch.manual_seed(0)
    module = FactoredEmbedding((9, 4, 3), EmbeddingSpec(features=5, dropout=0.5), (2, 1)).eval()
    x = module(torch.tensor([[[8, 3, 2], [0, 3, 0]]]))
    assert x.shape == (1, 2, module.features) == (1, 2, 8)
    assert torch.equal(x[0, 0, :5], module.table.weight[8])
    assert torch.equal(x[0, 0, 5:7], x[0, 1, 5:7])
    assert torch.equal(x[0, 0, 7:], module.beside[1].weight[2])
    dropped = module.train()(torch.zeros(200, 3, 3, dtype=torch.int64)) == 0
    assert torch.equal(dropped[:, 0], dropped[:, 2])  # the same features at all of a row's steps
    assert abs(float(dropped.float().mean()) - 0.5) < 0.05
    with pytest.raises(UsageError, match="2 token features need as many sizes; 1 are given"):
        FactoredEmbedding((9, 4, 3), EmbeddingSpec(), (2,))


@pytest.mark.parametrize("tied", [False, True])
def test_a_decoder_over_columns_exports(tied: bool, tmp_path: Path) -> None:
    from suite.checkpoint.weights import WEIGHTS, round_weights, save_weights
    from suite.export.onnx import export

    torch.manual_seed(0)
    encoder = RecurrentSpec(hidden=7, layers=2, dropout=0)
    head = StepHeadSpec(dropout=0, tied=tied)
    model = columns_to_each((9, 4), EmbeddingSpec(features=5), (3,), encoder, head, 9, "decoder")
    round_weights(model.eval())
    save_weights(model, tmp_path / WEIGHTS)
    assert export(model, tmp_path, WEIGHTS) == ["decoder.onnx"]


def test_stretches_of_time_and_bands_are_hidden_in_training_only() -> None:
    torch.manual_seed(0)
    module = SpecAugment(20, 3, MaskSpec(bands=1, width=5, times=1.0, length=6))
    assert module.features == 60
    x = torch.ones(50, 100, 60)
    assert torch.equal(module.eval()(x), x)
    hidden = module.train()(x) == 0
    steps, places = hidden.all(dim=2), hidden.all(dim=1)
    assert 0 < steps.sum(1).max() <= 6
    bands = places.reshape(50, 3, 20)
    assert torch.equal(bands[:, 0], bands[:, 2]), "a band is hidden in all frames of a step"
    assert 0 < bands[:, 0].sum(1).max() <= 5
    assert torch.equal(hidden, steps[:, :, None] | places[:, None]), "and nothing else is"
    assert len({tuple(row.tolist()) for row in steps}) > 20, "each row has its own"


def test_short_rows_and_no_masks() -> None:
    module = SpecAugment(4, 1, MaskSpec(bands=9, width=9, times=100.0, length=9)).train()
    assert module(torch.ones(2, 1, 4)).shape == (2, 1, 4)
    assert torch.equal(SpecAugment(4, 1, MaskSpec(bands=0, times=0)).train()(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))
