"""Files and pipes pushed into a parser."""

from __future__ import annotations

import io
from typing import Any

import pytest

from suite.codecs.parsing import END_OF_ITEM
from suite.codecs.text_parsers import ParagraphParser, RawParser
from suite.errors import DataError
from suite.inference.byte_streams import BLOCK_BYTES, parsed_pieces, read_blocks


class Pipe(io.RawIOBase):
    """Gives its bytes in exactly these chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = list(chunks)

    def read1(self, size: int = -1) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""


def test_a_pipe_is_read_as_it_comes() -> None:
    pipe: Any = Pipe([b"one ", b"tw", b"o\n", b"\nthree"])
    pieces = parsed_pieces(pipe, ParagraphParser())
    assert next(pieces) == "one "
    assert pipe.chunks == [b"tw", b"o\n", b"\nthree"]
    assert list(pieces) == ["tw", "o\n", END_OF_ITEM, "three"]


def test_a_stream_that_has_only_read() -> None:
    class Plain:
        def __init__(self) -> None:
            self.file = io.BytesIO(b"a\n\nb")

        def read(self, size: int) -> bytes:
            return self.file.read(size)

    plain: Any = Plain()
    assert list(parsed_pieces(plain, ParagraphParser())) == ["a\n", END_OF_ITEM, "b"]


def test_a_file_is_read_in_blocks() -> None:
    assert max(map(len, read_blocks(io.BytesIO(b"x" * 1_000_000)))) <= BLOCK_BYTES


def test_what_the_end_brings_comes_last() -> None:
    assert list(parsed_pieces(io.BytesIO(b"\xef\xbb"), RawParser())) == [b"\xef\xbb"]


@pytest.mark.parametrize("chunks", [[b"good\n\xff"], [b"good", b"\n\xff"], [b"good\n", b"\xff"]])
def test_a_fault_is_named_after_the_pieces_before_it(chunks: list[bytes]) -> None:
    pipe: Any = Pipe(chunks)
    found: list[Any] = []
    with pytest.raises(DataError, match=r"^standard input: line 2: not UTF-8 text; convert it first$"):
        found.extend(parsed_pieces(pipe, ParagraphParser()))
    assert "".join(found) == "good\n"
    with pytest.raises(DataError, match=r"^a\.txt: line 1: not UTF-8"):
        list(parsed_pieces(io.BytesIO(b"\xc3"), ParagraphParser(), name="a.txt"))
