"""Streaming: pieces in, running results out, in constant memory.

Data flow: a piece → the codec's feeder → finished steps → one call of the graph a step, with the state of the
step before → ``task.decode`` → an update. Nothing but the state, the unfinished piece and the last outputs is
kept, so a session costs the same after a million steps as after one, and any chunking gives the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from suite.errors import DataError, UsageError
from suite.inference.pipeline import STRETCH, Pipeline
from suite.runtime import Kind, carried
from suite.task import Result


class _Fed:
    """What all sessions have in common: pieces in, updates out, in a block."""

    steps: int = 0

    def updates(self, piece: Any) -> Iterator[Result]:
        """The updates of the next piece one by one, each as soon as it is known."""
        raise NotImplementedError

    def feed(self, piece: Any) -> list[Result]:
        """Take the next piece; returns the updates (``final=False``) that it brings: of a ``Session`` one a step."""
        return list(self.updates(piece))

    def rest(self) -> Iterator[Result]:
        """The updates of what was held back, now taken as finished, one by one."""
        raise NotImplementedError

    def flush(self) -> list[Result]:
        """Take what was held back as finished; returns its updates. ``finish`` does this by itself."""
        return list(self.rest())

    def _ended(self) -> list[Result]:
        """The last updates. Raises DataError where there was nothing to read."""
        updates = self.flush()
        if not self.steps:
            raise DataError("the stream ended before anything could be read; feed at least one step")
        return updates

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _check_causal(pipeline: Pipeline) -> None:
    if not pipeline.causal:
        raise UsageError(
            f"{pipeline.name or pipeline.task.name}: a bidirectional model needs the whole input and cannot "
            "stream; train one with encoder.bidirectional=false"
        )


def _begun(state: Any, fresh: dict[str, Any]) -> dict[str, Any]:
    """A saved state, or without one a ``fresh`` one. Raises UsageError where its parts are others."""
    if state is None:
        return fresh
    if not isinstance(state, dict) or state.keys() != fresh.keys():
        raise UsageError("the saved state is of another model; use it with the checkpoint it came from")
    return state


def _resumed(found: dict[str, np.ndarray], own: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a saved state, of the shapes of our ``own``. Raises UsageError where they are not."""
    if found.keys() != own.keys() or any(found[n].shape != a.shape for n, a in own.items()):
        raise UsageError("the saved state is of another model; use it with the checkpoint it came from")
    return {name: np.array(found[name], array.dtype) for name, array in own.items()}


class Session(_Fed):
    """One stream of one input. Made by ``suite.stream``; not to be shared between threads.

    Of a many-to-one task an update is the answer to all that was read so far, and the last result that to all of the
    input. Of an aligned one it is the answer to the step it is of, and the last result is that of the last step: the
    answers of ``feed`` and ``flush`` together are the whole.

    >>> from suite import stream
    >>> with stream("sentiment") as session:
    ...     updates = session.feed("What a lovely ")
    ...     last = session.finish()
    >>> [update.input for update in updates], last.final
    (['What', 'a', 'lovely'], True)
    """

    def __init__(self, pipeline: Pipeline, state: dict[str, Any] | None = None, **options: Any) -> None:
        _check_causal(pipeline)
        if pipeline.task.writes or not hasattr(pipeline.codecs["input"], "incremental"):
            own = any(verb.name == "stream" for verb in pipeline.task.verbs)
            how = "its input codec takes no pieces (incremental), so it does not stream; use predict"
            raise UsageError(f"{pipeline.task.name}: {'its stream is pipeline.stream(…)' if own else how}")
        self._options = pipeline.task.checked("stream", options)
        self._task, self._codecs = pipeline.task, pipeline.adapted(self._options).codecs
        graph = pipeline.runtime.graph("encoder" if "encoder" in pipeline.runtime.names else "decoder")
        self._graph = graph
        self._carried = tuple((f"next.{n[6:]}", n) for n in graph.inputs if n.startswith("state."))
        self._arrays = graph.initial(1)
        self._lengths: dict[int, np.ndarray] = {}
        initial = {name: self._arrays[name] for _, name in self._carried}
        state = _begun(state, {"arrays": initial, "outputs": None, "pending": None, "steps": 0, "last": None})
        self._arrays.update(_resumed(state["arrays"], initial))
        self._outputs: np.ndarray | None = state["outputs"]
        self.steps, self._last = state["steps"], state["last"]
        self._feeder = self._codecs["input"].incremental(state["pending"])  # type: ignore[attr-defined]

    def updates(self, piece: Any) -> Iterator[Result]:
        """The updates one by one, each as soon as it is known."""
        return (self._update(raw, step) for raw, step in self._feeder.feed(piece))

    def rest(self) -> Iterator[Result]:
        """The updates of what was held back, now taken as finished, one by one."""
        return (self._update(raw, step) for raw, step in self._feeder.flush())

    def finish(self) -> Result:
        """End the input: what was held back is read, and the final result (``final=True``) is returned.

        Raises DataError if there was nothing to read.
        """
        self._ended()
        assert self._outputs is not None
        return self._task.read_off(self._outputs, self._codecs, self._last, final=True, **self._options)

    @property
    def pending(self) -> bool:
        """Whether a piece that may still go on is held back."""
        return bool(self._feeder.pending)

    @property
    def state(self) -> dict[str, Any]:
        """Everything the session is: give it to ``suite.stream(task, state=…)`` to go on where it stands.

        Arrays by name, and JSON values for the rest; saving it takes ``numpy.savez`` and ``json``.
        """
        arrays = {name: self._arrays[name].copy() for _, name in self._carried}
        outputs = None if self._outputs is None else self._outputs.copy()
        return {
            "arrays": arrays, "outputs": outputs, "pending": self._feeder.pending, "steps": self.steps,
            "last": self._last,
        }  # fmt: skip

    def _update(self, raw: Any, step: np.ndarray) -> Result:
        arrays = self._arrays
        arrays["inputs"] = step[None]
        arrays["lengths"] = self._length(len(step))
        results = self._graph(arrays)
        for after, before in self._carried:
            arrays[before] = results[after]
        self._outputs, self._last = results["outputs"][0], raw
        self.steps += 1
        return self._task.read_off(self._outputs, self._codecs, raw, final=False, **self._options)

    def _length(self, steps: int) -> np.ndarray:
        found = self._lengths.get(steps)
        if found is None:
            found = np.array([steps], dtype=np.int64)
            if steps <= 64:
                self._lengths[steps] = found
        return found


class SegmentSession(_Fed):
    """One stream of pieces that are each read whole and answered as soon as they are (see ``Task.segments``).

    Made by ``suite.stream``; it has the face of a ``Session``. Every update says what it adds, so that all of them
    together, and what ``finish`` adds, are the answer. Nothing but the unfinished piece is kept. A piece that cannot
    be read raises DataError, unless ``on_error(error)`` is given: it is then passed over.
    """

    def __init__(
        self, pipeline: Pipeline, state: dict[str, Any] | None = None,
        on_error: Callable[[DataError], None] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        if pipeline.task.segments is None:
            raise UsageError(f"{pipeline.task.name}: does not stream in this version; use predict")
        self._options = pipeline.task.checked("stream", options)
        self._pipeline, self._segments = pipeline.adapted(self._options), pipeline.task.segments
        self._on_error = on_error
        state = _begun(state, {"pending": None, "carried": {}, "steps": 0})
        self._cutter = self._segments.cut(state["pending"])
        self._carried: dict[str, Any] = dict(state["carried"])
        self.steps = state["steps"]

    def updates(self, piece: Any) -> Iterator[Result]:
        """The updates one by one, each as soon as it is known."""
        return self._answered(self._cutter.feed(piece))

    def rest(self) -> Iterator[Result]:
        """The updates of what was held back, now taken as whole, one by one."""
        return self._answered(self._cutter.flush())

    def finish(self) -> Result:
        """End the input: what was held back is answered, and the final result is returned.

        Raises DataError if there was nothing to read.
        """
        return self._segments.final(self._ended(), self._carried)

    @property
    def pending(self) -> bool:
        """Whether a piece that may still go on is held back."""
        return bool(self._cutter.pending)

    @property
    def state(self) -> dict[str, Any]:
        """Everything the session is, as JSON values: give it to ``suite.stream(task, state=…)`` to go on."""
        return {"pending": self._cutter.pending, "carried": dict(self._carried), "steps": self.steps}

    def _answered(self, cut: Iterator[tuple[Any, Any]]) -> Iterator[Result]:
        for between, piece in cut:
            self.steps += 1
            try:
                yield from self._segments.follow(self._pipeline, between, piece, self._carried, **self._options)
            except DataError as error:
                if self._on_error is None:
                    raise
                self._on_error(error)


class ReadingSession(_Fed):
    """One stream of an aligned task whose outputs are read as they come (see ``Task.reader``).

    Made by ``suite.stream``; it has the face of a ``Session``, but for ``pending``: the end of a recording is always
    held back. What an update says to be over is said once: all such updates, and what ``finish`` gives, are the
    answer. Nothing but the states, the unfinished step and what is not over is kept.
    """

    def __init__(self, pipeline: Pipeline, state: dict[str, Any] | None = None, **options: Any) -> None:
        task = pipeline.task
        _check_causal(pipeline)
        assert task.reader is not None
        chosen = task.checked("stream", options)
        opened = pipeline.adapted(chosen)
        self._graph = pipeline.runtime.graph("encoder")
        own = self._graph.initial(1)
        state = _begun(state, {"arrays": own, "pending": None, "reader": None, "steps": 0})
        self._arrays = _resumed(state["arrays"], own)
        self._feeder = opened.codecs["input"].incremental(state["pending"])  # type: ignore[attr-defined]
        self._reader = task.reader(opened, state["reader"], **chosen)
        self.steps = state["steps"]

    def updates(self, piece: Any) -> Iterator[Result]:
        """The updates one by one."""
        return self._read(self._feeder.feed(piece))

    def rest(self) -> Iterator[Result]:
        """The updates of what was held back, now taken as finished, one by one."""
        return self._read(self._feeder.flush())

    def finish(self) -> Result:
        """End the input: what was held back is read, and the final result is returned.

        Raises DataError if there was nothing to read.
        """
        return self._reader.finish(self._ended())

    @property
    def state(self) -> dict[str, Any]:
        """Everything the session is, arrays by name and JSON values: give it to ``suite.stream(task, state=…)``."""
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        return {
            "arrays": arrays, "pending": self._feeder.pending, "reader": self._reader.pending, "steps": self.steps,
        }  # fmt: skip

    def _read(self, steps: list[tuple[Any, np.ndarray]]) -> Iterator[Result]:
        for _, array in steps:
            for start in range(0, len(array), STRETCH):
                some = array[start : start + STRETCH]
                results = self._graph({**self._arrays, "inputs": some[None], "lengths": np.array([len(some)])})
                self._arrays = carried(results)
                self.steps += len(some)
                yield from self._reader.feed(results["outputs"][0])


def stream(
    task: str | Pipeline,
    checkpoint: str | Path | None = None,
    *,
    runtime: Kind | None = None,
    state: dict[str, Any] | None = None,
    **options: Any,
) -> Session | SegmentSession | ReadingSession:
    """A new session of a task (by name, or of an open pipeline). See ``Session``; ``options`` are the task's own.

    A task that reads its pieces whole takes ``on_error`` too (see ``SegmentSession``). Raises UsageError for a model
    that cannot stream.
    """
    opened = task if isinstance(task, Pipeline) else Pipeline.open(task, checkpoint, runtime=runtime)
    kind: Any = Session if opened.task.unit == "step" else SegmentSession
    if opened.task.reader is not None:
        kind = ReadingSession
    session: Session | SegmentSession | ReadingSession = kind(opened, state, **options)
    return session
