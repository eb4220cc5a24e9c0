"""Series in CSV and TSV tables: one recording, or labelled series in the long or the wide form."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from suite.data.lines import OnError
from suite.data.series.base import (
    LabelledSeries,
    Recording,
    as_array,
    channel_values,
    content_key,
    content_lines,
    is_missing,
    is_number,
    parse_number,
    rate_of,
    without_padding,
)
from suite.errors import DataError, nearest

TABLES = {".csv": ",", ".tsv": "\t"}
_SEPARATED = {
    ";": "semicolons; save it with commas, decimals with a point",
    "\t": "tabs; name it .tsv",
    ",": "commas; name it .csv",
    " ": "spaces; save it with commas",
}
# Lines that are parsed together: numpy's parser is twenty times as fast as a loop over fields.
BLOCK_LINES = 4096


def is_header(fields: Sequence[str]) -> bool:
    """Whether a first line names columns: none of its fields is a number, and one at least is no blank.

    After a column called label, series or time, others may be called by numbers (``label,0,1,2``).
    """
    if fields[0].strip().lower() in ("label", "series", "time"):
        return True
    return not any(is_number(field) for field in fields) and not all(map(is_missing, fields))


def split_fields(line: str, separator: str, where: str) -> list[str]:
    """The fields of a line; in a ``.csv`` a field may be quoted."""
    if separator == "," and '"' in line:
        try:
            return [field.strip() for field in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise DataError(f"{where}: not CSV: {error}; close the quote, or double it") from None
    return [field.strip() for field in line.split(separator)]


def read_table(
    path: Path, separator: str, report: OnError, labelled: bool, columns: Mapping[str, str]
) -> Iterator[Recording]:
    """A recording, or labelled series in the long or the wide form, as the first line says."""
    faults: list[DataError] = []
    lines = content_lines(path, faults.append)
    where, text = next(lines, ("", ""))
    raise_first(faults)
    if not where:
        raise DataError(f"{path}: empty; is it the right file?")
    _check_separator(text, separator, where)
    fields = split_fields(text, separator, where)
    for ours, theirs in columns.items():
        if theirs not in fields:
            raise DataError(f"{where}: no column {theirs!r}; {nearest(theirs, fields)}")
        fields = [ours if field == theirs else field for field in fields]
    named = is_header(fields)
    names = [field.lower() for field in fields] if named else []
    wide = names[:1] == ["label"] and "series" not in names
    if not wide and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where}: the column {twice!r} is there twice; rename one")
    rest = lines if named else itertools.chain([(where, text)], lines)
    if "series" in names:
        yield from _long(path, fields, separator, lines, faults, report)
    elif wide or (labelled and not named):
        yield from _wide(separator, rest, faults, report, len(fields) if named else None)
    elif "label" in names:
        raise DataError(f"{where}: a label column but no column 'series' that says which rows go together; add one")
    else:
        yield _recording(path, fields, named, separator, rest, faults)


def _check_separator(text: str, separator: str, where: str) -> None:
    """Raise DataError for a first line whose columns are separated by something else."""
    wrong = None
    if separator not in text:
        # A name may hold spaces, numbers do not.
        there = [other for other in _SEPARATED if other in text.strip()]
        wrong = next((other for other in there if other != " " or all(map(is_number, text.split()))), None)
    elif all(map(is_number, text.replace('"', "").replace(",", ".").split(";"))) and ";" in text:
        wrong = ";"  # spreadsheets of many languages write 1,5;2,5
    if wrong is not None:
        raise DataError(f"{where}: the columns are separated by {_SEPARATED[wrong]}")


def raise_first(faults: list[DataError]) -> None:
    """Raise the first of some errors, if there are any."""
    if faults:
        raise faults[0]


def _recording(
    path: Path, fields: Sequence[str], named: bool, separator: str, lines: Iterator[tuple[str, str]],
    faults: list[DataError],
) -> Recording:  # fmt: skip
    names = list(fields) if named else [str(i + 1) for i in range(len(fields))]
    blocks = []
    while block := list(itertools.islice(lines, BLOCK_LINES)):
        raise_first(faults)  # a recording that lacks a sample is another recording
        blocks.append(_numbers(block, separator, names))
    raise_first(faults)
    if not blocks:
        raise DataError(f"{path}: no samples after the first line; is it the right file?")
    table = np.concatenate(blocks)
    time = next((i for i, name in enumerate(names) if name.lower() == "time"), None) if named else None
    rate = None
    if time is not None:
        rate = rate_of(table[:, time].tolist(), str(path))
        table = np.delete(table, time, axis=1)
        names.pop(time)
    array = as_array(table, str(path))
    return Recording(array=array, rate=rate, channels=tuple(names) if named else (), where=str(path))


def _numbers(block: Sequence[tuple[str, str]], separator: str, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Some lines as numbers ``[n, columns]``; a bad field is named by its line and column."""
    try:
        table = np.loadtxt([text for _, text in block], delimiter=separator, comments=None, ndmin=2)
        if table.shape == (len(block), len(names)) and not np.isinf(table).any():
            return table
    except ValueError:
        pass  # a missing value, or something wrong: field by field says which
    rows = []
    for where, text in block:
        fields = split_fields(text, separator, where)
        if len(fields) != len(names):
            raise DataError(f"{where}: {len(fields)} fields where the first line has {len(names)}; fix the line")
        rows.append([parse_number(field, where, name) for field, name in zip(fields, names, strict=True)])
    return np.asarray(rows, dtype=np.float64)


def _wide(
    separator: str, lines: Iterator[tuple[str, str]], faults: list[DataError], report: OnError, columns: int | None
) -> Iterator[LabelledSeries]:
    """``label,<t0>,<t1>…``: one series a line, of one channel. What is missing at the end is padding."""
    for where, text in lines:
        report_all(faults, report)
        try:
            label, *fields = split_fields(text, separator, where)
            if columns is not None and len(fields) + 1 > columns:
                raise DataError(f"{where}: {len(fields) + 1} fields where the first line names {columns}; fix the line")
            if is_missing(label):
                raise DataError(f"{where}: no label; it is the first field of a line")
            array = without_padding(channel_values(fields, where)[:, None])
            if not len(array):
                raise DataError(f"{where}: no values after the label {label!r}; leave the line out")
        except DataError as error:
            report(error)
            continue
        yield LabelledSeries(array=array, label=label, where=where, key=content_key(array))
    report_all(faults, report)


def report_all(faults: list[DataError], report: OnError) -> bool:
    """Report what was wrong with lines that did not come; whether there were any."""
    found = list(faults)
    faults.clear()
    for error in found:
        report(error)
    return bool(found)


def _long(
    path: Path, names: Sequence[str], separator: str, lines: Iterator[tuple[str, str]], faults: list[DataError],
    report: OnError,
) -> Iterator[LabelledSeries]:  # fmt: skip
    """``series,time,label,<channel>…``: one sample a line, the samples of a series on lines that follow."""
    places = {name.lower(): i for i, name in enumerate(names)}
    if "label" not in places:
        raise DataError(f"{path}:1: no column 'label'; {nearest('label', names)}")
    channels = [i for i, name in enumerate(names) if name.lower() not in ("series", "time", "label")]
    if not channels:
        raise DataError(f"{path}:1: no channels beside series, time and label; is it the right file?")
    seen: set[str] = set()
    group = _Group("", "", "")
    for where, text in lines:
        # A series that lacks a sample is no longer that series: a bad line costs the whole of it.
        group.bad |= report_all(faults, report)
        try:
            fields = split_fields(text, separator, where)
            if len(fields) != len(names):
                raise DataError(f"{where}: {len(fields)} fields where the first line names {len(names)}; fix the line")
        except DataError as error:
            group.bad = True
            report(error)
            continue
        name, label = fields[places["series"]], fields[places["label"]]
        if not group.where or name != group.name:
            yield from group.finished(names, channels, report)
            group = _Group(name, label, where)
            if name in seen:
                group.bad = True
                report(DataError(f"{where}: series {name!r} goes on after another one; sort the lines by series"))
            seen.add(name)
        if group.bad:
            continue
        try:
            if label != group.label or is_missing(label):
                what = f"labels {group.label!r} and {label!r} in one series" if label else "no label"
                raise DataError(f"{where}: {what} ({name!r}); a series has one label")
            if "time" in places:
                group.times.append(parse_number(fields[places["time"]], where, "time"))
            group.rows.append([parse_number(fields[i], where, names[i]) for i in channels])
        except DataError as error:
            group.bad = True
            report(error)
    group.bad |= report_all(faults, report)
    yield from group.finished(names, channels, report)


class _Group:
    """The lines of one series of a long table, as they come."""

    def __init__(self, name: str, label: str, where: str) -> None:
        self.name, self.label, self.where, self.bad = name, label, where, False
        self.rows: list[list[float]] = []
        self.times: list[float] = []

    def finished(self, names: Sequence[str], channels: Sequence[int], report: OnError) -> Iterator[LabelledSeries]:
        if self.bad or not self.rows:
            return
        try:
            array = as_array(self.rows, self.where)
            rate = rate_of(self.times, self.where)
        except DataError as error:
            report(error)
            return
        yield LabelledSeries(
            array=array, label=self.label, where=self.where, rate=rate, key=self.name,
            channels=tuple(names[i] for i in channels),
        )  # fmt: skip
