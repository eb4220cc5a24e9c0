"""Pieces that a user has: to learn from, and to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.data.readers import read_rows
from suite.data.zip_paths import as_path
from suite.datasets.recipes import find_prepared
from suite.errors import DataError, stop
from suite.task import Example
from suite_music import example
from suite_music.data import recipe, tune_key
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import ENDINGS, pieces, rows
from suite_music.notation.statistics import describe


def read(
    path: str | Path, *, format: str | None = None, columns: Mapping[str, str] | None = None, on_error: Any = None
) -> Iterator[Example]:
    """The pieces of a table, a file of notation, or a folder of them with all its sub-folders."""
    path = as_path(path)
    if not path.is_dir() and (format or path.suffix.lower() not in ENDINGS):
        for row in read_rows(path, format=format, columns=columns, on_error=on_error):
            try:
                yield example(row)
            except DataError as error:
                (on_error or stop)(error if row.where in str(error) else DataError(f"{row.where}: {error}"))
        return
    for found in pieces(path, on_error):
        key = tune_key(found.title) or found.where
        yield Example(input=found.piece, target=found.piece, key=key, where=found.where)


def report(pipeline: Any, *paths: str, against: Path | None) -> dict[str, Any]:
    """What pieces are like, beside those of training where these are at hand."""
    if not paths:
        raise DataError("give the files or folders that are to be looked at")
    found = [(filed.where, filed.piece) for path in paths for filed in pieces(as_path(path))]
    chorales = [piece for _, piece in found if isinstance(piece, Chorale)]
    if 0 < len(chorales) < len(found):
        raise DataError("some pieces are tunes and some chorales; look at them one kind at a time")
    if against is None:
        folder = find_prepared("music", recipe())
        if folder is None:
            missing = "not here: suite data get music fetches it, or --against FILE"
            return {**describe(found), "training": missing}
        against = (folder / "chorales" if chorales else folder) / "train.jsonl"
    if against.is_dir() or against.suffix.lower() in ENDINGS:
        return describe(found, [filed.piece for filed in pieces(against)])
    return describe(found, rows(against))
