"""Samples from standard input, as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from suite.data.series.base import Recording, parse_number
from suite.data.series.tables import is_header, split_fields
from suite.errors import DataError


def read_sample_stream(stdin: IO[bytes]) -> Iterator[Recording | None]:
    """Samples of standard input as they arrive, in pieces; ``None`` where a blank line ends a recording.

    A line is a sample, its values separated by commas, tabs or spaces; a first line may name the channels, and a
    column called ``time`` is passed over. Raises DataError, naming the line, for what is not numbers, after what
    came before it.
    """
    # A pipe may give little and keep the rest for later: read what is there, never wait for a full block.
    read = getattr(stdin, "read1", stdin.read)
    rest, number, time = b"", 0, None
    fresh, width = True, 0
    names: tuple[str, ...] = ()

    def piece() -> Recording:
        with np.errstate(over="ignore"):
            array = np.asarray(rows, dtype=np.float32)
        return Recording(array=array, channels=names, where=begun)

    while True:
        block = read(65536)
        *lines, rest = (rest + block).split(b"\n") if block else ([rest, b""] if rest else [b""])
        rows: list[list[float]] = []
        failure: DataError | None = None
        begun = f"standard input, line {number + 1}"
        ended: list[Recording | None] = []
        for line in lines:
            number += 1
            where = f"standard input, line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r")
                if not text.strip():
                    if rows:
                        ended.append(piece())
                        rows = []
                    if not fresh:
                        ended.append(None)
                    fresh, width, begun = True, 0, f"standard input, line {number + 1}"
                    continue
                fields = _split_sample(text, where)
                if fresh and is_header(fields):
                    time = next((i for i, name in enumerate(fields) if name.lower() == "time"), None)
                    names = tuple(name for i, name in enumerate(fields) if i != time)
                    begun = f"standard input, line {number + 1}"
                    continue
                if time is not None:
                    fields = fields[:time] + fields[time + 1 :]
                if width and len(fields) != width:
                    raise DataError(f"{where}: {len(fields)} values where the line before has {width}; fix the line")
                rows.append([parse_number(field, where, str(i + 1)) for i, field in enumerate(fields)])
                fresh, width = False, len(fields)
            except UnicodeDecodeError:
                failure = DataError(f"{where}: not UTF-8 text; convert it first")
                break
            except DataError as error:
                failure = error
                break
        yield from ended
        if rows:
            yield piece()
        if failure is not None:
            raise failure
        if not block:
            return


def _split_sample(text: str, where: str) -> list[str]:
    if "\t" in text:
        return split_fields(text, "\t", where)
    return split_fields(text, ",", where) if "," in text else text.split()
