"""Classification: one of several labels for a whole input, with everything but the codecs and the model given."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.codecs.targets import Labels
from suite.data.examples import Example
from suite.metrics import accuracy, macro_f1
from suite.task.base import Config, Monitor
from suite.task.codecs import Codecs, In
from suite.task.many_to_one import ManyToOneTask
from suite.task.results import Result


@dataclass(frozen=True, kw_only=True)
class LabelResult(Result):
    """A label and the probability of every label."""

    label: str
    probabilities: dict[str, float]


class ClassificationTask(ManyToOneTask[Config, In, Labels, LabelResult]):
    """One label for a whole input. Override what should look different; only codecs and model are left to write."""

    result = LabelResult
    target_codec = Labels
    monitor: Sequence[Monitor] = (Monitor(metric="accuracy"),)

    def check_example(self, example: Example, codecs: Codecs[In, Labels]) -> Example:
        """The example with its label as results spell it. Raises DataError for a label that was never in training."""
        return dataclasses.replace(example, target=codecs.target.label(str(example.target)))

    def decode(
        self, outputs: np.ndarray, codecs: Codecs[In, Labels], item: Any, *, final: bool | None = None, **options: Any
    ) -> LabelResult:
        """The most probable label."""
        label, probabilities = codecs.target.decide(outputs)
        return LabelResult(input=item, final=final, label=label, probabilities=probabilities)

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Accuracy and macro F1."""
        truth, found = [str(example.target) for example in examples], [result.label for result in results]
        return {"items": len(truth), "accuracy": accuracy(truth, found), "macro_f1": macro_f1(truth, found)}

    def render(self, result: Any) -> str:
        """The label, its probability and the input."""
        return f"{result.label:<10} {result.probabilities[result.label]:.2f}  {result.input}"

    def render_update(self, result: Any, previous: Any) -> str | None:
        """The running label after each step; at the end a line with the last one."""
        return self.render(result) if not result.final else f"{'─' * 10} {result.label}\n"
