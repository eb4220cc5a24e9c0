"""Recordings and labelled series in tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.data.series import open_recording, read_labelled, read_recording, tables
from suite.errors import DataError


def test_names_and_the_rate_of_a_table(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    found = open_recording(written(tmp_path, "a.csv", "time,ax,ay\n0,1,2\n0.02,3,4\n0.04,5,6\n"))
    assert found.array.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.rate == 50
    assert found.channels == ("ax", "ay")


@pytest.mark.parametrize("missing", ["", "?", "NaN", "nan", "NA"])
def test_missing_values(tmp_path: Path, missing: str, written: Callable[[Path, str, str], Path]) -> None:
    array, _ = read_recording(written(tmp_path, "a.csv", f"1,2\n{missing},4\n"))
    assert np.isnan(array[1, 0])
    assert array[1, 1] == 4


def test_a_long_recording_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Callable[[Path, str, str], Path]
) -> None:
    monkeypatch.setattr(tables, "BLOCK_LINES", 3)
    rows = [f"{i},{-i}" for i in range(10)]
    rows[4] = "4,"
    array, _ = read_recording(written(tmp_path, "a.csv", "\n".join(rows)))
    assert array.shape == (10, 2)
    assert array[:, 0].tolist() == list(range(10))
    assert np.isnan(array[4, 1])


def test_long_tables(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    text = "series,time,label,ax,ay\na,0,up,1,2\na,0.5,up,3,\nb,0,down,5,6\n"
    path = written(tmp_path, "a.csv", text)
    first, second = read_labelled(path)
    assert (first.label, first.key, first.rate, first.channels) == ("up", "a", 2, ("ax", "ay"))
    assert first.array[:, 0].tolist() == [1, 3]
    assert np.isnan(first.array[1, 1])
    assert (second.label, second.rate, second.where) == ("down", None, f"{path}:4")


def test_long_tables_are_read_as_they_come(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    lines = "".join(f"{i // 2},up,{i}\n" for i in range(100_000))
    source = read_labelled(written(tmp_path, "a.csv", f"series,label,x\n{lines}x,bad\n"))
    assert next(source).array[:, 0].tolist() == [0, 1]
    assert next(source).array[:, 0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b,0,up,x", "a.csv:3: 'x' in column ax is not a number"),
        ("b,0,up", "a.csv:3: 3 fields where the first line names 4"),
        ("b,0,,1", "no label"),
        ("b,0,up,1\nb,1,down,1", "labels 'up' and 'down' in one series"),
        ("b,0,up,1\nb,0,up,1", "time does not grow"),
        ("b,?,up,1\nb,0,up,1", "a time is missing"),
        ("b,0,up,inf", "is infinite"),
    ],
)
def test_a_bad_line_costs_its_series_and_no_other(
    tmp_path: Path, line: str, said: str, written: Callable[[Path, str, str], Path]
) -> None:
    path = written(tmp_path, "a.csv", f"series,time,label,ax\na,0,up,1\n{line}\nc,0,up,3\n")
    errors: list[DataError] = []
    found = [s.key for s in read_labelled(path, errors.append)]
    assert len(errors) == 1
    assert said in str(errors[0])
    assert "c" in found
    assert found[0] == "a" or "3 fields" in said  # a line that is too short may belong to the series before it
    with pytest.raises(DataError):
        list(read_labelled(path))


def test_a_series_whose_lines_are_apart(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    path = written(tmp_path, "a.csv", "series,label,x\na,u,1\nb,u,2\na,u,3\nc,u,4\n")
    errors: list[DataError] = []
    assert [s.key for s in read_labelled(path, errors.append)] == ["a", "b", "c"]
    assert "'a' goes on after another one" in str(errors[0])


@pytest.mark.parametrize(
    ("header", "said"), [("series,time,ax", "no column 'label'"), ("series,time,label", "no channels")]
)
def test_long_tables_need_their_columns(
    tmp_path: Path, header: str, said: str, written: Callable[[Path, str, str], Path]
) -> None:
    with pytest.raises(DataError, match=said):
        list(read_labelled(written(tmp_path, "a.csv", f"{header}\na,0,1\n"), lambda error: None))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "label,0,1,2\nup,1,2,3\ndown,4,5,\n"),
        ("a.tsv", "up\t1\t2\t3\ndown\t4\t5\tNaN\n".replace("up", "1").replace("down", "2")),
    ],
)
def test_wide_tables(tmp_path: Path, name: str, text: str, written: Callable[[Path, str, str], Path]) -> None:
    first, second = read_labelled(written(tmp_path, name, text))
    assert first.label in ("up", "1")
    assert first.array.tolist() == [[1], [2], [3]]
    assert second.array.tolist() == [[4], [5]]


@pytest.mark.parametrize(
    ("line", "said"),
    [("up,1,2,3,4", "5 fields"), (",1,2,3", "no label"), ("up,,,", "no values"), ("up,1,x,3", "'x' is not a number")],
)
def test_bad_lines_of_wide_tables(
    tmp_path: Path, line: str, said: str, written: Callable[[Path, str, str], Path]
) -> None:
    path = written(tmp_path, "a.csv", f"label,0,1,2\nup,1,2,3\n{line}\ndown,1,2,3\n")
    errors: list[DataError] = []
    assert [s.label for s in read_labelled(path, errors.append)] == ["up", "down"]
    assert said in str(errors[0])
    assert ":3" in str(errors[0])
