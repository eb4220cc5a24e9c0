from __future__ import annotations

import numpy as np
import pytest
import torch

from suite.errors import DataError, UsageError
from suite.nn.init import load_pretrained, set_time_constants, set_vectors
from suite.nn.layers.embeddings import Embedding
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.layers.vision import ImageBackbone
from suite.nn.specs import BackboneSpec, EmbeddingSpec, RecurrentSpec
from suite.plugins import registry

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
    with pytest.raises(UsageError, match=r"have 2 features: add --set embedding\.features=2"):
        set_vectors(embedding(), WORDS, {"good": np.ones(2)})


@pytest.mark.parametrize("vectors", [{}, {"other": np.ones(3, np.float32)}], ids=["none", "none of ours"])
def test_vectors_that_share_no_word_are_refused(vectors: dict[str, np.ndarray]) -> None:
    module = embedding()
    before = module.table.weight.detach().clone()
    with pytest.raises(DataError, match="no word of the vocabulary has a word vector"):
        set_vectors(module, WORDS, vectors)
    assert torch.equal(module.table.weight, before)


def test_vectors_without_any_spread_leave_the_others_at_random() -> None:
    module = Embedding(len(WORDS), EmbeddingSpec(features=1))
    assert set_vectors(module, WORDS, {"good": np.ones(1)}) == 1
    assert module.table.weight.isfinite().all()
    assert module.table.weight[0] != 0


@pytest.mark.parametrize("name", ["lstm", "gru", "mingru", "rglru"])
def test_units_remember_as_long_as_they_are_told(name: str) -> None:
    """What a unit holds, undisturbed, is down to about 1/e after its time."""
    torch.manual_seed(0)
    cell = registry().cell(name)(2, 64)
    times = torch.full((64,), 20.0)
    cell.init_time_constants(times)
    for parameter in cell.parameters():
        if parameter.ndim > 1:
            parameter.data.zero_()  # no input and no other unit interferes
    held = "c" if name == "lstm" else "h"
    one, two = (
        cell.scan(torch.zeros(1, 20, 2), {k: torch.full_like(v, x) for k, v in cell.initial(1).items()})[1][held]
        for x in (0.0, 1.0)
    )
    left = (two - one).mean().detach()
    assert abs(float(left) - np.exp(-1)) < 0.05


def test_memories_are_spread_by_chance_over_every_layer() -> None:
    encoder = RecurrentStack(registry().cell("lstm"), 3, RecurrentSpec(hidden=256, layers=2, bidirectional=True))
    torch.manual_seed(0)
    set_time_constants(encoder, 2.0, 100.0)
    for layer in encoder.layers:
        for cell in (layer.cell, layer.back):
            times = 1 + np.exp(cell.rnn.bias_ih_l0.detach().numpy()[256:512])
            assert 2 <= times.min() < 2.5
            assert 80 < times.max() <= 100.001
            assert 10 < np.median(times) < 20  # the middle by the logarithm


def test_a_cell_without_gates_stays_as_it_is() -> None:
    cell = registry().cell("rnn")(2, 4)
    before = [p.clone() for p in cell.parameters()]
    cell.init_time_constants(torch.full((4,), 9.0))
    assert all(torch.equal(a, b) for a, b in zip(before, cell.parameters(), strict=True))


def test_a_memory_is_longer_than_a_step() -> None:
    with pytest.raises(UsageError, match="a time constant of 1 steps: it must be above 1"):
        set_time_constants(RecurrentStack(registry().cell("lstm"), 3, RecurrentSpec(hidden=4)), 1.0, 10.0)


def test_each_image_backbone_of_a_model_loads_its_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[ImageBackbone] = []
    monkeypatch.setattr(ImageBackbone, "load_pretrained", lambda self: loaded.append(self))
    backbone = ImageBackbone(BackboneSpec(width=8, depths=(1, 1)), 32)
    load_pretrained(torch.nn.ModuleDict({"frontend": backbone, "head": torch.nn.Linear(2, 2)}))
    assert loaded == [backbone]
    load_pretrained(torch.nn.Linear(2, 2))  # no backbone, nothing to load
    assert loaded == [backbone]
