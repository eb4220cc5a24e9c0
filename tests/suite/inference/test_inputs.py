"""What a pipeline may be called with: tables and series give their inputs, or say which column is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.errors import DataError
from suite.inference.inputs import as_inputs
from suite.inference.pipeline import Pipeline
from suite.plugins import registry
from suite.task import AnyTask

TEXTS = ["What a lovely film", "An awful soup", "The book is on the table"]


@pytest.fixture(scope="module")
def classify(tiny_checkpoint: Path) -> Pipeline:
    return Pipeline.open("sentiment", tiny_checkpoint)


@pytest.fixture
def task() -> AnyTask:
    return registry().task("sentiment")


class Frame:
    """What a DataFrame looks like from outside."""

    def __init__(self, **columns: list[Any]) -> None:
        self._columns, self.columns, self.dtypes = columns, list(columns), None

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns[name]


class Series(list[Any]):
    """What a Series looks like from outside."""

    dtype, name = "object", "text"

    def to_numpy(self) -> Any:
        return np.asarray(self)


def test_tables_and_series_are_unpacked(classify: Pipeline) -> None:
    expected = [result.polarity for result in classify(TEXTS)]
    for given in (
        Frame(id=[1, 2, 3], text=TEXTS),
        Series(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        [{"text": text, "id": 1} for text in TEXTS],
    ):
        assert [result.polarity for result in classify(given)] == expected
    assert classify({"text": TEXTS[0]}).polarity == expected[0]
    assert classify(np.array(TEXTS[0])).polarity == expected[0]


def test_tables_without_the_column_are_refused(classify: Pipeline) -> None:
    with pytest.raises(DataError, match=r"no column 'text' \(the text\), but id, review; pass the column itself"):
        classify(Frame(id=[1], review=["x"]))
    with pytest.raises(DataError, match=r"^the table has no columns$"):
        classify(Frame())
    with pytest.raises(DataError, match=r"^input 2 has no 'text' \(the text\); did you mean 'txt'\?"):
        classify([{"text": "a"}, {"txt": "b"}])
    with pytest.raises(DataError, match=r"^the dict has no 'text' \(the text\); known: id$"):
        classify({"id": 5})
    with pytest.raises(DataError, match=r"an array of shape \(1, 2\) of texts"):
        classify(np.array([["a", "b"]]))


def test_what_is_no_table_stays_what_it_is(task: AnyTask) -> None:
    for given in ("text", b"text", Path("a"), 5, None, ["a", "b"], ("a",), [5, None], np.zeros(3), iter(["a"])):
        assert as_inputs(given, task) is given


def test_a_task_that_reads_files_takes_arrays_as_they_are() -> None:
    """A recording is an array, and a table of one is no list of inputs."""
    gesture = registry().task("gesture")
    recording, frame = np.zeros((5, 3)), Frame(x=[1.0, 2.0])
    assert as_inputs(recording, gesture) is recording
    assert as_inputs(frame, gesture) is frame
    assert as_inputs({"recording": "a.csv"}, gesture) == "a.csv"
