"""Text in pieces: what is held back between two of them, and its lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Any

from suite.errors import DataError


class TextBuffer:
    """What is held back of text that comes in pieces: ``_held``, which may continue, and a split character's bytes."""

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
        """The bytes held back at the end of the text. Raises DataError for a part of a character."""
        try:
            return self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise DataError("the text ends in the middle of a UTF-8 character; it may be cut off") from None


class LineSegmenter(TextBuffer):
    """Cuts text or UTF-8 bytes into lines, each with an empty separator; blank lines are skipped.

    A ``Segmenter`` (``suite.task``) for tasks whose input is a line.
    """

    def feed(self, piece: str | bytes) -> Iterator[tuple[str, str]]:
        """The lines that this piece completes."""
        *lines, self._held = re.split(r"\r\n|\n|\r", self._held + self._text(piece))
        yield from (("", line.strip()) for line in lines if line.strip())

    def flush(self) -> Iterator[tuple[str, str]]:
        """A last line that has no line end."""
        line, self._held = (self._held + self._rest()).strip(), ""
        if line:
            yield "", line
