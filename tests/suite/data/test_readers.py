"""Files as people have them: every format, and every way in which one can be wrong."""

from __future__ import annotations

import csv
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

from suite.data import Row, parse_columns, readers
from suite.data import read_rows as read
from suite.errors import DataError, UsageError


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a file and return its plain name; the working folder is its folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write


def values(path: str, **options: Any) -> list[dict[str, Any]]:
    return [row.values for row in read(path, **options)]


def problems(path: str, **options: Any) -> tuple[list[Row], list[str]]:
    """The good rows, and the messages about the others."""
    errors: list[DataError] = []
    rows = list(read(path, on_error=errors.append, **options))
    return rows, [str(error) for error in errors]


def fails(path: str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        list(read(path, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
def test_the_same_table_in_every_format(write: Any, name: str, content: str, mark: bytes) -> None:
    assert values(write(name, mark + content.encode())) == TABLE


def test_lines_of_text(write: Any) -> None:
    path = write("x.txt", b'\xef\xbb\xbfone\r\n\n  \n two, "2"\tzwei\nlast')
    assert [(row.where, row.values) for row in read(path)] == [
        ("x.txt:1", {"text": "one"}),
        ("x.txt:4", {"text": ' two, "2"\tzwei'}),
        ("x.txt:5", {"text": "last"}),
    ]
    assert values(path, text_column="source")[0] == {"source": "one"}
    assert values(path, format="TXT", columns={"line": "text"})[0] == {"line": "one"}


def test_only_a_newline_ends_a_line(write: Any) -> None:
    # Form feeds, NEL and the Unicode separators are characters of a text, whatever str.splitlines thinks.
    assert values(write("x.txt", "a\x0cb\u0085c\u2028d\ne")) == [
        {"text": "a\x0cb\u0085c\u2028d"},
        {"text": "e"},
    ]


def test_a_format_overrides_the_ending(write: Any) -> None:
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


def test_a_named_pipe(write: Any) -> None:
    out, into = os.pipe()
    with open(into, "wb") as pipe:
        pipe.write(b"text,n\na,1\n")
    try:
        assert values(f"/dev/fd/{out}", format="csv") == [{"text": "a", "n": "1"}]
    finally:
        os.close(out)


# --- csv and tsv --------------------------------------------------------------------------------------------


def test_csv_quotes_and_the_lines_rows_start_on(write: Any) -> None:
    path = write(
        "reviews.csv",
        'text,label\n"two\nlines, and a ""quote""",a\n\nplain,b\n5" screen,c\n"",d\n"x\r\n\r\ny","e\n"\nlast,f\n',
    )
    assert [(row.where, row.values["text"], row.values["label"]) for row in read(path)] == [
        ("reviews.csv:2", 'two\nlines, and a "quote"', "a"),
        ("reviews.csv:5", "plain", "b"),
        ("reviews.csv:6", '5" screen', "c"),
        ("reviews.csv:7", "", "d"),
        ("reviews.csv:8", "x\r\n\r\ny", "e\n"),
        ("reviews.csv:12", "last", "f"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_csv_reads_what_csv_writes(tmp_path: Path, seed: int) -> None:
    import random

    pick = random.Random(seed)
    table = [["a", "b", "c"]]
    table += [["".join(pick.choices('xé,"\n\r ;', k=pick.randrange(9))) for _ in "abc"] for _ in range(60)]
    path = tmp_path / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL if seed % 2 else csv.QUOTE_MINIMAL).writerows(table)
    assert [list(row.values.values()) for row in read(path)] == table[1:]


def test_csv_fields_over_the_csv_modules_limit(write: Any) -> None:
    before = csv.field_size_limit()
    long = "word, " * 100_000
    path = write("x.csv", f'text,label\n"{long}",a\nshort,b\n')
    assert [len(row["text"]) for row in values(path)] == [len(long), 5]
    assert csv.field_size_limit() == before


def test_an_unclosed_quote_costs_its_own_row_only(write: Any) -> None:
    path = write("x.csv", 'text,label\na,1\n"open,2\nb,3\nc,4\n')
    assert fails(path).startswith("x.csv:3: a quote is opened and never closed")
    rows, errors = problems(path)
    assert [(row.where, row.values["text"]) for row in rows] == [
        ("x.csv:2", "a"),
        ("x.csv:4", "b"),
        ("x.csv:5", "c"),
    ]
    assert len(errors) == 1


def test_an_unclosed_quote_does_not_fill_the_memory(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE", 1000)
    path = write("x.csv", 'text,label\n"open,2\n' + "b,3\n" * 1000)
    rows, errors = problems(path)
    assert len(rows) == 1000
    assert rows[-1].where == "x.csv:1002"
    assert errors == ["x.csv:2: a quote is opened and never closed; close it, or double it"]


def test_tsv_has_no_quoting(write: Any) -> None:
    path = write("x.tsv", 'text\tlabel\n"open\ta\n"b"\t"c"\n\t\n')
    assert values(path) == [
        {"text": '"open', "label": "a"},
        {"text": '"b"', "label": '"c"'},
        {"text": "", "label": ""},
    ]


@pytest.mark.parametrize(("name", "comma"), [("x.csv", ","), ("x.tsv", "\t")])
def test_a_wrong_number_of_fields(write: Any, name: str, comma: str) -> None:
    path = write(name, "text,label\na,1\nb\nc,2,3\nd,4\n".replace(",", comma))
    assert fails(path) == f"{name}:3: 1 field where the first line names 2 columns; fix the line"
    rows, errors = problems(path)
    assert [row.values["text"] for row in rows] == ["a", "d"]
    assert [error.split(";")[0] for error in errors] == [
        f"{name}:3: 1 field where the first line names 2 columns",
        f"{name}:4: 3 fields where the first line names 2 columns",
    ]


def test_csv_headers(write: Any) -> None:
    assert values(write("index.csv", ",text, label \n0,a,b\n")) == [{"text": "a", "label": "b"}]
    assert "'text' is there twice" in fails(write("twice.csv", "text,text\na,b\n"))
    assert "no column names" in fails(write("none.csv", ",,\na,b,c\n"))
    assert "separated by semicolons" in fails(write("semi.csv", "text;label\na;b\n"))
    assert "name it .tsv" in fails(write("tabs.csv", "text\tlabel\na\tb\n"))


def test_text_after_a_closing_quote_is_not_csv(write: Any) -> None:
    rows, errors = problems(write("x.csv", 'text,label\n"a"b,1\nc,2\n'))
    assert [row.values["text"] for row in rows] == ["c"]
    assert errors[0].startswith("x.csv:2: not CSV:")


# --- columns ------------------------------------------------------------------------------------------------


def test_columns_are_renamed(write: Any) -> None:
    path = write("x.csv", "review,stars,text\ngood,5,other\n")
    assert values(path, columns={"text": "review", "label": "stars"}) == [{"text": "good", "label": "5"}]
    assert values(path, columns={"text": "stars", "stars": "text"}) == [
        {"text": "5", "stars": "other", "review": "good"}
    ]
    assert values(path, columns={"a": "stars", "b": "stars"})[0] == {
        "a": "5",
        "b": "5",
        "review": "good",
        "text": "other",
    }


def test_a_missing_column_names_the_nearest(write: Any) -> None:
    path = write("x.csv", "review,stars\ngood,5\n")
    assert fails(path, columns={"text": "reviews"}) == (
        "x.csv:1: no column 'reviews' (for 'text'); did you mean 'review'?"
    )
    assert "known: review, stars" in fails(path, columns={"text": "zzz"})
    # A table lacks it as a whole; an object a line may have it on the next.
    assert "x.csv:1" in fails(path, columns={"text": "zzz"}, on_error=print)
    rows, errors = problems(write("x.jsonl", '{"a": 1}\n{"review": "b"}\n'), columns={"text": "review"})
    assert [row.values for row in rows] == [{"text": "b"}]
    assert errors == ["x.jsonl:1: no column 'review' (for 'text'); known: a"]
    assert "known: text" in fails(write("x.txt", "a\n"), columns={"source": "review"})


def test_parse_columns() -> None:
    assert parse_columns("text=review,label=stars") == {"text": "review", "label": "stars"}
    assert parse_columns(" text = my review ") == {"text": "my review"}
    assert parse_columns("text=a=b") == {"text": "a=b"}


@pytest.mark.parametrize("text", ["", "text", "text=", "=review", "text=a,", "text=a,text=b", ","])
def test_parse_columns_refuses_nonsense(text: str) -> None:
    with pytest.raises(UsageError, match="--columns"):
        parse_columns(text)


# --- bad lines ----------------------------------------------------------------------------------------------


def test_bad_lines_of_json(write: Any) -> None:
    deep = "[" * 200_000 if sys.version_info < (3, 12) else "[" * 20_000_000
    path = write(
        "x.jsonl",
        '{"text": "a"}\n{"text": }\n\n[1]\n"b"\nNaN\n{"n": NaN}\n{"t": "\\ud83d"}\n{"t": "\\ud83d\\ude00"}\n'
        f'{deep}\n{{"text": "z"}}\n',
    )
    rows, errors = problems(path)
    assert [(row.where, row.values) for row in rows] == [
        ("x.jsonl:1", {"text": "a"}),
        ("x.jsonl:9", {"t": "\U0001f600"}),
        ("x.jsonl:11", {"text": "z"}),
    ]
    starts = [error.split(";")[0] for error in errors]
    assert starts == [
        "x.jsonl:2: not JSON: expecting value at position 10",
        'x.jsonl:4: a list where an object is needed, like {"text": "…"}',
        'x.jsonl:5: a string where an object is needed, like {"text": "…"}',
        "x.jsonl:6: not JSON: NaN is not a JSON value",
        "x.jsonl:7: not JSON: NaN is not a JSON value",
        "x.jsonl:8: half of a surrogate pair in a string",
        starts[6],
    ]
    assert starts[6].startswith("x.jsonl:10: not JSON")
    assert fails(path).startswith("x.jsonl:2: not JSON")


def test_bad_json_lists(write: Any) -> None:
    assert fails(write("a.json", '{"text": "a"}')) == "a.json: an object where a list of objects is needed"
    assert "name it .jsonl" in fails(write("b.json", '{"text": "a"}\n{"text": "b"}\n'))
    assert fails(write("c.json", '[{"text": "a"},\n {"text" "b"}]')).startswith("c.json:2: not JSON: expecting ':'")
    rows, errors = problems(write("d.json", '[{"text": "a"}, 3, {"text": "b"}]'))
    assert [row.where for row in rows] == ["d.json[0]", "d.json[2]"]
    assert errors[0].startswith("d.json[1]: a number where")


@pytest.mark.parametrize(
    ("name", "start", "good"),
    [
        ("x.txt", b"", b"good"),
        ("x.jsonl", b"", b'{"text": "good"}'),
        ("x.csv", b"text,n\n", b"good,1"),
        ("x.tsv", b"text\tn\n", b"good\t1"),
    ],
)
@pytest.mark.parametrize(("slip", "word"), [(b"caf\xe9", "0xE9"), (b"a\0b", "NUL")])
def test_a_wrong_byte_costs_its_own_line_only(
    write: Any, name: str, start: bytes, good: bytes, slip: bytes, word: str
) -> None:
    line = good.replace(b"good", slip)
    path = write(name, start + b"\n".join([good] * 30 + [line] + [good] * 3))
    number = 31 + start.count(b"\n")
    message = fails(path)
    assert message.startswith(f"{name}:{number}: ")
    assert word in message
    rows, errors = problems(path)
    assert (len(rows), len(errors)) == (33, 1)
    assert rows[-1].where == f"{name}:{number + 3}"


def test_a_line_without_end(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE", 1000)
    rows, errors = problems(write("x.txt", "a\n" + "b" * 5000 + "\nc\n" + "d" * 1001))
    assert [(row.where, row.values["text"]) for row in rows] == [("x.txt:1", "a"), ("x.txt:3", "c")]
    assert [error.split(": a line")[0] for error in errors] == ["x.txt:2", "x.txt:4"]


# --- bad files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("x.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "PNG"),
        ("x.csv", b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)), "ZIP"),
        ("x.txt", b"\x1f\x8b\x08\0\0\0\0\0" + bytes(range(256)), "gzip"),
        ("x.csv", "text,label\r\na,b\r\n".encode("utf-16"), "UTF-16"),
        ("x.csv", "text,label\r\na,b\r\n".encode("utf-16-le"), "UTF-16"),
        ("x.jsonl", bytes(range(256)) * 40, "binary"),
        ("x.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    ],
)
def test_binary_files_are_one_error(write: Any, name: str, content: bytes, word: str) -> None:
    path = write(name, content)
    message = fails(path)
    assert message.startswith(f"{name}: not UTF-8 text but ")
    assert word in message
    # Even where bad lines are passed over: there is no good line to come.
    assert fails(path, on_error=lambda error: None) == message


def test_text_that_begins_like_a_binary_file(write: Any) -> None:
    assert values(write("x.txt", "GIF89a is an image format\nRIFF")) == [
        {"text": "GIF89a is an image format"},
        {"text": "RIFF"},
    ]


def test_latin_1_is_reported_by_line(write: Any) -> None:
    assert fails(write("x.txt", "a\ncaf\xe9\n".encode("latin-1"))) == (
        "x.txt:2: not UTF-8 (byte 0xE9 at position 4); save the file as UTF-8"
    )


def test_files_that_are_not_there(write: Any, tmp_path: Path) -> None:
    write("reviews.csv", "a\nb\n")
    with pytest.raises(DataError, match=r"^review.csv: no such file; did you mean 'reviews.csv'\?$"):
        read("review.csv")
    with pytest.raises(DataError, match=r"^nowhere/x\.csv: no such file; check the path$"):
        read("nowhere/x.csv")
    with pytest.raises(DataError, match="a folder, not a file"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["x.txt", "x.csv", "x.tsv", "x.json", "x.jsonl"])
def test_empty_files(write: Any, name: str) -> None:
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
def test_a_file_that_may_not_be_read(write: Any) -> None:
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


def test_parquet_without_pyarrow(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert fails(write("x.parquet", b"PAR1")) == "x.parquet: reading Parquet needs pyarrow; pip install pyarrow"


def test_parquet(tmp_path: Path) -> None:
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

        def __init__(self, path: Path) -> None:
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
