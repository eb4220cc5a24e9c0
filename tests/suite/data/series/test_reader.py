"""Recordings and labelled series by a file's ending, and in folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.data.series import read_labelled, read_recording, read_recordings
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
def test_a_recording_is_time_first(
    tmp_path: Path, name: str, text: str, written: Callable[[Path, str, str], Path]
) -> None:
    array, rate = read_recording(written(tmp_path, name, text))
    assert array.tolist() == [[1, 2], [3, 4]]
    assert array.dtype == np.float32
    assert rate is None


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
def test_a_bad_recording_is_one_line(
    tmp_path: Path,
    name: str,
    text: str,
    said: str,
    written: Callable[[Path, str, str], Path],
    one_line: Callable[[pytest.ExceptionInfo[DataError]], str],
) -> None:
    with pytest.raises(DataError) as error:
        read_recording(written(tmp_path, name, text))
    assert said in one_line(error)
    assert name in str(error.value)


def test_files_that_are_no_recordings(
    tmp_path: Path, one_line: Callable[[pytest.ExceptionInfo[DataError]], str]
) -> None:
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


def test_json_lines(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
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
def test_bad_json_rows(
    tmp_path: Path, row: dict[str, object], said: str, written: Callable[[Path, str, str], Path]
) -> None:
    path = written(tmp_path, "a.jsonl", f'{json.dumps(row)}\n{{"x": [1], "label": "b"}}\n')
    errors: list[DataError] = []
    assert [s.label for s in read_labelled(path, errors.append)] == ["b"]
    assert said in str(errors[0])
    assert "a.jsonl:1" in str(errors[0])


def test_folders(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
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


def test_a_folder_without_labels(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    written(tmp_path, "a.csv", "1,2\n")
    with pytest.raises(DataError, match="no sub-folders"):
        list(read_labelled(tmp_path))


def test_recordings_with_and_without_labels(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    assert [type(s).__name__ for s in read_recordings(written(tmp_path, "a.ts", TS))] == ["LabelledSeries"] * 2
    assert [type(s).__name__ for s in read_recordings(written(tmp_path, "a.csv", "1,2\n"))] == ["Recording"]
    with pytest.raises(DataError, match="without a label"):
        list(read_labelled(written(tmp_path, "b.csv", "ax,ay\n1,2\n")))
