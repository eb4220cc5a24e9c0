"""The sentiment task: its columns, its kinds of target, its figures and what it prints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import suite_sentiment
from suite_sentiment import POLARITY, Sentiment, SentimentConfig, SentimentResult

import suite
from suite.codecs.targets import Labels
from suite.data.readers import Row
from suite.errors import DataError
from suite.plugins import registry
from suite.task import AnyTask, Codecs, Example

TASK: AnyTask = registry().task("sentiment")


def codecs_of(target: Any) -> Codecs[Any, Any]:
    return Codecs(None, target)


def row(**values: Any) -> Row:
    return Row(values, "a.csv:2")


def result(text: str, label: str, polarity: float | None = None) -> SentimentResult:
    return SentimentResult(input=text, label=label, polarity=polarity, probabilities={})


# --- rows to examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "target"),
    [
        ({"polarity": "0.5"}, 0.5),
        ({"polarity": -1}, -1.0),
        ({"polarity": "0.5", "label": "bad"}, 0.5),
        ({"polarity": "", "label": "bad"}, "bad"),
        ({"polarity": None, "label": "bad"}, "bad"),
        ({"label": 4}, "4"),
        ({"label": 0}, "0"),
        ({"label": "so so"}, "so so"),
    ],
)
def test_targets(values: dict[str, Any], target: Any) -> None:
    found = TASK.example(row(text="x", **values))
    assert (found.target, type(found.target)) == (target, type(target))
    assert (found.input, found.where, found.key) == ("x", "a.csv:2", "x")


def test_keys() -> None:
    assert TASK.example(row(text="x", label="a", key="document")).key == "document"
    assert TASK.example(row(text="x", label="a", key="")).key == "x"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"text": 5, "label": "a"}, "text is int, not a string; quote it"),
        ({"text": None, "label": "a"}, "text is NoneType"),
        ({"text": "x", "polarity": "much"}, "polarity 'much' is not a number; −1 … 1 is expected"),
        ({"text": "x", "polarity": [1]}, r"polarity \[1\] is not a number"),
        ({"text": "x", "polarity": "7"}, "polarity 7 is outside −1 … 1; rescale the column"),
        ({"text": "x", "polarity": "nan"}, "polarity nan is outside"),
        ({"text": "x", "polarity": "inf"}, "polarity inf is outside"),
        ({"text": "x", "stars": 4}, "neither label nor polarity; the file has text, stars: rename one with --columns"),
        ({"text": "x", "label": ""}, "neither label nor polarity"),
    ],
)
def test_rows_that_cannot_be_used(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"^a\.csv:2: {message}"):
        TASK.example(row(**values))


# --- fitting -------------------------------------------------------------------------------------------------


def examples(*targets: Any) -> list[Example]:
    return [Example(input=f"good text {i}", target=t, where=f"a.csv:{i + 2}") for i, t in enumerate(targets)]


def test_ratings_or_labels() -> None:
    codecs = TASK.fit_codecs(examples(0.5, -0.5), SentimentConfig())
    assert codecs.files().keys() == {"target.json", "tokenizer.json", "words.json"}
    assert codecs.target.classes == ("negative", "neutral", "positive")
    assert TASK.fit_codecs(examples("b", "a"), SentimentConfig()).target == Labels(("a", "b"))


@pytest.mark.parametrize(("targets", "line"), [((0.5, "a", 0.1), 3), (("a", "b", 0.5), 4)])
def test_mixed_kinds_name_the_odd_one(targets: tuple[Any, ...], line: int) -> None:
    with pytest.raises(DataError, match=rf"^a\.csv:{line}: some items have a polarity and some only a label"):
        TASK.fit_codecs(examples(*targets), SentimentConfig())


# --- outputs to results ---------------------------------------------------------------------------------------


def test_decode_ratings() -> None:
    found = TASK.decode(np.array([0.4, math.log(0.2)], np.float32), codecs_of(POLARITY), "x", final=True)
    assert (found.input, found.final, found.label) == ("x", True, "positive")
    assert found.polarity == pytest.approx(0.4)
    assert found.probabilities["positive"] > found.probabilities["neutral"]
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_decode_labels() -> None:
    found = TASK.decode(np.array([0.0, 2.0], np.float32), codecs_of(Labels(("a", "b"))), "x")
    assert (found.label, found.polarity, found.final) == ("b", None, None)
    assert found.to_dict() == {"input": "x", "label": "b", "polarity": None, "probabilities": found.probabilities}


def test_the_label_is_the_class_of_the_polarity() -> None:
    """As FORMATS says: positive above .05, negative below −.05."""
    for polarity in np.linspace(-1, 1, 81):
        found = TASK.decode(np.array([polarity, -1.0], np.float32), codecs_of(POLARITY), "x")
        expected = "positive" if found.polarity > 0.05 else "negative" if found.polarity < -0.05 else "neutral"
        assert found.label == expected


# --- figures -------------------------------------------------------------------------------------------------


def test_figures_of_ratings() -> None:
    given = examples(0.5, -0.5, 0.0, -0.2)
    results = [result("", "positive", 0.4), result("", "negative", -0.3), result("", "positive", 0.1),
               result("", "positive", 0.1)]  # fmt: skip
    figures = TASK.metrics(results, given)
    assert list(figures) == ["items", "accuracy", "macro_f1", "pearson_r", "sign_accuracy"]
    assert (figures["items"], figures["accuracy"]) == (4, 0.5)
    # positive: 2·1 / (1 + 3); negative: 2·1 / (2 + 1); neutral: 0.
    assert figures["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert figures["sign_accuracy"] == pytest.approx(2 / 3)
    assert figures["pearson_r"] == pytest.approx(np.corrcoef([0.5, -0.5, 0.0, -0.2], [0.4, -0.3, 0.1, 0.1])[0, 1])


def test_figures_of_labels() -> None:
    figures = TASK.metrics([result("", "a"), result("", "b")], examples("a", "a"))
    assert figures == {"items": 2, "accuracy": 0.5, "macro_f1": pytest.approx(1 / 3)}


def test_ratings_for_a_model_of_labels() -> None:
    figures = TASK.metrics([result("", "positive"), result("", "negative")], examples(0.9, 0.1))
    assert figures["accuracy"] == 0.5
    assert "pearson_r" not in figures


def test_figures_per_source() -> None:
    given = [
        Example(input="x", target=target, values={"source": source})
        for target, source in ((0.5, "tweets"), (-0.5, "films"), (0.9, "tweets"), (0.1, ""))
    ]
    results = [result("", "positive", 0.4), result("", "positive", 0.1), result("", "positive", 0.8),
               result("", "neutral", 0.0)]  # fmt: skip
    figures = TASK.metrics(results, given)
    assert list(figures["per_source"]) == ["films", "tweets"]
    assert figures["per_source"]["tweets"] == {
        "items": 2, "accuracy": 1, "macro_f1": 1, "pearson_r": pytest.approx(1), "sign_accuracy": 1,
    }  # fmt: skip
    assert math.isnan(figures["per_source"]["films"]["pearson_r"])


@pytest.mark.parametrize(
    ("target", "codec", "known"),
    [
        ("positive", POLARITY, True), ("postive", POLARITY, False), (0.7, POLARITY, True),
        ("a", Labels(("a", "b")), True), ("c", Labels(("a", "b")), False),
        (0.7, Labels(("a", "b")), False), (0.7, Labels(("negative", "positive")), True),
    ],
)  # fmt: skip
def test_labels_a_model_never_gives(target: Any, codec: Any, known: bool) -> None:
    given = Example(input="x", target=target)
    if known:
        assert TASK.check_example(given, codecs_of(codec)) is given
    else:
        with pytest.raises(DataError, match=r"^unknown label '.*'; "):
            TASK.check_example(given, codecs_of(codec))


# --- printed --------------------------------------------------------------------------------------------------


def test_printed() -> None:
    made = SentimentResult(
        input="a\n good  day", label="positive", polarity=0.256, probabilities={"negative": 0.1, "positive": 0.9}
    )
    assert TASK.render(made) == "positive +0.26  [neg 0.10  pos 0.90]  a good day"
    labels = SentimentResult(input="x", label="b", polarity=None, probabilities={"a": 0.1, "b": 0.9})
    assert TASK.render(labels) == "b         [a 0.10  b 0.90]  x"
    assert TASK.render_update(labels, None).startswith("x                 b ")
    last = SentimentResult(input="x", final=True, label="b", polarity=-0.5, probabilities={})
    assert TASK.render_update(last, labels).startswith("─" * 16)
    assert TASK.render_update(last, labels).endswith("\n")


# --- the whole ------------------------------------------------------------------------------------------------


def test_the_declaration() -> None:
    assert type(TASK) is Sentiment
    assert suite_sentiment.suite_tasks() == [Sentiment]
    assert TASK.summary == str(suite_sentiment.__doc__)
    assert [c.name for c in TASK.data.columns if c.required] == ["text"]
    assert TASK.streaming is not None
    assert (TASK.mapping, TASK.streaming.unit) == ("many-to-one", "step")
    assert suite.tasks()["sentiment"] == TASK.summary
    assert TASK.config() == SentimentConfig()


def test_pictures(tiny_checkpoint: Path, tmp_path: Path, ratings_file: Path) -> None:
    from PIL import Image

    from suite.inference.evaluation import evaluate
    from suite.task.reading import read_examples

    classify = suite.pipeline("sentiment", tiny_checkpoint)
    odd = ["a $5 ca^fé_x 😀 שלום " + "x" * 300, "", "good"]
    assert TASK.plots.results
    assert TASK.plots.evaluation
    texts = [text for text in odd if text]
    TASK.plot(classify.model, texts, classify(texts), tmp_path / "words.png")
    _, results, kept = evaluate(classify.model, read_examples(TASK, [ratings_file]))
    TASK.plot_evaluation(results, kept, tmp_path / "figures.png")
    for name in ("words.png", "figures.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert all(200 <= side <= 3000 for side in picture.size)


def test_the_picture_of_a_very_long_text_is_quick(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import time

    classify = suite.pipeline("sentiment", tiny_checkpoint)
    text = "good " * 200_000
    results = [classify(text)]
    started = time.monotonic()
    TASK.plot(classify.model, [text], results, tmp_path / "words.png")
    assert time.monotonic() - started < 5
