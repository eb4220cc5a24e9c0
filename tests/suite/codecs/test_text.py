"""Text on standard input: paragraphs, whatever the pieces."""

from __future__ import annotations

import io
from typing import Any

import pytest

from suite.codecs.text import LineSegmenter, stdin_texts
from suite.errors import DataError


class Pieces(io.RawIOBase):
    """Gives its bytes in exactly these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = list(pieces)

    def read1(self, size: int = -1) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def texts(stdin: Any) -> list[str]:
    """Each text, put together again; an unfinished last one included."""
    found = [""]
    for piece in stdin_texts(stdin):
        if piece is None:
            found.append("")
        else:
            found[-1] += piece
    return found


def cuts(whole: bytes) -> list[list[bytes]]:
    singles = [[whole[i : i + size] for i in range(0, len(whole), size)] for size in (1, 2, 3)]
    return [*singles, *([whole[:at], whole[at:]] for at in range(1, len(whole)))]


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ("one line", ["one line"]),
        ("one\ntwo\n", ["one\ntwo\n"]),
        ("one\n\ntwo", ["one\n", "two"]),
        ("one\n\n\n \t \ntwo\n", ["one\n", "two\n"]),
        ("one\r\n\r\ntwo\r\n", ["one\r\n", "two\r\n"]),
        ("one\r\ntwo", ["one\r\ntwo"]),
        ("one\rtwo\r\rthree", ["one\rtwo\r", "three"]),
        ("\n\n  \none", ["one"]),
        ("one\n\n", ["one\n", ""]),
        ("\ufeffone\n\n\ufefftwo", ["one\n", "\ufefftwo"]),
        ("naïve 😀\n\nمرحبا", ["naïve 😀\n", "مرحبا"]),
        ("a\u2028\u2028b\x0b\x0cc\x85\x85d", ["a\u2028\u2028b\x0b\x0cc\x85\x85d"]),
        ("", [""]),
        ("   ", ["   "]),
        ("\ufeff", [""]),
    ],
)
def test_a_blank_line_ends_a_text_whatever_the_pieces(whole: str, expected: list[str]) -> None:
    def normal(found: list[str]) -> list[str]:
        # A line feed after a carriage return may be swallowed where they came apart: it is no more than space.
        return [text.replace("\r\n", "\n").replace("\r", "\n").lstrip() for text in found]

    content = whole.encode()
    assert normal(texts(io.BytesIO(content))) == normal(expected)
    for pieces in cuts(content):
        assert normal(texts(Pieces(pieces))) == normal(expected)


def test_pieces_are_passed_on_as_they_come() -> None:
    stdin = Pieces([b"one ", b"tw", b"o\n", b"\nthree"])
    found = stdin_texts(stdin)
    assert next(found) == "one "
    assert stdin.pieces == [b"tw", b"o\n", b"\nthree"]
    assert list(found) == ["tw", "o\n", None, "three"]


def test_a_stream_that_has_only_read() -> None:
    class Plain:
        def __init__(self) -> None:
            self.file = io.BytesIO(b"a\n\nb")

        def read(self, size: int) -> bytes:
            return self.file.read(size)

    assert texts(Plain()) == ["a\n", "b"]


@pytest.mark.parametrize(
    ("whole", "line", "before"),
    [
        (b"\xff", 1, ""),
        (b"good\n\xff", 2, "good\n"),
        (b"good\r\n\r\nbad caf\xe9 x", 3, "good\r\nbad caf"),
        (b"\xef\xbb\xbfa\nb\nc \xc3(", 3, "a\nb\nc "),
        (b"a\xc3", 1, "a"),
        (b"a\rb\r\xfe", 3, "a\rb\r"),
    ],
)
def test_bytes_that_are_not_utf8_name_their_line(whole: bytes, line: int, before: str) -> None:
    for pieces in [[whole], *cuts(whole)]:
        reading, found = stdin_texts(Pieces(pieces)), ""  # type: ignore[arg-type]
        error = None
        while error is None:
            try:
                found += next(reading) or ""
            except DataError as raised:
                error = str(raised)
        assert error == f"standard input: line {line}: not UTF-8 text; convert it first"
        assert found.replace("\r\n", "\r") == before.replace("\r\n", "\r")


def test_a_long_line_is_not_gathered() -> None:
    """Pieces pass as they are: nothing waits for the end of a line."""
    longest = max(len(piece or "") for piece in stdin_texts(io.BytesIO(b"x" * 10_000_000)))
    assert longest <= 65536


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_in_any_pieces(size: int) -> None:
    raw = "one\r\ntwo é\n\n  \rthree".encode()
    lines = LineSegmenter()
    found = [line for at in range(0, len(raw), size) for line in lines.feed(raw[at : at + size])]
    assert lines.pending is not None
    assert [*found, *lines.flush()] == [("", "one"), ("", "two é"), ("", "three")]
    assert [*LineSegmenter().feed("a\n"), *LineSegmenter(lines.pending).flush()] == [("", "a")]
