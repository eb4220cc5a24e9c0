"""Data files to examples."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from suite.errors import DataError
from suite.plugins import registry
from suite.task import Task
from suite.task.reading import checked, read_examples


@pytest.fixture
def task() -> Task:
    return registry().task("sentiment")


def test_files_are_read_in_order_and_lazily(task: Task, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,stars\ngood,0.5\nbad,-0.5\n")
    (tmp_path / "b.csv").write_text("review,stars\nfine,0.1\n")
    columns = {"text": "review", "polarity": "stars"}
    found = read_examples(task, [tmp_path / "a.csv", tmp_path / "nowhere.csv"], columns=columns)
    assert next(found).input == "good"
    found = read_examples(task, [tmp_path / "a.csv", tmp_path / "b.csv"], columns=columns)
    examples = list(found)
    assert [(e.input, e.target) for e in examples] == [("good", 0.5), ("bad", -0.5), ("fine", 0.1)]
    assert [e.where.rpartition("/")[2] for e in examples] == ["a.csv:2", "a.csv:3", "b.csv:2"]


def test_standard_input(task: Task) -> None:
    given = io.BytesIO(b'{"text": "good", "label": "x"}\n')
    (found,) = read_examples(task, ["-"], format="jsonl", stdin=given)
    assert (found.input, found.target) == ("good", "x")


def test_bad_rows(task: Task, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": "x"}\n{"txt": "b"}\n{"text": 5, "label": "x"}\n{"text": "c"}\noops\n')
    seen: list[str] = []
    found = list(read_examples(task, [file], on_error=lambda error: seen.append(str(error))))
    assert [e.input for e in found] == ["a"]
    assert [line.partition(" ")[0] for line in seen] == [f"{file}:{n}:" for n in (2, 3, 4, 5)]
    with pytest.raises(DataError, match=r"a\.jsonl:2: no column 'text'"):
        list(read_examples(task, [file]))


def test_the_first_rows_fault_is_the_files(task: Task, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"txt": "a"}\n{"text": "b", "label": "x"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:1: no column 'text'"):
        list(read_examples(task, [file], on_error=lambda error: None))
    assert list(checked(task, [], lambda error: None)) == []


def test_the_callers_own_error_is_not_taken_for_a_row(task: Task, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,x\nb,y\n")
    reading = read_examples(task, [file], on_error=lambda error: pytest.fail("not a row's error"))
    next(reading)
    with pytest.raises(DataError, match="mine"):
        reading.throw(DataError("mine"))  # type: ignore[attr-defined]
