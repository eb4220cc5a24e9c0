"""Data files to examples."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.data.readers import Row
from suite.errors import DataError, UsageError
from suite.plugins import registry
from suite.task import AnyTask, Column, DataSpec, Example
from suite.task.reading import checked, own_files, read_examples

Changed = Callable[..., AnyTask]


@pytest.fixture
def task() -> AnyTask:
    return registry().task("sentiment")


def test_files_are_read_in_order_and_lazily(task: AnyTask, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,stars\ngood,0.5\nbad,-0.5\n")
    (tmp_path / "b.csv").write_text("review,stars\nfine,0.1\n")
    columns = {"text": "review", "polarity": "stars"}
    found = read_examples(task, [tmp_path / "a.csv", tmp_path / "nowhere.csv"], columns=columns)
    assert next(found).input == "good"
    found = read_examples(task, [tmp_path / "a.csv", tmp_path / "b.csv"], columns=columns)
    examples = list(found)
    assert [(e.input, e.target) for e in examples] == [("good", 0.5), ("bad", -0.5), ("fine", 0.1)]
    assert [e.where.rpartition("/")[2] for e in examples] == ["a.csv:2", "a.csv:3", "b.csv:2"]


def test_standard_input(task: AnyTask) -> None:
    given = io.BytesIO(b'{"text": "good", "label": "x"}\n')
    (found,) = read_examples(task, ["-"], format="jsonl", stdin=given)
    assert (found.input, found.target) == ("good", "x")


def test_bad_rows(task: AnyTask, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": "x"}\n{"txt": "b"}\n{"text": 5, "label": "x"}\n{"text": "c"}\noops\n')
    seen: list[str] = []
    found = list(read_examples(task, [file], on_error=lambda error: seen.append(str(error))))
    assert [e.input for e in found] == ["a"]
    assert [line.partition(" ")[0] for line in seen] == [f"{file}:{n}:" for n in (2, 3, 4, 5)]
    with pytest.raises(DataError, match=r"a\.jsonl:2: no column 'text'"):
        list(read_examples(task, [file]))


def test_the_first_rows_fault_is_the_files(task: AnyTask, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"txt": "a"}\n{"text": "b", "label": "x"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:1: no column 'text'"):
        list(read_examples(task, [file], on_error=lambda error: None))
    assert list(checked(task, [], lambda error: None)) == []


def test_the_callers_own_error_is_not_taken_for_a_row(task: AnyTask, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,x\nb,y\n")
    reading = read_examples(task, [file], on_error=lambda error: pytest.fail("not a row's error"))
    next(reading)
    with pytest.raises(DataError, match="mine"):
        reading.throw(DataError("mine"))


@pytest.fixture
def pairs(task: AnyTask, changed: Changed) -> AnyTask:
    """A task whose two columns may be a text file each."""

    def example(self: AnyTask, row: Row) -> Example:
        return Example(input=row.values["source"], target=row.values["target"], where=row.where)

    columns = tuple(Column(name=name, help="a line", required=True) for name in ("source", "target"))
    return changed(task, example=example, data=DataSpec(columns=columns, parallel=("source", "target")))


def test_text_files_are_read_side_by_side(pairs: AnyTask, tmp_path: Path) -> None:
    for name, text in (("a", "one\ntwo\n"), ("b", "uno\ndue\n"), ("c", "three\n"), ("d", "tre\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    files = [tmp_path / f"{name}.txt" for name in "abcd"]
    found = list(read_examples(pairs, files))
    assert [(e.input, e.target) for e in found] == [("one", "uno"), ("two", "due"), ("three", "tre")]
    (tmp_path / "e.jsonl").write_text('{"source": "four", "target": "quattro"}\n')
    assert [e.target for e in read_examples(pairs, [tmp_path / "e.jsonl"])] == ["quattro"]
    for given in (files[:3], [*files[:2], tmp_path / "e.jsonl"]):
        with pytest.raises(DataError, match=r": text files are read side by side: give one for each of source, target"):
            list(read_examples(pairs, given))
    with pytest.raises(DataError, match=r"^--columns: text files have no columns; leave it out$"):
        list(read_examples(pairs, files, columns={"source": "x"}))


def test_files_that_are_no_tables_are_read_by_the_task(task: AnyTask, changed: Changed, tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def read_file(self: AnyTask, path: Path, **options: Any) -> Iterator[Example]:
        asked.append({"path": path, **options})
        yield Example(input=path.read_text(), target="x")

    own = changed(task, read_file=read_file, data=DataSpec(columns=task.data.columns, tables=False))
    (tmp_path / "a.song").write_text("la")
    found = read_examples(own, [tmp_path / "a.song", tmp_path / "nowhere.song"], columns={"text": "y"}, format="song")
    assert next(found).input == "la"
    assert asked == [{"path": tmp_path / "a.song", "columns": {"text": "y"}, "format": "song", "on_error": None}]
    with pytest.raises(FileNotFoundError):
        next(found)


def test_a_tasks_own_files(task: AnyTask, changed: Changed, tmp_path: Path) -> None:
    assert own_files(task) == task.labelled_samples
    bare = changed(task, assets=None, recipe=None)
    with pytest.raises(UsageError, match=r"^give --data FILE: sentiment ships no labelled samples$"):
        own_files(bare)
    with pytest.raises(UsageError, match=r"^sentiment has no recipe of its own: give --data FILE$"):
        own_files(bare, "dev")
    with pytest.raises(UsageError, match=r"^the recipe's data is not here: run suite data get sentiment first$"):
        own_files(task, "dev")
