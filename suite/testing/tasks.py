"""The laws of a task: 6 to 9 of a checkpoint, that it is light, and that its training resumes."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import SuiteError, UsageError, one_line
from suite.testing.base import SINGLE, LawBroken, same
from suite.testing.codecs import Cuts, cuts

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.inference.model import LoadedModel
    from suite.task import AnyTask, Codecs

#: So many tokens are forced upon a decoder, to compare what it says after each.
FORCED = 7


def check_task(
    task: AnyTask,
    *,
    checkpoint: str | Path | None = None,
    inputs: Sequence[Any] | None = None,
    stream_pieces: Cuts | None = None,
) -> list[str]:
    """Laws 6–9 for a task's shipped checkpoint, or the one given; returns notes on what was not checked.

    ``inputs`` are raw inputs, best of many lengths; by default those of the task's samples.
    ``stream_pieces(input)`` gives the ways to cut one for a stream; by default ``cuts``. Raises LawBroken,
    and UsageError where there is nothing to check with.
    """
    from suite.inference.loading import open_checkpoint, open_config
    from suite.inference.model import LoadedModel

    opened = open_checkpoint(task, checkpoint)
    config, codecs = open_config(task, opened)
    model = LoadedModel.open(task, opened.path)
    given = samples(task) if inputs is None else list(inputs)
    if not given:
        raise UsageError(f"{task.name}: nothing to check with; give check_task inputs=[…]")
    batch_equals_singles(model, given)
    return [
        *stream_equals_offline(model, given, stream_pieces),
        *runtimes_agree(task, opened, config, codecs, given),
        *saving_changes_nothing(task, opened, config, codecs, given),
    ]


def batch_equals_singles(model: LoadedModel[Any, Any], inputs: Sequence[Any]) -> None:
    """Law 6: an input's raw outputs do not depend on the batch it is in, its size or its other members.

    Of a decoder that attends they are the logits of some tokens, forced upon it: so the rows of a beam are
    independent too.
    """
    law = "a batch equals its members one by one"
    arrays = _encoded(model, inputs)
    alone = [_outputs(model, [array])[0] for array in arrays]
    for size in sorted({2, 3, 5, len(arrays)}):
        for numbers in (list(range(len(arrays))), list(range(len(arrays)))[::-1]):
            for at in range(0, len(numbers), size):
                batch = numbers[at : at + size]
                for i, output in zip(batch, _outputs(model, [arrays[i] for i in batch]), strict=True):
                    others = [j + 1 for j in batch if j != i]
                    _same_output(law, f"of input {i + 1} beside inputs {others}", output, alone[i])


def stream_equals_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None = None
) -> list[str]:
    """Law 7: a stream fed in any pieces, and finished, gives the offline outputs, and so read every step.

    Tried too: a session saved midway (arrays and JSON) and gone on with by another. Of an aligned task the outputs
    of all steps together are the offline ones. Returns a note instead where the model says that it cannot stream.
    Where pieces are answered whole, the results are compared: all updates together are the answer.
    """
    from suite.inference.sessions import open_session

    law = "a stream equals the offline answer"
    task = model.task
    try:
        open_session(model)
    except UsageError as error:
        return [f"law 7 does not apply: {one_line(error)}"]
    if task.streaming is None:
        raise LawBroken(f"{law}: the task does not stream, and yet a session of it opens")
    if task.streaming.kind == "segments":
        return _segments_equal_offline(law, model, inputs, stream_pieces)
    if task.streaming.kind == "decoder":
        return ["law 7 does not apply: outputs are decoded as they come; the task's own tests compare the two"]
    if not model.causal:
        raise LawBroken(f"{law}: the model cannot stream, and yet a session of it opens")
    if task.per_step:
        return _steps_equal_offline(law, model, inputs, stream_pieces)
    for number, raw in enumerate(inputs, 1):
        (array,) = _encoded(model, [raw])
        wanted = model.outputs([array])[0]
        # The offline result without what a task adds for long inputs, which a stream gives otherwise.
        answer = _comparable(task.predict(model, [raw], [array], **task.parse_options("predict", {}))[0].to_dict())
        steps = None
        for pieces, stop, where in _ways(number, raw, stream_pieces):
            session = open_session(model)
            updates = []
            try:
                for i, piece in enumerate(pieces):
                    if i == stop:
                        session = open_session(model, session.dumps())
                    updates += session.feed(piece)
                result = session.finish()
            except (SuiteError, TypeError) as error:
                raise LawBroken(f"{law}: {where}, it fails: {one_line(error)}") from error
            _same_output(law, where, session.state["outputs"], wanted)
            steps = session.steps if steps is None else steps
            if session.steps != steps:
                raise LawBroken(f"{law}: {where}, {session.steps} steps are read instead of {steps}")
            if result.final is not True or any(update.final is not False for update in updates):
                raise LawBroken(f"{law}: {where}, final is not false on every update and true on the result")
            if difference := _differs(_comparable(result.to_dict()), answer):
                raise LawBroken(f"{law}: the result {where} has another {difference}")
    return []


def _ways(number: int, raw: Any, stream_pieces: Cuts | None) -> Iterator[tuple[Sequence[Any], int | None, str]]:
    """The ways to stream an input: its pieces, after how many a session is saved (None: never), and that in words."""
    for pieces in (stream_pieces or cuts)(raw):
        for stop in (None, len(pieces) // 2):
            saved = "" if stop is None else f", saved after {stop}"
            yield pieces, stop, f"of input {number} in {len(pieces)} pieces{saved}"


def _steps_equal_offline(
    law: str, model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    """The outputs of a stream's steps, one after the other, are those of the whole input."""
    from suite.inference.sessions import open_session

    for number, raw in enumerate(inputs, 1):
        (array,) = _encoded(model, [raw])
        wanted = model.outputs([array])[0]
        for pieces, stop, where in _ways(number, raw, stream_pieces):
            session, outputs = open_session(model), []
            try:
                for i, piece in enumerate(pieces):
                    if i == stop:
                        session = open_session(model, session.dumps())
                    outputs += [session.state["outputs"] for _ in session.updates(piece)]
                before = session.steps
                updates = session.flush()
                if len(updates) == 1:
                    outputs.append(session.state["outputs"])
                elif updates:
                    raise LawBroken(f"{law}: {where}, {session.steps - before} steps are held back to the end")
                result = session.finish()
            except (SuiteError, TypeError) as error:
                raise LawBroken(f"{law}: {where}, it fails: {one_line(error)}") from error
            found = np.concatenate(outputs) if outputs else wanted[:0]
            if len(found) != len(wanted):
                raise LawBroken(f"{law}: {where}, {len(found)} steps are answered instead of {len(wanted)}")
            _same_output(law, where, found, wanted)
            if result.final is not True:
                raise LawBroken(f"{law}: {where}, final is not true on the result")
    return []


def _segments_equal_offline(
    law: str, model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    from suite.inference.pipeline import Pipeline
    from suite.inference.sessions import open_session

    pipeline = Pipeline(model)
    for number, raw in enumerate(inputs, 1):
        wanted = _comparable(pipeline(raw).to_dict())
        for pieces, stop, where in _ways(number, raw, stream_pieces):
            session, updates = open_session(model), []
            try:
                for i, piece in enumerate(pieces):
                    if i == stop:
                        session = open_session(model, session.dumps())
                    updates += session.feed(piece)
                updates += session.flush()
                result = model.task.last_result(updates, session.state["carried"])
            except (SuiteError, TypeError) as error:
                raise LawBroken(f"{law}: {where}, it fails: {one_line(error)}") from error
            if result.final is not True or any(update.final is not False for update in updates):
                raise LawBroken(f"{law}: {where}, final is not false on every update and true on the result")
            if difference := _differs(_comparable(result.to_dict()), wanted):
                raise LawBroken(f"{law}: the result {where} has another {difference}")
    return []


def runtimes_agree(
    task: AnyTask, checkpoint: Checkpoint, config: Any, codecs: Codecs[Any, Any], inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 8: a checkpoint's graphs in ONNX Runtime give what the model gives in torch.

    Compared are outputs and next states, from random states, at many sizes, and the outputs of ``inputs``.
    Returns a note instead where torch is not installed or the checkpoint has no graphs.
    """
    if importlib.util.find_spec("torch") is None:
        return ["law 8 was not checked: torch is not installed"]
    if not any(name.endswith(".onnx") for name in checkpoint.manifest.files):
        return [f"law 8 was not checked: {checkpoint.path} has no graphs"]
    from suite.export.verify import verify
    from suite.inference.model import LoadedModel
    from suite.runtime.onnx import OnnxRuntime
    from suite.runtime.torch import TorchRuntime

    law = "ONNX Runtime says what torch says"
    model = _model(task, checkpoint, config, codecs)
    kinds = TorchRuntime.of(model), OnnxRuntime(checkpoint)
    loaded = [LoadedModel(task, codecs, kind, causal=model.causal) for kind in kinds]
    arrays = _encoded(loaded[0], inputs)
    try:
        verify(model, checkpoint, arrays)
    except SuiteError as error:
        raise LawBroken(f"{law}: {one_line(error)}") from error
    ours, theirs = (_outputs(one, arrays) for one in loaded)
    _same_outputs(law, theirs, ours, SINGLE)
    return []


def saving_changes_nothing(
    task: AnyTask, checkpoint: Checkpoint, config: Any, codecs: Codecs[Any, Any], inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 9: codecs, weights and graphs saved and loaded again give exactly the same outputs.

    Returns a note on the weights where torch is not installed.
    """
    from suite.checkpoint import Checkpoint, save
    from suite.inference.loading import open_config, open_runtime
    from suite.inference.model import LoadedModel

    law = "saving and loading changes nothing"
    notes = []
    files = {name: (checkpoint.path / name).read_bytes() for name in checkpoint.manifest.files}
    files |= codecs.files()
    with tempfile.TemporaryDirectory() as place:
        if importlib.util.find_spec("torch") is None:
            notes.append("law 9 was not checked for weights: torch is not installed")
        else:
            from suite.checkpoint.weights import WEIGHTS, load_weights, save_weights

            again = Path(place) / WEIGHTS
            save_weights(_model(task, checkpoint, config, codecs), again, config.training.weights)
            before, after = load_weights(checkpoint.path / WEIGHTS), load_weights(again)
            if before.keys() != after.keys():
                raise LawBroken(f"{law}: other weights are saved: {sorted(before.keys() ^ after.keys())}")
            for name, value in before.items():
                same(law, f"the weight {name}", after[name].numpy(), value.numpy(), 0.0)
        save(Path(place) / "copy", checkpoint.manifest, files)
        copy = Checkpoint.open(Path(place) / "copy", task=task.name)
        _, codecs_again = open_config(task, copy)
        loaded = [
            LoadedModel(task, read, open_runtime(one), causal=one.manifest.streams)
            for read, one in ((codecs_again, copy), (codecs, checkpoint))
        ]
        found, wanted = (_outputs(one, _encoded(one, inputs)) for one in loaded)
    _same_outputs(law, found, wanted, 0.0)
    return notes


def _same_outputs(law: str, found: Any, wanted: Any, tolerance: float) -> None:
    for number, (ours, theirs) in enumerate(zip(found, wanted, strict=True), 1):
        _same_output(law, f"of input {number} in one batch", ours, theirs, tolerance)


def _same_output(law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float = SINGLE) -> None:
    same(law, f"the output {where}", found, wanted, tolerance, rows=True)


def check_light(module: str, task: str) -> None:
    """Law 10: importing the plugin ``module``, and ``suite TASK --help``, load no torch.

    Both are run by a fresh interpreter. Raises LawBroken, also where either fails.
    """
    report = "print([n for n in ('torch', 'torchvision', 'torchaudio') if n in sys.modules], file=sys.stderr)"
    helping = (
        f"import sys; sys.argv = ['suite', {task!r}, '--help']\n"
        f"from suite.cli import main\ntry:\n main()\nexcept SystemExit as end:\n"
        f" assert not end.code, f'it exits with {{end.code}}'\n{report}"
    )
    importing = f"import sys, {module}; {report}"
    if module.endswith(".py"):  # a file of a plugin folder
        importing = f"import sys; from suite.plugins import registry; registry().load({module!r}); {report}"
    for what, code in ((f"import {module}", importing), (f"suite {task} --help", helping)):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if done.returncode:
            raise LawBroken(f"a plugin is light: {what} fails: {last}")
        if last != "[]":
            raise LawBroken(f"a plugin is light: {what} loads {last}; import torch inside the functions that need it")


def check_resume(
    task: AnyTask | str,
    data: str | Path | Sequence[str | Path],
    folder: Path,
    *,
    settings: Iterable[str] = (),
    stops: Sequence[int] | None = None,
    **options: Any,
) -> None:
    """Law 11: training interrupted after a step, and resumed, ends with the weights of one never stopped.

    Trains on ``data`` into ``folder``, once whole and once for each step number in ``stops`` (by default the
    first, one in the middle and the last): keep it small with ``settings`` and ``options``, which are those
    of ``suite.train``. Compared bit for bit: the weights that would be shipped, and everything the run keeps
    (weights in full precision, their average, the optimiser's moments, a state that is carried, the curves).
    """
    from suite.training.resume import NUMBERS, TENSORS
    from suite.training.runs import run_folder
    from suite.training.train import train

    law = "training resumed is training never stopped"
    name = task if isinstance(task, str) else task.name
    chosen: dict[str, Any] = {"data": data, "settings": list(settings), **options}
    total = 0

    def count(progress: Any) -> None:
        nonlocal total
        total = progress.step

    whole = train(name, out=folder / "whole", report=count, **chosen)
    for stop in sorted({1, max(1, total // 2), total} if stops is None else set(stops)):
        if not 1 <= stop <= total:
            raise UsageError(f"cannot stop after step {stop} of {total}")

        def interrupt(progress: Any, stop: int = stop) -> None:
            if progress.step == stop:
                raise KeyboardInterrupt

        out = folder / f"stopped-{stop}"
        try:
            train(name, out=out, report=interrupt, **chosen)
        except KeyboardInterrupt:
            pass
        else:  # pragma: no cover - only if a training swallows the interrupt
            raise LawBroken(f"{law}: an interrupt after step {stop} is swallowed")
        resumed = train(name, out=out, resume=True, **chosen)
        where = f"stopped after step {stop} of {total}"
        ours, theirs = (_tensors(run_folder(path) / TENSORS) for path in (resumed.path, whole.path))
        for label in sorted(ours.keys() | theirs.keys()):
            if label not in ours or label not in theirs or not np.array_equal(ours[label], theirs[label]):
                raise LawBroken(f"{law}: {where}, {label} of the run is not the same bits")
        numbers = [json.loads((run_folder(path) / NUMBERS).read_text("utf-8")) for path in (resumed.path, whole.path)]
        if numbers[0]["progress"]["history"] != numbers[1]["progress"]["history"]:
            raise LawBroken(f"{law}: {where}, the curves are not the same")
        weights = [(path / "model.safetensors").read_bytes() for path in (resumed.path, whole.path)]
        if weights[0] != weights[1]:
            raise LawBroken(f"{law}: {where}, model.safetensors is not the same bytes")


def samples(task: AnyTask) -> list[Any]:
    """The first inputs in the task's sample files, as ``suite TASK predict`` reads them."""
    from suite.data.readers import read_rows

    if task.data.inputs == "files":
        files = [path for path in task.samples if not path.name.startswith("labelled")]
        return list(itertools.islice((value for path in files for _, value in task.expand_inputs(str(path))), 16))
    column = task.data.columns[0].name
    rows = (row for path in task.samples for row in read_rows(path, text_column=column))
    return [row.values[column] for row in itertools.islice(rows, 16) if column in row.values]


def _encoded(model: LoadedModel[Any, Any], inputs: Sequence[Any]) -> list[np.ndarray]:
    """The inputs as arrays; of a task whose inputs are preprocessed into pieces, the pieces."""
    from suite.task.seq2seq import Seq2SeqTask

    task, codecs = model.task, model.codecs
    if isinstance(task, Seq2SeqTask):
        options = task.parse_options("predict", {})
        inputs = [piece for raw in inputs for piece in task.preprocess(raw, codecs, **options)]
    return [codecs.input.encode(raw) for raw in inputs]


def _outputs(model: LoadedModel[Any, Any], arrays: list[np.ndarray]) -> Any:
    """Raw outputs, one array an input; of a decoder that attends, the logits ``[T, V]`` of tokens it is given."""
    from suite.task.seq2seq import Seq2SeqTask

    if not isinstance(model.task, Seq2SeqTask):
        return model.outputs(arrays)
    from suite.decoding.beam_search import encode

    target = model.codecs.target
    tokens = [target.start, *np.random.default_rng(0).integers(target.size, size=FORCED)]
    given, decoder = encode(model.runtime, arrays), model.runtime.graph("decoder")
    state, steps = given.state, []
    for token in tokens:
        outputs = decoder({**state, **given.memory, "token": np.full(len(arrays), token, dtype=np.int64)})
        state = {f"state.{name[5:]}": array for name, array in outputs.items() if name.startswith("next.")}
        steps.append(outputs["logits"])
    return list(np.stack(steps, axis=1))


def _model(task: AnyTask, checkpoint: Checkpoint, config: Any, codecs: Codecs[Any, Any]) -> Any:
    """The torch model of a checkpoint, built by the task at hand, which need not be a registered one."""
    from suite.checkpoint.weights import WEIGHTS, load_weights

    model = task.build_model(config, codecs)
    model.load_state_dict(load_weights(checkpoint.path / WEIGHTS))
    return model.eval()


def _tensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what a stream says differently: its last step instead of the whole input."""
    return {name: value for name, value in values.items() if name not in ("input", "final", "seconds")}


def _differs(found: Any, wanted: Any, path: str = "") -> str:
    """Where two plain values differ, numbers by more than a rounding; empty where they do not."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping) and found.keys() == wanted.keys():
        places = (_differs(found[name], wanted[name], f"{path}.{name}" if path else str(name)) for name in wanted)
        return next((place for place in places if place), "")
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple) and len(found) == len(wanted):
        places = (_differs(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(found, wanted, strict=True)))
        return next((place for place in places if place), "")
    if isinstance(found, float) and isinstance(wanted, float):
        same = abs(found - wanted) <= 1e-3 * max(1.0, abs(wanted))
    else:
        same = found == wanted
    return "" if same else f"{path}: {found!r} instead of {wanted!r}"
