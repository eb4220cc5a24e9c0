"""The law of streams: a stream, cut anywhere, equals the offline result (7); and the ways to cut an input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import SuiteError, UsageError, one_line
from suite.testing.base import LawBroken, comparable, difference, same_output
from suite.testing.codecs import Cuts, cuts

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.inference.sessions import Session
    from suite.task import AnyTask, Result

STREAM = "a stream equals the offline result"


def stream_equals_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None = None
) -> list[str]:
    """Law 7: a stream fed in any pieces, and finished, gives the offline result, and loses no last step.

    Also with a session that is saved midway and continued by another. Compared are the outputs, for an aligned task
    those of all steps. If segments are read whole, or outputs are decoded as they come, the results are compared
    instead. Returns a note if the model cannot stream.
    """
    if notes := not_streaming(model, 7, stream_pieces):
        return notes
    kind = model.task.streaming.kind if model.task.streaming is not None else ""
    if kind == "segments":
        return _segments_equal_offline(model, inputs, stream_pieces)
    if not model.causal:
        raise LawBroken(f"{STREAM}: the model cannot stream, and yet a session of it opens")
    if kind == "decoder":
        return _decoded_equals_offline(model, inputs, stream_pieces)
    if model.task.per_step:
        return _steps_equal_offline(model, inputs, stream_pieces)
    return _running_equals_offline(model, inputs, stream_pieces)


def _running_equals_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:
    """The outputs after the last step are those of the whole input."""
    task = model.task
    for number, raw in enumerate(inputs, 1):
        array = model.codecs.input.encode(raw)
        wanted = model.outputs([array])[0]
        # The offline result without what a task adds for long inputs, which a stream gives otherwise.
        result = task.predict(model, [raw], [array], **task.parse_options("predict", {}))[0]
        steps = None
        for pieces, stop, where in _ways(model, number, raw, stream_pieces):
            session, updates, last = _streamed(model, pieces, stop, where)
            same_output(STREAM, where, session.state["outputs"], wanted)
            steps = session.steps if steps is None else steps
            if session.steps != steps:
                raise LawBroken(f"{STREAM}: {where}, {session.steps} steps are read instead of {steps}")
            _final_is_right(updates, last, where)
            _same_result(last, result, where)
    return []


def _steps_equal_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    """The outputs of all steps, one after the other, are those of the whole input."""
    from suite.inference.sessions import open_session

    for number, raw in enumerate(inputs, 1):
        wanted = model.outputs([model.codecs.input.encode(raw)])[0]
        for pieces, stop, where in _ways(model, number, raw, stream_pieces):
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
                    raise LawBroken(f"{STREAM}: {where}, {session.steps - before} steps are held back to the end")
                result = session.finish()
            except (SuiteError, TypeError) as error:
                raise LawBroken(f"{STREAM}: {where}, it fails: {one_line(error)}") from error
            found = np.concatenate(outputs) if outputs else wanted[:0]
            if len(found) != len(wanted):
                raise LawBroken(f"{STREAM}: {where}, there are outputs for {len(found)} steps instead of {len(wanted)}")
            same_output(STREAM, where, found, wanted)
            _final_is_right((), result, where)
    return []


def _decoded_equals_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    """All updates of a stream, merged with its last result, are the offline result."""
    from suite.inference.pipeline import Pipeline

    task, pipeline = model.task, Pipeline(model)
    options = task.parse_options("predict", {})
    for number, raw in enumerate(inputs, 1):
        wanted = pipeline(raw)
        for pieces, stop, where in _ways(model, number, raw, stream_pieces):
            _, updates, last = _streamed(model, pieces, stop, where)
            _final_is_right(updates, last, where)
            _same_result(task.merge([*updates, last], raw, model.codecs, **options), wanted, where)
    return []


def _segments_equal_offline(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None
) -> list[str]:  # fmt: skip
    """What the updates of a stream and its last result add up to is the offline result."""
    from suite.inference.pipeline import Pipeline

    pipeline = Pipeline(model)
    for number, raw in enumerate(inputs, 1):
        wanted = pipeline(raw)
        for pieces, stop, where in _ways(model, number, raw, stream_pieces):
            session, updates, last = _streamed(model, pieces, stop, where)
            _final_is_right(updates, last, where)
            _same_result(model.task.last_result(updates, session.state["carried"]), wanted, where)
    return []


def _streamed(
    model: LoadedModel[Any, Any], pieces: Sequence[Any], stop: int | None, where: str
) -> tuple[Session, list[Any], Result]:
    """The session of a whole stream, saved and continued before the piece ``stop``; its updates and last result."""
    from suite.inference.sessions import open_session

    session, updates = open_session(model), []
    try:
        for i, piece in enumerate(pieces):
            if i == stop:
                session = open_session(model, session.dumps())
            updates += session.feed(piece)
        updates += session.flush()
        return session, updates, session.finish()
    except (SuiteError, TypeError) as error:
        raise LawBroken(f"{STREAM}: {where}, it fails: {one_line(error)}") from error


def _final_is_right(updates: Sequence[Any], last: Result, where: str) -> None:
    if last.final is not True or any(update.final is not False for update in updates):
        raise LawBroken(f"{STREAM}: {where}, final is not False on every update and True on the last result")


def _same_result(found: Result, wanted: Result, where: str) -> None:
    if apart := difference(comparable(found.to_dict()), comparable(wanted.to_dict())):
        raise LawBroken(f"{STREAM}: the result {where} has another {apart}")


# -- how inputs are cut ----------------------------------------------------------------------------------------


def not_streaming(model: LoadedModel[Any, Any], law: int, stream_pieces: Cuts | None) -> list[str]:
    """A note that a law of streams does not apply to the model; none if it does."""
    from suite.inference.sessions import open_session

    task = model.task
    try:
        open_session(model)
    except UsageError as error:
        return [f"law {law} does not apply: {one_line(error)}"]
    if task.streaming is None:
        raise LawBroken(f"{STREAM}: the task does not stream, and yet a session of it opens")
    if takes_paths(task) and stream_pieces is None:
        return [f"law {law} was not checked: override stream_pieces to say what a session is fed for a file"]
    return []


def takes_paths(task: AnyTask) -> bool:
    """Whether inputs may be paths, and the task does not say what a session is fed for one."""
    from suite.task import Task

    decodes = task.streaming is not None and task.streaming.kind == "decoder"
    return decodes and task.data.inputs == "files" and type(task).stream_pieces is Task.stream_pieces


def _ways(
    model: LoadedModel[Any, Any], number: int, raw: Any, stream_pieces: Cuts | None
) -> Iterator[tuple[Sequence[Any], int | None, str]]:
    """The ways to stream an input: its pieces, after how many the session is saved (None: never), and that in words."""
    for pieces in ways_to_cut(model, raw, stream_pieces):
        for stop in (None, len(pieces) // 2):
            saved = "" if stop is None else f", saved after {stop}"
            yield pieces, stop, f"of input {number} in {len(pieces)} pieces{saved}"


def ways_to_cut(model: LoadedModel[Any, Any], raw: Any, stream_pieces: Cuts | None = None) -> Iterator[Sequence[Any]]:
    """The ways to cut an input into the pieces that a session is fed."""
    if stream_pieces is not None:
        yield from stream_pieces(raw)
        return
    pieces = list(model.task.stream_pieces(raw, model.codecs, **model.task.parse_options("predict", {})))
    if len(pieces) == 1:
        yield from cuts(pieces[0])
    else:
        yield pieces


def some_pieces(
    model: LoadedModel[Any, Any], raw: Any, stream_pieces: Cuts | None, most: int = 9
) -> Sequence[Any]:  # fmt: skip
    """One way to cut an input: with as many pieces as there are ways to, up to ``most``; else into the fewest."""
    ways = list(ways_to_cut(model, raw, stream_pieces))
    few = [pieces for pieces in ways if 1 < len(pieces) <= most]
    if few:
        return max(few, key=len)
    several = [pieces for pieces in ways if len(pieces) > 1]
    return min(several, key=len) if several else ways[0]


# -- how streams end -------------------------------------------------------------------------------------------


def ending(session: Session, updates: Sequence[Result]) -> list[str]:
    """How a stream ends, as lines of JSON: its updates, the state after the last step, and the last result."""
    updates = [*updates, *session.flush()]
    state = session.dumps().decode("utf-8")
    return [*(_line(update) for update in updates), state, _line(session.finish())]


def _line(result: Result) -> str:
    return json.dumps(comparable(result.to_dict()), ensure_ascii=False, default=str)


def first_difference(found: Sequence[str], wanted: Sequence[str]) -> str:
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
