"""Whose column is whose: ``text=review`` takes our ``text`` from their ``review``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from suite.errors import DataError, UsageError, nearest


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


class Columns:
    """Their column names into ours, {ours: theirs}; columns that are not named keep their names."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = dict(columns)
        self.taken = {*columns.keys(), *columns.values()}

    def check(self, names: Iterable[str], where: str) -> None:
        """Raise DataError for a column of theirs that is not among the names."""
        known = list(names)
        for ours, theirs in self.columns.items():
            if theirs not in known:
                raise DataError(f"{where}: no column {theirs!r} (for {ours!r}); {nearest(theirs, known)}")

    def rename(self, values: dict[str, Any]) -> dict[str, Any]:
        """A row by our names."""
        if not self.columns:
            return values
        kept = {name: value for name, value in values.items() if name not in self.taken}
        return {ours: values[theirs] for ours, theirs in self.columns.items()} | kept
