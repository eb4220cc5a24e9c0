"""Tagging: one of several labels for every step, such as the part of speech of each word."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.codecs.targets import StepLabels
from suite.errors import DataError
from suite.metrics import accuracy, macro_f1
from suite.task.aligned import AlignedTask
from suite.task.base import Config, Monitor
from suite.task.codecs import Codecs, In
from suite.task.results import Result

if TYPE_CHECKING:
    from suite.data.examples import Example
    from suite.data.readers import Row


@dataclass(frozen=True, kw_only=True)
class TagsResult(Result):
    """A tag for each step of the input."""

    tags: list[str]


class TaggingTask(AlignedTask[Config, In, StepLabels, TagsResult]):
    """A label for every step. The second of ``data.columns`` has them, separated by spaces, or a list of them.

    Override what should look different; only codecs and model are left to write.
    """

    result = TagsResult
    target_codec = StepLabels
    monitor: Sequence[Monitor] = (Monitor(metric="accuracy"),)

    def example(self, row: Row) -> Example:
        """The input and its tags."""
        found = super().example(row)
        tags = found.target.split() if isinstance(found.target, str) else list(map(str, found.target or ()))
        return dataclasses.replace(found, target=tags)

    def check_example(self, example: Example, codecs: Codecs[In, StepLabels]) -> Example:
        """The example with its tags as results spell them.

        Raises DataError for an unknown tag, or unless there is one for each step.
        """
        steps, tags = len(codecs.input.encode(example.input)), example.target
        if len(tags) != steps:
            raise DataError(f"{len(tags)} tags for {steps} steps; give one for each")
        (ids,) = codecs.target.encode([tags])
        return dataclasses.replace(example, target=[codecs.target.labels[int(i)] for i in ids])

    def decode(
        self, outputs: np.ndarray, codecs: Codecs[In, StepLabels], item: Any, *, final: bool | None = None,
        **options: Any,
    ) -> TagsResult:  # fmt: skip
        """The most probable tag of each step."""
        return TagsResult(input=item, final=final, tags=codecs.target.labelled(outputs))

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Accuracy and macro F1 over all steps."""
        truth = [tag for example in examples for tag in example.target]
        found = [tag for result in results for tag in result.tags]
        return {"items": len(examples), "accuracy": accuracy(truth, found), "macro_f1": macro_f1(truth, found)}

    def render(self, result: Any) -> str:
        """Each word of a text with its tag; for another input the tags alone."""
        words = result.input.split() if isinstance(result.input, str) else ()
        if len(words) != len(result.tags):
            return " ".join(result.tags)
        return " ".join(f"{word}/{tag}" for word, tag in zip(words, result.tags, strict=True))

    def render_update(self, result: Any, previous: Any) -> str | None:
        """Each step with its tag."""
        return None if result.final else f"{result.input!s:<16}{result.tags[-1]}"
