"""Aligned models: outputs at every step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.errors import UsageError
from suite.nn.build import (
    series_to_each,
    tokens_to_each,
)
from suite.nn.layers.embeddings import FeatureInput
from suite.nn.models import Aligned
from suite.nn.specs import EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry

LENGTHS = torch.tensor([0, 3, 8])


def inputs(batch: int = 3, steps: int = 8) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(batch, steps, 4, dtype=torch.float64)


def aligned(name: str = "lstm", head: StepHeadSpec | None = None, **sizes: object) -> Aligned:
    torch.manual_seed(0)
    spec = RecurrentSpec(hidden=6, layers=2, **sizes)  # type: ignore[arg-type]
    made = Aligned(
        FeatureInput(4), registry().cell(name), spec, head or StepHeadSpec(hidden=5), 3, torch.zeros(2, 2, 4)
    )
    return made.double().eval()


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("size", [1, 3, 5])
def test_aligned_steps_and_chunks_equal_the_whole(name: str, size: int) -> None:
    made, x = aligned(name, norm="rms", feedforward=1), inputs()
    whole, last = made(x, LENGTHS, made.initial(3))
    assert whole.shape == (3, 8, 3)
    state, outputs = made.initial(3), []
    for at in range(0, 8, size):
        piece = x[:, at : at + size]
        found, state = made(piece, (LENGTHS - at).clamp(0, piece.shape[1]), state)
        outputs.append(found)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole, rtol=0, atol=1e-9)
    assert state.keys() == last.keys()
    for key in last:
        torch.testing.assert_close(state[key], last[key], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("both", [False, True])
def test_aligned_rows_equal_themselves_alone_and_end_in_zeros(name: str, both: bool) -> None:
    made, x = aligned(name, bidirectional=both), inputs()
    together, _ = made(x, LENGTHS, made.initial(3))
    for row, length in enumerate(LENGTHS.tolist()):
        alone, _ = made(x[row : row + 1, :length], LENGTHS[row : row + 1], made.initial(1))
        torch.testing.assert_close(alone[0], together[row, :length], rtol=0, atol=1e-9)
        assert not together[row, length:].any()
    assert made.causal is not both


def test_graph_of_an_aligned_model_has_outputs_over_time() -> None:
    made = series_to_each(4, RecurrentSpec(cell="gru", hidden=6), StepHeadSpec(), 3)
    graph = made.graphs()["encoder"]
    assert list(graph.example) == ["inputs", "lengths", "state.0.h"]
    assert graph.axes["outputs"] == {0: "batch", 1: "time"}
    results = graph.call({**graph.example, "inputs": torch.zeros(2, 2, 4)})
    assert list(results) == ["outputs", "next.0.h"]
    assert results["outputs"].shape == (2, 2, 3)
    decoder = tokens_to_each(9, EmbeddingSpec(features=4), RecurrentSpec(), StepHeadSpec(), 9, graph="decoder")
    assert list(decoder.graphs()) == ["decoder"]


@pytest.mark.parametrize(("hidden", "projected"), [(4, False), (6, True)])
def test_tied_outputs_are_scores_of_the_tables_own_vectors(hidden: int, projected: bool) -> None:
    torch.manual_seed(0)
    head = StepHeadSpec(tied=True)
    made = tokens_to_each(9, EmbeddingSpec(features=4), RecurrentSpec(hidden=hidden), head, 9).eval()
    names = {name for name in made.state_dict() if not name.startswith("encoder.")}
    assert names == {"frontend.table.weight", "bias", *({"head.1.weight", "head.1.bias"} if projected else ())}
    tokens, lengths = torch.tensor([[1, 8, 0]]), torch.tensor([3])
    outputs, _ = made(tokens, lengths, made.initial(1))
    y, _ = made.encoder(made.frontend(tokens), lengths, made.initial(1))
    torch.testing.assert_close(outputs, made.head(y) @ made.frontend.table.weight.T)  # type: ignore[operator]
    outputs.sum().backward()
    # Vectors that were not read learn too: all of them are outputs.
    assert made.frontend.table.weight.grad.abs().sum(1).all()  # type: ignore[union-attr,operator]


def test_tied_needs_a_table_of_the_same_tokens() -> None:
    with pytest.raises(UsageError, match=r"head\.tied needs an embedding of 8 tokens"):
        tokens_to_each(9, EmbeddingSpec(), RecurrentSpec(), StepHeadSpec(tied=True), 8)
    with pytest.raises(UsageError, match=r"head\.tied needs an embedding"):
        series_to_each(9, RecurrentSpec(), StepHeadSpec(tied=True), 9)
