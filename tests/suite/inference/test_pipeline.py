"""Pipelines: the same shape out as in, lazily, in order, from any number of threads."""

from __future__ import annotations

import itertools
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import suite
from suite.errors import CheckpointError, DataError, UsageError
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.task import Result

TEXTS = [f"{'What a lovely' if i % 3 else 'An awful'} film {'so ' * (i % 11)}number {i}" for i in range(70)]


@pytest.fixture(scope="module")
def classify(tiny_checkpoint: Path) -> Pipeline:
    return Pipeline.open("sentiment", tiny_checkpoint)


def polarities(results: Any) -> list[float]:
    return [result.polarity for result in results]


# --- in and out ---------------------------------------------------------------------------------------------


def test_one_input_gives_one_result(classify: Pipeline) -> None:
    result = classify("What a lovely film")
    assert isinstance(result, Result)
    assert (result.input, result.label, result.final, result.seconds) == ("What a lovely film", "positive", None, None)


def test_a_list_gives_a_list_and_an_iterator_an_iterator(classify: Pipeline) -> None:
    assert [r.input for r in classify(TEXTS)] == TEXTS
    assert isinstance(classify(tuple(TEXTS[:2])), list)
    assert classify([]) == []
    found = classify(text for text in TEXTS)
    assert isinstance(found, Iterator)
    assert [r.input for r in found] == TEXTS
    assert list(classify(iter([]))) == []
    assert [r.input for r in classify(dict.fromkeys(TEXTS).keys())] == TEXTS


@pytest.mark.parametrize("batch_size", [1, 2, 7, 70, 1000])
def test_a_batch_equals_its_members(classify: Pipeline, batch_size: int) -> None:
    singles = [classify(text).polarity for text in TEXTS]
    assert polarities(classify(TEXTS, batch_size=batch_size)) == pytest.approx(singles, abs=1e-5)
    assert polarities(classify(iter(TEXTS), batch_size=batch_size)) == pytest.approx(singles, abs=1e-5)


def test_no_more_than_one_batch_is_read_ahead(classify: Pipeline) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for i in itertools.count():
            read += 1
            yield f"good number {i}"

    results = classify(endless(), batch_size=8)
    assert read == 0
    for i, result in enumerate(itertools.islice(results, 30)):
        assert result.input == f"good number {i}"
        assert read <= 8 * (i // 8 + 1)


def test_timing(classify: Pipeline) -> None:
    started = time.perf_counter()
    results = classify(TEXTS, timing=True)
    assert 0 < sum(r.seconds for r in results) <= time.perf_counter() - started
    assert all(r.seconds > 0 for r in results)
    assert classify("x", timing=True).seconds > 0


def test_pipelines_and_results_pickle(classify: Pipeline) -> None:
    again = pickle.loads(pickle.dumps(classify))
    assert again(TEXTS[0]) == classify(TEXTS[0])
    assert pickle.loads(pickle.dumps(classify(TEXTS[0]))) == classify(TEXTS[0])
    with pytest.raises(TypeError, match="a model in memory cannot be pickled"):
        pickle.dumps(Pipeline(classify.model))


def test_what_a_pipeline_shows(classify: Pipeline) -> None:
    assert repr(classify) == f"<Pipeline 'sentiment' from {classify.name} (onnx)>"
    assert repr(Pipeline(LoadedModel(classify.task, classify.codecs, classify.runtime))) == (
        "<Pipeline 'sentiment' from memory (onnx)>"
    )
    assert {"task", "codecs", "runtime", "model"} <= set(dir(classify))


# --- inputs that cannot be used -------------------------------------------------------------------------------


def test_an_input_that_cannot_be_used_is_named(classify: Pipeline) -> None:
    with pytest.raises(DataError, match=r"^the text is empty; give at least one word$"):
        classify(" ")
    with pytest.raises(DataError, match=r"^input 3: the text is empty"):
        classify(["a", "b", "", "c"])
    with pytest.raises(DataError, match=r"^input 2: expected a text, got int"):
        classify(["a", 5])
    for wrong in (5, None, b"bytes", Path("a"), {"text": 5}, np.zeros(3)):
        with pytest.raises(DataError, match="expected a text"):
            classify(wrong)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_what_comes_before_it_is_answered(classify: Pipeline, batch_size: int) -> None:
    results = classify(iter([*TEXTS[:9], "", *TEXTS[9:]]), batch_size=batch_size)
    assert [r.input for r in itertools.islice(results, 9)] == TEXTS[:9]
    with pytest.raises(DataError, match=r"^input 10: "):
        next(results)


def test_what_comes_before_a_source_fails_is_answered(classify: Pipeline) -> None:
    def failing() -> Iterator[str]:
        yield from TEXTS[:5]
        raise OSError("gone")

    results = classify(failing())
    assert [r.input for r in itertools.islice(results, 5)] == TEXTS[:5]
    with pytest.raises(OSError, match="gone"):
        next(results)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_on_error(classify: Pipeline, batch_size: int) -> None:
    seen: list[tuple[int, str]] = []
    found = classify(
        ["good", "", "bad", "\t", ""], batch_size=batch_size, on_error=lambda n, error: seen.append((n, str(error)))
    )
    assert [r.input for r in found] == ["good", "bad"]
    assert [n for n, _ in seen] == [2, 4, 5]
    assert list(classify(iter(["", ""]), on_error=lambda n, error: None)) == []


def test_none_leaves_a_gap(classify: Pipeline) -> None:
    for batch_size in (1, 2, 100):
        found = classify(["good", "", "bad", 5], batch_size=batch_size, on_error="none")
        assert [r and r.input for r in found] == ["good", None, "bad", None]
        assert list(classify(iter(["", 5, ""]), batch_size=batch_size, on_error="none")) == [None, None, None]
    timed = classify(["good", "", "bad"], on_error="none", timing=True)
    assert [r and r.seconds > 0 for r in timed] == [True, None, True]
    assert classify("", on_error="none") is None
    with pytest.raises(UsageError, match="give a function of"):
        classify("x", on_error="skip")


def test_an_on_error_that_raises_stops(classify: Pipeline) -> None:
    def stop(number: int, error: DataError) -> None:
        raise RuntimeError(f"stopped at {number}")

    results = classify(iter(["good", "", "bad"]), on_error=stop)
    assert next(results).input == "good"
    with pytest.raises(RuntimeError, match="stopped at 2"):
        next(results)


def test_unknown_options(classify: Pipeline) -> None:
    with pytest.raises(UsageError, match=r"^sentiment: no option 'batchsize'; did you mean 'batch_size'\?$"):
        classify("x", batchsize=3)
    with pytest.raises(UsageError, match="batch_size=0"):
        classify(["x"], batch_size=0)


def test_what_cannot_be_opened(tmp_path: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="no task named"):
        suite.pipeline("nonesuch")
    with pytest.raises(CheckpointError, match=r"no suite.json"):
        suite.pipeline("sentiment", tmp_path)
    with pytest.raises(UsageError, match="runtime 'tpu': choose onnx or torch"):
        suite.pipeline("sentiment", tiny_checkpoint, runtime="tpu")  # type: ignore[arg-type]


# --- long inputs ----------------------------------------------------------------------------------------------


def test_a_text_of_a_million_words(classify: Pipeline) -> None:
    started = time.monotonic()
    assert classify("good " * 1_000_000).polarity > classify("bad " * 100_000).polarity
    assert time.monotonic() - started < 30


# --- threads --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_many_threads_get_the_same_answers(tiny_checkpoint: Path, kind: Any) -> None:
    opened = Pipeline.open("sentiment", tiny_checkpoint, runtime=kind)
    start = threading.Barrier(8)

    def work(number: int) -> list[float]:
        mine = TEXTS[number:] + TEXTS[:number]
        start.wait()
        found = polarities(opened(mine, batch_size=1 + number)) + [opened(text).polarity for text in mine[:10]]
        return found[len(TEXTS) - number : len(TEXTS)] + found[: len(TEXTS) - number]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    expected = polarities(Pipeline.open("sentiment", tiny_checkpoint)(TEXTS))
    for found in answers:
        assert found == pytest.approx(expected, abs=1e-4)
