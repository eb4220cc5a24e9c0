"""One recurrent engine, many applications, each a plugin.

>>> import suite
>>> classify = suite.pipeline("sentiment")
>>> classify("What a lovely day").label
'positive'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline, pipeline
    from suite.inference.sessions import Session, stream
    from suite.task import Result, Task
    from suite.training.train import train

__all__ = ["Pipeline", "Result", "Session", "Task", "evaluate", "pipeline", "stream", "tasks", "train"]

# Each name is imported when it is first used: `import suite` costs next to nothing, and only training imports torch.
_HOMES = {
    "Pipeline": "suite.inference.pipeline",
    "Result": "suite.task",
    "Session": "suite.inference.sessions",
    "Task": "suite.task",
    "pipeline": "suite.inference.pipeline",
    "stream": "suite.inference.sessions",
    "train": "suite.training.train",
}


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", *(name for name in globals() if name.startswith("__"))})


def tasks() -> dict[str, str]:
    """The tasks that are installed: name → one-line summary. Nothing is loaded."""
    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS

    return {name: registry().summary(TASKS, name) for name in registry().task_names()}


def evaluate(
    task: str, data: Any, checkpoint: Any = None, *, columns: Any = None, format: Any = None, runtime: Any = None,
    batch_size: int = 64, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """The metrics of a checkpoint on labelled files: ``suite.evaluate("sentiment", "reviews.csv")``.

    ``options`` are the task's own, as in ``suite TASK evaluate``.
    """
    from pathlib import Path

    from suite.inference import evaluation
    from suite.inference.model import LoadedModel
    from suite.task.reading import read_examples

    model = LoadedModel.open(task, checkpoint, runtime=runtime)
    paths = [data] if isinstance(data, str | Path) else list(data)
    examples = read_examples(model.task, paths, columns=columns, format=format)
    metrics, _, _ = evaluation.evaluate(model, examples, batch_size=batch_size, **options)
    return metrics


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("sequence-suite")
    raise AttributeError(f"module 'suite' has no attribute {name!r}")
