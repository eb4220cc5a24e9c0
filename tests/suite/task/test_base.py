"""What a task declares, and what follows from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from suite.data.readers import Row
from suite.errors import DataError, SuiteError, UsageError
from suite.plugins import registry
from suite.task import Option, Result, Task


@pytest.fixture
def task() -> Task:
    return registry().task("sentiment")


def test_a_result_shows_what_is_set() -> None:
    assert Result(input="x").to_dict() == {"input": "x"}
    assert Result(input=None, final=False, seconds=0.5).to_dict() == {"input": None, "final": False, "seconds": 0.5}
    with pytest.raises(dataclasses.FrozenInstanceError):
        Result(input="x").input = "y"  # type: ignore[misc]


def test_options_are_checked() -> None:
    option = Option(name="beam", type=int, help="how many")
    assert option.checked(None) is None
    assert option.checked(4) == option.checked("4") == 4
    with pytest.raises(UsageError, match=r"^beam='many': expected int$"):
        option.checked("many")
    assert Option(name="vectors", type=Path, help="").checked("a/b") == Path("a/b")


def test_options_belong_to_verbs(task: Task) -> None:
    both = dataclasses.replace(
        task, options=(Option(name="a", type=int, help=""), Option(name="b", type=int, help="", verbs=("train",)))
    )
    assert [o.name for o in both.option("predict")] == ["a"]
    assert [o.name for o in both.option("train")] == ["b"]
    assert both.option("stream") == []


def test_columns(task: Task) -> None:
    task.check_columns(Row({"text": "x"}, "a.csv:2"))
    with pytest.raises(DataError) as error:
        task.check_columns(Row({"txt": "x", "id": 1}, "a.csv:2"))
    assert str(error.value) == (
        "a.csv:2: no column 'text' (the text); did you mean 'txt'? --columns text=YOURS renames one"
    )
    with pytest.raises(DataError, match="no column 'source'"):
        task.check_columns(Row({"text": "x"}, "a.csv:2"), ["text", "source"])
    task.check_columns(Row({"source": "x"}, "a.csv:2"), ["source"])


def test_what_ships(task: Task, tmp_path: Path) -> None:
    assert [p.name for p in task.samples] == sorted(p.name for p in task.samples)
    assert any(p.name.startswith("labelled") for p in task.samples)
    for assets in (None, tmp_path):
        bare = dataclasses.replace(task, assets=assets)
        assert bare.samples == []
        with pytest.raises(SuiteError, match=r"^sentiment ships no checkpoint: train one \(suite sentiment train\)"):
            _ = bare.checkpoint


def test_the_score_that_chooses(task: Task) -> None:
    assert task.score({"pearson_r": 0.5, "macro_f1": 0.9}) == ("pearson_r", 0.5)
    assert task.score({"macro_f1": 0.9}) == ("macro_f1", 0.9)
    assert task.score({"pearson_r": float("nan")}) == ("pearson_r", float("-inf"))


def test_a_task_says_how_its_data_is_read(task: Task) -> None:
    assert dataclasses.replace(task, example=None, read=lambda path, **options: iter(())).example is None
    with pytest.raises(ValueError, match=r"^task 'sentiment': example or read must say how data is read$"):
        dataclasses.replace(task, example=None)
