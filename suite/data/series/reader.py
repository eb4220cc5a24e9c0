"""Read recordings and labelled series by a file's ending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from suite.data.lines import OnError
from suite.data.readers import read_rows
from suite.data.series.base import Array, LabelledSeries, Recording, as_array, checked_names, checked_rate, content_key
from suite.data.series.numpy_files import read_numpy
from suite.data.series.tables import TABLES, read_table
from suite.data.series.ts_format import read_ts
from suite.errors import DataError, nearest, one_line, stop

ROWS = (".jsonl", ".ndjson", ".json", ".parquet")
ENDINGS = (*TABLES, ".npz", ".npy", ".ts")


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
            source: Iterator[Recording] = _read_folder(path, noted, labelled)
        elif not path.exists():
            raise DataError(f"{path}: no such file; check the path")
        else:
            source = _read_file(path, noted, labelled, columns, f".{format}" if format else path.suffix.lower())
        for series in source:
            came += 1
            yield series
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or one_line(error)}; check the file and its permissions") from error
    if not came and not failed:
        raise DataError(f"{path}: there are no series in it; is it the right file?")


def _read_file(
    path: Path, report: OnError, labelled: bool, columns: Mapping[str, str] | None, ending: str
) -> Iterator[Recording]:
    if ending == ".ts":
        return read_ts(path, report)
    if ending in TABLES:
        return read_table(path, TABLES[ending], report, labelled, columns or {})
    if ending in ROWS:
        return _read_rows(path, report, columns, ending[1:])
    if ending in (".npz", ".npy"):
        return iter([read_numpy(path)])
    what = f"the ending {ending!r} is not known" if ending else "a name without an ending"
    raise DataError(f"{path}: {what}; use one of {', '.join((*ENDINGS, *ROWS))}, or a folder")


def _read_rows(path: Path, report: OnError, columns: Mapping[str, str] | None, format: str) -> Iterator[Recording]:
    """One object a series: ``x``, and optionally ``label``, ``key``, ``rate`` and ``channels``."""
    for row in read_rows(path, format=format, columns=columns, on_error=report):
        values = row.values
        try:
            if "x" not in values:
                raise DataError(f"{row.where}: no 'x' with the samples, [T, C]; {nearest('x', map(str, values))}")
            array = as_array(values["x"], row.where)
            rate = checked_rate(values.get("rate"), row.where)
            channels = checked_names(values.get("channels") or [], array, row.where)
        except DataError as error:
            report(error)
            continue
        label = values.get("label")
        if label in (None, ""):
            yield Recording(array=array, rate=rate, channels=channels, where=row.where)
        else:
            key = str(values.get("key") or content_key(array))
            yield LabelledSeries(
                array=array, label=str(label), where=row.where, rate=rate, key=key, channels=channels
            )  # fmt: skip


def _read_folder(path: Path, report: OnError, labelled: bool) -> Iterator[Recording]:
    """A folder with one sub-folder a label, or of recordings without labels; what is hidden is skipped."""
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
