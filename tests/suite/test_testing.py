"""The laws hold for everything registered, and each law catches what breaks it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suite.training.resume
import suite.training.runs
from suite import testing
from suite.checkpoint import Checkpoint, save
from suite.codecs.targets import Labels, Value
from suite.codecs.wordpieces import TextFeeder, WordPieceCodec, WordPieceSpec
from suite.errors import CheckpointError, UsageError
from suite.inference.loading import open_config, open_runtime
from suite.inference.model import LoadedModel
from suite.nn.cells.base import Cell, State
from suite.nn.cells.masking import length_mask
from suite.plugins import registry
from suite.task import AnyTask, Codecs
from suite.testing import LawBroken

Changed = Callable[..., AnyTask]

TEXTS = ["What a lovely café, I adore it!", "awful", "The soup is on the table.  I like it 😀 very much :)"]

CELL_LAWS = (
    testing.state_is_declared, testing.steps_equal_scan, testing.chunks_equal_whole, testing.padding_is_invisible,
    testing.rows_are_independent, testing.gradients_are_right,
)  # fmt: skip


# -- cells -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry().cell_names())
@pytest.mark.parametrize("law", [*CELL_LAWS, testing.exports_to_onnx], ids=lambda law: law.__name__)
def test_registered_cell(name: str, law: Callable[..., None]) -> None:
    law(registry().cell(name))


class Plain(Cell):
    """What the broken cells below break: ``h' = tanh(W x + U h)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.input, self.memory = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(projected + self.memory(state["h"]))
        return h, {"h": h}


class Memory(Cell):
    """A third party's cell: arrays of several shapes and types, in an order of its own, and only a step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.write, self.read = nn.Linear(inputs + hidden, hidden), nn.Linear(3, 1)
        self.register_buffer("order", torch.arange(hidden - 1, -1, -1))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"h": (self.hidden,), "tape": (self.hidden, 3), "count": (1,)}

    def initial(self, batch: int) -> State:
        first = super().initial(batch)
        return {"count": first["count"].long(), "tape": first["tape"], "h": first["h"]}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        new = torch.tanh(self.write(torch.cat([x, state["h"]], dim=1)))[:, self.order]
        tape = torch.cat([state["tape"][:, :, 1:], new[:, :, None]], dim=2)
        h = self.read(tape)[:, :, 0] + 0.01 * state["count"].to(x.dtype)
        return h, {"tape": tape, "h": h, "count": state["count"] + 1}


@pytest.mark.parametrize("cell", [Plain, Memory])
def test_third_party_cell(cell: type[Cell]) -> None:
    testing.check_cell(cell, inputs=2, hidden=3)


def test_start_state_may_be_given() -> None:
    class Root(Plain):
        def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.sqrt(state["h"]) + projected**2
            return h, {"h": h}

    with pytest.raises(LawBroken, match="nan"):
        testing.steps_equal_scan(Root)
    testing.check_cell(Root, start=lambda cell, rows: {"h": torch.rand(rows, 7, dtype=cell.input.weight.dtype) + 1})


class LeaksBetweenRows(Plain):
    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return super().recur(projected, {"h": state["h"] + 1e-6 * state["h"].mean(0)})


class PaddingMovesState(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        y, state = super().scan(x, state)
        return (y if lengths is None else y * length_mask(lengths, x.shape[1])[:, :, None]), state


class PaddingShows(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        _, following = super().scan(x, state, lengths)
        return super().scan(x, state)[0], following


class EmptyRowIsReset(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        y, state = super().scan(x, state, lengths)
        return y, state if lengths is None else {"h": state["h"] * (lengths > 0)[:, None]}


class ForgetsCarriedState(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        return super().scan(x, self.initial(x.shape[0]), lengths)


class GivesOldState(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        return super().scan(x, state, lengths)[0], state


class LooksAhead(Plain):
    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        return super().scan(x + 1e-3 * x.mean(1, keepdim=True), state, lengths)


class WrongGradient(Plain):
    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return super().recur(projected, {"h": 0.99 * state["h"] + 0.01 * state["h"].detach()})


class WrongWeightGradient(Plain):
    def project(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.input.weight, self.input.bias.detach())


class WritesIntoState(Plain):
    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return super().recur(projected, {"h": state["h"].mul_(0.5)})


class StartsElsewhere(Plain):
    def initial(self, batch: int) -> State:
        return {"h": super().initial(batch)["h"] + 1}


class DeclaresLess(Plain):
    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        h, _ = super().recur(projected, state)
        return h, {"h": h, "c": h}


class GoesSingle(Plain):
    def initial(self, batch: int) -> State:
        return {"h": torch.zeros(batch, self.hidden)}


class Blows(Plain):
    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return super().recur(projected * torch.inf * 0, state)


class FreezesTime(Plain):
    """Its loop is unrolled while it is traced, and so exports for one length only."""

    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        outputs = []
        for t in range(x.shape[1]):
            y, after = self.step(x[:, t], state)
            if lengths is not None:
                inside = (t < lengths)[:, None]
                y, after = y * inside, {"h": torch.where(inside, after["h"], state["h"])}
            state = after
            outputs.append(y)
        return torch.stack(outputs, dim=1) if outputs else x.new_zeros(x.shape[0], 0, self.hidden), state


@pytest.mark.parametrize(
    ("law", "cell", "says"),
    [
        (testing.state_is_declared, StartsElsewhere, "starts? .*zero"),
        (testing.state_is_declared, DeclaresLess, "state_shapes"),
        (testing.state_is_declared, GoesSingle, "torch.float32 in a float64 cell"),
        (testing.state_is_declared, WritesIntoState, "pure"),
        (testing.steps_equal_scan, ForgetsCarriedState, "the output of step 0 .* differs by"),
        (testing.steps_equal_scan, GivesOldState, "the state 'h' after the last step .* differs by"),
        (testing.steps_equal_scan, LooksAhead, "stepping equals scanning"),
        (testing.steps_equal_scan, Blows, "nan|inf"),
        (testing.chunks_equal_whole, ForgetsCarriedState, r"chunks of 1 \+ 6 steps"),
        (testing.chunks_equal_whole, GivesOldState, "differs by"),
        (testing.chunks_equal_whole, LooksAhead, "differs by"),
        (testing.padding_is_invisible, PaddingMovesState, "the state 'h' after a row of length 0"),
        (testing.padding_is_invisible, PaddingShows, "not zero"),
        (testing.padding_is_invisible, EmptyRowIsReset, "length 0"),
        (testing.padding_is_invisible, ForgetsCarriedState, "differs by"),
        (testing.rows_are_independent, LeaksBetweenRows, "for rows"),
        (testing.gradients_are_right, WrongGradient, "finite differences"),
        (testing.gradients_are_right, WrongWeightGradient, "finite differences"),
        (testing.exports_to_onnx, FreezesTime, "torch"),
    ],
)
def test_broken_cell_is_caught(law: Callable[..., None], cell: type[Cell], says: str) -> None:
    with pytest.raises(LawBroken, match=says):
        law(cell)
    if law is not testing.exports_to_onnx:
        with pytest.raises(LawBroken):
            testing.check_cell(cell)


def test_laws_leave_the_random_numbers_and_gradients_alone() -> None:
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    with pytest.raises(LawBroken):
        testing.steps_equal_scan(ForgetsCarriedState)
    testing.steps_equal_scan(Plain)
    assert torch.is_grad_enabled()
    assert torch.rand(1) == wanted


# -- tasks -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentiment() -> AnyTask:
    return registry().task("sentiment")


def test_tiny_checkpoints(sentiment: AnyTask, tiny_checkpoint: Path, tiny_labels_checkpoint: Path) -> None:
    for path in (tiny_checkpoint, tiny_labels_checkpoint):
        assert testing.check_task(sentiment, checkpoint=path, inputs=TEXTS) == []


@pytest.mark.parametrize("name", registry().task_names())
def test_shipped_checkpoint(name: str) -> None:
    task = registry().task(name)
    if not task.ships:
        pytest.skip(f"{name} ships no checkpoint")
    testing.check_task(task)


def test_needs_something_to_check(sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="inputs="):
        testing.check_task(changed(sentiment, assets=None), checkpoint=tiny_checkpoint)
    with pytest.raises(CheckpointError):
        testing.check_task(sentiment, checkpoint=tiny_checkpoint / "nowhere")


def test_pieces_may_be_given(sentiment: AnyTask, tiny_checkpoint: Path) -> None:
    cut: list[str] = []

    def halves(raw: str) -> list[list[str]]:
        cut.append(raw)
        return [[raw[:3], raw[3:]]]

    testing.check_task(sentiment, checkpoint=tiny_checkpoint, inputs=TEXTS[:1], stream_pieces=halves)
    assert set(cut) == set(TEXTS[:1])


def test_samples_are_those_of_the_task_or_of_data(
    sentiment: AnyTask, changed: Changed, labels_file: Path, tmp_path: Path
) -> None:
    assert testing.samples(changed(sentiment, assets=None)) == []
    given = testing.samples(changed(sentiment, assets=None), [labels_file])
    assert given[0] == "What a lovely film, I adore it!"
    assert len(given) == 16
    (tmp_path / "samples").mkdir()
    shutil.copy(labels_file, tmp_path / "samples" / "labelled.jsonl")
    assert testing.samples(changed(sentiment, assets=tmp_path)) == given
    (tmp_path / "samples" / "texts.txt").write_text("one\n\ntwo\n")
    assert testing.samples(changed(sentiment, assets=tmp_path)) == ["one", "two"]


def _codecs(task: AnyTask, files: Mapping[str, bytes], kind: type[WordPieceCodec]) -> Codecs[Any, Any]:
    return task.load_codecs(files).replace(input=kind.from_files(files))


class LosesLastWord(TextFeeder):
    def flush(self) -> list[tuple[Any, np.ndarray]]:
        return []


class CutsWords(TextFeeder):
    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        return super().feed(piece) + super().flush()


class ForgetsPending(TextFeeder):
    @property
    def pending(self) -> str:
        return ""


@pytest.mark.parametrize("feeder", [LosesLastWord, CutsWords, ForgetsPending])
def test_broken_feeder_is_caught(
    sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path, feeder: type[TextFeeder]
) -> None:
    class Broken(WordPieceCodec):
        def incremental(self, pending: Any = None) -> TextFeeder:
            return feeder(self, pending or None)

    broken = changed(sentiment, load_codecs=lambda task, files: _codecs(sentiment, files, Broken))
    with pytest.raises(LawBroken, match="a stream equals the offline result"):
        testing.check_task(broken, checkpoint=tiny_checkpoint, inputs=TEXTS)
    codec = WordPieceCodec.fit(TEXTS, WordPieceSpec(200, 60, 1))
    with pytest.raises(LawBroken, match="feeding pieces equals encoding the whole"):
        testing.check_codec(Broken(codec.tokenizer, codec.spec), TEXTS)


def test_stream_that_decodes_something_else_is_caught(
    sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path
) -> None:
    def decode(task: Any, outputs: Any, codecs: Any, text: Any, **options: Any) -> Any:
        result = super(type(task), task).decode(outputs, codecs, text, **options)
        return result if text in TEXTS else dataclasses.replace(result, label="neutral?")

    broken = changed(sentiment, decode=decode)
    with pytest.raises(LawBroken, match="label"):
        testing.check_task(broken, checkpoint=tiny_checkpoint, inputs=TEXTS)


def test_bidirectional_model_is_noted(
    sentiment: AnyTask, ratings_file: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    from suite.training.train import train

    settings = [*tiny_settings, "encoder.bidirectional=true", "training.epochs=1"]
    checkpoint = train("sentiment", data=ratings_file, out=tmp_path / "both", settings=settings)
    notes = testing.check_task(sentiment, checkpoint=checkpoint.path, inputs=TEXTS)
    assert [note.partition(" does not apply: ")[0] for note in notes] == ["law 7", "law 12", "law 13"]
    assert "bidirectional" in notes[0]


class _Depends:
    """A runtime whose outputs depend on the other rows of a batch, or on the padding after a row."""

    kind = "onnx"
    names = ("encoder",)

    def __init__(self, graph: Any, change: Callable[[Mapping[str, np.ndarray]], float]) -> None:
        self.inner, self.change, self.inputs, self.outputs = graph, change, graph.inputs, graph.outputs

    def graph(self, name: str) -> Any:
        return self

    def initial(self, batch: int) -> Any:
        return self.inner.initial(batch)

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Any:
        results = self.inner(arrays)
        return {**results, "outputs": results["outputs"] + self.change(arrays)}


@pytest.mark.parametrize(
    "change", [lambda arrays: 0.01 * (len(arrays["lengths"]) > 2), lambda arrays: 0.001 * arrays["inputs"].shape[1]]
)
def test_an_output_that_depends_on_its_batch_is_caught(sentiment: AnyTask, tiny_checkpoint: Path, change: Any) -> None:
    opened = Checkpoint.open(tiny_checkpoint)
    _, codecs = open_config(sentiment, opened)
    runtime = open_runtime(opened)
    testing.batch_equals_singles(LoadedModel(sentiment, codecs, runtime), TEXTS)
    broken = LoadedModel(sentiment, codecs, _Depends(runtime.graph("encoder"), change))
    with pytest.raises(LawBroken, match="a batch equals its members"):
        testing.batch_equals_singles(broken, TEXTS)


# -- sessions ----------------------------------------------------------------------------------------------


def test_sessions_of_shipped_and_small_models(sentiment: AnyTask, tiny_checkpoint: Path) -> None:
    for task, checkpoint in ((sentiment, tiny_checkpoint), (registry().task("gesture"), None)):
        model = LoadedModel.open(task, checkpoint)
        inputs = TEXTS if task is sentiment else testing.samples(task)
        assert testing.sessions_are_independent(model, inputs) == []
        assert testing.state_is_portable(model, inputs) == []


@pytest.mark.parametrize("least", [1e-7, 0.0])
def test_a_session_that_depends_on_others_in_its_batch_is_caught(
    sentiment: AnyTask, tiny_checkpoint: Path, least: float
) -> None:
    opened = Checkpoint.open(tiny_checkpoint)
    _, codecs = open_config(sentiment, opened)
    graph = open_runtime(opened).graph("encoder")
    changed = LoadedModel(sentiment, codecs, _Depends(graph, lambda arrays: least * (len(arrays["lengths"]) > 1)))
    if not least:
        assert testing.sessions_are_independent(changed, TEXTS) == []
        return
    with pytest.raises(LawBroken, match=r"sessions do not affect each other: the output of session . at step . in a b"):
        testing.sessions_are_independent(changed, TEXTS)


class SharesPending(TextFeeder):
    """What is held back is the class's: another session takes it."""

    held: ClassVar[dict[str, Any]] = {}

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        found = super().feed(piece)
        self._held, self.held["text"] = self.held.get("text", self._held), self._held
        return found


def test_sessions_that_share_something_are_caught(sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path) -> None:
    class Broken(WordPieceCodec):
        def incremental(self, pending: Any = None) -> TextFeeder:
            return SharesPending(self, pending)

    broken = changed(sentiment, load_codecs=lambda task, files: _codecs(sentiment, files, Broken))
    with pytest.raises(LawBroken, match=r"sessions do not affect each other: session . of 8 fed in turns has another"):
        testing.sessions_are_independent(LoadedModel.open(broken, tiny_checkpoint), TEXTS)


def test_a_state_that_is_not_refused_is_caught(
    sentiment: AnyTask, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import suite.inference.model as inference_model
    from suite.inference import session_state

    model = LoadedModel.open(sentiment, tiny_checkpoint)
    right = session_state.load_state

    def any_checkpoint(data: bytes, *, task: str, model: str) -> dict[str, Any]:
        try:
            return right(data, task=task, model=model)
        except UsageError as error:
            if "another checkpoint" not in str(error):
                raise
            return right(data, task=task, model=f"not-{model}")

    monkeypatch.setattr(inference_model, "load_state", any_checkpoint)
    with pytest.raises(LawBroken, match="continues in another process: a state that is of another checkpoint is not r"):
        testing.state_is_portable(model, TEXTS[:1])
    monkeypatch.setattr(inference_model, "load_state", lambda data, *, task, model: data[10**6])
    with pytest.raises(LawBroken, match="a state that is altered is not refused but fails: IndexError"):
        testing.state_is_portable(model, TEXTS[:1])


HERE_ONLY = '''"""Keeps what is held back in this process."""
from suite.codecs.wordpieces import TextFeeder, WordPieceCodec
from suite.hooks import hookimpl
import suite_sentiment

KEPT = {}

class Feeder(TextFeeder):
    @property
    def pending(self):
        KEPT[len(KEPT) + 1] = super().pending
        return len(KEPT)

class Codec(WordPieceCodec):
    def incremental(self, pending=None):
        return Feeder(self, KEPT.get(pending))

class HereOnly(suite_sentiment.Sentiment):
    name = "here-only"
    input_codec = Codec

@hookimpl
def suite_tasks():
    return [HereOnly]
'''


def test_a_state_that_means_nothing_elsewhere_is_caught(
    sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "here_only.py").write_text(HERE_ONLY)
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")
    manifest = json.loads((tmp_path / "checkpoint" / "suite.json").read_text())
    (tmp_path / "checkpoint" / "suite.json").write_text(json.dumps({**manifest, "task": "here-only"}))
    monkeypatch.setenv("SUITE_PLUGIN_DIR", str(tmp_path / "mine"))
    registry.cache_clear()
    try:
        model = LoadedModel.open("here-only", tmp_path / "checkpoint")
        monkeypatch.setenv("SUITE_PLUGIN_DIR", "")
        (note,) = testing.state_is_portable(model, TEXTS)
        assert note.startswith("law 13 was not checked in another process: no task named 'here-only'")
        monkeypatch.setenv("SUITE_PLUGIN_DIR", str(tmp_path / "mine"))
        with pytest.raises(LawBroken, match=r"continues in another process: input 1, continued there, has another "):
            testing.state_is_portable(model, TEXTS)
    finally:
        registry.cache_clear()
    other = LoadedModel.open(changed(sentiment), tiny_checkpoint)
    assert testing.state_is_portable(other, TEXTS) == [
        "law 13 was not checked in another process: sentiment is not an installed task"
    ]
    memory = LoadedModel(sentiment, other.codecs, other.runtime)
    assert testing.state_is_portable(memory, TEXTS) == [
        "law 13 was not checked in another process: the model is in memory only"
    ]


# -- checkpoints -------------------------------------------------------------------------------------------


def test_wrong_graph_is_caught(sentiment: AnyTask, tiny_checkpoint: Path, tmp_path: Path) -> None:
    import onnx

    opened = Checkpoint.open(tiny_checkpoint)
    files = {name: (tiny_checkpoint / name).read_bytes() for name in opened.manifest.files}
    proto = onnx.load_from_string(files["encoder.onnx"])
    node = next(node for node in proto.graph.node if node.op_type == "Max")
    node.op_type = "Min"
    save(tmp_path / "wrong", opened.manifest, {**files, "encoder.onnx": proto.SerializeToString()})
    with pytest.raises(LawBroken):
        testing.check_task(sentiment, checkpoint=tmp_path / "wrong", inputs=TEXTS)
    config, codecs = open_config(sentiment, opened)
    with pytest.raises(LawBroken, match=r"ONNX Runtime agrees with torch: .* differs from torch by"):
        testing.runtimes_agree(sentiment, Checkpoint.open(tmp_path / "wrong"), config, codecs, TEXTS)
    without = {name: content for name, content in files.items() if name != "encoder.onnx"}
    save(tmp_path / "without", opened.manifest, without)
    (note,) = testing.check_task(sentiment, checkpoint=tmp_path / "without", inputs=TEXTS)
    assert "no graphs" in note


def test_without_torch_there_are_notes(
    sentiment: AnyTask, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    notes = testing.check_task(sentiment, checkpoint=tiny_checkpoint, inputs=TEXTS)
    assert [note.partition(" was")[0] for note in notes] == ["law 8", "law 9"]


def test_codec_that_is_not_saved_whole_is_caught(sentiment: AnyTask, changed: Changed, tiny_checkpoint: Path) -> None:
    class Loses(WordPieceCodec):
        def files(self) -> dict[str, bytes]:
            return WordPieceCodec.fit(["other words"], WordPieceSpec(20, 5, 1)).files()

    broken = changed(sentiment, load_codecs=lambda task, files: _codecs(sentiment, files, Loses))
    with pytest.raises(LawBroken, match="saving and loading changes nothing"):
        testing.check_task(broken, checkpoint=tiny_checkpoint, inputs=TEXTS)


def test_testing_itself_loads_no_torch() -> None:
    code = "import sys, suite.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_plugin_is_light() -> None:
    for task in ("sentiment", "gesture", "music"):
        testing.check_light(f"suite_{task}", task)


@pytest.mark.parametrize(
    ("text", "task", "says"),
    [
        ("import torch", "sentiment", "import heavy_plugin loads .*torch"),
        ("import no_such_module_at_all", "sentiment", "import heavy_plugin fails: ModuleNotFoundError"),
        ("", "no-such-task", "--help fails"),
    ],
)
def test_heavy_plugin_is_caught(
    text: str, task: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heavy_plugin.py").write_text(text, encoding="utf-8")
    (tmp_path / "torch.py").write_text("", encoding="utf-8")  # the name is what counts, and the real one takes seconds
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with pytest.raises(LawBroken, match=says):
        testing.check_light("heavy_plugin", task)


#: Everything random is on, so that a random state that is not restored shows.
RESUME = (
    "training.epochs=2", "training.batch_size=16", "training.ema=0.9", "encoder.dropout=0.3", "embedding.drop_word=0.1",
)  # fmt: skip


def test_resume(sentiment: AnyTask, labels_file: Path, tiny_settings: list[str], tmp_path: Path) -> None:
    settings = [*tiny_settings, *RESUME]
    testing.check_resume(sentiment, labels_file, tmp_path, settings=settings, cell="gru")
    with pytest.raises(UsageError, match="cannot stop after step 99"):
        testing.check_resume("sentiment", labels_file, tmp_path / "late", settings=settings, stops=[99])


@pytest.mark.parametrize("lost", ["optimizer", "average"])
def test_resume_that_forgets_is_caught(
    lost: str, ratings_file: Path, tiny_settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = suite.training.resume.load_run

    def forgetful(run: Any, folder: Path) -> None:
        average = {name: value.clone() for name, value in run.average.items()}
        optimizer = run.optimizer.state_dict()
        whole(run, folder)
        if lost == "optimizer":
            run.optimizer.load_state_dict(optimizer)
        else:
            run.average.update(average)

    monkeypatch.setattr(suite.training.runs, "load_run", forgetful)
    with pytest.raises(LawBroken, match="resumed training equals training never stopped: stopped after step 3"):
        testing.check_resume("sentiment", ratings_file, tmp_path, settings=[*tiny_settings, *RESUME], stops=[3])


# -- codecs ------------------------------------------------------------------------------------------------


def test_word_codec() -> None:
    long = "no" * 150 + " naïve 😀😀 x" + "y" * 600
    testing.check_codec(WordPieceCodec.fit(TEXTS, WordPieceSpec(200, 60, 1)), [*TEXTS, " \n lead and trail \t", long])


def test_target_codecs() -> None:
    testing.check_codec(Labels(("no", "yes")), ["no", "yes"])
    testing.check_codec(Value(-1.0, 1.0, (0.0,), ("low", "high")), [-1.0, 0.25])


def test_target_codec_that_is_not_saved_whole_is_caught() -> None:
    class Shuffled(Labels):
        @classmethod
        def from_files(cls, files: Mapping[str, bytes]) -> Shuffled:
            return cls(Labels.from_files(files).names[::-1])

    with pytest.raises(LawBroken, match="a codec survives saving"):
        testing.check_codec(Shuffled(("no", "yes")), ["no", "yes"])


class Doubles:
    """A codec of series: every sample twice, as soon as the next one is there."""

    def files(self) -> dict[str, bytes]:
        return {}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Doubles:
        return cls()

    def encode(self, raw: Any) -> np.ndarray:
        return np.repeat(np.asarray(raw, np.float32), 2, axis=0)

    def incremental(self, pending: Any = None) -> DoublesFeeder:
        return DoublesFeeder(pending)


class DoublesFeeder:
    def __init__(self, pending: Any) -> None:
        self.pending = pending

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        rows = [*([self.pending] if self.pending else []), *np.asarray(piece).tolist()]
        self.pending = rows.pop() if rows else None
        return [(row, np.asarray([row, row], np.float32)) for row in rows]

    def flush(self) -> list[tuple[Any, np.ndarray]]:
        rows, self.pending = ([self.pending] if self.pending else []), None
        return [(row, np.asarray([row, row], np.float32)) for row in rows]


def test_codec_of_series() -> None:
    series = np.arange(20, dtype=np.float64).reshape(10, 2)
    testing.check_codec(Doubles(), [series, series[:1].tolist()])
    testing.check_codec(Doubles(), [series], pieces=lambda raw: [[raw[:4], raw[4:4], raw[4:]]])

    class Single(Doubles):
        def encode(self, raw: Any) -> np.ndarray:
            return super().encode(raw).astype(np.float64)

    with pytest.raises(LawBroken, match=r"float32 .* expected float64"):
        testing.check_codec(Single(), [series])
