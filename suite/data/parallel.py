"""Texts side by side: files with as many lines each, the n-th of which belong together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from suite.data.lines import OnError, byte_lines, decode_line
from suite.data.readers import Row, check_exists
from suite.errors import DataError, one_line, stop


def parallel_rows(
    paths: Sequence[str | Path], names: Sequence[str], *, on_error: OnError | None = None
) -> Iterator[Row]:  # fmt: skip
    """A row for each line number, with a column for each file, lazily; ``where`` is the line of the first file.

    A line that is empty in every file is skipped. Raises DataError for a line that is empty in some, or is no
    text, unless ``on_error`` is given, and always for files of unequal length, as soon as the shortest ends.
    """
    for path in paths:
        check_exists(Path(path))
    report = on_error or stop

    def rows() -> Iterator[Row]:
        with ExitStack() as files:
            try:
                streams = [files.enter_context(Path(path).open("rb")) for path in paths]
                sides = [_lines(stream, str(path), report) for stream, path in zip(streams, paths, strict=True)]
                for number, lines in enumerate(itertools.zip_longest(*sides, fillvalue=_ENDED), 1):
                    over = [line is _ENDED for line in lines]
                    if any(over):
                        short, long = paths[over.index(True)], paths[over.index(False)]
                        raise DataError(
                            f"{short} ends after line {number - 1:,}, where {long} goes on; files side by side need "
                            "as many lines each"
                        )
                    texts = [line for line in lines if isinstance(line, str)]
                    if len(texts) < len(lines) or not any(text.strip() for text in texts):
                        continue
                    for path, text in zip(paths, texts, strict=True):
                        if not text.strip():
                            report(DataError(f"{path}:{number}: empty, and its other side is not; fill it or cut both"))
                            break
                    else:
                        yield Row(dict(zip(names, texts, strict=True)), f"{paths[0]}:{number}")
            except OSError as error:
                raise DataError(f"{one_line(error)}; check the files and their permissions") from error

    return rows()


#: What comes after the last line of a file.
_ENDED = object()


def _lines(stream: IO[bytes], name: str, report: OnError) -> Iterator[str | None]:
    """Every line of a file; None for one that was reported."""
    expected = 1
    for where, line in byte_lines(stream, name, report):
        number = int(where.rpartition(":")[2])
        yield from itertools.repeat(None, number - expected)
        text = decode_line(line, where, report)
        yield None if text is None else text.removesuffix("\n").removesuffix("\r")
        expected = number + 1
