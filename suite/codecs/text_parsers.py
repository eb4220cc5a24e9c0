"""Parsers of byte streams of text: bytes are pushed in, pieces for a session come out (see ``StreamParser``)."""

from __future__ import annotations

import codecs
from typing import Any

from suite.codecs.parsing import END_OF_ITEM, ParseError


class RawParser:
    """Passes bytes on as they come, without a byte order mark at the beginning; one item for the whole stream."""

    def __init__(self) -> None:
        self._start: bytes | None = b""  # what may still become a byte order mark; None once past it

    def feed(self, data: bytes) -> list[Any]:
        """The bytes."""
        if self._start is not None:
            data = self._start + data
            if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):
                self._start = data
                return []
            data, self._start = data.removeprefix(codecs.BOM_UTF8), None
        return [data] if data else []

    def finish(self) -> list[Any]:
        """A beginning that turned out to be no byte order mark."""
        rest, self._start = self._start, None
        return [rest] if rest else []


class ParagraphParser:
    """UTF-8 text as it comes; a blank line ends an item.

    A line ends with a line feed, a carriage return, or both. A split character is held back. Raises DataError, with
    the line, for bytes that are not UTF-8, after what came before them.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._line = 1
        self._at_start = True  # of a line that has held nothing but spaces so far
        self._in_item = False
        self._after_return = False  # a line feed now belongs to the carriage return before it

    def feed(self, data: bytes) -> list[Any]:
        """The pieces of text in ``data``, and ``END_OF_ITEM`` after each blank line that ends an item."""
        return self._parse(data, final=False)

    def finish(self) -> list[Any]:
        """Nothing, or a DataError for a character that is cut short."""
        return self._parse(b"", final=True)

    def _parse(self, data: bytes, *, final: bool) -> list[Any]:
        failed = False
        try:
            text = self._decoder.decode(data, final=final)
        except UnicodeDecodeError as error:
            text, failed = error.object[: error.start].decode("utf-8"), True
        rest = text.removeprefix("\n") if self._after_return else text
        self._after_return = text.endswith("\r") if text else self._after_return
        found: list[Any] = []
        for part in rest.splitlines(keepends=True):
            blank = not part.strip()
            ends = part.endswith(("\n", "\r"))
            if blank and ends and self._at_start:
                if self._in_item:
                    found.append(END_OF_ITEM)
                self._in_item = False
            else:
                found.append(part)
                self._in_item = self._in_item or not blank
            self._at_start = ends or (self._at_start and blank)
            self._line += ends
        if failed:
            raise ParseError(f"line {self._line}: not UTF-8 text; convert it first", found)
        return found
