"""What a task declares, and what follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.data.readers import Row
from suite.errors import DataError, SuiteError, UsageError
from suite.plugins import registry
from suite.task import AnyTask, DataSpec, Option, Result, Task

Changed = Callable[..., AnyTask]


@pytest.fixture
def task() -> AnyTask:
    return registry().task("sentiment")


def test_a_result_shows_what_is_set() -> None:
    assert Result(input="x").to_dict() == {"input": "x"}
    assert Result(input=None, final=False, seconds=0.5).to_dict() == {"input": None, "final": False, "seconds": 0.5}
    with pytest.raises(dataclasses.FrozenInstanceError):
        Result(input="x").input = "y"  # type: ignore[misc]


def test_options_are_checked() -> None:
    option = Option(name="beam", type=int, help="how many")
    assert option.parse(None) is None
    assert option.parse(4) == option.parse("4") == 4
    with pytest.raises(UsageError, match=r"^beam='many': expected int$"):
        option.parse("many")
    assert Option(name="vectors", type=Path, help="").parse("a/b") == Path("a/b")


def test_options_belong_to_verbs(task: AnyTask, changed: Changed) -> None:
    both = changed(
        task, options=(Option(name="a", type=int, help=""), Option(name="b", type=int, help="", verbs=("train",)))
    )
    assert [o.name for o in both.options_of("predict")] == ["a"]
    assert [o.name for o in both.options_of("train")] == ["b"]
    assert both.options_of("stream") == []


def test_columns(task: AnyTask) -> None:
    task.check_columns(Row({"text": "x"}, "a.csv:2"))
    with pytest.raises(DataError) as error:
        task.check_columns(Row({"txt": "x", "id": 1}, "a.csv:2"))
    assert str(error.value) == (
        "a.csv:2: no column 'text' (the text); did you mean 'txt'? --columns text=YOURS renames one"
    )
    with pytest.raises(DataError, match="no column 'source'"):
        task.check_columns(Row({"text": "x"}, "a.csv:2"), ["text", "source"])
    task.check_columns(Row({"source": "x"}, "a.csv:2"), ["source"])


def test_what_ships(task: AnyTask, changed: Changed, tmp_path: Path) -> None:
    assert [p.name for p in task.samples] == sorted(p.name for p in task.samples)
    assert any(p.name.startswith("labelled") for p in task.samples)
    for assets in (None, tmp_path):
        bare = changed(task, assets=assets)
        assert bare.samples == []
        with pytest.raises(SuiteError, match=r"^sentiment ships no checkpoint: train one \(suite sentiment train\)"):
            _ = bare.checkpoint


def test_the_score_that_chooses(task: AnyTask) -> None:
    assert task.score({"pearson_r": 0.5, "macro_f1": 0.9}) == ("pearson_r", 0.5)
    assert task.score({"macro_f1": 0.9}) == ("macro_f1", 0.9)
    assert task.score({"pearson_r": float("nan")}) == ("pearson_r", float("-inf"))


def test_what_a_declaration_asks_for_must_be_overridden(task: AnyTask, changed: Changed) -> None:
    files = changed(task, data=DataSpec(columns=task.data.columns, tables=False))
    with pytest.raises(NotImplementedError, match=r"read_file must be overridden, since data.tables is False$"):
        files.read_file("a.csv", format=None, columns=None, on_error=None)


def test_a_default_example_is_the_first_two_columns(task: AnyTask, changed: Changed) -> None:
    plain = changed(task, example=Task.example)
    made = plain.example(Row({"text": "fine", "label": "good"}, "a.csv:2"))
    assert (made.input, made.target, made.key, made.where) == ("fine", "good", "fine", "a.csv:2")
    with pytest.raises(
        DataError, match=r"^a.csv:3: no label \(any set of labels\); --columns label=YOURS renames one$"
    ):
        plain.example(Row({"text": "fine"}, "a.csv:3"))
    with pytest.raises(DataError, match=r"^a.csv:4: text is empty"):
        plain.example(Row({"text": " ", "label": "good"}, "a.csv:4"))


def test_the_summary_is_the_first_line_of_the_docstring(task: AnyTask) -> None:
    assert task.summary == "Sentiment of a text: positive, neutral or negative, with a polarity."
    assert repr(task) == "<Task 'sentiment' (many-to-one)>"
