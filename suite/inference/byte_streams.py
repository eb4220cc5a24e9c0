"""Adapters: byte streams into sessions. Standard input and files push their bytes into a task's parser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from suite.codecs.parsing import ParseError, StreamParser
from suite.errors import DataError

BLOCK_BYTES = 65536


@contextmanager
def named(name: str) -> Iterator[None]:
    """Start the message of a DataError raised in this block with ``name``."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file or pipe as they come: a pipe may give little at a time, and is never waited for."""
    read = getattr(file, "read1", file.read)
    while block := read(BLOCK_BYTES):
        yield block


def parsed_pieces(file: IO[bytes], parser: StreamParser, name: str = "standard input") -> Iterator[Any]:
    """The pieces that ``parser`` makes of a file or pipe, and ``END_OF_ITEM`` between items, as they come.

    Raises DataError, starting with ``name``, after the pieces that came before the fault.
    """
    blocks = read_blocks(file)
    while True:
        block = next(blocks, None)
        with named(name):
            try:
                pieces = parser.finish() if block is None else parser.feed(block)
            except ParseError as error:
                yield from error.pieces
                raise
        yield from pieces
        if block is None:
            return
