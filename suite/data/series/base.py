"""Recordings and labelled series: arrays ``[T, C]``, and the checks that every file format shares."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suite.data.lines import OnError, text_lines
from suite.errors import DataError

Array = npt.NDArray[np.float32]
#: What stands for a missing value, in lower case.
MISSING = frozenset({"", "?", "nan", "na", "n/a", "null", "none"})
#: A larger value is a slip, or a mark of something missing; differences of smaller ones stay finite.
LARGEST_VALUE = 1e30


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
            bad = next((text for text in array.ravel().tolist() if not is_number(text)), array.ravel()[0])
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
    beyond = np.abs(found) > LARGEST_VALUE
    if beyond.any():
        step, channel = (int(index[0]) for index in np.nonzero(beyond))
        what = "infinite" if np.isinf(found[step, channel]) else f"{found[step, channel]:g}, too large"
        raise DataError(f"{where}: sample {step + 1} of channel {channel + 1} is {what}; leave it empty if missing")
    return found


def content_key(array: Array) -> str:
    """A key for a series that came without one: the same values, the same key."""
    return hashlib.sha1(np.ascontiguousarray(array).tobytes(), usedforsecurity=False).hexdigest()


def parse_number(text: str, where: str, column: str = "") -> float:
    """A field as a number, NaN where it is missing. Raises DataError for text, infinity and beyond."""
    text = text.strip()
    try:
        value = float(text) if text.lower() not in MISSING else math.nan
    except ValueError:
        value = math.inf
    if abs(value) > LARGEST_VALUE or "_" in text:
        what = "is not a number" if not is_number(text) else "is infinite" if math.isinf(value) else "is too large"
        advice = "write decimals with a point" if is_number(text.replace(",", ".")) and "," in text else "fix it there"
        if what != "is not a number":
            advice = "leave it empty if it is missing"
        at = f" in column {column}" if column else ""
        raise DataError(f"{where}: {text[:40]!r}{at} {what}; {advice}")
    return value


def is_number(text: str) -> bool:
    """Whether a field is a number, missing values aside."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_missing(text: str) -> bool:
    """Whether a field stands for a missing value."""
    return text.strip().lower() in MISSING


def content_lines(path: Path, report: OnError) -> Iterator[tuple[str, str]]:
    """(``path:number``, text) of every line with content."""
    with path.open("rb") as file:
        for where, text in text_lines(file, str(path), report):
            if text.strip():
                yield where, text


def without_padding(array: Array) -> Array:
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


def channel_values(fields: Sequence[str], where: str, column: str = "") -> Array:
    """One channel's values, float32 ``[T]``."""
    try:
        values = np.array(fields, dtype=np.float64)
    except ValueError:
        values = np.array([parse_number(field, where, column) for field in fields], dtype=np.float64)
    return as_array(values, where)[:, 0]


def checked_rate(rate: Any, where: str) -> float | None:
    """A file's sample rate in Hz, None where it gives none. Raises DataError for another value."""
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise DataError(f"{where}: rate {rate!r} is not a number of samples a second; correct it")
    return float(rate)


def checked_names(names: Any, array: Array, where: str) -> tuple[str, ...]:
    """A file's channel names, or none. Raises DataError where there are not as many as channels."""
    found = tuple(map(str, names)) if isinstance(names, list) else (str(names),)
    if found and len(found) != array.shape[1]:
        said = f"{len(found)} name{'s' * (len(found) != 1)} for {array.shape[1]}"
        raise DataError(f"{where}: channels: {said}; name every one, or leave channels out")
    return found
