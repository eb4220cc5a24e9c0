"""Rows out of tables: CSV (RFC 4180), and TSV, where a tab ends a field and nothing else does."""

from __future__ import annotations

import csv
import re
import threading
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from suite.data.columns import Columns
from suite.data.lines import MAX_LINE, OnError, byte_lines, decode_line, text_lines
from suite.errors import DataError

_SEPARATORS = {
    ";": "semicolons, not commas; save it with commas",
    "\t": "tabs, not commas; name it .tsv",
    "|": "bars, not commas; save it with commas",
}


def csv_rows(stream: IO[bytes], name: str, columns: Columns, report: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, values by column) of every record of a CSV file."""
    return _rows(_csv_records(stream, name, report), columns, report)


def tsv_rows(stream: IO[bytes], name: str, columns: Columns, report: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, values by column) of every line of a TSV file."""
    lines = text_lines(stream, name, report)
    return _rows(((where, line.split("\t")) for where, line in lines if line), columns, report)


def _rows(
    records: Iterator[tuple[str, list[str]]], columns: Columns, report: OnError
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields by the names in the first record; columns without a name are left out."""
    where, header = next(records, ("", None))
    if header is None:
        return
    names = [name.strip() for name in header]
    _check_header(names, where)
    columns.check(filter(None, names), where)
    for where, fields in records:
        if len(fields) == len(names):
            yield where, {name: field for name, field in zip(names, fields, strict=True) if name}
        else:
            found, expected = _count(len(fields), "field"), _count(len(names), "column")
            report(DataError(f"{where}: {found} where the first line names {expected}; fix the line"))


def _check_header(names: list[str], where: str) -> None:
    if not any(names):
        raise DataError(f"{where}: no column names; the first line must name the columns")
    for name in filter(None, names):
        if names.count(name) > 1:
            raise DataError(f"{where}: the column {name!r} is there twice; rename one")
    # A .csv separated by something else, as spreadsheets of many languages write it.
    if len(names) == 1 and (match := re.fullmatch(r"\w+([;\t|])\w+(?:\1\w+)*", names[0])):
        raise DataError(f"{where}: the columns are separated by {_SEPARATORS[match[1]]}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _csv_records(stream: IO[bytes], name: str, report: OnError) -> Iterator[tuple[str, list[str]]]:
    """(where, fields) of every record; a quoted field may hold commas, quotes and line ends.

    Lines are put together here, by whether a quote is open, and only whole records go to the csv module: so a
    record's first line is known, and after a quote that is never closed reading goes on with the next line.
    """
    lines = byte_lines(stream, name, report)
    again: deque[tuple[str, bytes]] = deque()

    def following() -> tuple[str, bytes] | None:
        return again.popleft() if again else next(lines, None)

    while (first := following()) is not None:
        where, line = first
        if not line.strip():
            continue
        held = [first]
        size = len(line)
        inside = _quote_open(line, False)
        while inside and size <= MAX_LINE and (more := following()) is not None:
            held.append(more)
            size += len(more[1])
            inside = _quote_open(more[1], True)
        if inside:
            report(DataError(f"{where}: a quote is opened and never closed; close it, or double it"))
            again.extendleft(reversed(held[1:]))
            continue
        text = decode_line(b"".join(line for _, line in held), where, report)
        if text is None:
            # An undecodable byte is of its own record only: nothing is read again.
            continue
        try:
            yield where, _fields(text)
        except csv.Error as error:
            report(DataError(f"{where}: not CSV: {error}; quote the field, and double a quote inside it"))


def _quote_open(line: bytes, inside: bool) -> bool:
    """Whether a quoted field is open after ``line``, given whether one was before it."""
    at = 0
    while True:
        if not inside and line[at : at + 1] == b'"':
            inside = True
            at += 1
        if inside:
            at = line.find(b'"', at) + 1
            if not at:
                return True
            if line[at : at + 1] == b'"':
                at += 1
                continue
            inside = False
        at = line.find(b",", at) + 1
        if not at:
            return False


# The csv module's limit on a field's length belongs to the process: raised for as long as one record in
# memory is taken apart, by one thread at a time, and put back.
_limit_lock = threading.Lock()


def _fields(text: str) -> list[str]:
    with _limit_lock:
        before = csv.field_size_limit(2**31 - 1)
        try:
            return next(csv.reader([text], strict=True))
        finally:
            csv.field_size_limit(before)
