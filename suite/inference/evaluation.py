"""A model against labelled data: one dictionary of metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from suite.errors import DataError, stop
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.task import Example, Result


def evaluate(
    model: LoadedModel[Any, Any],
    examples: Iterable[Example],
    *,
    batch_size: int = 64,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> tuple[dict[str, Any], list[Result], list[Example]]:
    """Metrics, results and the examples they belong to.

    The metrics are the task's, with ``task``, ``checkpoint``, ``items``, ``seconds`` and ``items_per_second``.
    ``options`` are the task's own of ``evaluate``. Raises DataError if there is nothing to evaluate, or for an example
    that cannot be read, with its place, unless ``on_error`` is given; that example is then left out.
    """
    task = model.task
    options = task.parse_options("evaluate", options)
    given: list[Example] = []
    came = False
    for example in examples:
        came = True
        try:
            given.append(task.check_example(example, model.codecs))
        except DataError as error:
            named = DataError(f"{example.where}: {error}" if example.where else str(error))
            if on_error is None:
                raise named from None
            on_error(named)
    if not given:
        why = "no item could be read; fix the data" if came else "the data has no items; give some"
        raise DataError(f"nothing to evaluate: {why}")
    started = time.perf_counter()
    predicted = predict_examples(model, given, batch_size, on_error, options)
    kept = [example for example, result in zip(given, predicted, strict=True) if result is not None]
    results = [result for result in predicted if result is not None]
    if not kept:
        raise DataError("nothing to evaluate: no item could be read; fix the data")
    seconds = time.perf_counter() - started
    metrics: dict[str, Any] = {
        "task": task.name,
        "checkpoint": model.name,
        "items": len(kept),
        "seconds": round(seconds, 3),
        "items_per_second": round(len(kept) / seconds, 1),
    }
    metrics |= task.metrics(results, kept)
    metrics |= task.extra_metrics(model, kept, **options)
    return metrics, results, kept


def predict_examples(
    model: LoadedModel[Any, Any],
    examples: Sequence[Example],
    batch_size: int = 64,
    on_error: Callable[[DataError], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Result | None]:
    """Results of examples, in order; None for one that could not be read and was given to ``on_error``.

    ``options`` are the task's own of ``evaluate``, parsed.
    """
    # Similar lengths together waste least on padding; the results are put back in order.
    order = sorted(range(len(examples)), key=lambda i: _length(examples[i].input))
    found: list[Result | None] = [None] * len(examples)
    bad: set[int] = set()

    def fail(number: int, error: DataError) -> None:
        index = order[number - 1]
        named = DataError(f"{examples[index].where or f'item {index + 1}'}: {error}")
        bad.add(index)
        (on_error or stop)(named)

    task = model.task
    # An option of evaluate that predict has too, with the defaults of predict for the others.
    given = task.parse_options("predict", {})
    given |= {name: value for name, value in (options or {}).items() if name in given}
    inputs = (examples[i].input for i in order)
    results = list(Pipeline(model).predict(inputs, batch_size, False, fail, given, predict=task.predict_for_evaluation))
    for i, result in zip((i for i in order if i not in bad), results, strict=True):
        found[i] = result
    return found


def _length(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if hasattr(value, "__len__") else 0
