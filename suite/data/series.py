"""Recordings and labelled series out of files.

A recording is float32 ``[T, C]``, time first, NaN where a value is missing (an empty field, ``?``, ``NaN`` or
``NA`` in text). By a file's ending:

==================  ========================================================================================
``.csv`` ``.tsv``   one row a sample, one column a channel; a first line of names is optional, and a column
                    called ``time`` (seconds) gives the sample rate
``.npz`` ``.npy``   ``x [T, C]`` or ``[T]``, optional ``rate`` (Hz) and ``channels``; the array alone
``.ts``             the format of the UCR and UEA archives, with or without labels; its header is checked
                    against what follows
``.csv`` ``.tsv``   labelled, long: ``series,time,label,<channel>…``, the rows of a series together; wide:
                    ``label,<t0>,<t1>…``, one channel, or the same without names (the archives' ``.tsv``)
``.jsonl`` …        one object a series: ``x``, ``label``, and optionally ``key``, ``rate``, ``channels``
a folder            one sub-folder a label, one recording a file; where no labels are asked for, a folder of
                    recordings
==================  ========================================================================================
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suite.data.lines import OnError, text_lines
from suite.data.readers import read_rows
from suite.errors import DataError, nearest, one_line, stop

Array = npt.NDArray[np.float32]

#: What stands for a missing value, in lower case.
MISSING = frozenset({"", "?", "nan", "na", "n/a", "null", "none"})
TABLES = {".csv": ",", ".tsv": "\t"}
ROWS = (".jsonl", ".ndjson", ".json", ".parquet")
ENDINGS = (*TABLES, ".npz", ".npy", ".ts")
_SEPARATED = {
    ";": "semicolons; save it with commas, decimals with a point",
    "\t": "tabs; name it .tsv",
    ",": "commas; name it .csv",
    " ": "spaces; save it with commas",
}
#: A larger value is a slip, or a mark of something missing; differences of smaller ones stay finite.
LARGEST = 1e30
# Lines that are parsed together: numpy's parser is twenty times as fast as a loop over fields.
BLOCK = 4096
# The largest array that is read from a compressed file: a small file must not unpack to more than a machine has.
MAX_ARRAY = 2**31


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """``array [T, C]``, its sample rate in Hz where it is known, the channels' names where they are given."""

    array: Array
    rate: float | None = None
    channels: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSeries(Recording):
    """A recording with its label. ``key`` decides its part: the file's own, or a hash of the values."""

    label: str
    key: str = ""


def read_recording(path: str | Path) -> tuple[Array, float | None]:
    """The one recording of a file as ``[T, C]``, and its rate in Hz or None. See ``open_recording``."""
    recording = open_recording(path)
    return recording.array, recording.rate


def open_recording(path: str | Path) -> Recording:
    """The one recording of a file. Raises DataError if it cannot be read, or holds none or several."""
    found = None
    for recording in read_recordings(path):
        if found is not None:
            raise DataError(f"{path}: more than one recording in it; give a file with one")
        found = recording
    if found is None:
        raise DataError(f"{path}: no recording in it; is it the right file?")
    return found


def read_recordings(path: str | Path, on_error: OnError | None = None) -> Iterator[Recording]:
    """Every recording of a file or folder, with its label where there is one, lazily, in order.

    Raises DataError, one line with file and line, for what cannot be read. With ``on_error`` a bad series is
    given to it and left out; what is wrong with the file as a whole is always raised.
    """
    yield from _read(Path(path), on_error or stop, labelled=False)


def read_labelled(
    path: str | Path,
    on_error: OnError | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
) -> Iterator[LabelledSeries]:
    """Every labelled series of a file or folder, lazily, in order. Errors as ``read_recordings``.

    A table without names is read as the archives' ``.tsv``: the label first, then the values. ``columns`` maps our
    names to the file's (``{"label": "gesture"}``); ``format`` is the file's where its ending does not tell.
    """
    report, came = on_error or stop, False
    for series in _read(Path(path), report, labelled=True, columns=columns, format=format):
        if isinstance(series, LabelledSeries):
            came = True
            yield series
            continue
        error = DataError(f"{series.where or path}: a recording without a label; {_HOW}")
        # If it is so from the first one on, it is the file.
        if not came:
            raise error
        report(error)


_HOW = "labels come from a .ts, a table with a label column, or a folder with one sub-folder a label"


def _read(
    path: Path, report: OnError, labelled: bool, columns: Mapping[str, str] | None = None, format: str | None = None
) -> Iterator[Recording]:
    came = 0
    failed: list[DataError] = []

    def noted(error: DataError) -> None:
        failed.append(error)
        report(error)

    try:
        if path.is_dir():
            source: Iterator[Recording] = _folder(path, noted, labelled)
        elif not path.exists():
            raise DataError(f"{path}: no such file; check the path")
        else:
            source = _file(path, noted, labelled, columns, f".{format}" if format else path.suffix.lower())
        for series in source:
            came += 1
            yield series
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or one_line(error)}; check the file and its permissions") from error
    if not came and not failed:
        raise DataError(f"{path}: there are no series in it; is it the right file?")


def _file(
    path: Path, report: OnError, labelled: bool, columns: Mapping[str, str] | None, ending: str
) -> Iterator[Recording]:
    if ending == ".ts":
        return _ts(path, report)
    if ending in TABLES:
        return _table(path, TABLES[ending], report, labelled, columns or {})
    if ending in ROWS:
        return _rows(path, report, columns, ending[1:])
    if ending in (".npz", ".npy"):
        return iter([_numpy(path)])
    what = f"the ending {ending!r} is not known" if ending else "a name without an ending"
    raise DataError(f"{path}: {what}; use one of {', '.join((*ENDINGS, *ROWS))}, or a folder")


def as_array(raw: Any, where: str = "the recording") -> Array:
    """Numbers as float32 ``[T, C]``; one axis is one channel, None is missing. ``where`` begins messages.

    Raises DataError for text, for rows of unequal length, for another number of axes, and for values that
    are infinite or beyond ±1e30.
    """
    if isinstance(raw, np.ndarray) and raw.dtype == np.float32:
        array = raw
    else:
        try:
            array = np.asarray(raw)
            if array.dtype.kind == "O":
                array = np.asarray(raw, dtype=np.float64)
        except (ValueError, TypeError):
            raise DataError(f"{where}: rows of unequal length, or not numbers; give [T, C], time first") from None
        if array.dtype.kind in "US":
            bad = next((text for text in array.ravel().tolist() if not _is_number(text)), array.ravel()[0])
            raise DataError(f"{where}: {str(bad)[:40]!r} is not a number; mend it, or leave its column out")
        if array.dtype.kind not in "fiub":
            raise DataError(f"{where}: {array.dtype} values where real numbers are needed; convert them")
    if array.ndim not in (1, 2):
        raise DataError(f"{where}: an array of {array.ndim} axes where [T, C] is needed, time first")
    array = array if array.ndim == 2 else array[:, None]
    if array.shape[1] == 0 and array.shape[0]:
        raise DataError(f"{where}: no channels in it; give [T, C], time first")
    with np.errstate(over="ignore", invalid="ignore"):
        found: Array = array.astype(np.float32, copy=False)
    beyond = np.abs(found) > LARGEST
    if beyond.any():
        step, channel = (int(index[0]) for index in np.nonzero(beyond))
        what = "infinite" if np.isinf(found[step, channel]) else f"{found[step, channel]:g}, too large"
        raise DataError(f"{where}: sample {step + 1} of channel {channel + 1} is {what}; leave it empty if missing")
    return found


def identity(array: Array) -> str:
    """A key for a series that came without one: the same values, the same key."""
    return hashlib.sha1(np.ascontiguousarray(array).tobytes(), usedforsecurity=False).hexdigest()


# --- numbers and lines --------------------------------------------------------------------------------------


def parse_number(text: str, where: str, column: str = "") -> float:
    """A field as a number, NaN where it is missing. Raises DataError for text, infinity and beyond."""
    text = text.strip()
    try:
        value = float(text) if text.lower() not in MISSING else math.nan
    except ValueError:
        value = math.inf
    if abs(value) > LARGEST or "_" in text:
        what = "is not a number" if not _is_number(text) else "is infinite" if math.isinf(value) else "is too large"
        advice = "write decimals with a point" if _is_number(text.replace(",", ".")) and "," in text else "fix it there"
        if what != "is not a number":
            advice = "leave it empty if it is missing"
        at = f" in column {column}" if column else ""
        raise DataError(f"{where}: {text[:40]!r}{at} {what}; {advice}")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def is_header(fields: Sequence[str]) -> bool:
    """Whether a first line names columns: none of its fields is a number, and one at least is no blank.

    After a column called label, series or time, others may be called by numbers (``label,0,1,2``).
    """
    if fields[0].strip().lower() in ("label", "series", "time"):
        return True
    return not any(_is_number(field) for field in fields) and not all(map(_is_missing, fields))


def split_fields(line: str, separator: str, where: str) -> list[str]:
    """The fields of a line; in a ``.csv`` a field may be quoted."""
    if separator == "," and '"' in line:
        try:
            return [field.strip() for field in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise DataError(f"{where}: not CSV: {error}; close the quote, or double it") from None
    return [field.strip() for field in line.split(separator)]


def _lines(path: Path, report: OnError) -> Iterator[tuple[str, str]]:
    """(``path:number``, text) of every line with content."""
    with path.open("rb") as file:
        for where, text in text_lines(file, str(path), report):
            if text.strip():
                yield where, text


def _trimmed(array: Array) -> Array:
    """Without the rows of nothing at the end, by which the archives bring series to one length."""
    inside = np.nonzero(~np.isnan(array).all(axis=1))[0]
    return array[: int(inside[-1]) + 1 if len(inside) else 0]


def rate_of(times: Sequence[float], where: str) -> float | None:
    """Samples a second by their times in seconds; None for fewer than two. Raises DataError if time stands still."""
    if len(times) < 2:
        return None
    array = np.asarray(times, dtype=np.float64)
    if np.isnan(array).any():
        raise DataError(f"{where}: a time is missing; fill it in, or leave the time column out")
    if not (np.diff(array) > 0).all():
        step = int(np.nonzero(np.diff(array) <= 0)[0][0])
        raise DataError(f"{where}: time does not grow after {array[step]:g}; sort the samples by time")
    return float(f"{(len(array) - 1) / (array[-1] - array[0]):.6g}")


# --- tables -------------------------------------------------------------------------------------------------


def _table(
    path: Path, separator: str, report: OnError, labelled: bool, columns: Mapping[str, str]
) -> Iterator[Recording]:
    """A recording, or labelled series in the long or the wide form, as the first line says."""
    faults: list[DataError] = []
    lines = _lines(path, faults.append)
    where, text = next(lines, ("", ""))
    _raise(faults)
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
        wrong = next((other for other in there if other != " " or all(map(_is_number, text.split()))), None)
    elif all(map(_is_number, text.replace('"', "").replace(",", ".").split(";"))) and ";" in text:
        wrong = ";"  # spreadsheets of many languages write 1,5;2,5
    if wrong is not None:
        raise DataError(f"{where}: the columns are separated by {_SEPARATED[wrong]}")


def _raise(faults: list[DataError]) -> None:
    if faults:
        raise faults[0]


def _recording(
    path: Path, fields: Sequence[str], named: bool, separator: str, lines: Iterator[tuple[str, str]],
    faults: list[DataError],
) -> Recording:  # fmt: skip
    names = list(fields) if named else [str(i + 1) for i in range(len(fields))]
    blocks = []
    while block := list(itertools.islice(lines, BLOCK)):
        _raise(faults)  # a recording that lacks a sample is another recording
        blocks.append(_numbers(block, separator, names))
    _raise(faults)
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
        _pass_on(faults, report)
        try:
            label, *fields = split_fields(text, separator, where)
            if columns is not None and len(fields) + 1 > columns:
                raise DataError(f"{where}: {len(fields) + 1} fields where the first line names {columns}; fix the line")
            if _is_missing(label):
                raise DataError(f"{where}: no label; it is the first field of a line")
            array = _trimmed(_channel(fields, where)[:, None])
            if not len(array):
                raise DataError(f"{where}: no values after the label {label!r}; leave the line out")
        except DataError as error:
            report(error)
            continue
        yield LabelledSeries(array=array, label=label, where=where, key=identity(array))
    _pass_on(faults, report)


def _pass_on(faults: list[DataError], report: OnError) -> bool:
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
        group.bad |= _pass_on(faults, report)
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
            if label != group.label or _is_missing(label):
                what = f"labels {group.label!r} and {label!r} in one series" if label else "no label"
                raise DataError(f"{where}: {what} ({name!r}); a series has one label")
            if "time" in places:
                group.times.append(parse_number(fields[places["time"]], where, "time"))
            group.rows.append([parse_number(fields[i], where, names[i]) for i in channels])
        except DataError as error:
            group.bad = True
            report(error)
    group.bad |= _pass_on(faults, report)
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


def _channel(fields: Sequence[str], where: str, column: str = "") -> Array:
    """One channel's values, float32 ``[T]``."""
    try:
        values = np.array(fields, dtype=np.float64)
    except ValueError:
        values = np.array([parse_number(field, where, column) for field in fields], dtype=np.float64)
    return as_array(values, where)[:, 0]


# --- .ts ----------------------------------------------------------------------------------------------------


@dataclass
class _Header:
    """What a ``.ts`` says of itself; None where it says nothing."""

    univariate: bool | None = None
    dimensions: int | None = None
    equallength: bool | None = None
    serieslength: int | None = None
    missing: bool | None = None
    timestamps: bool | None = None
    labels: tuple[str, ...] | None = None

    def line(self, text: str, where: str) -> None:
        """Take in one ``@key value`` line. Keys that do not matter here are passed over."""
        key, _, rest = text[1:].partition(" ")
        key, values = key.lower(), rest.split()
        if key == "dimension":
            key = "dimensions"
        if key in ("univariate", "equallength", "missing", "timestamps", "classlabel"):
            said = values[0].lower() if values else ""
            if said not in ("true", "false"):
                raise DataError(f"{where}: @{key} must be followed by true or false, not {rest.strip()!r}")
            if key == "classlabel":
                self.labels = tuple(values[1:]) if said == "true" else None
                if said == "true" and not self.labels:
                    raise DataError(f"{where}: @classLabel true names no labels; list them after it")
            else:
                setattr(self, key, said == "true")
        elif key in ("dimensions", "serieslength"):
            if len(values) != 1 or not values[0].isdigit() or int(values[0]) < 1:
                raise DataError(f"{where}: @{key} must be followed by a whole number, not {rest.strip()!r}")
            setattr(self, key, int(values[0]))

    def problem(self, array: Array, first: Array | None) -> str | None:
        """How a series contradicts the header, or the first series, or None."""
        steps, channels = array.shape
        if self.univariate and channels > 1:
            return f"the header says univariate, this series has {channels} channels"
        if self.dimensions is not None and channels != self.dimensions:
            return f"the header says {self.dimensions} dimensions, this series has {channels}"
        if first is not None and channels != first.shape[1]:
            return f"{channels} channels where the first series has {first.shape[1]}"
        if self.equallength:
            wanted = self.serieslength or (len(first) if first is not None else steps)
            if steps != wanted:
                return f"the header says series of equal length {wanted}, this one has {steps} samples"
        if self.missing is False and np.isnan(_trimmed(array)).any():
            return "the header says that nothing is missing, this series has missing values"
        return None


def _ts(path: Path, report: OnError) -> Iterator[Recording]:
    """The series of a ``.ts``: ``channel:channel:…:label`` a line, the values of a channel separated by commas."""
    header = _Header()
    lines = ((where, text.strip()) for where, text in _lines(path, report))
    for where, text in lines:
        if text.startswith("#"):
            continue
        if text.lower() == "@data":
            break
        if not text.startswith("@"):
            raise DataError(f"{where}: values before the @data line; is it a .ts file?")
        header.line(text, where)
    else:
        raise DataError(f"{path}: no @data line; is it a .ts file?")
    if header.timestamps:
        raise DataError(f"{path}: series with time stamps are not read; write the values alone and @timeStamps false")
    first: Array | None = None
    for where, text in lines:
        if text.startswith("#"):
            continue
        try:
            series = _ts_series(text, where, header, first)
        except DataError as error:
            # If it is so from the first series on, it is the file.
            if first is None:
                raise
            report(error)
            continue
        if first is None:
            first = series.array
        array = _trimmed(series.array)
        if not len(array):
            report(DataError(f"{where}: every value is missing; leave the line out"))
        elif isinstance(series, LabelledSeries):
            yield LabelledSeries(array=array, label=series.label, where=where, key=identity(array))
        else:
            yield Recording(array=array, where=where)


def _ts_series(text: str, where: str, header: _Header, first: Array | None) -> Recording:
    parts = [part.strip() for part in text.split(":")]
    label = parts.pop() if header.labels is not None else None
    if label is not None and header.labels is not None and label not in header.labels:
        if not parts or "," in label:
            raise DataError(f"{where}: no label at the end of the line, as @classLabel true in the header says")
        raise DataError(f"{where}: the label {label[:40]!r} is not in the header's @classLabel; add it there")
    if not parts:
        raise DataError(f"{where}: a label and no values; leave the line out")
    channels = [_channel(part.split(","), where, f"{i + 1}") for i, part in enumerate(parts)]
    lengths = [len(channel) for channel in channels]
    if min(lengths) != max(lengths):
        what = f"channels of {min(lengths)} and of {max(lengths)} samples in one series"
        raise DataError(f"{where}: {what}; write ? where a value is missing")
    array = np.stack(channels, axis=1)
    if problem := header.problem(array, first):
        raise DataError(f"{where}: {problem}; correct the header or the line")
    if label is None:
        return Recording(array=array, where=where)
    return LabelledSeries(array=array, label=label, where=where)


# --- arrays, rows, folders ----------------------------------------------------------------------------------


def _numpy(path: Path) -> Recording:
    """``x`` of an ``.npz``, or the array of an ``.npy``. Never unpickles."""
    try:
        if path.suffix.lower() == ".npy":
            return Recording(array=as_array(np.load(path, allow_pickle=False), str(path)), where=str(path))
        with zipfile.ZipFile(path) as archive:
            large = max((member.file_size for member in archive.infolist()), default=0)
        if large > MAX_ARRAY:
            raise DataError(f"{path}: an array of {large:,} bytes in it; split the recording")
        with np.load(path, allow_pickle=False) as arrays:
            if "x" not in arrays.files:
                found = ", ".join(arrays.files) or "none"
                raise DataError(f"{path}: no array 'x' [T, C] in it (found: {found}); save it as x")
            array = as_array(arrays["x"], str(path))
            rate = arrays["rate"].astype(float).tolist() if "rate" in arrays.files else None
            names = arrays["channels"].tolist() if "channels" in arrays.files else []
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
        what = "objects (a pickle), which are not read" if "pickle" in str(error).lower() else one_line(error)
        raise DataError(f"{path}: not an array of numbers: {what}; save x as numbers with numpy.savez") from None
    where = str(path)
    channels = _checked_names(names, array, where)
    return Recording(array=array, rate=_checked_rate(rate, where), channels=channels, where=where)


def _checked_rate(rate: Any, where: str) -> float | None:
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise DataError(f"{where}: rate {rate!r} is not a number of samples a second; correct it")
    return float(rate)


def _checked_names(names: Any, array: Array, where: str) -> tuple[str, ...]:
    found = tuple(map(str, names)) if isinstance(names, list) else (str(names),)
    if found and len(found) != array.shape[1]:
        said = f"{len(found)} name{'s' * (len(found) != 1)} for {array.shape[1]}"
        raise DataError(f"{where}: channels: {said}; name every one, or leave channels out")
    return found


def _rows(path: Path, report: OnError, columns: Mapping[str, str] | None, format: str) -> Iterator[Recording]:
    """One object a series: ``x``, and optionally ``label``, ``key``, ``rate`` and ``channels``."""
    for row in read_rows(path, format=format, columns=columns, on_error=report):
        values = row.values
        try:
            if "x" not in values:
                raise DataError(f"{row.where}: no 'x' with the samples, [T, C]; {nearest('x', map(str, values))}")
            array = as_array(values["x"], row.where)
            rate = _checked_rate(values.get("rate"), row.where)
            channels = _checked_names(values.get("channels") or [], array, row.where)
        except DataError as error:
            report(error)
            continue
        label = values.get("label")
        if label in (None, ""):
            yield Recording(array=array, rate=rate, channels=channels, where=row.where)
        else:
            key = str(values.get("key") or identity(array))
            yield LabelledSeries(
                array=array, label=str(label), where=row.where, rate=rate, key=key, channels=channels
            )  # fmt: skip


def _folder(path: Path, report: OnError, labelled: bool) -> Iterator[Recording]:
    """A folder with one sub-folder a label, or of recordings without labels; what is hidden is passed over."""
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    if not labelled:
        # Beside sub-folders, what is no recording by its ending is something about them.
        for file in entries:
            if file.is_file() and (not folders or file.suffix.lower() in ENDINGS):
                try:
                    yield open_recording(file)
                except DataError as error:
                    report(error)
    elif not folders:
        raise DataError(f"{path}: no sub-folders; make one a label, with its recordings in it")
    for folder in folders:
        for file in sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")):
            try:
                recording = open_recording(file)
            except DataError as error:
                report(error)
                continue
            yield LabelledSeries(
                array=recording.array, label=folder.name, where=str(file), rate=recording.rate,
                key=f"{folder.name}/{file.name}", channels=recording.channels,
            )  # fmt: skip
