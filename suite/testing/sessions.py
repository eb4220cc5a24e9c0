"""The law of a crowd of sessions (12): they do not affect each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.testing.base import SINGLE, LawBroken, same
from suite.testing.codecs import Cuts
from suite.testing.streams import ending, first_difference, not_streaming, some_pieces

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.runtime import Arrays
    from suite.task import Result

#: Sessions that are stepped together.
CROWD = 8

CROWDED = "sessions do not affect each other"


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
        alone.append(ending(session, updates))
    sessions = [open_session(model) for _ in streams]
    turns: list[list[Result]] = [[] for _ in streams]
    for turn in range(max(map(len, streams))):
        for session, pieces, found in zip(sessions, streams, turns, strict=True):
            found += session.feed(pieces[turn]) if turn < len(pieces) else []
    for number, (session, found, wanted) in enumerate(zip(sessions, turns, alone, strict=True), 1):
        if difference_at := first_difference(ending(session, found), wanted):
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
