"""Rows out of files, one at a time, whatever the size of the file.

By a file's ending: ``.jsonl``/``.ndjson`` (one object a line), ``.json`` (a list of objects, the one format
that is read whole), ``.csv`` (RFC 4180), ``.tsv`` (a tab ends a field and nothing else does: no quoting),
``.txt`` (one item a line), ``.parquet`` where pyarrow is installed. Text is UTF-8, with or without a byte
order mark. Lines without content are skipped, save in ``.txt`` where they are asked for. ``-`` is standard input.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from suite.data.columns import Columns, parse_columns
from suite.data.json_rows import json_rows, jsonl_rows
from suite.data.lines import OnError, text_lines
from suite.data.tables import csv_rows, tsv_rows
from suite.errors import DataError, SuiteError, UsageError, nearest, one_line, stop

__all__ = ["Row", "parse_columns", "read_rows"]

Read = Callable[[IO[bytes], str, Columns, OnError], Iterator[tuple[str, dict[str, Any]]]]


@dataclass(frozen=True)
class Row:
    """One item: its columns by name, and where it is (``reviews.csv:12``, the line where it starts).

    In a ``.json`` list ``where`` is ``reviews.json[11]`` (counted from 0), in a Parquet file the number of
    the row (from 1).
    """

    values: dict[str, Any]
    where: str


def read_rows(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    text_column: str = "text",
    blank: bool = False,
    stdin: IO[bytes] | None = None,
    on_error: OnError | None = None,
) -> Iterator[Row]:
    """The rows of a file, lazily, in constant memory (a ``.json`` list excepted).

    ``format`` overrides the file's ending; ``-`` reads ``stdin`` (default: the process's), one item a line
    unless ``format`` says otherwise. ``columns`` renames: ``{"text": "review"}`` takes our ``text`` from
    their ``review``. A ``.txt`` line becomes ``{text_column: line}``; with ``blank`` an empty one too.

    Raises UsageError for an unknown format, and DataError, one line with file, line and advice, for a file
    that is missing, unreadable, empty or binary, for a column that is not there, and for a bad row: invalid
    JSON, a wrong number of fields, bytes that are not UTF-8, a NUL. With ``on_error`` a bad row is given to
    it instead, and reading goes on with the next line; what is wrong with the file as a whole is always
    raised. A missing file is reported at the call, the rest while iterating.
    """
    formats: dict[str, Read] = {
        "jsonl": jsonl_rows,
        "ndjson": jsonl_rows,
        "json": json_rows,
        "csv": csv_rows,
        "tsv": tsv_rows,
        "txt": functools.partial(_txt_rows, text_column, blank),
        "parquet": _parquet_rows,
    }
    source: Path | IO[bytes]
    if str(path) == "-":
        source, name, ending = sys.stdin.buffer if stdin is None else stdin, "stdin", "txt"
    else:
        source, name = Path(path), str(path)
        check_exists(source)
        ending = source.suffix.lower().removeprefix(".")
        if format is None and ending not in formats:
            what = f"the ending {source.suffix!r} is not known" if ending else "a name without an ending"
            raise DataError(f"{path}: {what}; use one of .{', .'.join(formats)}, or say the format")
    kind = (format or ending).lower().lstrip(".")
    if kind not in formats:
        raise UsageError(f"unknown format {format!r}; {nearest(kind, formats)}")
    if kind == "parquet" and not isinstance(source, Path):
        raise UsageError("Parquet cannot be read from standard input; give a file")
    return _rows(formats[kind], source, name, Columns(columns or {}), on_error)


def check_exists(file: Path) -> None:
    """Raise DataError for a file that is missing, a folder, or not to be seen."""
    try:
        if file.is_dir():
            raise DataError(f"{file}: a folder, not a file; name a file in it")
        if not file.exists():
            raise DataError(f"{file}: no such file{_similar(file)}")
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; check the path and its permissions") from error


def _similar(file: Path) -> str:
    """A hint at a file of a similar name beside the one that is missing."""
    try:
        names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    except OSError:
        return "; check the path"
    hint = nearest(file.name, names)
    return f"; {hint}" if hint.startswith("did") else "; check the path"


def _rows(read: Read, source: Path | IO[bytes], name: str, columns: Columns, on_error: OnError | None) -> Iterator[Row]:
    """Open, read, rename, and see to it that something came."""
    empty = True

    def report(error: DataError) -> None:
        nonlocal empty
        empty = False
        (on_error or stop)(error)

    try:
        with source.open("rb") if isinstance(source, Path) else contextlib.nullcontext(source) as stream:
            for where, values in read(stream, name, columns, report):
                empty = False
                yield Row(columns.rename(values), where)
    except OSError as error:
        # Not what a consumer of the rows raises: that does not pass through a generator.
        raise DataError(f"{name}: {error.strerror or one_line(error)}; check the file and its permissions") from error
    if empty:
        raise DataError(f"{name}: there are no items in it; is it the right file?")


def _txt_rows(
    text_column: str, blank: bool, stream: IO[bytes], name: str, columns: Columns, report: OnError
) -> Iterator[tuple[str, dict[str, Any]]]:
    columns.check([text_column], name)
    for where, line in text_lines(stream, name, report):
        if blank or line.strip():
            yield where, {text_column: line}


def _parquet_rows(
    stream: IO[bytes], name: str, columns: Columns, report: OnError
) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataError(f"{name}: reading Parquet needs pyarrow; pip install pyarrow") from error
    try:
        with parquet.ParquetFile(stream) as table:
            columns.check(table.schema_arrow.names, name)
            batches = table.iter_batches(batch_size=1024)
            rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
            for number, values in enumerate(rows, 1):
                yield f"{name}:{number}", values
    except (SuiteError, OSError):
        raise
    except Exception as error:  # pyarrow's errors share no base but Exception
        raise DataError(f"{name}: cannot be read as Parquet: {one_line(error)}") from error
