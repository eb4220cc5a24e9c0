"""A loaded model: raw outputs in batches and in chunks, codecs by a verb's options, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.errors import CheckpointError, UsageError
from suite.inference import model as loaded
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.task import AnyTask, Option

TEXTS = [f"{'What a lovely' if i % 3 else 'An awful'} film {'so ' * (i % 11)}number {i}" for i in range(40)]


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> LoadedModel[Any, Any]:
    return LoadedModel.open("sentiment", tiny_checkpoint)


def test_a_model_says_what_it_is(model: LoadedModel[Any, Any], tiny_checkpoint: Path) -> None:
    assert repr(model) == f"<LoadedModel 'sentiment' from {tiny_checkpoint} (onnx)>"
    assert (model.task.name, model.name, model.causal) == ("sentiment", str(tiny_checkpoint), True)
    assert len(model.fingerprint) == 64
    assert model.fingerprint == LoadedModel.open("sentiment", tiny_checkpoint, runtime="torch").fingerprint
    bare = LoadedModel(model.task, model.codecs, model.runtime)
    assert (repr(bare), bare.fingerprint) == ("<LoadedModel 'sentiment' from memory (onnx)>", "")


def test_a_model_is_opened_by_name_or_by_task(model: LoadedModel[Any, Any], tiny_checkpoint: Path) -> None:
    assert LoadedModel.open(model.task, tiny_checkpoint).task is model.task
    with pytest.raises(UsageError, match=r"no task named 'sentimnt'; did you mean 'sentiment'\?"):
        LoadedModel.open("sentimnt")
    with pytest.raises(CheckpointError, match=r"no suite\.json"):
        LoadedModel.open("sentiment", tiny_checkpoint.parent)


@pytest.mark.parametrize(
    ("names", "graph"),
    [(("encoder",), "encoder"), (("decoder",), "decoder"), (("encoder", "decoder", "joiner"), "encoder"),
     ((), "encoder")],
)  # fmt: skip
def test_the_graph_that_reads_an_input(model: LoadedModel[Any, Any], names: tuple[str, ...], graph: str) -> None:
    class Named:
        kind = "onnx"

    runtime: Any = Named()
    runtime.names = names
    assert LoadedModel(model.task, model.codecs, runtime).sequence_graph == graph


def test_codecs_are_configured_by_the_options_of_a_verb(
    model: LoadedModel[Any, Any], changed: Callable[..., AnyTask]
) -> None:
    def configure(self: AnyTask, codecs: Any, *, limit: int, **options: Any) -> Any:
        if limit > 9:
            raise UsageError(f"limit={limit}: at most 9")
        return codecs.replace(target=f"limited to {limit}")

    task = changed(model.task, configure_codecs=configure, options=[Option(name="limit", type=int, help="", default=1)])
    plain = LoadedModel(task, model.codecs, model.runtime, name="a", fingerprint="b", causal=False)
    assert plain.options == {}
    made = plain.configured({"limit": 4})
    assert (made.options, made.codecs.target) == ({"limit": 4}, "limited to 4")
    assert made.codecs.input is model.codecs.input
    assert plain.codecs is model.codecs
    assert (made.task, made.runtime, made.name, made.fingerprint, made.causal) == (task, model.runtime, "a", "b", False)
    with pytest.raises(UsageError, match="limit=10: at most 9"):
        plain.configured({"limit": 10})


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_outputs_come_in_the_order_of_the_inputs(model: LoadedModel[Any, Any], batch_size: int) -> None:
    found = model.outputs_of(TEXTS, batch_size)
    assert found.shape == (len(TEXTS), 2)
    alone = np.concatenate([model.outputs([model.codecs.input.encode(text)]) for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["onnx", "torch"])
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_chunks_equal_the_whole(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, steps: int, kind: Any) -> None:
    opened = LoadedModel.open("sentiment", tiny_checkpoint, runtime=kind)
    arrays = [opened.codecs.input.encode(text) for text in TEXTS[:12]]
    whole = opened.outputs(arrays)
    monkeypatch.setattr(loaded, "CHUNK_STEPS", steps)
    np.testing.assert_allclose(opened.outputs(arrays), whole, atol=1e-5)


def test_a_long_input_does_not_widen_the_others(model: LoadedModel[Any, Any]) -> None:
    """A batch with one long text takes the memory of that text, not of a batch of such texts."""
    graph = model.runtime.graph("encoder")
    largest = 0

    class Watched:
        names = ("encoder",)

        def graph(self, name: str) -> Any:
            return self

        def initial(self, batch: int) -> Any:
            return graph.initial(batch)

        def __call__(self, arrays: Any) -> Any:
            nonlocal largest
            largest = max(largest, arrays["inputs"].size)
            return graph(arrays)

    watched = Pipeline(LoadedModel(model.task, model.codecs, Watched()))  # type: ignore[arg-type]
    texts = ["good " * 20_000, *TEXTS[:31]]
    expected = [result.polarity for result in map(Pipeline(model), texts)]
    assert [result.polarity for result in watched(texts)] == pytest.approx(expected, abs=1e-5)
    assert largest <= loaded.CHUNK_STEPS
