"""Files as people have them: every format, and every way in which a file can be wrong."""

from __future__ import annotations

import io
import json
import os
import sys
import tracemalloc
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.data.readers import read_rows as read
from suite.errors import DataError, UsageError

# --- every format -------------------------------------------------------------------------------------------


TABLE = [{"text": "good", "label": "a"}, {"text": "è così", "label": "b"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", "".join(json.dumps(row) + "\n" for row in TABLE)),
        ("x.ndjson", "\n".join(json.dumps(row, ensure_ascii=False) for row in TABLE)),
        ("x.json", json.dumps(TABLE, indent=1)),
        ("x.csv", 'text,label\ngood,a\n"è così",b\n'),
        ("x.CSV", "text,label\r\ngood,a\r\nè così,b"),
        ("x.tsv", "text\tlabel\ngood\ta\nè così\tb\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_the_same_table_in_every_format(write: Any, name: str, content: str, mark: bytes, values: Any) -> None:
    assert values(write(name, mark + content.encode())) == TABLE


def test_lines_of_text(write: Any, values: Any) -> None:
    path = write("x.txt", b'\xef\xbb\xbfone\r\n\n  \n two, "2"\tzwei\nlast')
    assert [(row.where, row.values) for row in read(path)] == [
        ("x.txt:1", {"text": "one"}),
        ("x.txt:4", {"text": ' two, "2"\tzwei'}),
        ("x.txt:5", {"text": "last"}),
    ]
    assert values(path, text_column="source")[0] == {"source": "one"}
    assert values(path, format="TXT", columns={"line": "text"})[0] == {"line": "one"}


def test_a_format_overrides_the_ending(write: Any, values: Any) -> None:
    assert values(write("x.data", "text\n1,2\n"), format="tsv") == [{"text": "1,2"}]
    assert values(write("x.txt", '{"text": "a"}'), format="ndjson") == [{"text": "a"}]


def test_standard_input() -> None:
    rows = list(read("-", stdin=io.BytesIO(b"one\ntwo\n")))
    assert [(row.where, row.values["text"]) for row in rows] == [("stdin:1", "one"), ("stdin:2", "two")]
    assert [row.values for row in read("-", format="csv", stdin=io.BytesIO(b"a,b\n1,2"))] == [{"a": "1", "b": "2"}]
    with pytest.raises(UsageError, match="standard input"):
        read("-", format="parquet")


def test_standard_input_is_read_as_it_comes_and_left_open() -> None:
    out, into = os.pipe()
    with open(out, "rb") as stdin, open(into, "wb", buffering=0) as pipe:
        rows = read("-", stdin=stdin)
        pipe.write(b"one\n")
        assert next(rows).values == {"text": "one"}
        pipe.write(b"two\n")
        assert next(rows).values == {"text": "two"}
        pipe.close()
        assert list(rows) == []
        assert not stdin.closed


def test_a_named_pipe(write: Any, values: Any) -> None:
    out, into = os.pipe()
    with open(into, "wb") as pipe:
        pipe.write(b"text,n\na,1\n")
    try:
        assert values(f"/dev/fd/{out}", format="csv") == [{"text": "a", "n": "1"}]
    finally:
        os.close(out)


# --- bad files ----------------------------------------------------------------------------------------------


def test_files_that_are_not_there(write: Any, tmp_path: Path) -> None:
    write("reviews.csv", "a\nb\n")
    with pytest.raises(DataError, match=r"^review.csv: no such file; did you mean 'reviews.csv'\?$"):
        read("review.csv")
    with pytest.raises(DataError, match=r"^nowhere/x\.csv: no such file; check the path$"):
        read("nowhere/x.csv")
    with pytest.raises(DataError, match="a folder, not a file"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["x.txt", "x.csv", "x.tsv", "x.json", "x.jsonl"])
def test_empty_files(write: Any, name: str, fails: Any) -> None:
    assert fails(write(name, b"")) == f"{name}: empty; is it the right file?"
    assert name in fails(write(name, b"\xef\xbb\xbf"))
    if name != "x.json":
        assert fails(write(name, b"\n\n")) == f"{name}: there are no items in it; is it the right file?"
    if name in ("x.csv", "x.tsv"):
        assert "no items" in fails(write(name, b"text\n"))
    with pytest.raises(DataError, match=r"^stdin: empty"):
        list(read("-", stdin=io.BytesIO()))


def test_unknown_endings_and_formats(write: Any) -> None:
    write("x.xlsx", "a")
    write("plain", "a")
    with pytest.raises(DataError, match=r"x\.xlsx: the ending '.xlsx' is not known; use one of .jsonl"):
        read("x.xlsx")
    with pytest.raises(DataError, match="plain: a name without an ending"):
        read("plain")
    with pytest.raises(UsageError, match="unknown format 'cvs'; did you mean 'csv'"):
        read("plain", format="cvs")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(write: Any, fails: Any) -> None:
    os.chmod(write("x.txt", "a"), 0)
    assert fails("x.txt").startswith("x.txt: Permission denied")


def test_a_disk_error_while_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError(5, "Input/output error")
            return super().readline(size)

    rows = read("-", stdin=Failing(b"one\ntwo\n"))
    assert next(rows).values == {"text": "one"}
    with pytest.raises(DataError, match="stdin: Input/output error"):
        next(rows)


# --- streaming ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv", "tsv"])
def test_memory_does_not_grow_with_the_file(kind: str) -> None:
    line = {"txt": b"a line\n", "jsonl": b'{"a": "x"}\n', "csv": b'"a ""b""\nc",d\n', "tsv": b"a\tb\n"}[kind]

    class Endless(io.RawIOBase):
        """About 20 MB that are nowhere in memory."""

        def __init__(self) -> None:
            self.left = 20_000

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if not self.left:
                return 0
            self.left -= 1
            block = (line * 1000)[: len(buffer) // len(line) * len(line)]
            buffer[: len(block)] = block
            return len(block)

    with io.BufferedReader(Endless()) as stream:
        rows = read("-", format=kind, stdin=stream)
        for _ in range(1000):
            next(rows)
        tracemalloc.start()
        try:
            for _ in range(20_000):
                next(rows)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
        rows.close()  # type: ignore[attr-defined]


def test_a_reader_left_early_closes_its_file(write: Any) -> None:
    rows = read(write("x.txt", "a\nb\n"))
    next(rows)
    rows.close()  # type: ignore[attr-defined]  # an open file would be a ResourceWarning, and so an error


# --- Parquet ------------------------------------------------------------------------------------------------


def test_parquet_without_pyarrow(write: Any, monkeypatch: pytest.MonkeyPatch, fails: Any) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert fails(write("x.parquet", b"PAR1")) == "x.parquet: reading Parquet needs pyarrow; pip install pyarrow"


def test_parquet(tmp_path: Path, fails: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{"review": "a", "n": 1}, {"review": "b", "n": 2}]), path)
    rows = list(read(path, columns={"text": "review"}))
    assert [(row.where, row.values) for row in rows] == [
        (f"{path}:1", {"text": "a", "n": 1}),
        (f"{path}:2", {"text": "b", "n": 2}),
    ]
    assert "no column 'reviews'" in fails(str(path), columns={"text": "reviews"})
    path.write_bytes(b"PAR1 and then nonsense")
    assert "cannot be read as Parquet" in fails(str(path))


def test_parquet_rows_through_a_stand_in(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Table:
        schema_arrow = types.SimpleNamespace(names=["review"])

        def __init__(self, stream: Any) -> None:
            pass

        def __enter__(self) -> Table:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def iter_batches(self, batch_size: int) -> Iterator[Any]:
            yield types.SimpleNamespace(to_pylist=lambda: [{"review": "a"}, {"review": "b"}])
            yield types.SimpleNamespace(to_pylist=lambda: [{"review": "c"}])

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", types.SimpleNamespace(ParquetFile=Table))
    path = write("x.parquet", b"PAR1")
    rows = list(read(path, columns={"text": "review"}))
    assert [(row.where, row.values["text"]) for row in rows] == [
        ("x.parquet:1", "a"),
        ("x.parquet:2", "b"),
        ("x.parquet:3", "c"),
    ]
