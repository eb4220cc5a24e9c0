from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suite.errors import UsageError
from suite.nn.build import (
    frames_to_tokens,
    series_to_each,
    series_to_one,
    tokens_to_each,
    tokens_to_one,
    tokens_to_tokens,
)
from suite.nn.layers.embeddings import Embedding, FeatureInput
from suite.nn.models import Aligned, ManyToOne, Transducer, Unaligned
from suite.nn.specs import AttentionSpec, EmbeddingSpec, HeadSpec, MaskSpec, RecurrentSpec, StepHeadSpec
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


def test_builders() -> None:
    tokens = tokens_to_one(50, EmbeddingSpec(features=7), RecurrentSpec(cell="gru", hidden=6), HeadSpec(), 2)
    outputs, _ = tokens(torch.tensor([[1, 49]]), torch.tensor([2]), tokens.initial(1))
    assert outputs.shape == (1, 2)
    assert type(tokens.encoder.layers[0].cell) is registry().cell("gru")
    series = series_to_one(4, RecurrentSpec(cell="mingru", hidden=6), HeadSpec(), 3)
    outputs, _ = series(torch.zeros(2, 5, 4), torch.tensor([5, 0]), series.initial(2))
    assert outputs.shape == (2, 3)


# -- aligned -----------------------------------------------------------------------------------------------


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
    with pytest.raises(UsageError, match=r"head\.tied needs a front end that is a table of as many vectors"):
        tokens_to_each(9, EmbeddingSpec(), RecurrentSpec(), StepHeadSpec(tied=True), 8)
    with pytest.raises(UsageError, match=r"head\.tied needs a front end"):
        series_to_each(9, RecurrentSpec(), StepHeadSpec(tied=True), 9)


# -- unaligned ---------------------------------------------------------------------------------------------


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
    with pytest.raises(UsageError, match="as many vectors as outputs, 8"):
        Unaligned(table, cell, *sizes, StepHeadSpec(tied=True), 8, torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(UsageError, match="needs a table of vectors"):
        Unaligned(FeatureInput(4), cell, *sizes, StepHeadSpec(), 8, torch.zeros(2, 2, 4))


# --- transducers ----------------------------------------------------------------------------------------------


def transducer(cell: str = "lstm") -> Transducer:
    torch.manual_seed(0)
    encoder, prediction = RecurrentSpec(cell=cell, hidden=6), RecurrentSpec(cell="gru", hidden=5, dropout=0)
    masks = MaskSpec(bands=0, times=0)
    return frames_to_tokens(4, 2, masks, encoder, StepHeadSpec(), 7, prediction, 3).eval()


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_the_graphs_of_a_transducer_step_by_step_give_what_training_sees(cell: str) -> None:
    model = transducer(cell)
    graphs = model.graphs()
    assert list(graphs) == ["encoder", "decoder", "joiner"]
    x, tokens = torch.randn(2, 5, 8), torch.tensor([[1, 2, 2], [2, 1, 0]])
    lengths = torch.tensor([5, 5])
    frames, _ = model(x, lengths, model.initial(2))
    predicted = model.predict(tokens)
    logits = model.join(frames[:, :, None], predicted[:, None])
    assert logits.shape == (2, 5, 4, 3)
    state = {name: value for name, value in graphs["decoder"].example.items() if name.startswith("state.")}
    for u, token in enumerate([torch.zeros(2, dtype=torch.int64), *tokens.T]):
        outputs = graphs["decoder"].call({"token": token, **state})
        state = {f"state.{name[5:]}": value for name, value in outputs.items() if name.startswith("next.")}
        assert torch.allclose(outputs["prediction"], predicted[:, u], atol=1e-6)
        for t in range(5):
            joined = graphs["joiner"].call({"frame": frames[:, t], "prediction": outputs["prediction"]})
            assert torch.allclose(joined["logits"], logits[:, t, u], atol=1e-6)


def test_a_prediction_network_reads_forwards() -> None:
    prediction = RecurrentSpec(hidden=4, bidirectional=True)
    with pytest.raises(UsageError, match="a prediction network reads forwards"):
        frames_to_tokens(4, 1, MaskSpec(), RecurrentSpec(hidden=4), StepHeadSpec(), 4, prediction, 3)
