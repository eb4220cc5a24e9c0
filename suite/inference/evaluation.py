"""A pipeline against labelled data: one dictionary of figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from suite.errors import DataError, stop
from suite.inference.pipeline import Pipeline
from suite.task import Example, Result


def evaluate(
    pipeline: Pipeline,
    examples: Iterable[Example],
    *,
    batch_size: int = 64,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> tuple[dict[str, Any], list[Result], list[Example]]:
    """Figures, results and the examples they belong to.

    The figures are the task's metrics, with ``task``, ``checkpoint``, ``items``, ``seconds`` and
    ``items_per_second``. Raises DataError if there is nothing to evaluate, or for an example that cannot be
    read, naming where it stands, unless ``on_error`` is given; that example is then left out. ``options`` are the
    task's own of ``evaluate``.
    """
    options = pipeline.task.checked("evaluate", options)
    given: list[Example] = []
    came = False
    for example in examples:
        came = True
        try:
            check = pipeline.task.check
            given.append(example if check is None else check(example, pipeline.codecs))
        except DataError as error:
            named = DataError(f"{example.where}: {error}" if example.where else str(error))
            if on_error is None:
                raise named from None
            on_error(named)
    if not given:
        why = "no item could be read; mend the data" if came else "the data has no items; give some"
        raise DataError(f"nothing to evaluate: {why}")
    started = time.perf_counter()
    answered = answers(pipeline, given, batch_size, on_error, **options)
    kept = [example for example, result in zip(given, answered, strict=True) if result is not None]
    results = [result for result in answered if result is not None]
    if not kept:
        raise DataError("nothing to evaluate: no item could be read; mend the data")
    seconds = time.perf_counter() - started
    figures: dict[str, Any] = {
        "task": pipeline.task.name,
        "checkpoint": pipeline.name,
        "items": len(kept),
        "seconds": round(seconds, 3),
        "items_per_second": round(len(kept) / seconds, 1),
    }
    figures |= pipeline.task.metrics(results, kept)
    if pipeline.task.measure is not None:
        figures |= pipeline.task.measure(pipeline, kept, **options)
    return figures, results, kept


def answers(
    pipeline: Pipeline,
    examples: Sequence[Example],
    batch_size: int = 64,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> list[Result | None]:
    """Results of examples in order; None for one that could not be read and was given to ``on_error``."""
    # Like lengths together waste least on padding; the answers are put back in order.
    order = sorted(range(len(examples)), key=lambda i: _length(examples[i].input))
    found: list[Result | None] = [None] * len(examples)
    bad: set[int] = set()

    def fail(number: int, error: DataError) -> None:
        index = order[number - 1]
        named = DataError(f"{examples[index].where or f'item {index + 1}'}: {error}")
        bad.add(index)
        (on_error or stop)(named)

    if pipeline.task.judged_by == "outputs":
        pipeline = pipeline.reading()
    inputs = (examples[i].input for i in order)
    results = list(pipeline(inputs, batch_size=batch_size, on_error=fail, **options))
    for i, result in zip((i for i in order if i not in bad), results, strict=True):
        found[i] = result
    return found


def _length(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if hasattr(value, "__len__") else 0
