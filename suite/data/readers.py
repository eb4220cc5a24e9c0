"""Rows out of files, one at a time, whatever the size of the file.

By a file's ending: ``.jsonl``/``.ndjson`` (one object a line), ``.json`` (a list of objects, the one format
that is read whole), ``.csv`` (RFC 4180), ``.tsv`` (a tab ends a field and nothing else does: no quoting),
``.txt`` (one item a line), ``.parquet`` where pyarrow is installed. Text is UTF-8, with or without a byte
order mark. Lines without content are passed over everywhere. ``-`` is standard input.
"""

from __future__ import annotations

import codecs
import csv
import importlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from suite.errors import DataError, SuiteError, UsageError, nearest, one_line

# The longest line, and the longest quoted CSV row, that is held in memory. Anything longer is a mistake: a
# file of another kind, or a quote that is never closed.
MAX_LINE = 64 * 2**20
SNIFF = 8192

ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
    ".parquet": "parquet",
}
FORMATS = ("jsonl", "ndjson", "json", "csv", "tsv", "txt", "parquet")

# First bytes of what people most often pass by mistake.
MAGIC = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or an office document; unpack it, or export it as CSV",
    b"\x1f\x8b": "gzip-compressed; unpack it first",
    b"BZh": "bzip2-compressed; unpack it first",
    b"\xfd7zXZ\x00": "xz-compressed; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old office document; export it as CSV",
    b"\x89PNG": "a PNG image; is it the right file?",
    b"\xff\xd8\xff": "a JPEG image; is it the right file?",
    b"GIF8": "a GIF image; is it the right file?",
    b"%PDF-": "a PDF document; is it the right file?",
    b"RIFF": "an audio or video file (RIFF); is it the right file?",
    b"OggS": "an audio file (Ogg); is it the right file?",
    b"fLaC": "an audio file (FLAC); is it the right file?",
    b"PAR1": "a Parquet file; name it .parquet, or give the format parquet",
    b"\x93NUMPY": "a NumPy array; is it the right file?",
    b"SQLite format 3\x00": "an SQLite database; is it the right file?",
    b"\x7fELF": "a program; is it the right file?",
}

OnError = Callable[[DataError], None]


@dataclass(frozen=True)
class Row:
    """One item: its columns by name, and where it is (``reviews.csv:12``, the line where it starts).

    In a ``.json`` list ``where`` is ``reviews.json[11]`` (counted from 0), in a Parquet file the number of
    the row (from 1).
    """

    values: dict[str, Any]
    where: str


def parse_columns(text: str) -> dict[str, str]:
    """``text=review,label=stars`` as {ours: theirs}. Raises UsageError for anything else."""
    names: dict[str, str] = {}
    for pair in text.split(","):
        ours, equals, theirs = (piece.strip() for piece in pair.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"--columns: {pair.strip()!r} is not OURS=THEIRS; write it like text=review,label=stars")
        if ours in names:
            raise UsageError(f"--columns: {ours!r} is given twice; name one column for it")
        names[ours] = theirs
    return names


def read_rows(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    text_column: str = "text",
    stdin: IO[bytes] | None = None,
    on_error: OnError | None = None,
) -> Iterator[Row]:
    """The rows of a file, lazily, in constant memory (a ``.json`` list excepted).

    ``format`` overrides the file's ending; ``-`` reads ``stdin`` (default: the process's), one item a line
    unless ``format`` says otherwise. ``columns`` renames: ``{"text": "review"}`` takes our ``text`` from
    their ``review``. A ``.txt`` line becomes ``{text_column: line}``.

    Raises UsageError for an unknown format, and DataError, one line with file, line and advice, for a file
    that is missing, unreadable, empty or binary, for a column that is not there, and for a bad row: invalid
    JSON, a wrong number of fields, bytes that are not UTF-8, a NUL. With ``on_error`` a bad row is given to
    it instead, and reading goes on with the next line; what is wrong with the file as a whole is always
    raised. A missing file is reported at the call, the rest while iterating.
    """
    if str(path) == "-":
        kind = _format(format or "txt")
        if kind == "parquet":
            raise UsageError("Parquet cannot be read from standard input; give a file")
        return _rows(None, "stdin", kind, columns or {}, text_column, stdin, on_error)
    file = Path(path)
    try:
        if file.is_dir():
            raise DataError(f"{path}: a folder, not a file; name a file in it")
        if not file.exists():
            raise DataError(f"{path}: no such file{_similar(file)}")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path and its permissions") from error
    ending = file.suffix.lower()
    if format is None and ending not in ENDINGS:
        what = f"the ending {file.suffix!r} is not known" if ending else "a name without an ending"
        raise DataError(f"{path}: {what}; use one of {', '.join(ENDINGS)}, or say the format")
    kind = _format(format or ENDINGS[ending])
    return _rows(file, str(path), kind, columns or {}, text_column, None, on_error)


def _format(name: str) -> str:
    plain = name.lower().lstrip(".")
    if plain not in FORMATS:
        raise UsageError(f"unknown format {name!r}; {nearest(plain, FORMATS)}")
    return "jsonl" if plain == "ndjson" else plain


def _similar(file: Path) -> str:
    """A hint at a file of a similar name beside the one that is missing."""
    try:
        names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    except OSError:
        return "; check the path"
    hint = nearest(file.name, names)
    return f"; {hint}" if hint.startswith("did") else "; check the path"


def _rows(
    file: Path | None,
    name: str,
    kind: str,
    columns: Mapping[str, str],
    text_column: str,
    stdin: IO[bytes] | None,
    on_error: OnError | None,
) -> Iterator[Row]:
    """Open, read, rename, and see to it that something came."""
    bad = 0

    def report(error: DataError) -> None:
        nonlocal bad
        bad += 1
        if on_error is None:
            raise error
        on_error(error)

    rename = _Rename(name, columns)
    came = 0
    try:
        if file is None:
            raw = _read(stdin if stdin is not None else sys.stdin.buffer, name, kind, text_column, rename, report)
            for row in raw:
                came += 1
                yield row
        elif kind == "parquet":
            for row in _parquet(file, name, rename):
                came += 1
                yield row
        else:
            with file.open("rb") as stream:
                for row in _read(stream, name, kind, text_column, rename, report):
                    came += 1
                    yield row
    except OSError as error:
        # Not what a consumer of the rows raises: that does not pass through a generator.
        raise DataError(f"{name}: {error.strerror or one_line(error)}; check the file and its permissions") from error
    if not came and not bad:
        raise DataError(f"{name}: there are no items in it; is it the right file?")


class _Rename:
    """Their column names into ours."""

    def __init__(self, name: str, columns: Mapping[str, str]) -> None:
        self.name = name
        self.columns = dict(columns)
        self.theirs = set(columns.values())

    def check(self, known: Iterable[str], where: str) -> None:
        """Raise DataError for a column of theirs that is not among the known ones."""
        names = list(known)
        for ours, theirs in self.columns.items():
            if theirs not in names:
                raise DataError(f"{where}: no column {theirs!r} (for {ours!r}); {nearest(theirs, names)}")

    def __call__(self, values: dict[str, Any]) -> dict[str, Any]:
        if not self.columns:
            return values
        kept = {name: value for name, value in values.items() if name not in self.theirs and name not in self.columns}
        return {ours: values[theirs] for ours, theirs in self.columns.items()} | kept


def _read(
    stream: IO[bytes],
    name: str,
    kind: str,
    text_column: str,
    rename: _Rename,
    report: OnError,
) -> Iterator[Row]:
    lines = _Lines(stream, name)
    if kind == "json":
        yield from _json(lines, rename, report)
    elif kind == "jsonl":
        yield from _jsonl(lines, rename, report)
    elif kind == "csv":
        yield from _csv(lines, rename, report)
    elif kind == "tsv":
        yield from _tsv(lines, rename, report)
    else:
        rename.check([text_column], name)
        for where, line in lines.texts(report):
            if line.strip():
                yield Row(rename({text_column: line}), where)


class _Lines:
    """A stream's lines with their numbers: bytes, checked and decoded line by line."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.stream = stream
        self.name = name
        self.number = 0
        self.back: list[bytes] = []
        self.first = self._first()

    def _first(self) -> bytes:
        """The first line, and a look at what kind of file this is."""
        # Looking further ahead than the first line would keep a person at a terminal, or a pipe, waiting.
        first = self.stream.readline(MAX_LINE + 1)
        if not first:
            raise DataError(f"{self.name}: empty; is it the right file?")
        head = first[:SNIFF]
        if len(first) < SNIFF and self.stream.seekable():
            at = self.stream.tell()
            head += self.stream.read(SNIFF - len(first))
            self.stream.seek(at)
        # Some of these are plain letters, and a text may begin with them.
        if not _is_text(head):
            for magic, what in MAGIC.items():
                if head.startswith(magic):
                    raise DataError(f"{self.name}: not UTF-8 text but {what}")
            if _is_binary(head):
                raise DataError(f"{self.name}: not UTF-8 text but binary data or UTF-16; is it the right file?")
        return first.removeprefix(codecs.BOM_UTF8)

    def bytes_lines(self, report: OnError) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line with its newline). A line over the limit is reported and passed over."""
        while True:
            if self.back:
                line = self.back.pop()
            elif self.number == 0:
                line = self.first
            else:
                line = self.stream.readline(MAX_LINE + 1)
            if not line and self.number > 0:
                return
            self.number += 1
            if len(line) > MAX_LINE:
                while (rest := self.stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                report(
                    DataError(
                        f"{self.name}:{self.number}: a line of more than {MAX_LINE >> 20} MiB; "
                        "is this the right format?"
                    )
                )
                continue
            yield self.number, line

    def texts(self, report: OnError) -> Iterator[tuple[str, str]]:
        """(where, text without the line end) of every line that is sound."""
        for number, line in self.bytes_lines(report):
            where = f"{self.name}:{number}"
            text = _decode(line, where, report)
            if text is not None:
                yield where, text.removesuffix("\n").removesuffix("\r")

    def push_back(self, lines: list[bytes]) -> None:
        """Have lines read again, in order."""
        self.back.extend(reversed(lines))
        self.number -= len(lines)


def _controls(head: bytes) -> int:
    return sum(byte < 32 and byte not in b"\t\n\r\f\v\b\x1b" for byte in head)


def _is_text(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8 without control characters."""
    try:
        # Not final: the piece may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return _controls(head) == 0


def _is_binary(head: bytes) -> bool:
    """Whether it cannot even be meant as text with a slip in it: many NULs or other controls."""
    return head.count(0) * 20 > len(head) or _controls(head) * 50 > len(head)


def _decode(line: bytes, where: str, report: OnError) -> str | None:
    """The line as text; None, after a report, where it is not UTF-8 or holds a NUL."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        report(
            DataError(
                f"{where}: not UTF-8 (byte 0x{line[error.start]:02X} at position {error.start + 1}); "
                "save the file as UTF-8"
            )
        )
        return None
    if "\0" in text:
        report(DataError(f"{where}: a NUL character at position {text.index(chr(0)) + 1}; remove it"))
        return None
    return text


# --- JSON ---------------------------------------------------------------------------------------------------


def _jsonl(lines: _Lines, rename: _Rename, report: OnError) -> Iterator[Row]:
    for where, line in lines.texts(report):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            report(DataError(f"{where}: not JSON: {_json_problem(error)}; one object a line is needed"))
            continue
        row = _object(value, where, rename, report, "\\u" in line)
        if row is not None:
            yield row


def _json(lines: _Lines, rename: _Rename, report: OnError) -> Iterator[Row]:
    def whole(error: DataError) -> None:
        raise error  # a list is sound as a whole or not at all

    text = "\n".join(text for _, text in lines.texts(whole))
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        hint = "fix it there"
        if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
            hint = "if it holds one object a line, name it .jsonl or say the format jsonl"
        raise DataError(f"{lines.name}{line}: not JSON: {_json_problem(error)}; {hint}") from error
    if not isinstance(values, list):
        raise DataError(f"{lines.name}: {_json_kind(values)} where a list of objects is needed")
    for index, value in enumerate(values):
        row = _object(value, f"{lines.name}[{index}]", rename, report, "\\u" in text)
        if row is not None:
            yield row


def _object(value: Any, where: str, rename: _Rename, report: OnError, escapes: bool) -> Row | None:
    """A decoded value as a row; None, after a report, where it is not an object of sound text."""
    if not isinstance(value, dict):
        report(DataError(f'{where}: {_json_kind(value)} where an object is needed, like {{"text": "…"}}'))
        return None
    if escapes:
        try:
            # Half of a surrogate pair ("\ud83d" alone) decodes, but could never be written again.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            report(DataError(f"{where}: half of a surrogate pair in a string; write the whole character"))
            return None
    try:
        rename.check(value, where)
    except DataError as error:
        report(error)
        return None
    return Row(rename(value), where)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _json_problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at position {error.colno}"
    return one_line(error).removeprefix("ValueError: ")


def _json_kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a true or false"
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
    return kinds.get(type(value), "a number")


# --- tables -------------------------------------------------------------------------------------------------


def _tsv(lines: _Lines, rename: _Rename, report: OnError) -> Iterator[Row]:
    header: _Header | None = None
    for where, line in lines.texts(report):
        if not line:
            continue
        if header is None:
            header = _Header(line.split("\t"), where, rename)
            continue
        row = header.row(line.split("\t"), where, report)
        if row is not None:
            yield row


def _csv(lines: _Lines, rename: _Rename, report: OnError) -> Iterator[Row]:
    header: _Header | None = None
    for where, fields in _csv_records(lines, report):
        if header is None:
            _check_separator(fields, where)
            header = _Header(fields, where, rename)
            continue
        row = header.row(fields, where, report)
        if row is not None:
            yield row


class _Header:
    """A table's column names, and rows by them."""

    def __init__(self, names: list[str], where: str, rename: _Rename) -> None:
        self.rename = rename
        self.names = [name.strip() for name in names]
        named = [name for name in self.names if name]
        if not named:
            raise DataError(f"{where}: no column names; the first line must name the columns")
        for name in named:
            if named.count(name) > 1:
                raise DataError(f"{where}: the column {name!r} is there twice; rename one")
        rename.check(named, where)

    def row(self, fields: list[str], where: str, report: OnError) -> Row | None:
        """The fields by name, columns without a name left out; None, after a report, for a wrong number."""
        if len(fields) != len(self.names):
            report(
                DataError(
                    f"{where}: {_count(len(fields), 'field')} where the first line names "
                    f"{_count(len(self.names), 'column')}; fix the line"
                )
            )
            return None
        values: dict[str, Any] = {name: field for name, field in zip(self.names, fields, strict=True) if name}
        return Row(self.rename(values), where)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _check_separator(header: list[str], where: str) -> None:
    """Say so where a .csv is separated by something else, as spreadsheets of many languages write it."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and re.fullmatch(rf"\w+(?:{re.escape(separator)}\w+)+", header[0]):
            advice = "name it .tsv" if separator == "\t" else "save it with commas"
            raise DataError(f"{where}: the columns are separated by {name}, not commas; {advice}")


def _csv_records(lines: _Lines, report: OnError) -> Iterator[tuple[str, list[str]]]:
    """(where, fields) of every record; a quoted field may hold commas, quotes and line ends.

    Lines are put together here, by whether a quote is open, and only whole records go to the csv module: so a
    record's first line is known, and after a bad record reading goes on with the line after its first.
    """
    held: list[bytes] = []
    size = 0
    start = 0
    inside = False
    source = lines.bytes_lines(report)
    while True:
        step = next(source, None)
        if step is not None:
            number, line = step
            if not held:
                start = number
                if not line.strip():
                    continue
            if not held or b'"' in line:
                inside = _quote_open(line, inside)
            held.append(line)
            size += len(line)
            if inside and size <= MAX_LINE:
                continue
        elif not held:
            return
        where = f"{lines.name}:{start}"
        record, held, size = held, [], 0
        if inside:
            inside = False
            report(DataError(f"{where}: a quote is opened and never closed; close it, or double it"))
            lines.push_back(record[1:])
            if step is None:
                source = lines.bytes_lines(report)
            continue
        text = _decode(b"".join(record), where, report)
        if text is None:
            # An undecodable byte is of its own record only: nothing is read again.
            continue
        try:
            yield where, _csv_fields(text)
        except csv.Error as error:
            report(DataError(f"{where}: not CSV: {error}; quote the field, and double a quote inside it"))


def _quote_open(line: bytes, inside: bool) -> bool:
    """Whether a quoted field is open after ``line``, given whether one was before it."""
    at = 0
    while True:
        if inside:
            at = line.find(b'"', at)
            if at < 0:
                return True
            at += 1
            if line[at : at + 1] == b'"':
                at += 1
                continue
            inside = False
        elif line[at : at + 1] == b'"':
            inside = True
            at += 1
            continue
        at = line.find(b",", at) + 1
        if at == 0:
            return False


# The csv module's limit on a field's length belongs to the process: raised for as long as one record in
# memory is taken apart, by one thread at a time, and put back.
_limit_lock = threading.Lock()


def _csv_fields(text: str) -> list[str]:
    body = text.removesuffix("\n").removesuffix("\r")
    if len(body) <= 100_000:
        return next(csv.reader([body], strict=True), [])
    with _limit_lock:
        before = csv.field_size_limit(max(len(body), csv.field_size_limit()))
        try:
            return next(csv.reader([body], strict=True), [])
        finally:
            csv.field_size_limit(before)


# --- Parquet ------------------------------------------------------------------------------------------------


def _parquet(file: Path, name: str, rename: _Rename) -> Iterator[Row]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataError(f"{name}: reading Parquet needs pyarrow; pip install pyarrow") from error
    try:
        with parquet.ParquetFile(file) as table:
            rename.check(table.schema_arrow.names, name)
            number = 0
            for batch in table.iter_batches(batch_size=1024):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(rename(values), f"{name}:{number}")
    except (SuiteError, OSError):
        raise
    except Exception as error:  # pyarrow's errors share no base but Exception
        raise DataError(f"{name}: cannot be read as Parquet: {one_line(error)}") from error
