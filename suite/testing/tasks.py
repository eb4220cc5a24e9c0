"""The laws of a task: of a checkpoint (6, 8, 9), that it imports no torch (10), and that its training resumes (11)."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import SuiteError, UsageError, one_line
from suite.testing.base import SINGLE, LawBroken, same, same_output
from suite.testing.codecs import Cuts
from suite.testing.portability import state_is_portable
from suite.testing.sessions import sessions_are_independent
from suite.testing.streams import stream_equals_offline

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.inference.model import LoadedModel
    from suite.task import AnyTask, Codecs

#: Tokens that a decoder is given, to compare its logits after each.
FORCED = 7
#: Inputs that are checked, at most.
INPUTS = 16


def check_task(
    task: AnyTask,
    *,
    checkpoint: str | Path | None = None,
    inputs: Sequence[Any] | None = None,
    stream_pieces: Cuts | None = None,
) -> list[str]:
    """Laws 6 to 9, 12 and 13 for a task's shipped checkpoint, or the one given.

    Args:
        inputs: Raw inputs, best of many lengths; by default those of the task's samples.
        stream_pieces: ``stream_pieces(input)`` gives the ways to cut an input for a stream; by default ``cuts``.

    Returns:
        Notes on what was not checked.

    Raises:
        LawBroken: If a law does not hold.
        UsageError: If there is nothing to check with.
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
        *sessions_are_independent(model, given, stream_pieces),
        *state_is_portable(model, given, stream_pieces),
    ]


def batch_equals_singles(model: LoadedModel[Any, Any], inputs: Sequence[Any]) -> None:
    """Law 6: an input's raw outputs do not depend on the batch it is in, its size or its other members.

    For a decoder that attends they are its logits after some given tokens: so the rows of a beam are independent too.
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
                    same_output(law, f"of input {i + 1} in a batch with inputs {others}", output, alone[i])


def runtimes_agree(
    task: AnyTask, checkpoint: Checkpoint, config: Any, codecs: Codecs[Any, Any], inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 8: a checkpoint's graphs in ONNX Runtime give what the model gives in torch.

    Compared are outputs and next states, from random states, at many sizes, and the outputs of ``inputs``.
    Returns a note if torch is not installed or the checkpoint has no graphs.
    """
    if importlib.util.find_spec("torch") is None:
        return ["law 8 was not checked: torch is not installed"]
    if not any(name.endswith(".onnx") for name in checkpoint.manifest.files):
        return [f"law 8 was not checked: {checkpoint.path} has no graphs"]
    from suite.export.verify import verify
    from suite.inference.model import LoadedModel
    from suite.runtime.onnx import OnnxRuntime
    from suite.runtime.torch import TorchRuntime

    law = "ONNX Runtime agrees with torch"
    model = _model(task, checkpoint, config, codecs)
    kinds = TorchRuntime.of(model), OnnxRuntime(checkpoint)
    loaded = [LoadedModel(task, codecs, kind, causal=model.causal) for kind in kinds]
    arrays = _encoded(loaded[0], inputs)
    try:
        verify(model, checkpoint, arrays)
    except SuiteError as error:
        raise LawBroken(f"{law}: {one_line(error)}") from error
    ours, theirs = (_outputs(one, arrays) for one in loaded)
    _same_batch(law, theirs, ours, SINGLE)
    return []


def saving_changes_nothing(
    task: AnyTask, checkpoint: Checkpoint, config: Any, codecs: Codecs[Any, Any], inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 9: codecs, weights and graphs saved and loaded again give exactly the same outputs.

    Returns a note on the weights if torch is not installed.
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
    _same_batch(law, found, wanted, 0.0)
    return notes


def check_light(module: str, task: str) -> None:
    """Law 10: importing the plugin ``module``, and ``suite TASK --help``, load no torch.

    Both are run by a fresh interpreter. ``module`` may be the path of a file in a plugin folder. Raises LawBroken, also
    if either fails.
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
            raise LawBroken(f"a plugin imports no torch: {what} fails: {last}")
        if last != "[]":
            raise LawBroken(
                f"a plugin imports no torch: {what} loads {last}; import torch inside the functions that need it"
            )


def check_resume(
    task: AnyTask | str,
    data: str | Path | Sequence[str | Path],
    folder: Path,
    *,
    settings: Iterable[str] = (),
    stops: Sequence[int] | None = None,
    **options: Any,
) -> None:
    """Law 11: training interrupted after a step, and resumed, ends with the weights of training never stopped.

    Trains on ``data`` into ``folder``, once whole and once for each step number in ``stops`` (by default the first, one
    in the middle and the last): keep it small with ``settings`` and ``options``, which are those of ``suite.train``.
    Compared bit for bit: the weights that would be shipped, and everything that the run saves (weights in full
    precision, their average, the optimizer's moments, a state that is carried, the curves).
    """
    from suite.training.resume import NUMBERS, TENSORS
    from suite.training.runs import run_folder
    from suite.training.train import train

    law = "resumed training equals training never stopped"
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


def samples(task: AnyTask, data: Sequence[str | Path] = ()) -> list[Any]:
    """The inputs to check a task with, at most 16: those of ``data``, labelled files, or of the task's own samples.

    Samples are read as ``suite TASK predict`` reads them, empty lines apart; if all are labelled, as
    ``suite TASK evaluate`` does.
    """
    from suite.data.readers import read_rows
    from suite.task.reading import read_examples

    def unlabelled() -> Iterator[Any]:
        column = task.data.columns[0].name
        for path in task.samples:
            if path.name.startswith("labelled"):
                continue
            if task.data.inputs == "files":
                yield from (value for _, value in task.expand_inputs(str(path)))
            else:
                rows = read_rows(path, text_column=column)
                yield from (row.values[column] for row in rows if column in row.values)

    found = [] if data else list(itertools.islice(unlabelled(), INPUTS))
    labelled = (example.input for example in read_examples(task, data or task.labelled_samples))
    return found or list(itertools.islice(labelled, INPUTS))


def _same_batch(law: str, found: Any, wanted: Any, tolerance: float) -> None:
    for number, (ours, theirs) in enumerate(zip(found, wanted, strict=True), 1):
        same_output(law, f"of input {number} in one batch", ours, theirs, tolerance)


def _encoded(model: LoadedModel[Any, Any], inputs: Sequence[Any]) -> list[np.ndarray]:
    """The arrays of the inputs' pieces."""
    return [model.codecs.input.encode(piece) for piece in preprocessed(model, inputs)]


def preprocessed(model: LoadedModel[Any, Any], inputs: Sequence[Any]) -> list[Any]:
    """The pieces of the inputs that the model encodes, as ``predict`` makes them."""
    task = model.task
    options = task.parse_options("predict", {})
    return [piece for raw in inputs for piece in task.preprocess(raw, model.codecs, **options)]


def _outputs(model: LoadedModel[Any, Any], arrays: list[np.ndarray]) -> Any:
    """Raw outputs, one array an input; for a decoder that attends, its logits ``[T, V]`` after given tokens."""
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
    """The torch model of a checkpoint, built by the given task, which need not be a registered one."""
    from suite.checkpoint.weights import WEIGHTS, load_weights

    model = task.build_model(config, codecs)
    model.load_state_dict(load_weights(checkpoint.path / WEIGHTS))
    return model.eval()


def _tensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)
