"""Text files side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.data.parallel import parallel_rows
from suite.errors import DataError


def files(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{name}.txt" for name, _ in zip("abc", contents, strict=False)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_lines_of_one_number_belong_together(tmp_path: Path) -> None:
    paths = files(tmp_path, b"\xef\xbb\xbfone\n\ntwo\r\nthree", b"uno\n  \ndue\ntre\n")
    rows = list(parallel_rows(paths, ("source", "target")))
    assert [row.values for row in rows] == [
        {"source": "one", "target": "uno"}, {"source": "two", "target": "due"}, {"source": "three", "target": "tre"},
    ]  # fmt: skip
    assert [row.where for row in rows] == [f"{paths[0]}:{number}" for number in (1, 3, 4)]


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ((b"a\nb\n", b"a\n"), "b.txt ends after line 1, where {folder}/a.txt goes on"),
        ((b"a\n", b"a\nb\nc\n"), "a.txt ends after line 1, where {folder}/b.txt goes on"),
        ((b"a\nb\n", b"a\n\n"), "b.txt:2: empty, and its other side is not"),
        ((b"a\n\xff\xffb\n", b"a\nb\n"), "a.txt:2: not UTF-8"),
        ((b"", b"a\n"), "a.txt: empty; is it the right file"),
    ],
)
def test_what_does_not_fit_together(contents: tuple[bytes, bytes], said: str, tmp_path: Path) -> None:
    paths = files(tmp_path, *contents)
    with pytest.raises(DataError) as caught:
        list(parallel_rows(paths, ("source", "target")))
    assert said.format(folder=tmp_path) in str(caught.value)


def test_a_missing_file_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.txt: no such file"):
        parallel_rows([*files(tmp_path, b"a\n"), tmp_path / "b.txt"], ("source", "target"))


def test_a_bad_line_takes_its_other_side_with_it_and_no_more(tmp_path: Path) -> None:
    bad: list[DataError] = []
    paths = files(tmp_path, b"a\nb\nc\nd\n", b"1\n\xff2\n3\n \n")
    rows = list(parallel_rows(paths, ("source", "target"), on_error=bad.append))
    assert [tuple(row.values.values()) for row in rows] == [("a", "1"), ("c", "3")]
    assert [str(error).split(":")[1] for error in bad] == ["2", "4"]
    with pytest.raises(DataError, match="as many lines each"):
        list(parallel_rows(files(tmp_path, b"a\nb\n", b"1\n"), ("s", "t"), on_error=bad.append))
