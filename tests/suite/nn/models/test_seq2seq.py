"""Models whose decoder attends to an encoder's outputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.errors import UsageError
from suite.nn.build import (
    tokens_to_tokens,
)
from suite.nn.layers.embeddings import Embedding, FeatureInput
from suite.nn.models import Unaligned
from suite.nn.specs import AttentionSpec, EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry


def inputs(batch: int = 3, steps: int = 8) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(batch, steps, 4, dtype=torch.float64)


def writer(name: str = "lstm", attention: AttentionSpec | None = None, tied: bool = True) -> Unaligned:
    torch.manual_seed(0)
    reads = RecurrentSpec(cell=name, hidden=6, layers=2, bidirectional=True)
    writes = RecurrentSpec(cell=name, hidden=7, layers=2)
    attention = attention or AttentionSpec(features=4, heads=2)
    embedding, head = EmbeddingSpec(features=5), StepHeadSpec(tied=tied)
    return tokens_to_tokens(11, embedding, reads, writes, attention, head).double().eval()


def pairs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randint(3, 11, (3, 6)), torch.tensor([6, 1, 4]), torch.randint(3, 11, (3, 5))


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("feeding", [False, True])
def test_the_graphs_step_by_step_give_what_teacher_forcing_gives(name: str, feeding: bool) -> None:
    made, (inputs, lengths, tokens) = writer(name, AttentionSpec(features=4, feeding=feeding)), pairs()
    wanted = made(inputs, lengths, tokens) @ made.head[0].T + made.head[1]
    graphs = made.graphs()
    given = graphs["encoder"].call({"inputs": inputs, "lengths": lengths})
    memory = {name: array for name, array in given.items() if name.startswith("memory.")}
    state = {f"state.{name[6:]}": array for name, array in given.items() if name.startswith("start.")}
    assert state.keys() == {name for name in graphs["decoder"].example if name.startswith("state.")}
    for t in range(5):
        found = graphs["decoder"].call({"token": tokens[:, t], **state, **memory})
        torch.testing.assert_close(found["logits"], wanted[:, t], rtol=0, atol=1e-9)
        assert not found["weights"][1, 1:].any(), "looked beyond the end of what was read"
        state = {f"state.{name[5:]}": array for name, array in found.items() if name.startswith("next.")}


@pytest.mark.parametrize("name", registry().cell_names())
def test_padding_on_either_side_is_invisible_and_a_batch_is_its_members(name: str) -> None:
    made, (inputs, lengths, tokens) = writer(name), pairs()
    together = made(inputs, lengths, tokens)
    for row, length in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        alone = made(inputs[one, :length], lengths[one], tokens[one, :3])
        torch.testing.assert_close(alone[0], together[row, :3], rtol=0, atol=1e-9)


def test_what_is_written_depends_on_what_is_read_and_on_what_was_written_before() -> None:
    made, (inputs, lengths, tokens) = writer(), pairs()
    features = made(inputs, lengths, tokens)
    other = inputs.clone()
    other[0, 5] = (other[0, 5] - 2) % 8 + 3
    changed = made(other, lengths, tokens)
    assert not torch.allclose(changed[0], features[0])
    torch.testing.assert_close(changed[1:], features[1:])
    later = tokens.clone()
    later[:, 3] = (later[:, 3] - 2) % 8 + 3
    changed = made(inputs, lengths, later)
    torch.testing.assert_close(changed[:, :3], features[:, :3])
    assert not torch.allclose(changed[:, 3], features[:, 3])


def test_tied_weights_are_there_once() -> None:
    tied, apart = writer(), writer(tied=False)
    assert tied.head[0] is tied.target_embedding.table.weight
    assert "weight" not in dict(tied.named_parameters())
    assert apart.head[0] is apart.weight
    sizes = [sum(p.numel() for p in made.parameters()) for made in (tied, apart)]
    assert sizes[1] - sizes[0] == 11 * 5


def test_the_decoder_may_write_other_tokens_with_another_cell_than_the_encoder_reads() -> None:
    torch.manual_seed(0)
    table = Embedding(9, EmbeddingSpec(features=5))
    cells = registry().cell("gru"), registry().cell("lstm")
    made = Unaligned(
        FeatureInput(4), cells[0], RecurrentSpec(hidden=6), RecurrentSpec(hidden=7, layers=2),
        AttentionSpec(features=4), StepHeadSpec(tied=True), 9, torch.zeros(2, 2, 4), table, cells[1],
    ).double().eval()  # fmt: skip
    features = made(inputs(2, 3), torch.tensor([3, 2]), torch.randint(0, 9, (2, 4)))
    assert features.shape == (2, 4, 5)
    assert list(made.decoder.initial(1)) == ["below.0.h", "below.0.c", "above.0.h", "above.0.c"]


def test_unaligned_models_that_cannot_be() -> None:
    cell = registry().cell("gru")
    sizes = RecurrentSpec(hidden=6), RecurrentSpec(hidden=7), AttentionSpec(features=4)
    table = Embedding(9, EmbeddingSpec(features=5))
    with pytest.raises(UsageError, match="needs an embedding of 8 tokens, as many as outputs"):
        Unaligned(table, cell, *sizes, StepHeadSpec(tied=True), 8, torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(UsageError, match="needs an embedding of target tokens: give table="):
        Unaligned(FeatureInput(4), cell, *sizes, StepHeadSpec(), 8, torch.zeros(2, 2, 4))
