"""Streaming sessions: pieces in, running results out, in constant memory.

Data flow: a piece → the codec's feeder → finished steps → one call of the graph, with the state of the step before →
the task's decoding → an update. Nothing but the state and what is unfinished is kept, so a session costs the same after
a million steps as after one, and any chunking of the input gives the same results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from suite.codecs import StreamedCodec
from suite.errors import DataError, UsageError
from suite.inference.model import CHUNK_STEPS, LoadedModel
from suite.runtime import Arrays, Kind, carried
from suite.task import AnyTask, Result

#: A saved session, as ``Session.state`` gives it: arrays by name and JSON values.
State = Mapping[str, Any]


class Session(ABC):
    """One stream of one input. Made by ``suite.stream``; use it as a context manager; not for several threads at once.

    An update (``final=False``) says what is known so far, or for tasks that answer segment by segment what it adds;
    the last result (``final=True``) ends the input.

    >>> from suite import stream
    >>> with stream("sentiment") as session:
    ...     updates = session.feed("What a lovely ")
    ...     last = session.finish()
    >>> [update.input for update in updates], last.final
    (['What', 'a', 'lovely'], True)

    Saved and continued elsewhere:

    >>> with stream("sentiment") as session:
    ...     updates = session.feed("What a lovely ")
    ...     saved = session.dumps()
    >>> with stream("sentiment", state=saved) as session:
    ...     session.feed("day")[-1:], session.finish().label
    ([], 'positive')
    """

    #: Steps (or segments) read so far.
    steps: int

    def __init__(self, model: LoadedModel[Any, Any]) -> None:
        self.model = model
        self.steps = 0

    def feed(self, piece: Any) -> list[Result]:
        """Read the next piece; returns the updates it brings. Raises DataError for a piece that cannot be read."""
        return list(self.updates(piece))

    @abstractmethod
    def updates(self, piece: Any) -> Iterator[Result]:
        """The updates of the next piece one by one, each as soon as it is known."""

    def flush(self) -> list[Result]:
        """Take what is held back as complete; returns its updates. ``finish`` does this by itself."""
        return list(self.remaining_updates())

    @abstractmethod
    def remaining_updates(self) -> Iterator[Result]:
        """The updates of what is held back, now taken as complete, one by one."""

    def finish(self) -> Result:
        """End the input: what is held back is read, and the last result (``final=True``) is returned.

        Raises DataError if there was nothing to read.
        """
        updates = self.flush()
        if not self.steps:
            raise DataError("the stream ended before anything could be read; feed at least one step")
        return self._last_result(updates)

    @abstractmethod
    def _last_result(self, updates: Sequence[Result]) -> Result:
        """The last result, given the updates that the end of the input brought."""

    @property
    @abstractmethod
    def pending(self) -> bool:
        """Whether a piece that may still go on is held back."""

    @property
    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything the session is: ``suite.stream(task, state=…)`` continues from it.

        Arrays by name under ``"arrays"``, JSON values otherwise. ``dumps`` gives it as bytes.
        """

    def dumps(self) -> bytes:
        """The session's state as bytes: JSON, a few kilobytes, with a digest and the identity of its checkpoint."""
        return self.model.dump_state(self.state)

    def loads(self, data: bytes) -> Self:
        """Continue in this session from what ``dumps`` gave; returns the session.

        Raises UsageError for data that is altered or of another checkpoint.
        """
        self._restore(self.model.load_state(data))
        return self

    @abstractmethod
    def _restore(self, state: State | None) -> None:
        """Set everything from a saved state; None for the beginning of a stream."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __repr__(self) -> str:
        return f"<Session of {self.model.task.name!r} after {self.steps:,} steps>"


def stream(
    task: str | Any,
    checkpoint: str | Path | None = None,
    *,
    runtime: Kind | None = None,
    state: State | bytes | None = None,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> Session:
    """A new session of a task: by name, or of an open pipeline or model. See ``Session``.

    Args:
        task: A task's name, a ``Pipeline`` or a ``LoadedModel``.
        checkpoint: Another checkpoint than the shipped one.
        state: A saved state to continue from: ``session.state`` or ``session.dumps()``.
        on_error: For tasks that read whole segments: called with the error of one that cannot be read, which is then
            skipped.
        options: The task's own.

    Raises:
        UsageError: For a model that cannot stream, a wrong option, or a state of another model.
    """
    model = getattr(task, "model", task)
    if not isinstance(model, LoadedModel):
        model = LoadedModel.open(task, checkpoint, runtime=runtime)
    return open_session(model, state, on_error, **options)


def open_session(
    model: LoadedModel[Any, Any], state: State | bytes | None = None,
    on_error: Callable[[DataError], None] | None = None, **options: Any,
) -> Session:  # fmt: skip
    """A session of a loaded model, of the kind that its task's ``streaming`` names."""
    task = model.task
    if task.streaming is None:
        own = any(command.name == "stream" for command in task.commands)
        raise UsageError(f"{task.name}: {'use pipeline.stream(…)' if own else 'does not stream; use predict'}")
    kind = task.streaming.kind
    if kind != "segments" and not model.causal:
        raise UsageError(
            f"{model.name or task.name}: a bidirectional model needs the whole input and cannot stream; "
            "train one with encoder.bidirectional=false"
        )
    if kind != "segments" and on_error is not None:
        raise UsageError(f"{task.name}: on_error is for tasks that read whole segments; leave it out")
    if kind != "segments" and not isinstance(model.codecs.input, StreamedCodec):
        raise UsageError(
            f"{task.name}: its input codec takes no pieces (incremental), so it does not stream; use predict"
        )
    configured = model.configured(task.parse_options("stream", options))
    session: Session
    if kind == "steps":
        session = _StepSession(configured)
    elif kind == "decoder":
        session = _DecodedSession(configured)
    else:
        session = _SegmentSession(configured, on_error)
    if isinstance(state, bytes | bytearray):
        return session.loads(bytes(state))
    session._restore(state)
    return session


class _StepSession(Session):
    """A session whose every step gives an update, decoded from the outputs of that step."""

    def __init__(self, model: LoadedModel[Any, Any]) -> None:
        super().__init__(model)
        self._decode: Callable[..., Result] = _decode_of(model.task)
        self._codecs, self._options = model.codecs, model.options
        self._graph = model.runtime.graph(model.sequence_graph)
        self._carried = tuple((f"next.{n[6:]}", n) for n in self._graph.inputs if n.startswith("state."))
        self._lengths: dict[int, np.ndarray] = {}

    def updates(self, piece: Any) -> Iterator[Result]:
        return (self._step(raw, step) for raw, step in self._feeder.feed(piece))

    def remaining_updates(self) -> Iterator[Result]:
        return (self._step(raw, step) for raw, step in self._feeder.flush())

    def _last_result(self, updates: Sequence[Result]) -> Result:
        return self._decode(self._outputs, self._codecs, self._last, final=True, **self._options)

    @property
    def pending(self) -> bool:
        return bool(self._feeder.pending)

    @property
    def state(self) -> dict[str, Any]:
        arrays = {name: self._arrays[name].copy() for _, name in self._carried}
        outputs = None if self._outputs is None else self._outputs.copy()
        return {
            "arrays": arrays, "outputs": outputs, "pending": self._feeder.pending, "steps": self.steps,
            "last": self._last,
        }  # fmt: skip

    def _restore(self, state: State | None) -> None:
        self._arrays = self._graph.initial(1)
        initial = {name: self._arrays[name] for _, name in self._carried}
        fresh = {"arrays": initial, "outputs": None, "pending": None, "steps": 0, "last": None}
        state = _checked(state, fresh)
        self._arrays.update(_checked_arrays(state["arrays"], initial))
        self._outputs: np.ndarray | None = state["outputs"]
        self.steps, self._last = state["steps"], state["last"]
        self._feeder = self._codecs.input.incremental(state["pending"])

    def _step(self, raw: Any, step: np.ndarray) -> Result:
        arrays = self._arrays
        arrays["inputs"] = step[None]
        arrays["lengths"] = self._length(len(step))
        results = self._graph(arrays)
        for after, before in self._carried:
            arrays[before] = results[after]
        self._outputs, self._last = results["outputs"][0], raw
        self.steps += 1
        return self._decode(self._outputs, self._codecs, raw, final=False, **self._options)

    def _length(self, steps: int) -> np.ndarray:
        found = self._lengths.get(steps)
        if found is None:
            found = np.array([steps], dtype=np.int64)
            if steps <= 64:
                self._lengths[steps] = found
        return found


class _DecodedSession(Session):
    """A session whose per-step outputs are decoded as they come (see ``Task.stream_decoder``).

    What an update says is over is said once: all such updates together with the last result are the answer.
    """

    def __init__(self, model: LoadedModel[Any, Any]) -> None:
        super().__init__(model)
        self._graph = model.runtime.graph("encoder")

    def updates(self, piece: Any) -> Iterator[Result]:
        return self._run(self._feeder.feed(piece))

    def remaining_updates(self) -> Iterator[Result]:
        return self._run(self._feeder.flush())

    def _last_result(self, updates: Sequence[Result]) -> Result:
        return self._decoder.finish(updates)

    @property
    def pending(self) -> bool:
        return bool(self._feeder.pending)

    @property
    def state(self) -> dict[str, Any]:
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        return {
            "arrays": arrays, "pending": self._feeder.pending, "reader": self._decoder.pending, "steps": self.steps,
        }  # fmt: skip

    def _restore(self, state: State | None) -> None:
        initial = self._graph.initial(1)
        state = _checked(state, {"arrays": initial, "pending": None, "reader": None, "steps": 0})
        self._arrays: Arrays = _checked_arrays(state["arrays"], initial)
        self._feeder = self.model.codecs.input.incremental(state["pending"])
        self._decoder = self.model.task.stream_decoder(self.model, state["reader"], **self.model.options)
        self.steps = state["steps"]

    def _run(self, steps: Sequence[tuple[Any, np.ndarray]]) -> Iterator[Result]:
        for _, array in steps:
            for start in range(0, len(array), CHUNK_STEPS):
                chunk = array[start : start + CHUNK_STEPS]
                results = self._graph({**self._arrays, "inputs": chunk[None], "lengths": np.array([len(chunk)])})
                self._arrays = carried(results)
                self.steps += len(chunk)
                yield from self._decoder.feed(results["outputs"][0])


class _SegmentSession(Session):
    """A session of segments that are each read whole and answered at once (see ``Task.stream_segment``).

    Every update says what it adds, so that all of them, and what ``finish`` adds, are the answer.
    """

    def __init__(self, model: LoadedModel[Any, Any], on_error: Callable[[DataError], None] | None) -> None:
        super().__init__(model)
        self._on_error = on_error

    def updates(self, piece: Any) -> Iterator[Result]:
        return self._run(self._segmenter.feed(piece))

    def remaining_updates(self) -> Iterator[Result]:
        return self._run(self._segmenter.flush())

    def _last_result(self, updates: Sequence[Result]) -> Result:
        return self.model.task.last_result(updates, self._sums)

    @property
    def pending(self) -> bool:
        return bool(self._segmenter.pending)

    @property
    def state(self) -> dict[str, Any]:
        return {"pending": self._segmenter.pending, "carried": dict(self._sums), "steps": self.steps}

    def _restore(self, state: State | None) -> None:
        state = _checked(state, {"pending": None, "carried": {}, "steps": 0})
        self._segmenter = self.model.task.segmenter(state["pending"])
        self._sums: dict[str, Any] = dict(state["carried"])
        self.steps = state["steps"]

    def _run(self, segments: Iterator[tuple[Any, Any]]) -> Iterator[Result]:
        task, options = self.model.task, self.model.options
        for separator, segment in segments:
            self.steps += 1
            try:
                yield from task.stream_segment(self.model, separator, segment, self._sums, **options)
            except DataError as error:
                if self._on_error is None:
                    raise
                self._on_error(error)


_OTHER_MODEL = "the saved state is of another model; use it with the checkpoint it came from"


def _decode_of(task: AnyTask) -> Callable[..., Result]:
    from suite.task import AlignedTask, ManyToOneTask

    if not isinstance(task, AlignedTask | ManyToOneTask):
        raise UsageError(f"{task.name}: only models with outputs per step or input stream step by step; use predict")
    return task.decode


def _checked(state: State | None, fresh: dict[str, Any]) -> State:
    """A saved state, or without one the ``fresh`` one. Raises UsageError if it has other parts."""
    if state is None:
        return fresh
    if not isinstance(state, Mapping) or state.keys() != fresh.keys():
        raise UsageError(_OTHER_MODEL)
    return state


def _checked_arrays(found: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a saved state, with the names and shapes of ``own``. Raises UsageError if they differ."""
    if found.keys() != own.keys() or any(np.shape(found[n]) != a.shape for n, a in own.items()):
        raise UsageError(_OTHER_MODEL)
    return {name: np.array(found[name], array.dtype) for name, array in own.items()}
