"""The laws of a task's sessions: they are independent (12), and a saved one continues in another process (13)."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import UsageError, one_line
from suite.testing.base import SINGLE, LawBroken, comparable, same
from suite.testing.codecs import Cuts
from suite.testing.streams import not_streaming, some_pieces

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.inference.sessions import Session
    from suite.runtime import Arrays
    from suite.task import AnyTask, Result

#: Sessions that law 12 steps together, and streams that law 13 moves to another process.
CROWD, MOVED = 8, 4

CROWDED = "sessions do not affect each other"
PORTABLE = "a saved session continues in another process"


# -- law 12 ----------------------------------------------------------------------------------------------------


def sessions_are_independent(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None = None
) -> list[str]:
    """Law 12: a session among others gives what it gives alone, bit for bit on ONNX Runtime.

    Tried are sessions of one model fed in turns, and, if state is carried from step to step, sessions that are stepped
    together in one batch, each at another place of its stream. Returns a note if the model cannot stream.
    """
    if notes := not_streaming(model, 12, stream_pieces):
        return notes
    streams = [some_pieces(model, inputs[i % len(inputs)], stream_pieces, 3 + i) for i in range(CROWD)]
    _taking_turns(model, streams)
    if model.task.streaming is not None and model.task.streaming.kind != "segments":
        _in_one_batch(model, streams)
    return []


def _taking_turns(model: LoadedModel[Any, Any], streams: Sequence[Sequence[Any]]) -> None:
    """Sessions fed in turns give the results, and end in the states, of sessions fed one after the other."""
    from suite.inference.sessions import open_session

    alone = []
    for pieces in streams:
        session = open_session(model)
        updates = [update for piece in pieces for update in session.feed(piece)]
        alone.append(_ending(session, updates))
    sessions = [open_session(model) for _ in streams]
    turns: list[list[Result]] = [[] for _ in streams]
    for turn in range(max(map(len, streams))):
        for session, pieces, found in zip(sessions, streams, turns, strict=True):
            found += session.feed(pieces[turn]) if turn < len(pieces) else []
    for number, (session, found, wanted) in enumerate(zip(sessions, turns, alone, strict=True), 1):
        if difference_at := _first_difference(_ending(session, found), wanted):
            raise LawBroken(f"{CROWDED}: session {number} of {len(streams)} fed in turns has another {difference_at}")


def _in_one_batch(model: LoadedModel[Any, Any], streams: Sequence[Sequence[Any]]) -> None:
    """Steps of several sessions computed in one call have the outputs and states of steps computed alone."""
    graph = model.runtime.graph(model.sequence_graph)
    configured = model.configured(model.task.parse_options("stream", {}))
    steps = [_encoded_steps(configured, pieces) for pieces in streams]
    tolerance = 0.0 if model.runtime.kind == "onnx" else SINGLE
    alone = [list(_stepped(graph, arrays)) for arrays in steps]
    states = [graph.initial(1) for _ in streams]
    for turn in range(max(len(arrays) + i % 3 for i, arrays in enumerate(steps))):
        # Each begins some turns after another, so that the sessions of a batch are at different places.
        there = [(i, turn - i % 3) for i, arrays in enumerate(steps) if 0 <= turn - i % 3 < len(arrays)]
        for shape in sorted({steps[i][at].shape for i, at in there}):
            group = [(i, at) for i, at in there if steps[i][at].shape == shape]
            state = {name: np.concatenate([states[i][name] for i, _ in group]) for name in states[0]}
            found, after = _step(graph, np.stack([steps[i][at] for i, at in group]), state)
            for row, (i, at) in enumerate(group):
                where = f"of session {i + 1} at step {at + 1} in a batch of {len(group)}"
                states[i] = {name: array[row : row + 1] for name, array in after.items()}
                outputs, wanted = alone[i][at]
                same(CROWDED, f"the output {where}", found[row : row + 1], outputs, tolerance, rows=True)
                for name, array in wanted.items():
                    same(CROWDED, f"{name} {where}", states[i][name], array, tolerance, rows=True)


def _encoded_steps(model: LoadedModel[Any, Any], pieces: Sequence[Any]) -> list[np.ndarray]:
    """The arrays that a session runs the model on, one after the other."""
    feeder = model.codecs.input.incremental()
    steps = [array for piece in pieces for _, array in feeder.feed(piece)]
    return [array for array in [*steps, *(array for _, array in feeder.flush())] if len(array)]


def _stepped(graph: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, Arrays]]:
    """Outputs and next state of each array, the state carried."""
    state = graph.initial(1)
    for array in arrays:
        outputs, state = _step(graph, array[None], state)
        yield outputs, state


def _step(graph: Any, inputs: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
    from suite.runtime import carried

    lengths = np.full(len(inputs), inputs.shape[1], np.int64)
    results = graph({"inputs": inputs, "lengths": lengths, **state})
    return results["outputs"], carried(results)


# -- law 13 ----------------------------------------------------------------------------------------------------


def state_is_portable(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None = None
) -> list[str]:
    """Law 13: a session's ``dumps()``, loaded by another process, goes on as if nothing had happened.

    Its updates, its last result and its state at the end are the same there, to the bit. A state that is altered or
    incomplete, or of another task, checkpoint or model, is refused. Returns a note if the model cannot stream, or if
    another process cannot open it.
    """
    if notes := not_streaming(model, 13, stream_pieces):
        return notes
    streams = [some_pieces(model, raw, stream_pieces) for raw in inputs[:MOVED]]
    saved, wanted = [], []
    for pieces in streams:
        session, stop = _session(model, pieces), len(pieces) // 2
        saved.append((session.dumps(), pieces[stop:]))
        wanted.append(_ending(session, [update for piece in pieces[stop:] for update in session.feed(piece)]))
    _refuses_others(model, saved[-1][0])
    if reason := _unreachable(model):
        return [f"law 13 was not checked in another process: {reason}"]
    found = _elsewhere(model, saved)
    if isinstance(found, str):
        return [f"law 13 was not checked in another process: {found}"]
    for number, (there, here) in enumerate(zip(found, wanted, strict=True), 1):
        if difference_at := _first_difference(there, here):
            raise LawBroken(f"{PORTABLE}: input {number}, continued there, has another {difference_at}")
    return []


def _session(model: LoadedModel[Any, Any], pieces: Sequence[Any]) -> Session:
    """A session that has read the first half of the pieces."""
    from suite.inference.sessions import open_session

    session = open_session(model)
    for piece in pieces[: len(pieces) // 2]:
        session.feed(piece)
    return session


def _refuses_others(model: LoadedModel[Any, Any], data: bytes) -> None:
    """A session refuses a state that is not its own, or that is damaged."""
    from suite.inference.session_state import dump_state, load_state
    from suite.inference.sessions import open_session

    name, checkpoint = model.task.name, model.fingerprint
    state = load_state(data, task=name, model=checkpoint)
    middle = len(data) // 2
    wrong = {
        "is altered": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "is incomplete": data[:-10],
        "is of another task": dump_state(state, task=f"not-{name}", model=checkpoint),
        "is of another checkpoint": dump_state(state, task=name, model=f"not-{checkpoint}"),
        "lacks a part": dump_state(dict(list(state.items())[1:]), task=name, model=checkpoint),
    }
    for key, array in list(state.get("arrays", {}).items())[:1]:
        arrays = {**state["arrays"], key: np.concatenate([array, array], axis=-1)}
        wrong["has arrays of another model"] = dump_state({**state, "arrays": arrays}, task=name, model=checkpoint)
    for what, damaged in wrong.items():
        try:
            open_session(model).loads(damaged)
        except UsageError:
            continue
        except Exception as error:
            raise LawBroken(f"{PORTABLE}: a state that {what} is not refused but fails: {one_line(error)}") from error
        raise LawBroken(f"{PORTABLE}: a state that {what} is not refused")


def _unreachable(model: LoadedModel[Any, Any]) -> str:
    """Why another process cannot open the model; empty if it can."""
    from suite.plugins import registry

    if not model.fingerprint:
        return "the model is in memory only"
    name = model.task.name
    if name not in registry().task_names() or type(registry().task(name)) is not type(model.task):
        return f"{name} is not an installed task"
    return ""


def _elsewhere(model: LoadedModel[Any, Any], saved: Sequence[tuple[bytes, Sequence[Any]]]) -> list[list[str]] | str:
    """What the saved sessions give in another process, or why it has no such task."""
    code = "from suite.testing.sessions import continue_saved; continue_saved()"
    given = (sys.path, model.task.name, model.name, model.runtime.kind, list(saved))
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(given), capture_output=True, check=False
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        raise LawBroken(f"{PORTABLE}: there it fails: {last}")
    found: list[list[str]] | str = json.loads(done.stdout.decode("utf-8").splitlines()[-1])
    return found


def continue_saved() -> None:
    """Continue the sessions on standard input; a line of JSON on standard output says how each ends.

    Run by `state_is_portable` in a process of its own.
    """
    from suite.errors import PluginError
    from suite.plugins import registry

    path, name, checkpoint, runtime, saved = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    sys.path[:] = path
    answers, sys.stdout = sys.stdout, io.StringIO()  # what plugins print is not an answer
    found: list[list[str]] | str
    try:
        task = registry().task(name)
    except (UsageError, PluginError) as error:
        found = one_line(error)
    else:
        found = _continued(task, checkpoint, runtime, saved)
    answers.write(json.dumps(found) + "\n")
    answers.flush()


def _continued(
    task: AnyTask, checkpoint: str, runtime: Any, saved: Sequence[tuple[bytes, Sequence[Any]]]
) -> list[list[str]]:
    from suite.inference.model import LoadedModel
    from suite.inference.sessions import open_session

    model = LoadedModel.open(task, checkpoint, runtime=runtime)
    found = []
    for state, pieces in saved:
        session = open_session(model).loads(state)
        found.append(_ending(session, [update for piece in pieces for update in session.feed(piece)]))
    return found


# -- shared ----------------------------------------------------------------------------------------------------


def _ending(session: Session, updates: Sequence[Result]) -> list[str]:
    """How a stream ends, as lines of JSON: its updates, the state after the last step, and the last result."""
    updates = [*updates, *session.flush()]
    state = session.dumps().decode("utf-8")
    return [*(_line(update) for update in updates), state, _line(session.finish())]


def _line(result: Result) -> str:
    return json.dumps(comparable(result.to_dict()), ensure_ascii=False, default=str)


def _first_difference(found: Sequence[str], wanted: Sequence[str]) -> str:
    """Where two endings differ first, in words; empty if they are the same."""
    if len(found) != len(wanted):
        return f"number of updates: {len(found) - 2} instead of {len(wanted) - 2}"
    for place, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        if ours != theirs:
            if place == len(wanted) - 2:
                return "state at the end"
            what = "last result" if place == len(wanted) - 1 else f"update {place + 1}"
            return f"{what}: {ours:.80} instead of {theirs:.80}"
    return ""
