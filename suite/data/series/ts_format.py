"""The ``.ts`` format of the UCR and UEA time series archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suite.data.lines import OnError
from suite.data.series.base import (
    Array,
    LabelledSeries,
    Recording,
    channel_values,
    content_key,
    content_lines,
    without_padding,
)
from suite.errors import DataError


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
        """Take in one ``@key value`` line. Keys that do not matter here are skipped."""
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
        if self.missing is False and np.isnan(without_padding(array)).any():
            return "the header says that nothing is missing, this series has missing values"
        return None


def read_ts(path: Path, report: OnError) -> Iterator[Recording]:
    """The series of a ``.ts``: ``channel:channel:…:label`` a line, the values of a channel separated by commas."""
    header = _Header()
    lines = ((where, text.strip()) for where, text in content_lines(path, report))
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
        array = without_padding(series.array)
        if not len(array):
            report(DataError(f"{where}: every value is missing; leave the line out"))
        elif isinstance(series, LabelledSeries):
            yield LabelledSeries(array=array, label=series.label, where=where, key=content_key(array))
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
    channels = [channel_values(part.split(","), where, f"{i + 1}") for i, part in enumerate(parts)]
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
