"""Text on standard input, as it comes."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

from suite.errors import DataError


def as_it_comes(stdin: IO[bytes]) -> Iterator[bytes]:
    """All of standard input in pieces as they arrive, split characters included; a byte order mark is left out."""
    read = getattr(stdin, "read1", stdin.read)
    first = True
    while block := read(65536):
        yield block.removeprefix(codecs.BOM_UTF8) if first else block
        first = False


def paragraphs(stdin: IO[bytes]) -> Iterator[str | None]:
    """Pieces of text as they arrive; ``None`` where a blank line ends a text. Split characters are held.

    A line ends with a line feed, a carriage return, or both. Raises DataError, naming the line, for bytes that
    are not UTF-8, after what came before them.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
    # A pipe may give little and keep the rest for later: read what is there, never wait for a full block.
    read = getattr(stdin, "read1", stdin.read)
    line = 1
    fresh = True  # at the beginning of a line that has held nothing but spaces so far
    started = False
    returned = False  # the last character was a carriage return: a line feed now belongs to it
    while True:
        block = read(65536)
        failed = False
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            text, failed = error.object[: error.start].decode("utf-8"), True
        rest = text.removeprefix("\n") if returned else text
        returned = text.endswith("\r") if text else returned
        for part in rest.splitlines(keepends=True):
            blank = not part.strip()
            ends = part.endswith(("\n", "\r"))
            if blank and ends and fresh:
                if started:
                    yield None
                started = False
            else:
                yield part
                started = started or not blank
            fresh = ends or (fresh and blank)
            line += ends
        if failed:
            raise DataError(f"standard input, line {line}: not UTF-8 text; convert it first")
        if not block:
            return
