"""The figures of the sentiment task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import engine
from engine import row

import suite
from suite.plugins import registry

#: On the same test part: Pearson r of VADER 3.3.2, and of ridge regression on TF-IDF word and character
#: n-grams fitted on the train part; the better of the two is what a source has to beat.
REFERENCES = {
    "tweets": (0.872, 0.798),
    "movieReviewSnippets": (0.438, 0.714),
    "amazonReviewSnippets": (0.657, 0.774),
    "nytEditorialSnippets": (0.525, 0.435),
}
WORDS = [f"{word} " for word in "This one is not nearly as dreadful as expected and quite fun in places".split()]


def measure() -> Iterator[dict[str, Any]]:
    task = registry().task("sentiment")
    assert task.recipe is not None
    recipe = task.recipe()
    (folder,) = engine.folders("sentiment")

    figures = suite.evaluate("sentiment", folder / "test.jsonl")
    yield row("pearson_r, test", figures["pearson_r"], 0.78, 0.83, higher=True, items=figures["items"])
    better = 0
    for source, references in REFERENCES.items():
        value = figures["per_source"][source]["pearson_r"]
        better += value > max(references)
        yield row(f"pearson_r, test, {source}", value, max(references), None, higher=True, references=references)
    yield row("sources better than both references, of 4", better, 3, 4, higher=True)
    yield row("sign_accuracy, test (references .717, .770)", figures["sign_accuracy"], 0.77, None, higher=True)
    yield row("accuracy, test", figures["accuracy"], None, None, higher=True, macro_f1=figures["macro_f1"])

    cost = engine.help_start()
    yield row("suite --help over import click, pluggy", cost.pop("ratio"), 2, 1.3, **cost)
    cost = engine.predict_start("sentiment", "x")
    yield row("cold predict over its imports", cost.pop("ratio"), 2, 1.3, **cost)
    cost = engine.feed_cost("sentiment", WORDS * 20)
    yield row("session.feed of one word over bare onnxruntime", cost.pop("ratio"), 2, 1.3, **cost)
    options = {name: folder / file for name, file in recipe.options.items()}
    cost = engine.training_speed("sentiment", folder / "train.jsonl", options, recipe.settings)
    yield row("training items/s over a bare torch loop", cost.pop("ratio"), 0.85, 0.95, higher=True, **cost)
    memory = engine.in_process("stream_memory", "sentiment", WORDS[0])
    yield row("memory after 1,000,000 steps over 1,000, MB", memory.pop("growth_mb"), 5, 0.5, **memory)
    leak = engine.in_process("many_sessions", "sentiment", WORDS)
    yield row("1,000 sessions: largest difference from alone", leak.pop("largest_difference"), 1e-4, 1e-4, **leak)
    yield row("checkpoint directory, MB", engine.directory_mb(task.checkpoint), 12, 5)
