"""Text as it comes: on standard input, and in pieces that are fed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from suite.errors import DataError


def stdin_chunks(stdin: IO[bytes]) -> Iterator[bytes]:
    """All of standard input in pieces as they arrive, split characters included; a byte order mark is left out."""
    read = getattr(stdin, "read1", stdin.read)
    first = True
    while block := read(65536):
        yield block.removeprefix(codecs.BOM_UTF8) if first else block
        first = False


def stdin_texts(stdin: IO[bytes]) -> Iterator[str | None]:
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


class TextBuffer:
    """What a feeder of text holds back: ``_held``, which may still go on, and the bytes of a split character."""

    def __init__(self, pending: Mapping[str, str] | None = None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._held = ""
        if pending:
            self._held = pending["text"]
            self._decoder.decode(bytes.fromhex(pending["bytes"]))

    @property
    def pending(self) -> dict[str, str] | None:
        """What is held back, as JSON."""
        split = self._decoder.getstate()[0]
        return {"text": self._held, "bytes": split.hex()} if self._held or split else None

    def _text(self, piece: Any) -> str:
        """The text of a piece, str or UTF-8 bytes. Raises DataError for another, and for bytes that are not UTF-8."""
        if isinstance(piece, bytes):
            try:
                piece = self._decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise DataError(f"the text is not UTF-8 (byte {error.object[error.start]:#04x}); convert it") from None
        if not isinstance(piece, str):
            raise DataError(f"expected text, got {type(piece).__name__}; feed str or bytes")
        return piece

    def _rest(self) -> str:
        """What is left of the bytes at the end. Raises DataError for a part of a character."""
        try:
            return self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise DataError("the text ends in the middle of a UTF-8 character; it may be cut off") from None


class LineSegmenter(TextBuffer):
    """Text or UTF-8 bytes in pieces to lines, each with nothing before it; blank ones are passed over.

    A ``Cutter`` (``suite.task``) for tasks whose input is a line.
    """

    def feed(self, piece: str | bytes) -> Iterator[tuple[str, str]]:
        """The lines that this piece ends."""
        *lines, self._held = re.split(r"\r\n|\n|\r", self._held + self._text(piece))
        yield from (("", line.strip()) for line in lines if line.strip())

    def flush(self) -> Iterator[tuple[str, str]]:
        """A last line without an end."""
        line, self._held = (self._held + self._rest()).strip(), ""
        if line:
            yield "", line
