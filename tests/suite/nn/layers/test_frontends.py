"""Front ends with state: their laws, their formulas, and models and tasks that stream with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suite
from suite import testing
from suite.checkpoint import Checkpoint, Manifest
from suite.checkpoint.weights import WEIGHTS, round_weights, save_weights
from suite.errors import UsageError
from suite.export.onnx import export
from suite.export.verify import verify
from suite.nn.build import aligned, many_to_one, series_to_one, transducer
from suite.nn.cells.state import State
from suite.nn.layers.embeddings import Embedding
from suite.nn.layers.frontends import CausalConvolution, FrameDifference, StatefulFrontend
from suite.nn.models import Model, Unaligned
from suite.nn.specs import AttentionSpec, EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry
from suite.runtime import carried
from suite.runtime.onnx import OnnxRuntime
from suite.task import AnyTask
from suite.testing import LawBroken, check_frontend

GRU = RecurrentSpec("gru", hidden=6, layers=2)


class ConvolvedTokens(StatefulFrontend):
    """Token vectors, convolved."""

    def __init__(self, vocabulary: int, features: int = 5) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, EmbeddingSpec(features=4, dropout=0))
        self.convolution, self.features = CausalConvolution(4, features, kernel=3), features

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.convolution.state_shapes()

    def example(self) -> Tensor:
        return self.embedding.example()

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        features, following = self.convolution(self.embedding(inputs), lengths, state)
        return features, following


FRONTENDS: dict[str, Callable[[], StatefulFrontend]] = {
    "difference": lambda: FrameDifference(3),
    "difference alone": lambda: FrameDifference(3, keep=False),
    "convolution": lambda: CausalConvolution(3, 5),
    "pointwise": lambda: CausalConvolution(3, 5, kernel=1),
    "long": lambda: CausalConvolution(3, 5, kernel=9),
    "tokens": lambda: ConvolvedTokens(7),
}


@pytest.mark.parametrize("name", FRONTENDS)
def test_laws(name: str) -> None:
    torch.manual_seed(0)
    check_frontend(FRONTENDS[name]())


def test_what_breaks_a_law_is_named() -> None:
    class Last(FrameDifference):
        """Carries the chunk's last step, padding or not."""

        def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
            features, following = super().forward(inputs, lengths, state)
            return features, {**following, "last": inputs[:, -1]}

    class Forgets(FrameDifference):
        def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
            return super().forward(inputs, lengths, {name: torch.zeros_like(v) for name, v in state.items()})

    class Writes(FrameDifference):
        def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
            features, following = super().forward(inputs, lengths, dict(state))
            state["begun"].fill_(1)
            return features, following

    for broken, law in ((Last, "padding is invisible"), (Forgets, "chunks with carried"), (Writes, "forward is pure")):
        with pytest.raises(LawBroken, match=law):
            check_frontend(broken(3))


def test_a_difference() -> None:
    x = torch.tensor([[[1.0, 2.0], [4.0, 4.0], [9.0, 9.0]]])
    made = FrameDifference(2)
    state = {"last": torch.zeros(1, 2), "begun": torch.zeros(1, 1)}
    features, state = made(x, torch.tensor([2]), state)
    assert features[0, :2].tolist() == [[1, 2, 0, 0], [4, 4, 3, 2]]
    assert (state["last"].tolist(), state["begun"].tolist()) == ([[4, 4]], [[1]])
    features, _ = made(x, torch.tensor([3]), state)
    assert features[0, 0].tolist() == [1, 2, -3, -2]
    assert made.features == 4


def test_a_convolution() -> None:
    torch.manual_seed(0)
    made, x = CausalConvolution(2, 3, kernel=3), torch.randn(1, 6, 2)
    features, state = made(x, torch.tensor([6]), {"past": torch.zeros(1, 2, 2)})
    padded = torch.cat([torch.zeros(1, 2, 2), x], dim=1)
    for t in range(6):
        expected = torch.einsum("fdk,kd->f", made.weight, padded[0, t : t + 3])
        torch.testing.assert_close(features[0, t], expected)
    assert torch.equal(state["past"], x[:, 4:])
    with pytest.raises(ValueError, match="kernel must be 1 or more, not 0"):
        CausalConvolution(2, 3, kernel=0)


# -- in models ------------------------------------------------------------------------------------------------------


def models(frontend: StatefulFrontend) -> dict[str, Model]:
    return {
        "aligned": aligned(frontend, GRU, StepHeadSpec(), 3),
        "many-to-one": many_to_one(frontend, GRU, HeadSpec(pooling=("last", "mean")), 3),
        "transducer": transducer(frontend, GRU, StepHeadSpec(), 4, GRU, 5),
    }


@pytest.mark.parametrize("name", ["difference", "convolution", "tokens"])
@pytest.mark.parametrize("kind", ["aligned", "many-to-one", "transducer"])
def test_exported_models_carry_the_state(name: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    frontend = FRONTENDS[name]()
    model = models(frontend)[kind]
    round_weights(model)
    save_weights(model, tmp_path / WEIGHTS)
    checkpoint = Checkpoint(tmp_path, Manifest("", "", {}, files=dict.fromkeys(export(model, tmp_path), "")))
    assert verify(model, checkpoint) < 1e-5
    graph = OnnxRuntime(checkpoint).graph("encoder")
    names = [f"state.frontend.{own}" for own in frontend.state_shapes()]
    assert [name for name in graph.inputs if "frontend" in name] == names
    assert {f"next.{name[6:]}" for name in names} < set(graph.outputs)
    # From the first state, in chunks, padded.
    like = frontend.example().numpy()
    random = np.random.default_rng(0)
    inputs = random.integers(0, 7, (3, 9, *like.shape[2:])).astype(like.dtype)
    lengths = np.array([9, 0, 4])
    whole = graph({"inputs": inputs, "lengths": lengths, **graph.initial(3)})
    state, outputs = graph.initial(3), []
    for at in (0, 2, 3, 8):
        end = {0: 2, 2: 3, 3: 8, 8: 9}[at]
        results = graph({"inputs": inputs[:, at:end], "lengths": (lengths - at).clip(0, end - at), **state})
        state = carried(results)
        outputs.append(results["outputs"])
    found = np.concatenate(outputs, axis=1) if kind != "many-to-one" else outputs[-1]
    np.testing.assert_allclose(found, whole["outputs"], atol=1e-5)
    for key in carried(whole):
        np.testing.assert_allclose(state[key], carried(whole)[key], atol=1e-5)


def test_names_and_order_of_the_state() -> None:
    made = many_to_one(FrameDifference(3), GRU, HeadSpec(pooling=("last",)), 2)
    assert list(made.initial(1)) == ["frontend.last", "frontend.begun", "0.h", "1.h", "pool.last"]
    plain = series_to_one(3, GRU, HeadSpec(pooling=("last",)), 2)
    assert list(plain.initial(1)) == ["0.h", "1.h", "pool.last"]
    assert made.double().initial(1)["frontend.last"].dtype == torch.float64


def test_an_unaligned_model_reads_a_source_from_its_beginning(tmp_path: Path) -> None:
    torch.manual_seed(0)
    cell, table = registry().cell("gru"), Embedding(6, EmbeddingSpec(features=4))
    frontend, attention = CausalConvolution(3, 4), AttentionSpec(features=4)
    model = Unaligned(frontend, cell, GRU, GRU, attention, StepHeadSpec(), 6, frontend.example(), table)
    round_weights(model)
    save_weights(model, tmp_path / WEIGHTS)
    checkpoint = Checkpoint(tmp_path, Manifest("", "", {}, files=dict.fromkeys(export(model, tmp_path), "")))
    assert verify(model, checkpoint) < 1e-5
    assert OnnxRuntime(checkpoint).graph("encoder").inputs == ("inputs", "lengths")


def test_gradients_reach_the_front_end() -> None:
    torch.manual_seed(0)
    model = aligned(CausalConvolution(3, 5), GRU, StepHeadSpec(), 2)
    outputs, _ = model(torch.randn(2, 4, 3), torch.tensor([4, 1]), model.initial(2))
    outputs.sum().backward()
    names = dict(model.named_parameters())
    assert names["frontend.weight"].grad is not None
    assert names["frontend.weight"].grad.abs().sum() > 0


# -- in tasks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch, changed: Callable[..., AnyTask]) -> Callable[..., AnyTask]:
    """``replaced(task, build_model=…)``: the same task, registered with other attributes."""
    from suite.plugins.entry_points import TASKS

    def replace(task: AnyTask, **attributes: Any) -> AnyTask:
        made = changed(task, **attributes)
        monkeypatch.setitem(registry()._found[TASKS], task.name, made)
        return made

    return replace


def test_an_aligned_task_streams(
    replaced: Callable[..., AnyTask], echo: AnyTask, echo_file: Path, tmp_path: Path
) -> None:  # fmt: skip
    def build_model(self: Any, config: Any, codecs: Any) -> Model:
        return aligned(ConvolvedTokens(codecs.input.size), config.encoder, config.head, codecs.target.size)

    task = replaced(echo, build_model=build_model)
    made = suite.train("echo", data=echo_file, out=tmp_path / "out", epochs=1, bptt=4)
    notes = testing.check_task(task, checkpoint=made.path, inputs=["abcdabcd", "c", "dd"])
    # The task is registered in this process alone.
    assert [note.partition(": no task named 'echo'")[0] for note in notes] == [
        "law 13 was not checked in another process"
    ]
    with suite.stream("echo", made.path) as session:
        session.feed("abc")
        assert session.state["arrays"]["state.frontend.past"].shape == (1, 2, 4)
        saved = session.dumps()
        wanted = [update.text for update in session.feed("dab")]
    with suite.stream("echo", made.path, state=saved) as session:
        assert [update.text for update in session.feed("dab")] == wanted
    testing.check_resume(task, echo_file, tmp_path, bptt=4, epochs=1)


def test_a_many_to_one_task_streams(
    replaced: Callable[..., AnyTask], ratings_file: Path, tiny_settings: list[str], tmp_path: Path
) -> None:  # fmt: skip
    def build_model(self: Any, config: Any, codecs: Any) -> Model:
        (outputs,) = {  # as the task's own model has them
            module.out_features for module in own.build_model(config, codecs).head if isinstance(module, nn.Linear)
        }
        return many_to_one(ConvolvedTokens(codecs.input.size), config.encoder, config.head, outputs)

    own = registry().task("sentiment")
    task = replaced(own, build_model=build_model)
    made = suite.train("sentiment", data=ratings_file, out=tmp_path / "out", settings=tiny_settings, epochs=1)
    assert testing.check_task(task, checkpoint=made.path, inputs=["a fine day", "bad", "not so good at all"]) == []


def test_a_front_end_without_an_example() -> None:
    class Bare(nn.Module):
        features = 3

        def forward(self, inputs: Tensor) -> Tensor:
            return inputs

    with pytest.raises(UsageError, match=r"^Bare defines no example\(\): give example="):
        aligned(Bare(), GRU, StepHeadSpec(), 2)
    assert aligned(Bare(), GRU, StepHeadSpec(), 2, example=torch.zeros(2, 2, 3)).initial(1).keys() == {"0.h", "1.h"}
