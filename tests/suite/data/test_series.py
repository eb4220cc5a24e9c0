"""Readers of recordings and labelled series."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from suite.data import series
from suite.data.series import (
    as_array,
    open_recording,
    read_labelled,
    read_recording,
    read_recordings,
)
from suite.errors import DataError

TS = """#a comment
@problemName Two
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
1,2,3:4,5,6:up
7,8:9,10:down
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# --- recordings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "1,2\n3,4\n"),
        ("a.csv", "\ufeff1,2\r\n3,4"),
        ("a.csv", "ax,ay\n1,2\n\n3,4\n"),
        ("a.csv", '"ax","a,y"\n"1","2"\n3,4\n'),
        ("a.tsv", "ax\tay\n1\t2\n3\t4\n"),
        ("a.ts", "@univariate false\n@classLabel false\n@data\n1,3:2,4\n"),
    ],
)
def test_a_recording_is_time_first(tmp_path: Path, name: str, text: str) -> None:
    array, rate = read_recording(written(tmp_path, name, text))
    assert array.tolist() == [[1, 2], [3, 4]]
    assert array.dtype == np.float32
    assert rate is None


def test_names_and_the_rate_of_a_table(tmp_path: Path) -> None:
    found = open_recording(written(tmp_path, "a.csv", "time,ax,ay\n0,1,2\n0.02,3,4\n0.04,5,6\n"))
    assert found.array.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.rate == 50
    assert found.channels == ("ax", "ay")


@pytest.mark.parametrize("missing", ["", "?", "NaN", "nan", "NA"])
def test_missing_values(tmp_path: Path, missing: str) -> None:
    array, _ = read_recording(written(tmp_path, "a.csv", f"1,2\n{missing},4\n"))
    assert np.isnan(array[1, 0])
    assert array[1, 1] == 4


def test_numpy_files(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float64).reshape(3, 2)
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", x=x, rate=100, channels=np.array(["l", "r"]))
    np.savez(tmp_path / "c.npz", x=x[:, 0])
    assert read_recording(tmp_path / "a.npy")[0].tolist() == x.tolist()
    both = open_recording(tmp_path / "b.npz")
    assert (both.array.tolist(), both.rate, both.channels) == (x.tolist(), 100, ("l", "r"))
    assert read_recording(tmp_path / "c.npz")[0].shape == (3, 1)


def test_a_long_recording_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "BLOCK", 3)
    rows = [f"{i},{-i}" for i in range(10)]
    rows[4] = "4,"
    array, _ = read_recording(written(tmp_path, "a.csv", "\n".join(rows)))
    assert array.shape == (10, 2)
    assert array[:, 0].tolist() == list(range(10))
    assert np.isnan(array[4, 1])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "\n\n", "empty"),
        ("a.csv", "ax,ay\n", "no samples"),
        ("a.csv", "1,2\n3,x\n", "a.csv:2: 'x' in column 2 is not a number"),
        ("a.csv", "ax,ay\n1,2\n3,x\n", "a.csv:3: 'x' in column ay is not a number"),
        ("a.csv", "1,x\n3,4\n", "a.csv:1: 'x' in column 2 is not a number"),
        ("a.csv", "1,2\n3\n", "a.csv:2: 1 fields where the first line has 2"),
        ("a.csv", "1,inf\n", "a.csv:1: 'inf' in column 2 is infinite"),
        ("a.csv", "1,1e39\n", "sample 1 of channel 2 is infinite"),
        ("a.csv", "1,1_0\n", "'1_0' in column 2 is not a number"),
        ("a.tsv", "1,5\t2\n", "write decimals with a point"),
        ("a.csv", "1;2\n3;4\n", "separated by semicolons"),
        ("a.csv", "1\t2\n3\t4\n", "separated by tabs; name it .tsv"),
        ("a.tsv", "1,2\n3,4\n", "separated by commas; name it .csv"),
        ("a.csv", "ax,ax\n1,2\n", "'ax' is there twice"),
        ("a.csv", 'ax,ay\n"1,2\n', "not CSV"),
        ("a.csv", "time,ax\n0,1\n0,2\n", "time does not grow after 0"),
        ("a.csv", "time,ax\n0,1\n,2\n", "a time is missing"),
        ("a.csv", "ax,label\n1,up\n", "no column 'series'"),
        ("a.csv", "1,2\n3,4\0\n", "binary data"),
        ("a.wav", "1,2", "the ending '.wav' is not known"),
        ("a", "1,2", "a name without an ending"),
        ("a.ts", TS, "more than one recording"),
    ],
)
def test_a_bad_recording_is_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        read_recording(written(tmp_path, name, text))
    assert said in one_line(error)
    assert name in str(error.value)


def test_files_that_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"1,2\n\xff,3\n")
    (tmp_path / "zip.csv").write_bytes(b"PK\x03\x04\x80\x81")
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00")
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    np.savez(tmp_path / "rate.npz", x=np.zeros(3), rate=-1)
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "complex.npy", np.zeros(3, dtype=complex))
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    said = {
        "missing.csv": "no such file", "bytes.csv": "bytes.csv:2: not UTF-8", "zip.csv": "ZIP archive",
        "bad.npz": "not an array", "bad.npy": "not an array", "other.npz": "no array 'x'", "rate.npz": "rate -1.0",
        "cube.npy": "3 axes", "text.npy": "'a' is not a number", "complex.npy": "complex128 values",
        "objects.npy": "a pickle",
    }  # fmt: skip
    for name, text in said.items():
        with pytest.raises(DataError) as error:
            read_recording(tmp_path / name)
        assert text in one_line(error), name


def test_a_small_file_of_a_large_array_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_ARRAY", 10_000)
    content = io.BytesIO()
    np.lib.format.write_array(content, np.zeros(100_000))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content.getvalue())
    with pytest.raises(DataError, match="split the recording"):
        read_recording(tmp_path / "a.npz")


# --- arrays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shape"),
    [([1, 2, 3], (3, 1)), ([[1, None]], (1, 2)), (np.zeros((4, 2), int), (4, 2)), ([], (0, 1)), ([True], (1, 1))],
)
def test_numbers_become_arrays(raw: object, shape: tuple[int, int]) -> None:
    assert as_array(raw).shape == shape
    assert as_array(raw).dtype == np.float32


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([["1", "x"]], "'x' is not a number"),
        ([[1, 2], [3]], "unequal length"),
        (np.zeros((1, 1, 1)), "3 axes"),
        (3.0, "0 axes"),
        ({"a": 1}, "not numbers"),
        ([1, float("inf")], "sample 2 of channel 1 is infinite"),
        (np.zeros((3, 0)), "no channels"),
    ],
)
def test_what_is_no_series_of_numbers(raw: object, said: str) -> None:
    with pytest.raises(DataError) as error:
        as_array(raw)
    assert said in one_line(error)


# --- labelled -----------------------------------------------------------------------------------------------


def test_ts(tmp_path: Path) -> None:
    path = written(tmp_path, "a.ts", TS)
    first, second = read_labelled(path)
    assert (first.label, first.array.tolist(), first.where) == ("up", [[1, 4], [2, 5], [3, 6]], f"{path}:10")
    assert (second.label, second.array.tolist()) == ("down", [[7, 9], [8, 10]])
    assert first.key != second.key


def test_ts_univariate_with_missing_values_and_padding(tmp_path: Path) -> None:
    text = "@missing true\n@univariate true\n@equalLength true\n@seriesLength 4\n@classLabel true 1 2\n@data\n"
    first, second = read_labelled(written(tmp_path, "a.ts", f"{text}1,?,3,?:1\n1,2,3,4:2\n"))
    assert first.array.shape == (3, 1)
    assert np.isnan(first.array[1, 0])
    assert second.array[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@univariate false", "@univariate true", "says univariate, this series has 2"),
        ("@dimensions 2", "@dimensions 3", "says 3 dimensions, this series has 2"),
        ("@equalLength false", "@equalLength true\n@seriesLength 9", "equal length 9, this one has 3"),
        ("1,2,3:4", "1,?,3:4", "says that nothing is missing"),
        ("@classLabel true up down", "@classLabel true left right", "the label 'up' is not in the header's"),
        ("@classLabel true up down", "@classLabel true", "names no labels"),
        ("@classLabel true up down", "@classLabel maybe", "must be followed by true or false"),
        ("@dimensions 2", "@dimensions two", "must be followed by a whole number"),
        ("@timeStamps false", "@timeStamps true", "time stamps are not read"),
        ("@data\n", "", "values before the @data line"),
        ("6:up", "6", "no label at the end of the line"),
        ("6:up", "x:up", "'x' in column 2 is not a number"),
        ("5,6:up", "5:up", "channels of 2 and of 3 samples"),
        ("@classLabel true up down", "@classLabel false", "'up' in column 3 is not a number"),
    ],
)
def test_a_header_that_lies(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TS
    path = written(tmp_path, "a.ts", TS.replace(old, new, 1))
    with pytest.raises(DataError) as error:
        # A whole file is wrong from its first series on: that is never passed over.
        list(read_labelled(path, on_error=lambda error: None))
    assert said in one_line(error)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,2:up", "says 2 dimensions, this series has 1"),
        ("1,2:3,4:left", "the label 'left' is not in the header's"),
        ("1,x:3,4:up", "'x' in column 1 is not a number"),
        ("1,2:3:up", "channels of 1 and of 2 samples"),
        ("?,?:?,?:up", "every value is missing"),
    ],
)
def test_a_bad_series_of_a_good_ts_is_named_and_passed_over(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, "a.ts", f"{TS}{line}\n1,1:2,2:up\n")
    errors: list[DataError] = []
    found = list(read_labelled(path, errors.append))
    assert [s.label for s in found] == ["up", "down", "up"]
    assert len(errors) == 1
    assert said in str(errors[0])
    assert f"{path}:12" in str(errors[0])
    with pytest.raises(DataError, match="12"):
        list(read_labelled(path))


def test_ts_without_data_or_series(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no @data line"):
        list(read_labelled(written(tmp_path, "a.ts", "@univariate true\n")))
    with pytest.raises(DataError, match="no series in it"):
        list(read_labelled(written(tmp_path, "b.ts", "@univariate true\n@classLabel true 1\n@data\n")))
    with pytest.raises(DataError, match="without a label"):
        list(read_labelled(written(tmp_path, "c.ts", "@univariate true\n@data\n1,2\n")))


def test_long_tables(tmp_path: Path) -> None:
    text = "series,time,label,ax,ay\na,0,up,1,2\na,0.5,up,3,\nb,0,down,5,6\n"
    path = written(tmp_path, "a.csv", text)
    first, second = read_labelled(path)
    assert (first.label, first.key, first.rate, first.channels) == ("up", "a", 2, ("ax", "ay"))
    assert first.array[:, 0].tolist() == [1, 3]
    assert np.isnan(first.array[1, 1])
    assert (second.label, second.rate, second.where) == ("down", None, f"{path}:4")


def test_long_tables_are_read_as_they_come(tmp_path: Path) -> None:
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
def test_a_bad_line_costs_its_series_and_no_other(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, "a.csv", f"series,time,label,ax\na,0,up,1\n{line}\nc,0,up,3\n")
    errors: list[DataError] = []
    found = [s.key for s in read_labelled(path, errors.append)]
    assert len(errors) == 1
    assert said in str(errors[0])
    assert "c" in found
    assert found[0] == "a" or "3 fields" in said  # a line that is too short may belong to the series before it
    with pytest.raises(DataError):
        list(read_labelled(path))


def test_a_series_whose_lines_are_apart(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "series,label,x\na,u,1\nb,u,2\na,u,3\nc,u,4\n")
    errors: list[DataError] = []
    assert [s.key for s in read_labelled(path, errors.append)] == ["a", "b", "c"]
    assert "'a' goes on after another one" in str(errors[0])


@pytest.mark.parametrize(
    ("header", "said"), [("series,time,ax", "no column 'label'"), ("series,time,label", "no channels")]
)
def test_long_tables_need_their_columns(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(read_labelled(written(tmp_path, "a.csv", f"{header}\na,0,1\n"), lambda error: None))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "label,0,1,2\nup,1,2,3\ndown,4,5,\n"),
        ("a.tsv", "up\t1\t2\t3\ndown\t4\t5\tNaN\n".replace("up", "1").replace("down", "2")),
    ],
)
def test_wide_tables(tmp_path: Path, name: str, text: str) -> None:
    first, second = read_labelled(written(tmp_path, name, text))
    assert first.label in ("up", "1")
    assert first.array.tolist() == [[1], [2], [3]]
    assert second.array.tolist() == [[4], [5]]


@pytest.mark.parametrize(
    ("line", "said"),
    [("up,1,2,3,4", "5 fields"), (",1,2,3", "no label"), ("up,,,", "no values"), ("up,1,x,3", "'x' is not a number")],
)
def test_bad_lines_of_wide_tables(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, "a.csv", f"label,0,1,2\nup,1,2,3\n{line}\ndown,1,2,3\n")
    errors: list[DataError] = []
    assert [s.label for s in read_labelled(path, errors.append)] == ["up", "down"]
    assert said in str(errors[0])
    assert ":3" in str(errors[0])


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"x": [[1, 2], [None, 4]], "label": "up", "key": "k", "rate": 50, "channels": ["a", "b"]},
        {"x": [1, 2], "label": 3},
    ]
    path = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    first, second = read_labelled(path)
    assert (first.key, first.rate, first.channels) == ("k", 50, ("a", "b"))
    assert np.isnan(first.array[1, 0])
    assert (second.label, second.array.shape) == ("3", (2, 1))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": "a"}, "no 'x'"),
        ({"x": [["a"]], "label": "a"}, "'a' is not a number"),
        ({"x": [[1], [1, 2]], "label": "a"}, "unequal length"),
        ({"x": [1], "label": "a", "rate": "fast"}, "rate 'fast'"),
    ],
)
def test_bad_json_rows(tmp_path: Path, row: dict[str, object], said: str) -> None:
    path = written(tmp_path, "a.jsonl", f'{json.dumps(row)}\n{{"x": [1], "label": "b"}}\n')
    errors: list[DataError] = []
    assert [s.label for s in read_labelled(path, errors.append)] == ["b"]
    assert said in str(errors[0])
    assert "a.jsonl:1" in str(errors[0])


def test_folders(tmp_path: Path) -> None:
    for label in ("wave", "clap"):
        (tmp_path / label).mkdir()
        for number in range(2):
            written(tmp_path / label, f"{number}.csv", f"1,{number}\n")
    written(tmp_path / "clap", ".hidden", "")
    found = list(read_labelled(tmp_path))
    assert [(s.label, s.key) for s in found] == [
        ("clap", "clap/0.csv"), ("clap", "clap/1.csv"), ("wave", "wave/0.csv"), ("wave", "wave/1.csv")
    ]  # fmt: skip
    written(tmp_path / "clap", "notes.md", "hello")
    errors: list[DataError] = []
    assert len(list(read_labelled(tmp_path, errors.append))) == 4
    assert "notes.md: the ending '.md' is not known" in str(errors[0])


def test_a_folder_without_labels(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "1,2\n")
    with pytest.raises(DataError, match="no sub-folders"):
        list(read_labelled(tmp_path))


def test_recordings_with_and_without_labels(tmp_path: Path) -> None:
    assert [type(s).__name__ for s in read_recordings(written(tmp_path, "a.ts", TS))] == ["LabelledSeries"] * 2
    assert [type(s).__name__ for s in read_recordings(written(tmp_path, "a.csv", "1,2\n"))] == ["Recording"]
    with pytest.raises(DataError, match="without a label"):
        list(read_labelled(written(tmp_path, "b.csv", "ax,ay\n1,2\n")))


def test_equal_series_have_equal_keys(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "label,0,1\na,1,2\na,1,2\nb,1,3\n")
    first, again, other = read_labelled(path)
    assert first.key == again.key != other.key
