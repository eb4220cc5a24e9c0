"""Parsing byte streams: what a parser is, and what it returns among its pieces."""

from __future__ import annotations

import enum
from typing import Any, Protocol

from suite.errors import DataError


class Marker(enum.Enum):
    """What a ``StreamParser`` returns among its pieces."""

    END_OF_ITEM = "end of item"


#: One input of the stream is over, and the next begins: the session is finished and a new one is opened.
END_OF_ITEM = Marker.END_OF_ITEM


class StreamParser(Protocol):
    r"""Bytes pushed in, pieces for ``session.feed`` out. Standard input, a file and a socket all push.

    >>> from suite.codecs.text_parsers import ParagraphParser
    >>> parser = ParagraphParser()
    >>> parser.feed(b"A lovely day.\n\nAn aw"), parser.finish()
    (['A lovely day.\n', <Marker.END_OF_ITEM: 'end of item'>, 'An aw'], [])
    """

    def feed(self, data: bytes) -> list[Any]:
        """The pieces that ``data`` completes, and ``END_OF_ITEM`` where an item ends. Raises DataError."""
        ...

    def finish(self) -> list[Any]:
        """The pieces still held back at the end of the stream. Raises DataError if it ends too early."""
        ...


class ParseError(DataError):
    """A stream that cannot be read further; ``pieces`` are those that came before the fault."""

    def __init__(self, message: str, pieces: list[Any]) -> None:
        super().__init__(message)
        self.pieces = pieces
