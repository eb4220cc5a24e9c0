"""Labelled data files to a task's examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from suite.data.examples import Example
from suite.data.parallel import parallel_rows
from suite.data.readers import Row, read_rows
from suite.errors import DataError
from suite.task import Task


def read_examples(
    task: Task,
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
    sides = len(task.parallel)
    texts = [path for path in given if sides and (format or Path(path).suffix.lower().lstrip(".")) == "txt"]
    if texts:
        if len(texts) < len(given) or len(texts) % sides:
            raise DataError(
                f"{', '.join(map(str, given))}: text files are read side by side: give one for each of "
                f"{', '.join(task.parallel)}, in this order, and no others"
            )
        if columns:
            raise DataError("--columns: text files have no columns; leave it out")
        for first in range(0, len(texts), sides):
            yield from _examples(
                task, parallel_rows(texts[first : first + sides], task.parallel, on_error=on_error), on_error
            )
        return
    for path in given:
        if task.read is not None:
            yield from task.read(path, format=format, columns=columns, on_error=on_error)
            continue
        rows = read_rows(path, format=format, columns=columns, on_error=on_error, stdin=stdin)
        yield from _examples(task, rows, on_error)


def _examples(
    task: Task, rows: Iterable[Row], on_error: Callable[[DataError], None] | None
) -> Iterator[Example]:  # fmt: skip
    assert task.example is not None  # a task has it, or reads files itself
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
    task: Task,
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
