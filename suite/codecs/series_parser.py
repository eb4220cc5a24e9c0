"""The parser of a stream of samples: lines of numbers are pushed in, recordings come out in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.codecs.parsing import END_OF_ITEM, ParseError
from suite.data.series import Recording, is_header, parse_number, split_fields
from suite.errors import DataError


class SampleParser:
    """Lines of samples as they come: one sample a line, its values separated by commas, tabs or spaces.

    A first line may name the channels; a column called ``time`` is left out. A blank line ends an item. Raises
    DataError, with the line, for what is not numbers, after what came before it.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        self._fresh, self._width = True, 0  # at the start of an item; values a line
        self._names: tuple[str, ...] = ()
        self._time: int | None = None

    def feed(self, data: bytes) -> list[Any]:
        """The samples of the lines that ``data`` completes, and ``END_OF_ITEM`` after each item."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return self._parse(lines)

    def finish(self) -> list[Any]:
        """The sample of a last line without an end."""
        lines, self._rest = [self._rest] if self._rest else [], b""
        return self._parse(lines)

    def _parse(self, lines: list[bytes]) -> list[Any]:
        found: list[Any] = []
        rows: list[list[float]] = []
        begun = self._number + 1
        for line in lines:
            self._number += 1
            try:
                encoding = "utf-8-sig" if self._number == 1 else "utf-8"
                text = line.decode(encoding).strip("\r")
                if text.strip():
                    row = self._row(text)
                    if row is None:
                        begun = self._number + 1
                    else:
                        rows.append(row)
                    continue
                if rows:
                    found.append(self._piece(rows, begun))
                    rows = []
                if not self._fresh:
                    found.append(END_OF_ITEM)
                self._fresh, self._width, begun = True, 0, self._number + 1
            except UnicodeDecodeError:
                self._fail(f"line {self._number}: not UTF-8 text; convert it first", found, rows, begun)
            except DataError as error:
                self._fail(str(error), found, rows, begun)
        if rows:
            found.append(self._piece(rows, begun))
        return found

    def _row(self, text: str) -> list[float] | None:
        """The values of a line; None for a line of names."""
        where = f"line {self._number}"
        fields = _split(text, where)
        if self._fresh and is_header(fields):
            self._time = next((i for i, name in enumerate(fields) if name.lower() == "time"), None)
            self._names = tuple(name for i, name in enumerate(fields) if i != self._time)
            return None
        if self._time is not None:
            fields = fields[: self._time] + fields[self._time + 1 :]
        if self._width and len(fields) != self._width:
            raise DataError(f"{where}: {len(fields)} values where the line before has {self._width}; fix the line")
        row = [parse_number(field, where, str(i + 1)) for i, field in enumerate(fields)]
        self._fresh, self._width = False, len(fields)
        return row

    def _piece(self, rows: list[list[float]], begun: int) -> Recording:
        with np.errstate(over="ignore"):
            array = np.asarray(rows, dtype=np.float32)
        return Recording(array=array, channels=self._names, where=f"line {begun}")

    def _fail(self, message: str, found: list[Any], rows: list[list[float]], begun: int) -> None:
        if rows:
            found.append(self._piece(rows, begun))
        raise ParseError(message, found) from None


def _split(text: str, where: str) -> list[str]:
    if "\t" in text:
        return split_fields(text, "\t", where)
    return split_fields(text, ",", where) if "," in text else text.split()
