"""Data files to examples, and a part of them held out."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from suite.errors import DataError
from suite.plugins import registry
from suite.task import AnyTask, Example
from suite.task.reading import checked, identity, read_examples, split_dev, stratum


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


def examples(count: int, labels: int = 2) -> list[Example]:
    return [Example(input=f"text {i}", target=f"label {i % labels}", key=f"key {i}") for i in range(count)]


def test_a_tenth_of_each_label_is_held_out(task: AnyTask) -> None:
    given = examples(200, 4)
    train, dev = split_dev(given)
    assert len(dev) == 20
    assert {label: sum(e.target == label for e in dev) for label in {e.target for e in dev}} == {
        f"label {i}": 5 for i in range(4)
    }
    assert sorted(e.key for e in [*train, *dev]) == sorted(e.key for e in given)


def test_the_order_and_the_company_do_not_matter() -> None:
    given = examples(100)
    _, dev = split_dev(given)
    _, again = split_dev(given[::-1])
    assert {e.key for e in again} == {e.key for e in dev}


def test_items_of_one_key_stay_together() -> None:
    given = [Example(input=str(i), target="x", key=f"document {i // 3}") for i in range(90)]
    train, dev = split_dev(given)
    assert not {e.key for e in train} & {e.key for e in dev}


@pytest.mark.parametrize("given", [examples(0), examples(1), examples(2), [examples(1)[0]] * 9])
def test_too_few_to_hold_any_out(given: list[Example]) -> None:
    with pytest.raises(DataError, match=rf"^{len(given)} items are too few .*; add data or give --dev FILE$"):
        split_dev(given)


def test_targets_that_are_no_labels_are_not_grouped() -> None:
    given = [Example(input=str(i), target=f"answer {i}", key=str(i)) for i in range(50)]
    train, dev = split_dev(given, by_label=False)
    assert (len(train), len(dev)) == (45, 5)
    with pytest.raises(DataError, match="too few"):
        split_dev(given)


def test_strata() -> None:
    assert [stratum(value) for value in (0.449, 0.45, -0.0, "a", 3)] == ["0.4", "0.5", "-0.0", "a", "3"]


def test_identity(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for place, content in ((tmp_path / "a.csv", b"1"), (tmp_path / "x" / "a.csv", b"2")):
        place.write_bytes(content)
    digests = [hashlib.sha256(content).hexdigest() for content in (b"1", b"2")]
    assert identity([tmp_path / "a.csv", tmp_path / "x" / "a.csv"]) == dict(
        zip(["a.csv", "a.csv (2)"], digests, strict=True)
    )
    with pytest.raises(DataError, match=r"No such file or directory; check the path$"):
        identity([tmp_path / "nowhere"])
