"""Both runtimes: one face, the same numbers, and clear words where one cannot be used."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.checkpoint import Checkpoint
from suite.errors import CheckpointError, MissingExtra, UsageError
from suite.inference.loading import open_runtime
from suite.runtime import threads


def arrays(graph: Any, rows: int = 3, steps: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "inputs": random.integers(0, 40, (rows, steps)),
        "lengths": np.array([steps, 0, 2][:rows], np.int64),
        **{name: random.random(a.shape).astype(a.dtype) for name, a in graph.initial(rows).items()},
    }


def test_torch_says_what_onnx_says(tiny_checkpoint: Path) -> None:
    opened = Checkpoint.open(tiny_checkpoint)
    onnx, torch = (open_runtime(opened, kind).graph("encoder") for kind in ("onnx", "torch"))  # type: ignore[arg-type]
    assert set(onnx.inputs) == set(torch.inputs)
    assert set(onnx.outputs) == set(torch.outputs)
    for rows, steps in ((1, 1), (3, 5), (3, 64)):
        given = arrays(onnx, rows, steps)
        ours, theirs = onnx(given), torch(given)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            np.testing.assert_allclose(value, theirs[name], atol=1e-4)
            assert value.dtype == theirs[name].dtype


def test_graphs_by_name(tiny_checkpoint: Path) -> None:
    opened = Checkpoint.open(tiny_checkpoint)
    assert open_runtime(opened, "onnx").names == open_runtime(opened, "torch").names == ("encoder",)


def test_arrays_go_where_the_model_is_and_come_back() -> None:
    """On a device without memory, so that the test runs anywhere: what the model gets must be there already."""
    import torch as pytorch

    from suite.nn.models import Graph, Tensors
    from suite.runtime.torch import TorchGraph

    def call(arrays: Tensors) -> Tensors:
        assert {value.device.type for value in arrays.values()} == {"meta"}
        return {"outputs": pytorch.ones(arrays["inputs"].shape)}

    graph = TorchGraph(Graph(call, {"inputs": pytorch.zeros(2, 2, device="meta")}, {"inputs": {}, "outputs": {}}))
    np.testing.assert_array_equal(graph({"inputs": np.zeros((3, 4), np.float32)})["outputs"], np.ones((3, 4)))


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_the_first_state(tiny_checkpoint: Path, kind: Any) -> None:
    graph = open_runtime(Checkpoint.open(tiny_checkpoint), kind).graph("encoder")
    state = graph.initial(4)
    assert {name for name in graph.inputs if name.startswith("state.")} == set(state)
    assert {f"next.{name[6:]}" for name in state} == {name for name in graph.outputs if name.startswith("next.")}
    assert all(a.shape[0] == 4 and a.dtype == np.float32 and not a.any() for a in state.values())


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_what_is_given_is_left_as_it_is(tiny_checkpoint: Path, kind: Any) -> None:
    graph = open_runtime(Checkpoint.open(tiny_checkpoint), kind).graph("encoder")
    given = arrays(graph)
    before = {name: value.copy() for name, value in given.items()}
    first = graph(given)
    second = graph(given)
    for name, value in before.items():
        np.testing.assert_array_equal(given[name], value)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_a_graph_is_loaded_once(tiny_checkpoint: Path) -> None:
    runtime = open_runtime(Checkpoint.open(tiny_checkpoint))
    assert runtime.kind == "onnx"
    assert runtime.graph("encoder") is runtime.graph("encoder")


def test_without_graphs_torch_is_the_default(damage: Callable[..., Path]) -> None:
    def forget(content: bytes) -> bytes:
        values = json.loads(content)
        del values["files"]["encoder.onnx"]
        return json.dumps(values).encode()

    opened = Checkpoint.open(damage("suite.json", forget))
    assert open_runtime(opened).kind == "torch"
    with pytest.raises(
        UsageError, match=r"has no encoder\.onnx; run suite sentiment export --checkpoint .*--runtime torch"
    ):
        open_runtime(opened, "onnx").graph("encoder")


def test_a_graph_that_no_model_has(tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match=r"has no decoder\.onnx"):
        open_runtime(Checkpoint.open(tiny_checkpoint)).graph("decoder")


def test_an_unknown_runtime(tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="runtime 'tpu': choose onnx or torch"):
        open_runtime(Checkpoint.open(tiny_checkpoint), "tpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [lambda content: b"", lambda content: content[: len(content) // 2]])
@pytest.mark.parametrize("name", ["encoder.onnx", "model.safetensors"])
def test_a_damaged_graph(
    damage: Callable[..., Path], name: str, change: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    opened = Checkpoint.open(damage(name, change, sealed=True))
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: cannot be loaded: .*; export or download it"):
        open_runtime(opened).graph("encoder")
    assert capfd.readouterr() == ("", "")  # the library's own log would be a second, longer voice


def test_damaged_weights(damage: Callable[..., Path]) -> None:
    opened = Checkpoint.open(damage("model.safetensors", lambda content: content[:20], sealed=True))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: .*; copy the checkpoint again"):
        open_runtime(opened, "torch").graph("encoder")


def test_without_torch(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("suite.checkpoint.weights")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    opened = Checkpoint.open(tiny_checkpoint)
    with pytest.raises(MissingExtra, match=r"^the torch runtime needs the \[train\] extra .*pip install"):
        open_runtime(opened, "torch").graph("encoder")
    assert open_runtime(opened).graph("encoder").initial(1)


# --- threads ------------------------------------------------------------------------------------------------


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("SUITE_THREADS", "")
    assert threads() >= 1
    monkeypatch.delenv("SUITE_THREADS")
    assert threads() >= 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", " "])
def test_threads_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path, text: str) -> None:
    monkeypatch.setenv("SUITE_THREADS", text)
    with pytest.raises(UsageError, match=r"^SUITE_THREADS='.*': expected a whole number from 1$"):
        open_runtime(Checkpoint.open(tiny_checkpoint)).graph("encoder")
