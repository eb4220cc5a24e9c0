"""Pictures of sentiment: the running polarity of texts, and predictions against ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.errors import UsageError
from suite.inference.model import LoadedModel
from suite.inference.sessions import open_session
from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.heatmap import mistakes
from suite.plotting.panel import Panel
from suite.task import Example

SHOWN, WORDS = 4, 24
GOOD, BAD, NEITHER = "#2a7f62", "#b3443a", "#8a8a8a"


def running(model: LoadedModel[Any, Any], results: Sequence[Any], path: Path) -> None:
    """The polarity after each word, a row a text; the first texts only, and their first words."""
    if any(result.polarity is None for result in results):
        raise UsageError("--plot: this model was trained on labels, so there is no polarity to draw")
    shown: list[Any] = list(results[:SHOWN])
    # No more is streamed than is drawn: a text may be a book.
    texts = [result.input.split() for result in shown]
    updates: list[list[Any]] = [open_session(model).feed(" ".join([*text[:WORDS], ""])) for text in texts]
    # One scale for all rows: a word is as wide in each, and a short text does not become a few broad bars.
    longest = max((len(words) for words in updates), default=0)
    across = (-0.5, min(max(longest, 8), WORDS) - 0.5)
    charts = []
    for result, text, words in zip(shown, texts, updates, strict=True):
        title = f"{result.label} {result.polarity:+.2f}"
        if len(text) > WORDS:
            title += f" (after {len(text)} words, {WORDS} of them shown)"
        values = [word.polarity for word in words[:WORDS]]
        colours = [GOOD if value > 0.05 else BAD if value < -0.05 else NEITHER for value in values]
        chart = Chart(title, y="polarity", x_range=across, y_range=(-1, 1))
        charts.append(chart.bars(values, [_short(word.input) for word in words[:WORDS]], colours=colours))
    figure(charts, path, height=150)


def against_ratings(results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
    """The confusion matrix, and with ratings also each prediction against its rating."""
    from suite_sentiment import true_label

    truth, found = [true_label(e) for e in examples], [r.label for r in results]
    panels: list[Panel] = [mistakes(truth, found)]
    if all(isinstance(e.target, float) for e in examples) and all(r.polarity is not None for r in results):
        chart = Chart(x="people's rating", y="model's polarity", x_range=(-1, 1), y_range=(-1, 1)).diagonal()
        panels.append(chart.points([e.target for e in examples], [r.polarity for r in results]))
    figure(panels, path, columns=len(panels), width=600 * len(panels), height=430)


def _short(word: str) -> str:
    return word if len(word) <= 14 else f"{word[:13]}…"
