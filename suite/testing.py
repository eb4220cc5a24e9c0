"""The laws every cell, task and codec keeps, as checks that anybody can run on their own plugin::

    from suite.testing import check_cell, check_codec, check_light, check_plugin, check_resume, check_task

    def test_everything_that_my_plugin_brings():
        check_plugin("my_package")

    def test_my_cell():
        check_cell(MyCell)

``pytest --suite-plugin my_package`` runs every law of a plugin as a test of its own.

Each check returns when the law holds and raises ``LawBroken`` when it does not, saying which law, where, and
by how much. Only the public contracts are used. Importing this module imports no torch.

=====  =========================  ==============================================================================
law    check                      what holds
=====  =========================  ==============================================================================
1      steps_equal_scan           stepping through time gives what one scan gives
2      chunks_equal_whole         reading in chunks, the state carried, gives what reading at once gives
3      padding_is_invisible       a padded row gives what that row alone gives, length 0 included
4      rows_are_independent       rows may be reordered, repeated or taken alone
5      gradients_are_right        gradients are those of finite differences
6      batch_equals_singles       a batch gives what its members give one by one
7      stream_equals_offline      a stream, cut anywhere, gives the offline answer and loses no last step
8      runtimes_agree             ONNX Runtime says what torch says
9      saving_changes_nothing     a checkpoint saved and loaded again gives the same answers
10     check_light                importing a plugin, and ``--help``, load no torch
11     check_resume               training resumed at any step is training never stopped, bit for bit
=====  =========================  ==============================================================================
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError, SuiteError, UsageError, one_line

if TYPE_CHECKING:
    from torch import Tensor

    from suite.checkpoint import Checkpoint
    from suite.nn.cells.base import Cell, State
    from suite.pipelines import Pipeline
    from suite.task import Codecs, Task

#: Rows, steps, and each row's length where rows are padded: an empty one, a short one and a full one.
ROWS, STEPS, LENGTHS = 3, 7, (0, 4, 7)
#: How far two ways to the same number may be apart, relative to max(1, |value|).
DOUBLE, SINGLE = 1e-9, 1e-4
#: Sizes of the pieces that inputs are cut into, in letters, bytes or steps.
PIECES = (1, 2, 3, 7)

#: ``start(cell, rows)``: a random state for a cell whose arrays cannot hold just any number.
Start = Callable[["Cell", int], "State"]
#: Every way to cut one input that is to be tried, each as the pieces in order.
Cuts = Callable[[Any], Iterable[Sequence[Any]]]


class LawBroken(AssertionError):
    """A law does not hold; the message says which, where and by how much."""


# -- plugins -----------------------------------------------------------------------------------------------


def check_plugin(name: str) -> list[str]:
    """Every law, for all that an installed plugin brings; returns notes on what was not checked.

    ``name`` is that of its module, its package, or of a task or cell. A task that ships no checkpoint is trained for
    an epoch on its labelled samples. Raises LawBroken that names every law that does not hold, and UsageError for an
    unknown name.
    """
    from suite.laws import laws, tried

    outcomes = [tried(law) for law in laws(name)]
    broken = [f"{one.law}: {one.said}" for one in outcomes if one.verdict == "broken"]
    if broken:
        raise LawBroken(f"{len(broken)} of {len(outcomes)} laws do not hold:\n" + "\n".join(broken))
    return [f"{one.law}: {one.said}" for one in outcomes if one.said]


# -- cells -------------------------------------------------------------------------------------------------


def check_cell(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Laws 1–5 for a cell class, in float64 and float32, and that it exports to ONNX.

    Every law is tried from a random non-zero state with three rows; ``start(cell, rows)`` makes it where
    standard normal numbers are no valid state. Raises LawBroken.
    """
    for law in (
        state_is_declared, steps_equal_scan, chunks_equal_whole, padding_is_invisible, rows_are_independent,
        gradients_are_right,
    ):  # fmt: skip
        law(cell, inputs=inputs, hidden=hidden, start=start)
    exports_to_onnx(cell, inputs=inputs, hidden=hidden)


def state_is_declared(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """What the other laws stand on: the state has the declared names and shapes, and starts at zero.

    A step and a scan give ``y`` of ``hidden`` features and a state of the same names, shapes and types as
    the one they were given, which they leave as it is.
    """
    law = "a state is a flat dict of the declared arrays"
    for trial in _trials(cell, inputs, hidden, start):
        made, x = trial.cell, trial.x
        shapes = {name: (ROWS, *shape) for name, shape in made.state_shapes().items()}
        first = made.initial(ROWS)
        _same_arrays(law, "initial", first, shapes, trial)
        for name, value in first.items():
            if value.any():
                raise LawBroken(f"{law}: initial {name!r} is not zero; runtimes start every state at zero")
        before = {name: value.clone() for name, value in trial.state.items()}
        for what, (y, after), size in (
            ("step", made.step(x[:, 0], trial.state), (ROWS, hidden)),
            ("scan", made.scan(x, trial.state), (ROWS, STEPS, hidden)),
        ):
            if tuple(y.shape) != size:
                raise LawBroken(f"{law}: {what} gives y of shape {tuple(y.shape)}, expected {size}")
            _same_arrays(law, f"{what}'s next state", after, shapes, trial)
            for name, value in before.items():
                if not bool((trial.state[name] == value).all()):
                    raise LawBroken(f"a step is pure: {what} wrote into the state {name!r} it was given")


def steps_equal_scan(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 1: stepping through time gives the outputs and the last state that ``scan`` gives."""
    law = "stepping equals scanning"
    for trial in _trials(cell, inputs, hidden, start):
        y, last = trial.cell.scan(trial.x, trial.state)
        state = trial.state
        for t in range(STEPS):
            output, state = trial.cell.step(trial.x[:, t], state)
            trial.same(law, f"the output of step {t}", y[:, t], output)
        trial.same_state(law, "after the last step", last, state)


def chunks_equal_whole(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 2: every cut in two (an empty piece changes nothing), and pieces of one step, equal the whole."""
    law = "chunks with carried state equal the whole"
    for trial in _trials(cell, inputs, hidden, start):
        y, last = trial.cell.scan(trial.x, trial.state)
        for sizes in [(cut, STEPS - cut) for cut in range(STEPS + 1)] + [(1,) * STEPS]:
            state, at = trial.state, 0
            where = f"of chunks of {' + '.join(map(str, sizes))} steps"
            for size in sizes:
                output, state = trial.cell.scan(trial.x[:, at : at + size], state)
                trial.same(law, f"the output from step {at} {where}", output, y[:, at : at + size])
                at += size
            trial.same_state(law, f"after the last {where}", state, last)


def padding_is_invisible(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 3: padded rows of lengths 0, 4 and 7 give what each gives alone, and zeros beyond their ends.

    The padding is filled with noise. The same holds when the batch is read in two chunks, one of which some
    rows do not reach.
    """
    import torch

    law = "padding is invisible"
    lengths = torch.tensor(LENGTHS)
    for trial in _trials(cell, inputs, hidden, start):
        x = trial.x.clone()
        for row, length in enumerate(LENGTHS):
            x[row, length:] = 3 * x[row, length:] + 1
        for cut in range(STEPS):
            where = f", cut after step {cut}" if cut else ""
            state, outputs = trial.state, []
            for piece, begin in ((x[:, :cut], 0), (x[:, cut:], cut)):
                if piece.shape[1]:
                    here = (lengths - begin).clamp(0, piece.shape[1])
                    y, state = trial.cell.scan(piece, state, here)
                    outputs.append(y)
            y = torch.cat(outputs, dim=1)
            for row, length in enumerate(LENGTHS):
                alone, last = trial.cell.scan(trial.x[row : row + 1, :length], _rows(trial.state, [row]))
                name = f"a row of length {length} in a batch of {STEPS} steps{where}"
                trial.same(law, f"the output of {name}", y[row : row + 1, :length], alone)
                trial.same_state(law, f"after {name}", _rows(state, [row]), last)
                if y[row, length:].any():
                    raise LawBroken(f"{law}: outputs beyond the end of {name} are not zero ({trial.kind})")


def rows_are_independent(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 4: reordering, repeating or singling out rows of inputs and state does the same to the results."""
    import torch

    law = "rows are independent"
    for trial in _trials(cell, inputs, hidden, start):
        for lengths in (None, torch.tensor(LENGTHS[::-1])):
            y, last = trial.cell.scan(trial.x, trial.state, lengths)
            output, following = trial.cell.step(trial.x[:, 0], trial.state)
            for order in ([2, 0, 1], [1, 1, 0], [0], [1], [2]):
                x, state = trial.x[order], _rows(trial.state, order)
                where = f"for rows {order} of {ROWS}" + ("" if lengths is None else ", padded")
                got, after = trial.cell.scan(x, state, None if lengths is None else lengths[order])
                trial.same(law, f"the output of a scan {where}", got, y[order])
                trial.same_state(law, f"after a scan {where}", after, _rows(last, order))
                got, after = trial.cell.step(x[:, 0], state)
                trial.same(law, f"the output of a step {where}", got, output[order])
                trial.same_state(law, f"after a step {where}", after, _rows(following, order))


def gradients_are_right(
    cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7, start: Start | None = None
) -> None:
    """Law 5: in float64, the gradients of ``scan`` are those of finite differences.

    They are taken of outputs and last state, with respect to the input, the first state and every parameter,
    with and without padding.
    """
    import torch

    steps = 4
    for trial in _trials(cell, inputs, hidden, start):
        if trial.tolerance != DOUBLE:
            continue
        x = trial.x[:, :steps].clone().requires_grad_()
        state = {n: v.clone().requires_grad_(v.is_floating_point()) for n, v in trial.state.items()}
        weights = [p for p in trial.cell.parameters() if p.requires_grad]
        wanted = [x, *(v for v in state.values() if v.requires_grad), *weights]
        for lengths in (None, torch.tensor([0, 2, steps])):
            # gradcheck perturbs the tensors in place; scan reads them by name, whatever is passed.
            def scan(*_: Tensor, lengths: Tensor | None = lengths) -> tuple[Tensor, ...]:
                y, after = trial.cell.scan(x, state, lengths)  # noqa: B023 - called inside this iteration only
                return (y, *(v for v in after.values() if v.is_floating_point()))

            try:
                torch.autograd.gradcheck(scan, wanted, eps=1e-6, atol=1e-6, rtol=1e-4)
            except (RuntimeError, ValueError) as error:
                padded = "" if lengths is None else ", padded"
                raise LawBroken(
                    f"gradients match finite differences: those of scan{padded} do not; {one_line(error):.500}"
                ) from error


def exports_to_onnx(cell: Callable[[int, int], Cell], *, inputs: int = 5, hidden: int = 7) -> None:
    """A model of one layer of the cell, exported and run by ONNX Runtime, gives what torch gives.

    Compared at batch sizes and lengths that were not traced, from random states, padded rows included.
    """
    import torch

    from suite.checkpoint import Checkpoint, Manifest
    from suite.nn.export import export
    from suite.nn.frontends import Features
    from suite.nn.mappings import ManyToOne
    from suite.nn.specs import EncoderSpec, HeadSpec
    from suite.nn.verify import verify
    from suite.nn.weights import WEIGHTS, round_weights, save_weights

    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as place:
        torch.manual_seed(0)
        example = torch.zeros(2, 2, inputs)
        spec, head = EncoderSpec(hidden=hidden, residual=False), HeadSpec(pooling=("last", "mean"))
        model = ManyToOne(Features(inputs), cell, spec, head, 2, example)  # type: ignore[arg-type]
        round_weights(model)
        folder = Path(place)
        save_weights(model, folder / WEIGHTS)
        try:
            graphs = export(model, folder, WEIGHTS)
            manifest = Manifest(task="", mapping="many-to-one", config={}, files=dict.fromkeys(graphs, ""))
            verify(model, Checkpoint(folder, manifest))
        except SuiteError as error:
            raise LawBroken(f"the exported graph says what torch says: {one_line(error)}") from error
        except (RuntimeError, ValueError, TypeError) as error:
            raise LawBroken(f"a cell exports to ONNX: this one does not; {one_line(error):.500}") from error


@dataclass(frozen=True)
class _Trial:
    """A cell in one precision, with random inputs ``[B, T, D]`` and a random state."""

    cell: Cell
    x: Tensor
    state: State
    tolerance: float

    @property
    def kind(self) -> str:
        return str(self.x.dtype).removeprefix("torch.")

    def same(self, law: str, where: str, found: Tensor, wanted: Tensor) -> None:
        _same(law, f"{where} ({self.kind})", found.detach().numpy(), wanted.detach().numpy(), self.tolerance)

    def same_state(self, law: str, where: str, found: State, wanted: State) -> None:
        if found.keys() != wanted.keys():
            raise LawBroken(f"{law}: the state {where} has {sorted(found)}, expected {sorted(wanted)}")
        for name in wanted:
            self.same(law, f"the state {name!r} {where}", found[name], wanted[name])


def _trials(cell: Callable[[int, int], Cell], inputs: int, hidden: int, start: Start | None) -> list[_Trial]:
    """The cell in both precisions; the same random numbers each time, and the caller's are not touched."""
    import torch

    trials = []
    for dtype, tolerance in ((torch.float64, DOUBLE), (torch.float32, SINGLE)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = cell(inputs, hidden).to(dtype).eval()
            x = torch.randn(ROWS, STEPS, inputs, dtype=dtype)
            state = {n: _noise(v) for n, v in made.initial(ROWS).items()} if start is None else start(made, ROWS)
            trials.append(_Trial(made, x, state, tolerance))
    return trials


def _noise(like: Tensor) -> Tensor:
    import torch

    return torch.randn_like(like) if like.is_floating_point() else torch.randint_like(like, 0, 2)


def _rows(state: State, order: list[int]) -> State:
    return {name: value[order] for name, value in state.items()}


def _same_arrays(law: str, what: str, state: State, shapes: Mapping[str, tuple[int, ...]], trial: _Trial) -> None:
    found = {name: tuple(value.shape) for name, value in state.items()}
    if found != dict(shapes):
        raise LawBroken(f"{law}: {what} has {found}, but state_shapes says {dict(shapes)}")
    for name, value in state.items():
        if value.dtype != trial.state[name].dtype or (value.is_floating_point() and value.dtype != trial.x.dtype):
            raise LawBroken(f"{law}: {what} {name!r} is {value.dtype} in a {trial.kind} cell")


def _same(law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Raise LawBroken unless two arrays agree to ``tolerance · max(1, |wanted|)`` everywhere."""
    if found.shape != wanted.shape:
        raise LawBroken(f"{law}: {where} has shape {found.shape}, expected {wanted.shape}")
    if not found.size:
        return
    error = np.abs(found.astype(np.float64) - wanted) / np.maximum(1, np.abs(wanted))
    error = np.where(np.isfinite(error), error, np.inf)
    if float(error.max()) > tolerance:
        at = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
        raise LawBroken(
            f"{law}: {where} differs by {float(error.max()):.1e} at {list(at)}: {float(found[at]):.6g} where "
            f"{float(wanted[at]):.6g} is expected (allowed: {tolerance:.0e})"
        )


# -- tasks -------------------------------------------------------------------------------------------------


def check_task(
    task: Task,
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
    from suite.loading import open_checkpoint, open_config
    from suite.pipelines import Pipeline
    from suite.runtime import open_runtime

    opened = open_checkpoint(task, checkpoint)
    config, codecs = open_config(task, opened)
    pipeline = Pipeline(
        task, codecs, open_runtime(opened), causal=opened.manifest.streams, name=str(opened.path)
    )  # fmt: skip
    given = samples(task) if inputs is None else list(inputs)
    if not given:
        raise UsageError(f"{task.name}: nothing to check with; give check_task inputs=[…]")
    batch_equals_singles(pipeline, given)
    return [
        *stream_equals_offline(pipeline, given, stream_pieces),
        *runtimes_agree(task, opened, config, codecs, given),
        *saving_changes_nothing(task, opened, config, codecs, given),
    ]


def batch_equals_singles(pipeline: Pipeline, inputs: Sequence[Any]) -> None:
    """Law 6: an input's raw outputs do not depend on the batch it is in, its size or its other members.

    Of a decoder that attends they are the logits of some tokens, forced upon it: so the rows of a beam are
    independent too.
    """
    law = "a batch equals its members one by one"
    arrays = _encoded(pipeline, inputs)
    alone = [_outputs(pipeline, [array])[0] for array in arrays]
    for size in sorted({2, 3, 5, len(arrays)}):
        for numbers in (list(range(len(arrays))), list(range(len(arrays)))[::-1]):
            for at in range(0, len(numbers), size):
                batch = numbers[at : at + size]
                for i, output in zip(batch, _outputs(pipeline, [arrays[i] for i in batch]), strict=True):
                    others = [j + 1 for j in batch if j != i]
                    _same(law, f"the output of input {i + 1} beside inputs {others}", output, alone[i], SINGLE)


def stream_equals_offline(pipeline: Pipeline, inputs: Sequence[Any], stream_pieces: Cuts | None = None) -> list[str]:
    """Law 7: a stream fed in any pieces, and finished, gives the offline outputs, and so read every step.

    Tried too: a session saved midway (arrays and JSON) and gone on with by another. Of an aligned task the outputs
    of all steps together are the offline ones. Returns a note instead where the model says that it cannot stream.
    Where pieces are answered whole, the results are compared: all updates together are the answer.
    """
    from suite.streaming import Session

    law = "a stream equals the offline answer"
    if pipeline.task.segments is not None:
        return _segments_equal_offline(law, pipeline, inputs, stream_pieces)
    if pipeline.task.reader is not None:
        return ["law 7 does not apply: its outputs are read as they come; the task's own tests compare the two"]
    try:
        Session(pipeline)
    except UsageError as error:
        return [f"law 7 does not apply: {one_line(error)}"]
    if not pipeline.causal:
        raise LawBroken(f"{law}: the model cannot stream, and yet a session of it opens")
    if pipeline.task.mapping == "aligned":
        return _steps_equal_offline(law, pipeline, inputs, stream_pieces)
    for number, raw in enumerate(inputs, 1):
        (array,) = _encoded(pipeline, [raw])
        wanted = pipeline.outputs([array])[0]
        answer = _comparable(pipeline.task.read_off(wanted, pipeline.codecs, raw).to_dict())
        steps = None
        for pieces in (stream_pieces or cuts)(raw):
            for stop in (None, len(pieces) // 2):
                where = f"of input {number} in {len(pieces)} pieces" + ("" if stop is None else f", saved after {stop}")
                session = Session(pipeline)
                updates = []
                try:
                    for i, piece in enumerate(pieces):
                        if i == stop:
                            session = Session(pipeline, _stored(session.state))
                        updates += session.feed(piece)
                    result = session.finish()
                except (SuiteError, TypeError) as error:
                    raise LawBroken(f"{law}: {where}, it fails: {one_line(error)}") from error
                _same(law, f"the output {where}", session.state["outputs"], wanted, SINGLE)
                steps = session.steps if steps is None else steps
                if session.steps != steps:
                    raise LawBroken(f"{law}: {where}, {session.steps} steps are read instead of {steps}")
                if result.final is not True or any(update.final is not False for update in updates):
                    raise LawBroken(f"{law}: {where}, final is not false on every update and true on the result")
                if difference := _differs(_comparable(result.to_dict()), answer):
                    raise LawBroken(f"{law}: the result {where} has another {difference}")
    return []


def _steps_equal_offline(
    law: str, pipeline: Pipeline, inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    """The outputs of a stream's steps, one after the other, are those of the whole input."""
    from suite.streaming import Session

    for number, raw in enumerate(inputs, 1):
        (array,) = _encoded(pipeline, [raw])
        wanted = pipeline.outputs([array])[0]
        for pieces in (stream_pieces or cuts)(raw):
            for stop in (None, len(pieces) // 2):
                where = f"of input {number} in {len(pieces)} pieces" + ("" if stop is None else f", saved after {stop}")
                session, outputs = Session(pipeline), []
                try:
                    for i, piece in enumerate(pieces):
                        if i == stop:
                            session = Session(pipeline, _stored(session.state))
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
                _same(law, f"the output {where}", found, wanted, SINGLE)
                if result.final is not True:
                    raise LawBroken(f"{law}: {where}, final is not true on the result")
    return []


def _segments_equal_offline(
    law: str, pipeline: Pipeline, inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    from suite.streaming import SegmentSession

    segments = pipeline.task.segments
    assert segments is not None
    for number, raw in enumerate(inputs, 1):
        wanted = _comparable(pipeline(raw).to_dict())
        for pieces in (stream_pieces or cuts)(raw):
            for stop in (None, len(pieces) // 2):
                where = f"of input {number} in {len(pieces)} pieces" + ("" if stop is None else f", saved after {stop}")
                session, updates = SegmentSession(pipeline), []
                try:
                    for i, piece in enumerate(pieces):
                        if i == stop:
                            session = SegmentSession(pipeline, json.loads(json.dumps(session.state)))
                        updates += session.feed(piece)
                    updates += session.flush()
                    result = segments.final(updates, session.state["carried"])
                except (SuiteError, TypeError) as error:
                    raise LawBroken(f"{law}: {where}, it fails: {one_line(error)}") from error
                if result.final is not True or any(update.final is not False for update in updates):
                    raise LawBroken(f"{law}: {where}, final is not false on every update and true on the result")
                if difference := _differs(_comparable(result.to_dict()), wanted):
                    raise LawBroken(f"{law}: the result {where} has another {difference}")
    return []


def runtimes_agree(
    task: Task, checkpoint: Checkpoint, config: Any, codecs: Codecs, inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 8: a checkpoint's graphs in ONNX Runtime give what the model gives in torch.

    Compared are outputs and next states, from random states, at many sizes, and the outputs of ``inputs``.
    Returns a note instead where torch is not installed or the checkpoint has no graphs.
    """
    if importlib.util.find_spec("torch") is None:
        return ["law 8 was not checked: torch is not installed"]
    if not any(name.endswith(".onnx") for name in checkpoint.manifest.files):
        return [f"law 8 was not checked: {checkpoint.path} has no graphs"]
    from suite.nn.verify import verify
    from suite.pipelines import Pipeline
    from suite.runtime.onnx import OnnxRuntime
    from suite.runtime.torch import TorchRuntime

    law = "ONNX Runtime says what torch says"
    model = _model(task, checkpoint, config, codecs)
    kinds = TorchRuntime.of(model), OnnxRuntime(checkpoint)
    pipelines = [Pipeline(task, codecs, kind, causal=model.causal) for kind in kinds]
    arrays = _encoded(pipelines[0], inputs)
    try:
        verify(model, checkpoint, arrays)
    except SuiteError as error:
        raise LawBroken(f"{law}: {one_line(error)}") from error
    ours, theirs = (_outputs(pipeline, arrays) for pipeline in pipelines)
    _same_outputs(law, theirs, ours, SINGLE)
    return []


def saving_changes_nothing(
    task: Task, checkpoint: Checkpoint, config: Any, codecs: Codecs, inputs: Sequence[Any]
) -> list[str]:  # fmt: skip
    """Law 9: codecs, weights and graphs saved and loaded again give exactly the same outputs.

    Returns a note on the weights where torch is not installed.
    """
    from suite.checkpoint import Checkpoint, save
    from suite.loading import open_config
    from suite.pipelines import Pipeline
    from suite.runtime import open_runtime

    law = "saving and loading changes nothing"
    notes = []
    files = {name: (checkpoint.path / name).read_bytes() for name in checkpoint.manifest.files}
    files |= {name: content for codec in codecs.values() for name, content in codec.files().items()}
    with tempfile.TemporaryDirectory() as place:
        if importlib.util.find_spec("torch") is None:
            notes.append("law 9 was not checked for weights: torch is not installed")
        else:
            from suite.nn.weights import WEIGHTS, load_weights, save_weights

            again = Path(place) / WEIGHTS
            save_weights(_model(task, checkpoint, config, codecs), again, config.training.weights)
            before, after = load_weights(checkpoint.path / WEIGHTS), load_weights(again)
            if before.keys() != after.keys():
                raise LawBroken(f"{law}: other weights are saved: {sorted(before.keys() ^ after.keys())}")
            for name, value in before.items():
                _same(law, f"the weight {name}", after[name].numpy(), value.numpy(), 0.0)
        save(Path(place) / "copy", checkpoint.manifest, files)
        copy = Checkpoint.open(Path(place) / "copy", task=task.name)
        _, codecs_again = open_config(task, copy)
        pipelines = [
            Pipeline(task, read, open_runtime(one), causal=one.manifest.streams)
            for read, one in ((codecs_again, copy), (codecs, checkpoint))
        ]
        found, wanted = (_outputs(pipeline, _encoded(pipeline, inputs)) for pipeline in pipelines)
    _same_outputs(law, found, wanted, 0.0)
    return notes


def _same_outputs(law: str, found: Any, wanted: Any, tolerance: float) -> None:
    for number, (ours, theirs) in enumerate(zip(found, wanted, strict=True), 1):
        _same(law, f"the output of input {number} in one batch", ours, theirs, tolerance)


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
    task: Task | str,
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
    from suite.training.state import NUMBERS, TENSORS
    from suite.training.train import run_folder, train

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


def samples(task: Task) -> list[Any]:
    """The first inputs in the task's sample files, as ``suite TASK predict`` reads them."""
    from suite.data.readers import read_rows

    if task.expand is not None:
        files = [path for path in task.samples if not path.name.startswith("labelled")]
        return list(itertools.islice((value for path in files for _, value in task.expand(str(path))), 16))
    column = task.columns[0].name
    rows = (row for path in task.samples for row in read_rows(path, text_column=column))
    return [row.values[column] for row in itertools.islice(rows, 16) if column in row.values]


def _encoded(pipeline: Pipeline, inputs: Sequence[Any]) -> list[np.ndarray]:
    """The inputs as arrays; of a task that reads pieces and writes their answers, the pieces."""
    codec, task = pipeline.codecs["input"], pipeline.task
    if task.writes and task.pieces is not None:
        options = task.checked("predict", {})
        inputs = [piece for raw in inputs for piece in task.pieces(raw, pipeline.codecs, **options)]
    return [codec.encode(raw) for raw in inputs]  # type: ignore[attr-defined]


def _outputs(pipeline: Pipeline, arrays: list[np.ndarray]) -> Any:
    """Raw outputs, one array an input; of a decoder that attends, the logits ``[T, V]`` of tokens it is given."""
    if not pipeline.task.writes:
        return pipeline.outputs(arrays)
    from suite.beam import read

    target: Any = pipeline.codecs["target"]
    tokens = [target.start, *np.random.default_rng(0).integers(target.size, size=STEPS)]
    given, decoder = read(pipeline.runtime, arrays), pipeline.runtime.graph("decoder")
    state, steps = given.state, []
    for token in tokens:
        outputs = decoder({**state, **given.memory, "token": np.full(len(arrays), token, dtype=np.int64)})
        state = {f"state.{name[5:]}": array for name, array in outputs.items() if name.startswith("next.")}
        steps.append(outputs["logits"])
    return list(np.stack(steps, axis=1))


def _model(task: Task, checkpoint: Checkpoint, config: Any, codecs: Codecs) -> Any:
    """The torch model of a checkpoint, built by the task at hand, which need not be a registered one."""
    from suite.nn.weights import WEIGHTS, load_weights

    model = task.build(config, codecs)
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


def _stored(state: Mapping[str, Any]) -> dict[str, Any]:
    """A session's state as it comes back from a file: arrays as arrays, everything else through JSON."""
    plain = {k: v for k, v in state.items() if k not in ("arrays", "outputs")}
    return {"arrays": dict(state["arrays"]), "outputs": state["outputs"], **json.loads(json.dumps(plain))}


# -- codecs ------------------------------------------------------------------------------------------------


def check_codec(codec: Any, raws: Sequence[Any], *, pieces: Cuts | None = None) -> None:
    """A codec read back from its files encodes the same, and so does its incremental face, cut anywhere.

    ``raws`` are short inputs, or targets for a codec of targets. ``pieces(raw)`` gives the ways to cut one; by
    default ``cuts``, and for a text also its UTF-8 bytes cut in two at every place. What a feeder holds back
    must survive JSON: after each piece a fresh feeder goes on from ``pending``. Raises LawBroken.
    """
    again = type(codec).from_files(codec.files())
    incremental = hasattr(codec, "incremental")
    for number, raw in enumerate(raws, 1):
        wanted = np.asarray(codec.encode(raw if incremental else [raw]))
        law, where = "a codec survives its files", f"the encoding of {number}"
        _exactly(law, where, np.asarray(again.encode(raw if incremental else [raw])), wanted)
        if not incremental:
            continue
        law = "feeding pieces equals encoding the whole"
        for cut in _all_cuts(raw, pieces):
            where = f"the encoding of {number} in {len(cut)} pieces ({', '.join(map(repr, cut))})"
            where = where if len(where) < 200 else f"{where[:200]} …)"
            _exactly(law, where, _fed(codec, cut, law, where), wanted)
            _exactly(law, f"{where}, saved after each", _fed(codec, cut, law, where, saving=True), wanted)


def cuts(raw: Any) -> Iterator[Sequence[Any]]:
    """The ways to cut an input that are tried by default.

    A text: whole, every 1, 2, 3 and 7 letters, and its UTF-8 bytes one by one and in threes. An array or a
    list: whole, and every 1, 2, 3 and 7 steps. Anything else: whole.
    """
    yield [raw]
    if isinstance(raw, str | bytes | list | tuple | np.ndarray):
        for size in PIECES:
            yield [raw[i : i + size] for i in range(0, len(raw), size)]
    if isinstance(raw, str):
        coded = raw.encode()
        for size in (1, 3):
            yield [coded[i : i + size] for i in range(0, len(coded), size)]


def _all_cuts(raw: Any, pieces: Cuts | None) -> Iterator[Sequence[Any]]:
    yield from (pieces or cuts)(raw)
    if pieces is None and isinstance(raw, str):
        coded = raw.encode()
        yield from ([coded[:i], coded[i:]] for i in range(len(coded) + 1))


def _fed(codec: Any, pieces: Sequence[Any], law: str, where: str, *, saving: bool = False) -> np.ndarray:
    feeder = codec.incremental()
    steps: list[Any] = []
    try:
        for piece in pieces:
            steps += feeder.feed(piece)
            if saving:
                feeder = codec.incremental(json.loads(json.dumps(feeder.pending)))
        steps += feeder.flush()
    except (DataError, TypeError, ValueError) as error:
        raise LawBroken(f"{law}: {where}{', saved after each' if saving else ''}: {one_line(error)}") from error
    if not steps:
        raise LawBroken(f"{law}: {where} gives no step at all")
    return np.concatenate([array for _, array in steps])


def _exactly(law: str, where: str, found: np.ndarray, wanted: np.ndarray) -> None:
    if found.shape != wanted.shape or found.dtype != wanted.dtype or not np.array_equal(found, wanted):
        raise LawBroken(
            f"{law}: {where} is {found.dtype} {found.shape} {_short(found)}, "
            f"expected {wanted.dtype} {wanted.shape} {_short(wanted)}"
        )


def _short(array: np.ndarray) -> str:
    return " ".join(str(array.ravel()[:12].tolist()).split()) + (" …" if array.size > 12 else "")
