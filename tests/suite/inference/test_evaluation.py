"""A pipeline against labelled data."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import DataError
from suite.inference.evaluation import evaluate, predict_examples
from suite.inference.pipeline import Pipeline
from suite.task import Example
from suite.task.reading import read_examples


@pytest.fixture(scope="module")
def pipeline(tiny_checkpoint: Path) -> Pipeline:
    return Pipeline.open("sentiment", tiny_checkpoint)


def example(text: str, target: float | str = 0.5, where: str = "") -> Example:
    return Example(input=text, target=target, where=where)


def test_figures_results_and_examples(pipeline: Pipeline, ratings_file: Path) -> None:
    given = list(read_examples(pipeline.task, [ratings_file]))
    figures, results, examples = evaluate(pipeline.model, iter(given), batch_size=7)
    assert examples == given
    assert [r.input for r in results] == [e.input for e in given]
    assert list(figures)[:5] == ["task", "checkpoint", "items", "seconds", "items_per_second"]
    assert (figures["task"], figures["checkpoint"], figures["items"]) == ("sentiment", pipeline.name, 60)
    assert figures["pearson_r"] > 0.9
    assert figures["items_per_second"] > 0


def test_answers_are_in_order_whatever_the_lengths(pipeline: Pipeline) -> None:
    texts = ["good " * (1 + (i * 7) % 13) + str(i) for i in range(40)]
    found = predict_examples(pipeline.model, [example(text) for text in texts], batch_size=4)
    assert [r.input for r in found if r is not None] == texts
    assert predict_examples(pipeline.model, []) == []


def test_what_cannot_be_read_is_named_where_it_stands(pipeline: Pipeline) -> None:
    given = [example("good day", where="a.csv:2"), example(" ", where="a.csv:3"), example("bad", where="a.csv:4")]
    with pytest.raises(DataError, match=r"^a\.csv:3: the text is empty"):
        evaluate(pipeline.model, given)
    with pytest.raises(DataError, match=r"^item 1: the text is empty"):
        predict_examples(pipeline.model, [example("")])
    seen: list[str] = []
    figures, results, kept = evaluate(pipeline.model, given, on_error=lambda error: seen.append(str(error)))
    assert seen == ["a.csv:3: the text is empty; give at least one word"]
    assert figures["items"] == 2
    assert [e.where for e in kept] == ["a.csv:2", "a.csv:4"]
    assert [r.input for r in results] == ["good day", "bad"]


def test_a_target_that_the_model_never_gives(pipeline: Pipeline) -> None:
    given = [example("good", "positive", "a.csv:2"), example("bad", "worst", "a.csv:3")]
    with pytest.raises(DataError, match=r"^a\.csv:3: unknown label 'worst'; known: negative, neutral, positive$"):
        evaluate(pipeline.model, given)
    figures, _, kept = evaluate(pipeline.model, given, on_error=lambda error: None)
    assert [e.where for e in kept] == ["a.csv:2"]
    assert figures["items"] == 1


def test_nothing_to_evaluate(pipeline: Pipeline) -> None:
    with pytest.raises(DataError, match=r"^nothing to evaluate: the data has no items; give some$"):
        evaluate(pipeline.model, [])
    for given in ([example("")], [example("good", "worst")]):
        with pytest.raises(DataError, match=r"^nothing to evaluate: no item could be read; fix the data$"):
            evaluate(pipeline.model, given, on_error=lambda error: None)
