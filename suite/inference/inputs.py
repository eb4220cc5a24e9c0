"""What a pipeline is called with, as inputs: tables and series are unpacked, or refused with the line that helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from suite.errors import DataError, nearest
from suite.task import AnyTask


def as_inputs(given: Any, task: AnyTask) -> Any:
    """``given`` with tables as lists of inputs.

    A DataFrame gives the column that ``predict`` reads, a Series and an array of strings their values, a list of dicts
    the same column of each. Everything else is left as it is. Raises DataError for a table without that column.
    """
    if _is_series(given):
        return list(given)
    if isinstance(given, np.ndarray) and given.dtype.kind in "OSU":
        return given.item() if given.ndim == 0 else _flat(given)
    if task.data.inputs == "values" and _is_table(given):
        return list(given[_column(task, [str(name) for name in given.columns])])
    if isinstance(given, Mapping):
        return _of_row(given, task, "the dict")
    if isinstance(given, list | tuple) and any(isinstance(item, Mapping) for item in given):
        return [
            _of_row(item, task, f"input {number}") if isinstance(item, Mapping) else item
            for number, item in enumerate(given, 1)
        ]
    return given


def _is_table(given: Any) -> bool:
    """Whether this is a DataFrame (pandas, polars, …), by what it has: none of them is imported here."""
    return hasattr(given, "columns") and hasattr(given, "dtypes") and hasattr(given, "__getitem__")


def _is_series(given: Any) -> bool:
    return all(hasattr(given, name) for name in ("dtype", "name", "to_numpy")) and not isinstance(given, np.ndarray)


def _flat(array: np.ndarray) -> list[Any]:
    if array.ndim != 1:
        raise DataError(f"an array of shape {array.shape} of texts; give one with one dimension")
    return [str(item) if array.dtype.kind == "U" else item for item in array.tolist()]


def _of_row(row: Mapping[str, Any], task: AnyTask, where: str) -> Any:
    name = task.data.columns[0].name
    if name not in row:
        raise DataError(f"{where} has no {name!r} ({task.data.columns[0].help}); {nearest(name, map(str, row))}")
    return row[name]


def _column(task: AnyTask, names: list[str]) -> str:
    name = task.data.columns[0].name
    if name not in names:
        raise DataError(
            f"the table has no column {name!r} ({task.data.columns[0].help}), but {', '.join(names[:8])}; "
            f"pass the column itself, as table[{names[0]!r}]"
            if names
            else "the table has no columns"
        )
    return name
