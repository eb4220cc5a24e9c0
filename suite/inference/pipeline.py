"""Raw inputs to typed results, lazily and in order.

Data flow: inputs → ``task.preprocess`` → the input codec → batches of padded arrays → ``task.predict`` (the graphs,
and what reads results off their outputs) → ``task.merge`` → results.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from suite.errors import DataError, UsageError
from suite.inference.inputs import as_inputs
from suite.inference.model import LoadedModel
from suite.inference.sessions import open_session
from suite.runtime import Kind, Runtime
from suite.task import AnyTask, Codecs, Result

#: What is done with an input that cannot be used: called with its number, or ``"none"`` for a None in its place.
OnInputError = Callable[[int, DataError], None] | Literal["none"] | None
#: ``task.predict``, or ``task.predict_for_evaluation``.
Predict = Callable[..., Sequence[Result]]


class Pipeline:
    """A task's model as a function from inputs to results. Safe to call from many threads; can be pickled.

    >>> classify = Pipeline.open("sentiment")
    >>> classify("What a lovely day").label
    'positive'
    """

    def __init__(self, model: LoadedModel[Any, Any]) -> None:
        self.model = model
        self._opened: tuple[str, str, Kind] | None = None

    @classmethod
    def open(
        cls, task: str | AnyTask, checkpoint: str | Path | None = None, *, runtime: Kind | None = None
    ) -> Pipeline:
        """The pipeline of a task, from its shipped checkpoint or a directory.

        Raises UsageError for an unknown task and CheckpointError for a directory that cannot be used.
        """
        made = cls(LoadedModel.open(task, checkpoint, runtime=runtime))
        made._opened = (made.task.name, made.name, made.runtime.kind)
        return made

    @property
    def task(self) -> AnyTask:
        """The task."""
        return self.model.task

    @property
    def codecs(self) -> Codecs[Any, Any]:
        """The codecs of the checkpoint."""
        return self.model.codecs

    @property
    def runtime(self) -> Runtime:
        """The checkpoint's graphs."""
        return self.model.runtime

    @property
    def causal(self) -> bool:
        """Whether the model can stream."""
        return self.model.causal

    @property
    def name(self) -> str:
        """Where the checkpoint is."""
        return self.model.name

    def __repr__(self) -> str:
        return f"<Pipeline {self.task.name!r} from {self.name or 'memory'} ({self.runtime.kind})>"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(command.name.replace("-", "_") for command in self.task.commands)})

    def __reduce__(self) -> tuple[Any, ...]:
        if self._opened is None:
            raise TypeError("a pipeline of a model in memory cannot be pickled; save a checkpoint and open that")
        name, path, kind = self._opened
        return _reopen, (name, path, kind)

    def __call__(
        self,
        inputs: Any,
        *,
        batch_size: int = 32,
        timing: bool = False,
        on_error: OnInputError = None,
        **options: Any,
    ) -> Any:
        """Predict for one input, a list of them, or any iterable.

        One input gives one result; a list, a tuple, a Series or an array of strings gives a list; any other iterable
        gives an iterator that reads ahead by at most one batch. Results come in the order of the inputs.

        Args:
            inputs: What the task takes; ``suite TASK predict --help`` says what.
            batch_size: Inputs computed together.
            timing: Set each result's ``seconds``.
            on_error: An input that cannot be used raises DataError with its number, counted from 1. With
                ``on_error(number, error)`` the function is called and the input has no result; with ``"none"`` its
                result is None.
            options: The task's own.
        """
        _check_batch_size(batch_size)
        if on_error is not None and on_error != "none" and not callable(on_error):
            raise UsageError(f'on_error={on_error!r}: give a function of (number, error), "none", or leave it out')
        chosen = self.task.parse_options("predict", options)
        inputs = as_inputs(inputs, self.task)
        if isinstance(inputs, list | tuple):
            return list(self.predict(inputs, batch_size, timing, on_error, chosen))
        if isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | Path | np.ndarray | Mapping):
            return self.predict(inputs, batch_size, timing, on_error, chosen)
        for result in self.predict([inputs], 1, timing, on_error if on_error == "none" else None, chosen, single=True):
            return result
        raise DataError("no result")  # pragma: no cover - predict yields one or raises

    def predict(
        self, inputs: Iterable[Any], batch_size: int, timing: bool, on_error: OnInputError,
        options: Mapping[str, Any], *, single: bool = False, predict: Predict | None = None,
    ) -> Iterator[Result | None]:  # fmt: skip
        """The results of ``inputs`` one by one; ``options`` are parsed. ``predict`` stands in for ``task.predict``."""
        model = self.model.configured(options)
        predict = predict or self.task.predict
        source = enumerate(inputs, 1)
        failure: Exception | None = None
        more = True
        while more and failure is None:
            started = time.perf_counter()
            batch: list[tuple[Any, list[Any] | Result | None]] = []
            arrays: list[np.ndarray] = []
            more = False
            # What comes before an input that fails, or a source that does, is answered first.
            try:
                for number, item in itertools.islice(source, batch_size):
                    more = True
                    try:
                        if (streamed := _stream_long_input(model, item)) is not None:
                            batch.append((item, streamed))
                            continue
                        pieces = list(self.task.preprocess(item, model.codecs, **options))
                        arrays += [model.codecs.input.encode(piece) for piece in pieces]
                        batch.append((item, pieces))
                    except DataError as error:
                        if on_error == "none":
                            batch.append((item, None))
                        elif on_error is None:
                            raise (error if single else DataError(f"input {number}: {error}")) from None
                        else:
                            on_error(number, error)
            except Exception as error:
                failure = error
            if batch:
                whole = [piece for _, pieces in batch if isinstance(pieces, list) for piece in pieces]
                predicted = _predict_batches(predict, model, whole, arrays, batch_size)
                results = [
                    self.task.merge(list(itertools.islice(predicted, len(pieces))), item, model.codecs, **options)
                    if isinstance(pieces, list)
                    else pieces
                    for item, pieces in batch
                ]
                if timing:
                    share = (time.perf_counter() - started) / len(results)
                    results = [
                        None if result is None else dataclasses.replace(result, seconds=share) for result in results
                    ]
                yield from results
        if failure is not None:
            raise failure

    def __getattr__(self, name: str) -> Any:
        """A command that only the task has: ``pipeline.generate(…)``."""
        model = self.__dict__.get("model")
        if model is None or name.startswith("_"):
            raise AttributeError(name)
        task: AnyTask = model.task
        command = next((one for one in task.commands if one.name.replace("-", "_") == name), None)
        if command is None:
            raise AttributeError(f"a {task.name} pipeline has no {name!r}")

        def run(*inputs: Any, **options: Any) -> Any:
            return command.run(model, *inputs, **command.parse(task.name, options))

        return run


def _reopen(name: str, path: str, kind: Kind) -> Pipeline:
    return Pipeline.open(name, path, runtime=kind)


def _check_batch_size(batch_size: int) -> None:
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise UsageError(f"batch_size={batch_size!r}: expected a whole number of at least 1")


def _stream_long_input(model: LoadedModel[Any, Any], item: Any) -> Result | None:
    """The result of an input that is too long to be encoded at once; None for any other (see ``Task.long_input``)."""
    task, options = model.task, model.options
    chunks = task.long_input(item, model.codecs, **options)
    if chunks is None:
        return None
    known = {option.name for option in task.options_of("stream")}
    session = open_session(model, **{name: value for name, value in options.items() if name in known})
    results: list[Result] = []
    for chunk in chunks:
        results += session.feed(chunk)
    return task.merge([*results, *session.flush(), session.finish()], item, model.codecs, **options)


def _predict_batches(
    predict: Predict, model: LoadedModel[Any, Any], pieces: list[Any], arrays: list[np.ndarray], batch_size: int
) -> Iterator[Result]:
    for start in range(0, len(arrays), batch_size):
        part = slice(start, start + batch_size)
        yield from predict(model, pieces[part], arrays[part], **model.options)


def pipeline(task: str, checkpoint: str | Path | None = None, *, runtime: Kind | None = None) -> Pipeline:
    """A pipeline, ready to call: ``suite.pipeline("sentiment")("What a lovely day")``. See ``Pipeline``."""
    return Pipeline.open(task, checkpoint, runtime=runtime)
