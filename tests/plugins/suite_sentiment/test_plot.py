"""Pictures of sentiment from a small model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from suite_sentiment.plot import BAD, GOOD, SHOWN, WORDS, against_ratings, running

import suite
from suite.errors import SuiteError, UsageError
from suite.task import Example


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"), np.int64)


def count(file: Path, colour: str) -> int:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(pixels(file) - wanted) <= 3).all(axis=-1).sum())


def test_running_polarity_is_green_above_and_red_below(tiny_checkpoint: Path, file: Path) -> None:
    classify = suite.pipeline("sentiment", tiny_checkpoint)
    running(classify.model, [classify("lovely lovely lovely")], file)
    assert count(file, GOOD) > 1000
    assert count(file, BAD) == 0
    running(classify.model, [classify("awful awful HATE")], file)
    assert count(file, BAD) > 1000


def test_a_row_a_text_and_no_more_than_are_shown(tiny_checkpoint: Path, file: Path) -> None:
    classify = suite.pipeline("sentiment", tiny_checkpoint)
    heights = []
    for texts in (["fine"], ["fine", "bad"], ["fine"] * SHOWN, ["fine"] * (SHOWN + 9)):
        running(classify.model, [classify(text) for text in texts], file)
        heights.append(pixels(file).shape[0])
    assert heights[0] < heights[1] < heights[2] == heights[3]


@pytest.mark.parametrize("text", ["x", "日本語 😀 café " + "extraordinarily-long " * 9, "word " * (WORDS + 20), "?\n!"])
def test_any_text_can_be_drawn(tiny_checkpoint: Path, file: Path, text: str) -> None:
    classify = suite.pipeline("sentiment", tiny_checkpoint)
    running(classify.model, [classify(text)], file)
    assert pixels(file).shape[1] == 1200


def test_a_model_of_labels_has_no_polarity_to_draw(tiny_labels_checkpoint: Path, file: Path) -> None:
    classify = suite.pipeline("sentiment", tiny_labels_checkpoint)
    with pytest.raises(UsageError, match="no polarity to draw"):
        running(classify.model, [classify("fine")], file)


def evaluated(pairs: list[tuple[float | str, str, float | None]]) -> tuple[list[SimpleNamespace], list[Example]]:
    results = [SimpleNamespace(label=label, polarity=polarity) for _, label, polarity in pairs]
    examples = [Example(input="text", target=target, key=str(i), where="here") for i, (target, *_) in enumerate(pairs)]
    return results, examples


def test_ratings_are_drawn_beside_the_confusion_matrix(file: Path) -> None:
    rated = evaluated([(0.9, "positive", 0.5), (-0.9, "negative", -0.5), (0.0, "positive", 0.2)])
    against_ratings(*rated, file)
    assert pixels(file).shape[1] == 1200
    against_ratings(*evaluated([("good", "good", None), ("bad", "good", None)]), file)
    assert pixels(file).shape[1] == 600


def test_nothing_to_draw_and_nowhere_to_draw_it(tmp_path: Path) -> None:
    against_ratings([], [], tmp_path / "none.png")
    with pytest.raises(SuiteError, match=r"cannot write .*; choose another file"):
        against_ratings([], [], tmp_path / "missing" / "x.png")
