"""Pictures of sentiment: the running polarity of texts, and predictions against ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.errors import UsageError
from suite.metrics import confusion
from suite.pipelines import Pipeline
from suite.plot import confusion_matrix, figure, write
from suite.streaming import Session
from suite.task import Example

SHOWN, WORDS = 4, 24


def running(pipeline: Pipeline, results: Sequence[Any], path: Path) -> None:
    """The polarity after each word, a row a text; the first texts only, and their first words."""
    if any(result.polarity is None for result in results):
        raise UsageError("--plot: this model was trained on labels, so there is no polarity to draw")
    shown: list[Any] = list(results[:SHOWN])
    made, axes = figure(11, 2.3 * len(shown), rows=len(shown))
    for ax, result in zip(axes, shown, strict=True):
        session = Session(pipeline)
        updates: list[Any] = session.feed(f"{result.input} ")[:WORDS]
        values = [update.polarity for update in updates]
        colours = ["#2a7f62" if v > 0.05 else "#b3443a" if v < -0.05 else "#8a8a8a" for v in values]
        ax.bar(range(len(values)), values, color=colours, width=0.7)
        ax.axhline(0, color="0.3", linewidth=0.8)
        ax.set_ylim(-1, 1)
        ax.set_xticks(range(len(values)), [_short(u.input) for u in updates], rotation=35, ha="right", fontsize=8)
        ax.set_ylabel("polarity")
        ax.set_title(f"{result.label}  {result.polarity:+.2f}", loc="left", fontsize=10)
    write(made, path)


def against_ratings(results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
    """The confusion matrix, and with ratings also each prediction against its rating."""
    from suite_sentiment import true_label

    truth, found = [true_label(e) for e in examples], [r.label for r in results]
    names = sorted({*truth, *found})
    rated = all(isinstance(e.target, float) for e in examples) and all(r.polarity is not None for r in results)
    made, axes = figure(10 if rated else 5.5, 4.5, columns=2 if rated else 1)
    confusion_matrix(axes[0], confusion(truth, found, names), names)
    if rated:
        ax = axes[1]
        ax.scatter([e.target for e in examples], [r.polarity for r in results], s=8, alpha=0.5, color="#2f5d8a")
        ax.plot([-1, 1], [-1, 1], color="0.5", linestyle=":")
        ax.set_xlabel("people's rating")
        ax.set_ylabel("model's polarity")
    write(made, path)


def _short(word: str) -> str:
    # A dollar sign would start a formula in matplotlib.
    word = word.replace("$", r"\$")
    return word if len(word) <= 14 else f"{word[:13]}…"
