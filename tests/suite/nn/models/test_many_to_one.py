"""Many-to-one models: one vector of outputs for a sequence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.nn.layers.embeddings import FeatureInput
from suite.nn.models import ManyToOne
from suite.nn.specs import HeadSpec, RecurrentSpec
from suite.plugins import registry

HEAD = HeadSpec(pooling=("last", "mean", "max", "attention"), hidden=5)
LENGTHS = torch.tensor([0, 3, 8])


def model(name: str = "lstm", head: HeadSpec = HEAD, **sizes: object) -> ManyToOne:
    torch.manual_seed(0)
    spec = RecurrentSpec(hidden=6, layers=2, **sizes)  # type: ignore[arg-type]
    made = ManyToOne(FeatureInput(4), registry().cell(name), spec, head, 3, torch.zeros(2, 2, 4))
    return made.double().eval()


def inputs(batch: int = 3, steps: int = 8) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(batch, steps, 4, dtype=torch.float64)


@pytest.mark.parametrize("name", registry().cell_names())
def test_chunks_equal_the_whole(name: str) -> None:
    made, x = model(name, norm="rms", feedforward=1), inputs()
    whole, last = made(x, LENGTHS, made.initial(3))
    assert whole.shape == (3, 3)
    for size in (1, 3, 5):
        state = made.initial(3)
        for at in range(0, 8, size):
            piece = x[:, at : at + size]
            outputs, state = made(piece, (LENGTHS - at).clamp(0, piece.shape[1]), state)
        torch.testing.assert_close(outputs, whole, rtol=0, atol=1e-9)
        assert state.keys() == last.keys()
        for key in last:
            torch.testing.assert_close(state[key], last[key], rtol=0, atol=1e-9)


@pytest.mark.parametrize("both", [False, True])
def test_rows_equal_themselves_alone(both: bool) -> None:
    made, x = model("gru", bidirectional=both), inputs()
    together, _ = made(x, LENGTHS, made.initial(3))
    for row in (1, 2):
        length = LENGTHS[row : row + 1]
        alone, _ = made(x[row : row + 1, : int(length)], length, made.initial(1))
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-9)
    assert made.causal is not both


def test_state_names() -> None:
    state = model().initial(2)
    assert list(state) == [
        "0.h", "0.c", "1.h", "1.c", "pool.last", "pool.mean", "pool.count", "pool.max", "pool.begun",
        "pool.attended", "pool.top", "pool.weight",
    ]  # fmt: skip
    assert all(value.shape[0] == 2 and value.dtype == torch.float64 and not value.any() for value in state.values())


def test_head() -> None:
    plain = model(head=HeadSpec(pooling=("last",), hidden=0, dropout=0.9))
    assert [type(module).__name__ for module in plain.head] == ["Dropout", "Linear"]
    deep = model(head=HEAD)
    assert [type(module).__name__ for module in deep.head] == ["Dropout", "Linear", "GELU", "Dropout", "Linear"]
    assert deep.head[1].in_features == 4 * 6
    assert deep.head[-1].out_features == 3
    x, lengths = inputs(), torch.full((3,), 8)
    outputs, state = plain(x, lengths, plain.initial(3))
    y, _ = plain.encoder(x, lengths, plain.encoder.initial(3))
    torch.testing.assert_close(outputs, plain.head[1](y[:, -1]))
    torch.testing.assert_close(state["pool.last"], y[:, -1])


def test_graph_is_the_model_over_named_arrays() -> None:
    made = model().float()
    graphs = made.graphs()
    assert list(graphs) == ["encoder"]
    graph = graphs["encoder"]
    states = [f"state.{name}" for name in made.initial(1)]
    assert list(graph.example) == ["inputs", "lengths", *states]
    x = inputs(5, 4).float()
    lengths = torch.tensor([4, 0, 1, 2, 4])
    state = {name: torch.rand_like(value) for name, value in made.initial(5).items()}
    results = graph.call({"inputs": x, "lengths": lengths, **{f"state.{k}": v for k, v in state.items()}})
    assert list(results) == ["outputs", *(name.replace("state", "next", 1) for name in states)]
    outputs, following = made(x, lengths, state)
    torch.testing.assert_close(results["outputs"], outputs)
    for key, value in following.items():
        torch.testing.assert_close(results[f"next.{key}"], value)
    assert graph.axes["inputs"] == {0: "batch", 1: "time"}
    assert graph.axes.keys() == {*graph.example, *results}


def test_example_is_no_weight() -> None:
    assert "example" not in model().state_dict()
