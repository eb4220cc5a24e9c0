"""Labelled data files to a task's examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from suite.data.examples import Example
from suite.data.parallel import parallel_rows
from suite.data.readers import Row, read_rows
from suite.errors import DataError, UsageError
from suite.task.base import AnyTask

if TYPE_CHECKING:
    from suite.datasets.recipes import Recipe


def read_examples(
    task: AnyTask,
    paths: Iterable[str | Path],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    on_error: Callable[[DataError], None] | None = None,
    stdin: IO[bytes] | None = None,
) -> Iterator[Example]:
    """The examples of some files, lazily, in order.

    Text files are one side each of a task that has ``parallel`` columns, in their order.

    Raises DataError for a bad row, naming file and line, unless ``on_error`` is given; the row is then left
    out.
    """
    given = list(paths)
    sides = len(task.data.parallel)
    texts = [path for path in given if sides and (format or Path(path).suffix.lower().lstrip(".")) == "txt"]
    if texts:
        if len(texts) < len(given) or len(texts) % sides:
            raise DataError(
                f"{', '.join(map(str, given))}: text files are read side by side: give one for each of "
                f"{', '.join(task.data.parallel)}, in this order, and no others"
            )
        if columns:
            raise DataError("--columns: text files have no columns; leave it out")
        for first in range(0, len(texts), sides):
            yield from _examples(
                task, parallel_rows(texts[first : first + sides], task.data.parallel, on_error=on_error), on_error
            )
        return
    for path in given:
        if not task.data.tables:
            yield from task.read_file(path, format=format, columns=columns, on_error=on_error)
            continue
        rows = read_rows(path, format=format, columns=columns, on_error=on_error, stdin=stdin)
        yield from _examples(task, rows, on_error)


def _examples(
    task: AnyTask, rows: Iterable[Row], on_error: Callable[[DataError], None] | None
) -> Iterator[Example]:  # fmt: skip
    for row in checked(task, rows, on_error):
        try:
            example = task.example(row)
        except DataError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            yield example


def checked(
    task: AnyTask,
    rows: Iterable[Row],
    on_error: Callable[[DataError], None] | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Row]:
    """The rows that have the columns ``names``, by default those the task's data must have.

    Raises DataError for one that has not, unless ``on_error`` is given; the first row's fault is always raised,
    since it is the file's.
    """
    for number, row in enumerate(rows):
        try:
            task.check_columns(row, names)
        except DataError as error:
            if on_error is None or number == 0:
                raise
            on_error(error)
        else:
            yield row


def own_files(task: AnyTask, part: str | None = None) -> list[str | Path]:
    """A task's own data: its labelled samples, or with ``part`` (train, dev, test) that part of its recipe's data.

    Raises UsageError if there is none, or if the recipe's data was not fetched.
    """
    if part is None:
        if not task.labelled_samples:
            raise UsageError(f"give --data FILE: {task.name} ships no labelled samples")
        return list(task.labelled_samples)
    if task.recipe is None:
        raise UsageError(f"{task.name} has no recipe of its own: give --data FILE")
    return [recipe_folder(task, task.recipe()) / f"{part}.jsonl"]


def recipe_folder(task: AnyTask, recipe: Recipe) -> Path:
    """Where a recipe's data is. Raises UsageError if it was not fetched."""
    from suite.datasets.recipes import find_prepared

    folder = find_prepared(task.name, recipe)
    if folder is None:
        raise UsageError(f"the recipe's data is not here: run suite data get {task.name} first")
    return folder
