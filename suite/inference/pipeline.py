"""Raw inputs to typed results, lazily and in order.

Data flow: inputs → codec → batches of padded arrays → the runtime's graph, in stretches with carried state
where inputs are long → the outputs of each → ``task.decode`` → results.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from suite.data.batching import pad
from suite.errors import DataError, UsageError
from suite.inference.loading import open_config, open_runtime, task_and_checkpoint
from suite.runtime import Kind, Runtime, carried
from suite.task import Codecs, Result, Task

#: Inputs longer than this many steps are read in stretches with carried state, in bounded memory.
STRETCH = 4096


class Pipeline:
    """A task's model, ready to use. Safe to call from many threads.

    >>> classify = Pipeline.open("sentiment")
    >>> classify("What a lovely day").label
    'positive'
    """

    #: The options of a verb that this is adapted to.
    asked: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, task: Task, codecs: Codecs, runtime: Runtime, *, causal: bool = True, name: str = "") -> None:
        self.task, self.codecs, self.runtime, self.causal, self.name = task, codecs, runtime, causal, name

    @classmethod
    def open(cls, task: str, checkpoint: str | Path | None = None, *, runtime: Kind | None = None) -> Pipeline:
        """The pipeline of a task, from its shipped checkpoint or a directory.

        Raises UsageError for an unknown task and CheckpointError for a directory that cannot be used.
        """
        found, opened = task_and_checkpoint(task, checkpoint)
        _, codecs = open_config(found, opened)
        return cls(found, codecs, open_runtime(opened, runtime), causal=opened.manifest.streams, name=str(opened.path))

    def __call__(
        self,
        inputs: Any,
        *,
        batch_size: int = 32,
        timing: bool = False,
        on_error: Callable[[int, DataError], None] | None = None,
        **options: Any,
    ) -> Any:
        """Answer one input, a list of them, or any iterable.

        One input gives one result; a list or tuple gives a list; any other iterable gives an iterator that
        reads ahead by at most one batch. Results come in the order of the inputs. An input that cannot be
        used raises DataError naming its number, counted from 1, unless ``on_error(number, error)`` is given:
        it is then called, and that input has no result. ``options`` are the task's own.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size={batch_size}: expected a whole number from 1")
        chosen = self.task.checked("predict", options)
        reader = self.adapted(chosen)
        if isinstance(inputs, list | tuple):
            return list(reader._answers(inputs, batch_size, timing, on_error, chosen))
        if isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | Path | np.ndarray | Mapping):
            return reader._answers(inputs, batch_size, timing, on_error, chosen)
        for result in reader._answers([inputs], 1, timing, None, chosen, numbered=False):
            return result
        raise DataError("no result")  # pragma: no cover - _answers gives one or raises

    def adapted(self, options: Mapping[str, Any]) -> Pipeline:
        """This pipeline with its codecs as a verb's ``options`` ask (see ``Task.adapt``), noted as ``asked``."""
        codecs = self.codecs if self.task.adapt is None else self.task.adapt(self.codecs, **options)
        made = Pipeline(self.task, codecs, self.runtime, causal=self.causal, name=self.name)
        made.asked = options
        return made

    def _answers(
        self, inputs: Iterable[Any], batch_size: int, timing: bool,
        on_error: Callable[[int, DataError], None] | None, options: Mapping[str, Any], *, numbered: bool = True,
    ) -> Iterator[Result]:  # fmt: skip
        source = enumerate(inputs, 1)
        failure: Exception | None = None
        more = True
        while more and failure is None:
            started = time.perf_counter()
            kept: list[tuple[Any, list[Any] | Result]] = []
            arrays: list[np.ndarray] = []
            more = False
            # What comes before an input that fails, or a source that does, is answered first.
            try:
                for number, item in itertools.islice(source, batch_size):
                    more = True
                    try:
                        if (streamed := self._streamed(item, options)) is not None:
                            kept.append((item, streamed))
                            continue
                        pieces, encoded = self._pieces(item, options)
                        arrays += encoded
                        kept.append((item, pieces))
                    except DataError as error:
                        if on_error is None:
                            raise (DataError(f"input {number}: {error}") if numbered else error) from None
                        on_error(number, error)
            except Exception as error:
                failure = error
            if kept:
                whole = [piece for _, pieces in kept if isinstance(pieces, list) for piece in pieces]
                made = self._made(whole, arrays, batch_size, options)
                results = [
                    self._joined(item, len(pieces), made, options) if isinstance(pieces, list) else pieces
                    for item, pieces in kept
                ]
                if timing:
                    share = (time.perf_counter() - started) / len(results)
                    results = [dataclasses.replace(result, seconds=share) for result in results]
                yield from results
        if failure is not None:
            raise failure

    def _streamed(self, item: Any, options: Mapping[str, Any]) -> Result | None:
        """The result of an input that is too long to be read at once; None for any other (see ``Task.blocks``)."""
        task = self.task
        blocks = None if task.blocks is None else task.blocks(item, self.codecs, **options)
        if blocks is None:
            return None
        from suite.inference.streaming import ReadingSession

        assert task.join is not None
        known = {option.name for option in task.option("stream")}
        session = ReadingSession(self, **{name: value for name, value in options.items() if name in known})
        results: list[Result] = []
        for block in blocks:
            results += session.feed(block)
        return task.join([*results, *session.flush(), session.finish()], item, self.codecs, **options)

    def _pieces(self, item: Any, options: Mapping[str, Any]) -> tuple[list[Any], list[np.ndarray]]:
        """An input's pieces, raw and encoded; one piece unless the task says otherwise."""
        pieces = [item] if self.task.pieces is None else list(self.task.pieces(item, self.codecs, **options))
        return pieces, [self.codecs["input"].encode(piece) for piece in pieces]  # type: ignore[attr-defined]

    def _rows(self, arrays: list[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
        """The outputs for each array, ``[K]`` or of an aligned task ``[T, K]``, computed ``batch_size`` at a time."""
        for start in range(0, len(arrays), batch_size):
            yield from self.outputs(arrays[start : start + batch_size])

    def _made(
        self, pieces: list[Any], arrays: list[np.ndarray], batch_size: int, options: Mapping[str, Any]
    ) -> Iterator[Result]:
        """The result of each piece: read off its outputs, or written by a decoder."""
        if self.task.answer is None:
            for piece, row in zip(pieces, self._rows(arrays, batch_size), strict=True):
                yield self.task.read_off(row, self.codecs, piece, **options)
            return
        for start in range(0, len(arrays), batch_size):
            some = slice(start, start + batch_size)
            yield from self.task.answer(self, pieces[some], arrays[some], **options)

    def _joined(self, item: Any, count: int, made: Iterator[Result], options: Mapping[str, Any]) -> Result:
        """The result of an input from the next results, one for each of its pieces."""
        results = list(itertools.islice(made, count))
        return results[0] if self.task.join is None else self.task.join(results, item, self.codecs, **options)

    def reading(self) -> Pipeline:
        """This pipeline with answers read off the model's outputs, where its task would write them."""
        return Pipeline(
            dataclasses.replace(self.task, answer=None), self.codecs, self.runtime, causal=self.causal, name=self.name
        )

    def __getattr__(self, name: str) -> Any:
        """A verb that only the task has: ``pipeline.generate(…)``."""
        task = self.__dict__.get("task")
        verb = next((verb for verb in task.verbs if verb.name == name), None) if task is not None else None
        if verb is None:
            raise AttributeError(f"a {task.name if task else ''} pipeline has no {name!r}")

        def run(*inputs: Any, **options: Any) -> Any:
            return verb.run(self, *inputs, **verb.checked(self.task.name, options))

        return run

    def outputs_of(self, inputs: Sequence[Any], batch_size: int = 64) -> np.ndarray:
        """Raw outputs ``[N, K]`` of whole inputs; for what looks behind results, like calibration."""
        arrays = [self.codecs["input"].encode(item) for item in inputs]  # type: ignore[attr-defined]
        order = sorted(range(len(arrays)), key=lambda i: len(arrays[i]))
        rows = dict(zip(order, self._rows([arrays[i] for i in order], batch_size), strict=True))
        return np.stack([rows[i] for i in range(len(arrays))])

    def outputs(self, arrays: list[np.ndarray]) -> Any:
        """The model's raw outputs for encoded inputs ``[T, …]`` each.

        They are one array ``[N, K]``; of an aligned task, a list of N arrays ``[T, K]``.
        """
        aligned = self.task.mapping == "aligned"
        # A model that writes what it reads, token by token, is a decoder alone.
        graph = self.runtime.graph("decoder" if aligned and "encoder" not in self.runtime.names else "encoder")
        longest = max(map(len, arrays))
        if not self.causal or longest <= STRETCH:
            inputs, lengths = pad(arrays)
            outputs = graph({"inputs": inputs, "lengths": lengths, **graph.initial(len(arrays))})["outputs"]
            return [row[:length] for row, length in zip(outputs, lengths, strict=True)] if aligned else outputs
        if len(arrays) > 1:
            # One long input would have all the others padded to its length.
            each = [self.outputs([array]) for array in arrays]
            return [row for rows in each for row in rows] if aligned else np.concatenate(each)
        state = graph.initial(1)
        stretches = []
        for start in range(0, longest, STRETCH):
            inputs, lengths = pad([arrays[0][start : start + STRETCH]])
            results = graph({"inputs": inputs, "lengths": lengths, **state})
            state = carried(results)
            if aligned:
                stretches.append(results["outputs"][0])
        return [np.concatenate(stretches)] if aligned else results["outputs"]


def pipeline(task: str, checkpoint: str | Path | None = None, *, runtime: Kind | None = None) -> Pipeline:
    """A ready pipeline: ``suite.pipeline("sentiment")("What a lovely day")``. See ``Pipeline``."""
    return Pipeline.open(task, checkpoint, runtime=runtime)
