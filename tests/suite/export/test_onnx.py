from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from suite.checkpoint import Checkpoint, Manifest
from suite.checkpoint.weights import WEIGHTS, Kind, round_weights, save_weights
from suite.errors import SuiteError
from suite.export.onnx import export
from suite.export.verify import SIZES, max_difference, verify
from suite.nn.build import series_to_each, tokens_to_each, tokens_to_tokens
from suite.nn.cells.base import Cell, State
from suite.nn.layers.embeddings import Embedding, FeatureInput
from suite.nn.models import ManyToOne, Model
from suite.nn.specs import AttentionSpec, EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry

SHAPES = {
    "one layer": RecurrentSpec(hidden=16),
    "deep": RecurrentSpec(hidden=16, layers=2, norm="rms", feedforward=2.0),
    "both ways": RecurrentSpec(hidden=8, norm="layer", bidirectional=True),
}
ALL = HeadSpec(pooling=("last", "mean", "max", "attention"), hidden=12)


def tokens(cell: type[Cell], spec: RecurrentSpec, head: HeadSpec = ALL, vocabulary: int = 300) -> ManyToOne:
    torch.manual_seed(0)
    example = torch.zeros(2, 2, dtype=torch.int64)
    return ManyToOne(Embedding(vocabulary, EmbeddingSpec(features=8)), cell, spec, head, 3, example)


def series(cell: type[Cell], spec: RecurrentSpec, head: HeadSpec = ALL) -> ManyToOne:
    torch.manual_seed(0)
    return ManyToOne(FeatureInput(4), cell, spec, head, 3, torch.zeros(2, 2, 4))


def exported(model: Model, folder: Path, kind: Kind = "float16") -> Checkpoint:
    round_weights(model, kind)
    save_weights(model, folder / WEIGHTS, kind)
    names = export(model, folder)
    assert names == [f"{name}.onnx" for name in model.graphs()]
    return Checkpoint(folder, Manifest(task="", mapping="", config={}, files=dict.fromkeys(names, "")))


def graph(checkpoint: Checkpoint) -> onnx.GraphProto:
    (name,) = checkpoint.manifest.files
    return onnx.load(checkpoint.path / name, load_external_data=False).graph


def stored(proto: onnx.GraphProto) -> dict[str, int]:
    """Bytes of every constant inside a graph file, sub-graphs included; references count nothing."""
    found = {t.name: t.ByteSize() for t in proto.initializer if t.data_location != onnx.TensorProto.EXTERNAL}
    for node in proto.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= stored(attribute.g)
            if attribute.HasField("t"):
                found[node.output[0]] = attribute.t.ByteSize()
    return found


def holds_no_weights(model: Model, checkpoint: Checkpoint) -> None:
    """The graph is small, and refers to every matrix of the weights file once."""
    proto = graph(checkpoint)
    assert proto.ByteSize() < 100_000
    assert max(stored(proto).values()) < 300, "a weight is in the graph file too"
    references = [t for t in proto.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert {e.value for t in references for e in t.external_data if e.key == "location"} == {WEIGHTS}
    assert {t.data_type for t in references} == {onnx.TensorProto.FLOAT16}
    used = {t.name.removesuffix(".stored") for t in references}
    assert len(used) == len(references), "a weight is referred to twice"
    assert used <= set(model.state_dict())
    # A norm's or a bias' constant may be folded away by shape; every matrix must be there.
    assert {key for key, value in model.state_dict().items() if value.ndim > 1} <= used


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("shape", SHAPES)
def test_graph_says_what_torch_says_and_holds_no_weights(name: str, shape: str, tmp_path: Path) -> None:
    model = tokens(registry().cell(name), SHAPES[shape])
    checkpoint = exported(model, tmp_path)
    assert verify(model, checkpoint) < 1e-5
    holds_no_weights(model, checkpoint)


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("head", [StepHeadSpec(hidden=12), StepHeadSpec(tied=True)], ids=["own", "tied"])
def test_aligned_graph_says_what_torch_says_and_holds_no_weights(name: str, head: StepHeadSpec, tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = dataclasses.replace(SHAPES["deep"], cell=name)
    model = tokens_to_each(300, EmbeddingSpec(features=8), spec, head, 300, graph="decoder")
    checkpoint = exported(model, tmp_path)
    assert verify(model, checkpoint) < 1e-5
    holds_no_weights(model, checkpoint)
    (outputs,) = [output for output in graph(checkpoint).output if output.name == "outputs"]
    sizes = [d.dim_value or d.dim_param for d in outputs.type.tensor_type.shape.dim]
    assert sizes[:2] == ["batch", "time"]


@pytest.mark.parametrize("both", [False, True])
def test_aligned_series(both: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = series_to_each(4, RecurrentSpec(cell="mingru", hidden=8, bidirectional=both), StepHeadSpec(), 3)
    checkpoint = exported(model, tmp_path)
    assert [path.name for path in sorted(tmp_path.glob("*.onnx"))] == ["encoder.onnx"]
    rows = [np.random.default_rng(i).standard_normal((i + 1, 4)) for i in range(9)]
    assert verify(model, checkpoint, rows) < 1e-5


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = RecurrentSpec(cell="gru", hidden=48)
    model = tokens_to_each(20_000, EmbeddingSpec(features=32), spec, StepHeadSpec(tied=True), 20_000, graph="decoder")
    exported(model, tmp_path)
    parameters = sum(p.numel() for p in model.parameters())
    assert 20_000 * 32 < parameters < 1.1 * 20_000 * 32 + 20_000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * parameters + 60_000


@pytest.mark.parametrize("name", ["lstm", "mingru"])
def test_series(name: str, tmp_path: Path) -> None:
    model = series(registry().cell(name), SHAPES["deep"])
    checkpoint = exported(model, tmp_path)
    rows = [np.random.default_rng(i).standard_normal((i + 1, 4)) for i in range(9)]
    assert verify(model, checkpoint, rows) < 1e-5


def test_sizes_are_not_the_traced_one() -> None:
    assert (2, 2) not in SIZES
    assert any(steps == 1 for _, steps in SIZES)
    assert len({batch for batch, _ in SIZES}) > 1


@pytest.mark.parametrize(("name", "operator"), [("lstm", "LSTM"), ("gru", "GRU"), ("rnn", "RNN")])
def test_cells_that_onnx_has_are_its_operators(name: str, operator: str, tmp_path: Path) -> None:
    proto = graph(exported(tokens(registry().cell(name), SHAPES["one layer"]), tmp_path))
    kinds = [node.op_type for node in proto.node]
    assert kinds.count(operator) == 1
    assert not {"Scan", "Loop"} & set(kinds)


@pytest.mark.parametrize("name", ["mingru", "rglru"])
def test_other_cells_are_one_scan_a_layer_with_the_projection_outside(name: str, tmp_path: Path) -> None:
    proto = graph(exported(tokens(registry().cell(name), SHAPES["deep"]), tmp_path))
    scans = [node for node in proto.node if node.op_type == "Scan"]
    assert len(scans) == 2
    assert "Loop" not in {node.op_type for node in proto.node}
    bodies = [a.g for node in scans for a in node.attribute if a.HasField("g")]
    inside = {node.op_type for body in bodies for node in body.node}
    assert not {"MatMul", "Gemm", "Exp", "Sigmoid"} & inside
    assert not any(node.domain == "suite" for node in proto.node)


class Tape(Cell):
    """State arrays of different shapes and types, in another order than they are declared."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.write, self.memory, self.read = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(3, 1)
        self.register_buffer("order", torch.arange(hidden - 1, -1, -1))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"h": (self.hidden,), "tape": (self.hidden, 3)}

    def initial(self, batch: int) -> State:
        return dict(reversed(super().initial(batch).items()))

    def project(self, x: Tensor) -> Tensor:
        return self.write(x)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        new = torch.tanh(projected + self.memory(state["h"]))[:, self.order]
        tape = torch.cat([state["tape"][:, :, 1:], new[:, :, None]], dim=2)
        h = self.read(tape)[:, :, 0]
        return h, {"tape": tape, "h": h}


@pytest.mark.parametrize("shape", SHAPES)
def test_third_party_cell_with_two_odd_arrays_is_a_scan(shape: str, tmp_path: Path) -> None:
    model = tokens(Tape, SHAPES[shape])
    checkpoint = exported(model, tmp_path)
    assert verify(model, checkpoint) < 1e-5
    proto = graph(checkpoint)
    layers, ways = SHAPES[shape].layers, 2 if SHAPES[shape].bidirectional else 1
    assert sum(node.op_type == "Scan" for node in proto.node) == layers * ways
    hidden = SHAPES[shape].hidden
    given = {i.name: [d.dim_value or d.dim_param for d in i.type.tensor_type.shape.dim] for i in proto.input}
    assert given["state.0.tape"] == ["batch", hidden, 3]
    following = {name.replace("state.", "next.", 1) for name in given if name.startswith("state.")}
    assert following < {output.name for output in proto.output}
    # The recurrent weights of a Scan's body are references of the outer graph too.
    assert max(stored(proto).values()) < 300
    assert "encoder.layers.0.cell.memory.weight.stored" in {t.name for t in proto.initializer}


def test_embedding_is_looked_up_in_half_precision(tmp_path: Path) -> None:
    proto = graph(exported(tokens(registry().cell("lstm"), SHAPES["one layer"]), tmp_path))
    (gather,) = [node for node in proto.node if node.op_type == "Gather" and "table" in node.input[0]]
    assert gather.input[0] == "frontend.table.weight.stored"
    casts = {node.input[0] for node in proto.node if node.op_type == "Cast"}
    assert gather.input[0] not in casts
    assert gather.output[0] in casts


def test_size_of_a_large_model_is_that_of_its_weights(tmp_path: Path) -> None:
    model = tokens(registry().cell("gru"), RecurrentSpec(hidden=64), vocabulary=20_000)
    exported(model, tmp_path)
    parameters = sum(p.numel() for p in model.parameters())
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * parameters + 60_000


def test_training_flags_and_values_are_left_alone(tmp_path: Path) -> None:
    model = tokens(registry().cell("mingru"), dataclasses.replace(SHAPES["deep"], dropout=0.5))
    round_weights(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checkpoint = exported(model, tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not {"Dropout", "RandomUniformLike"} & {node.op_type for node in graph(checkpoint).node}


def test_a_cell_alone_is_refused() -> None:
    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = registry().cell("mingru")(2, 3)

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            y, _ = self.cell.scan(x, {"h": h})
            return y

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SuiteError, match="only as part of a model"):
            torch.onnx.export(Alone(), (torch.zeros(1, 2, 2), torch.zeros(1, 3)), "unused.onnx", dynamo=False)
    assert not Path("unused.onnx").exists()


# -- verify ------------------------------------------------------------------------------------------------


def swapped(proto: onnx.ModelProto) -> None:
    node = next(node for node in proto.graph.node if node.op_type == "Erf")
    node.op_type = "Tanh"


def shifted(proto: onnx.ModelProto) -> None:
    reference = next(t for t in proto.graph.initializer if t.name == "head.4.weight.stored")
    entry = next(e for e in reference.external_data if e.key == "offset")
    entry.value = str(int(entry.value) - 2)


def state_lost(proto: onnx.ModelProto) -> None:
    scan = next(node for node in proto.graph.node if node.op_type == "Scan")
    body = next(a.g for a in scan.attribute if a.HasField("g"))
    next(node for node in body.node if node.op_type == "Mul").op_type = "Add"


@pytest.mark.parametrize("tamper", [swapped, shifted, state_lost])
def test_tampered_graph_is_caught(tamper: object, tmp_path: Path) -> None:
    model = tokens(registry().cell("mingru"), SHAPES["one layer"])
    checkpoint = exported(model, tmp_path)
    verify(model, checkpoint)
    path = tmp_path / "encoder.onnx"
    proto = onnx.load(path, load_external_data=False)
    tamper(proto)  # type: ignore[operator]
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(SuiteError, match=r"encoder\.onnx: "):
        verify(model, checkpoint)


@pytest.mark.parametrize(
    ("right", "found", "expected"),
    [
        ([[1.0, 0.3]], [[1.0, 0.3002]], 2e-4), ([[600.0, 0.3]], [[600.0, 0.3002]], 2e-4 / 600),
        ([[600.0, 0.3], [0.0, 0.3]], [[600.0, 0.3], [0.0, 0.3002]], 2e-4),  # each row by itself
        ([[600.0, 0.3]], [[600.6, 0.3]], 1e-3), ([[0.0]], [[1.0]], 1.0), ([[True, False]], [[True, True]], 1.0),
        (3.0, 3.3, 0.1), (np.zeros((0, 4)), np.zeros((0, 4)), 0.0),
    ],
)  # fmt: skip
def test_how_far_runtimes_are_apart(right: object, found: object, expected: float) -> None:
    assert max_difference(np.asarray(found), np.asarray(right)) == pytest.approx(expected)
    assert not max_difference(np.array([[np.nan, 0.0]]), np.array([[1.0, 0.0]])) <= 1


def test_a_model_that_changed_since_its_export_is_caught(tmp_path: Path) -> None:
    model = tokens(registry().cell("gru"), SHAPES["one layer"])
    checkpoint = exported(model, tmp_path)
    model.encoder.layers[0].cell.rnn.bias_hh_l0.data += 0.01  # type: ignore[union-attr,operator]
    with pytest.raises(SuiteError, match=r"differs from torch by .* at batch"):
        verify(model, checkpoint)


# -- two graphs --------------------------------------------------------------------------------------------


def two_graphs(cell: str, attention: AttentionSpec, vocabulary: int = 400) -> Model:
    torch.manual_seed(0)
    reads = RecurrentSpec(cell=cell, hidden=8, layers=2, bidirectional=True)
    writes, head = RecurrentSpec(cell=cell, hidden=12, layers=2), StepHeadSpec(tied=True)
    return tokens_to_tokens(vocabulary, EmbeddingSpec(features=6), reads, writes, attention, head)


@pytest.mark.parametrize("cell", registry().cell_names())
@pytest.mark.parametrize(
    "attention",
    [AttentionSpec(features=8, heads=2), AttentionSpec(features=8, kind="additive", after=0),
     AttentionSpec(features=8, feeding=True)],
    ids=["multiplicative", "additive", "fed"],
)  # fmt: skip
def test_an_encoder_and_a_decoder_are_right_at_sizes_that_were_not_traced(
    cell: str, attention: AttentionSpec, tmp_path: Path
) -> None:
    model = two_graphs(cell, attention)
    checkpoint = exported(model, tmp_path)
    assert list(checkpoint.manifest.files) == ["encoder.onnx", "decoder.onnx"]
    assert verify(model, checkpoint, [np.arange(3, 40), np.arange(200, 390)]) < 1e-5


def test_the_weights_of_two_graphs_are_in_one_file_once(tmp_path: Path) -> None:
    model = two_graphs("lstm", AttentionSpec(features=8), vocabulary=4000)
    checkpoint = exported(model, tmp_path)
    numbers = sum(p.numel() for p in model.parameters())
    assert (tmp_path / WEIGHTS).stat().st_size < 2 * numbers + 6000
    for name in checkpoint.manifest.files:
        proto = onnx.load(tmp_path / name, load_external_data=False).graph
        assert proto.ByteSize() < 150_000
        assert max(stored(proto).values()) < 300, f"a weight is in {name} too"
        halves = {t.data_type for t in proto.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
        assert halves == {onnx.TensorProto.FLOAT16}


# -- eight bits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", registry().cell_names())
def test_weights_of_eight_bits_are_right_in_every_cell_and_stored_once(cell: str, tmp_path: Path) -> None:
    model = two_graphs(cell, AttentionSpec(features=8, heads=2), vocabulary=4000)
    checkpoint = exported(model, tmp_path, "int8")
    assert verify(model, checkpoint, [np.arange(3, 40), np.arange(200, 390)]) < 1e-5
    rows = sum(p.shape[0] if p.ndim > 1 else 0 for p in model.parameters())
    numbers = sum(p.numel() for p in model.parameters())
    vectors = sum(p.numel() for p in model.parameters() if p.ndim < 2)
    assert (tmp_path / WEIGHTS).stat().st_size < numbers + vectors + 4 * rows + 10_000
    for name in checkpoint.manifest.files:
        proto = onnx.load(tmp_path / name, load_external_data=False).graph
        assert max(stored(proto).values()) < 300, f"a weight is in {name} too"


def test_a_table_of_eight_bits_is_looked_up_as_it_is_stored(tmp_path: Path) -> None:
    model = tokens(registry().cell("lstm"), SHAPES["one layer"])
    proto = graph(exported(model, tmp_path, "int8"))
    looked_up = {node.input[0] for node in proto.node if node.op_type == "Gather" and "frontend" in node.input[0]}
    assert looked_up == {"frontend.table.weight.stored", "frontend.table.weight.scale.stored"}
    widened = {node.input[0] for node in proto.node if node.op_type == "Cast"}
    assert "frontend.table.weight.stored" not in widened
