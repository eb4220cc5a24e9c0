from __future__ import annotations

import numpy as np
import pytest
import torch

from suite.errors import DataError, UsageError
from suite.nn.frontends import Embedding
from suite.nn.priors import set_vectors
from suite.nn.specs import EmbeddingSpec

WORDS = ["<pad>", "good", "##ly", "bad"]


def embedding(features: int = 3) -> Embedding:
    torch.manual_seed(0)
    return Embedding(len(WORDS), EmbeddingSpec(features=features))


def test_known_words_start_from_their_vectors() -> None:
    module = embedding()
    vectors = {"bad": np.array([-1, 0, 5], np.float32), "good": np.array([1, 2, 3], np.float32), "other": np.ones(3)}
    assert set_vectors(module, WORDS, vectors) == 2
    table = module.table.weight.detach()
    assert table[1].tolist() == [1, 2, 3]
    assert table[3].tolist() == [-1, 0, 5]
    assert table[[0, 2]].all()
    assert module.table.weight.requires_grad


def test_other_rows_are_a_fraction_of_the_vectors_spread() -> None:
    torch.manual_seed(0)
    module = Embedding(2000, EmbeddingSpec(features=10))
    random = np.random.default_rng(0)
    names = [str(i) for i in range(2000)]
    known = {name: random.normal(0, 7, 10).astype(np.float32) for name in names[:200]}
    assert set_vectors(module, names, known) == 200
    assert float(module.table.weight[200:].detach().std()) == pytest.approx(0.15 * 7, rel=0.05)


def test_another_size_says_what_to_set() -> None:
    with pytest.raises(UsageError, match=r"have 2 numbers a word: add --set embedding\.features=2"):
        set_vectors(embedding(), WORDS, {"good": np.ones(2)})


@pytest.mark.parametrize("vectors", [{}, {"other": np.ones(3, np.float32)}], ids=["none", "none of ours"])
def test_vectors_that_share_no_word_are_refused(vectors: dict[str, np.ndarray]) -> None:
    module = embedding()
    before = module.table.weight.detach().clone()
    with pytest.raises(DataError, match="none of the model's words"):
        set_vectors(module, WORDS, vectors)
    assert torch.equal(module.table.weight, before)


def test_vectors_without_any_spread_leave_the_others_at_random() -> None:
    module = Embedding(len(WORDS), EmbeddingSpec(features=1))
    assert set_vectors(module, WORDS, {"good": np.ones(1)}) == 1
    assert module.table.weight.isfinite().all()
    assert module.table.weight[0] != 0
