"""Files of pieces: read as examples, and described by the command ``report``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.data.readers import Row, read_rows
from suite.data.zip_paths import as_path
from suite.datasets.recipes import find_prepared
from suite.errors import DataError, stop
from suite.task import Example
from suite_music.data import recipe, tune_key
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import ENDINGS, pieces, rows
from suite_music.notation.statistics import describe


def read(
    example: Callable[[Row], Example], path: str | Path, *, format: str | None = None,
    columns: Mapping[str, str] | None = None, on_error: Callable[[DataError], None] | None = None,
) -> Iterator[Example]:  # fmt: skip
    """The pieces of a table, a file of notation, or a folder of them with all its subfolders.

    ``example`` makes one of a table's row.
    """
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


def report(model: object, *paths: str, against: Path | None) -> dict[str, Any]:
    """Statistics of pieces, compared with the training pieces if they are available."""
    if not paths:
        raise DataError("give the files or folders to describe")
    found = [(filed.where, filed.piece) for path in paths for filed in pieces(as_path(path))]
    chorales = [piece for _, piece in found if isinstance(piece, Chorale)]
    if 0 < len(chorales) < len(found):
        raise DataError("some pieces are tunes and some chorales; give pieces of one kind")
    if against is None:
        folder = find_prepared("music", recipe())
        if folder is None:
            missing = "not available: run suite data get music, or give --against FILE"
            return {**describe(found), "training": missing}
        against = (folder / "chorales" if chorales else folder) / "train.jsonl"
    if against.is_dir() or against.suffix.lower() in ENDINGS:
        return describe(found, [filed.piece for filed in pieces(against)])
    return describe(found, rows(against))
