"""Parsers of byte streams of text: the same pieces whatever the chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from suite.codecs.parsing import END_OF_ITEM, ParseError, StreamParser
from suite.codecs.text_parsers import ParagraphParser, RawParser


def chunkings(whole: bytes) -> list[list[bytes]]:
    """All of it at once, byte by byte and so on, and cut in two at every place."""
    sizes = [[whole[i : i + size] for i in range(0, len(whole), size)] for size in (1, 2, 3)]
    return [[whole], *sizes, *([whole[:at], whole[at:]] for at in range(1, len(whole)))]


def each_piece(parser: StreamParser, chunks: list[bytes]) -> Iterator[Any]:
    for chunk in chunks:
        yield from parser.feed(chunk)
    yield from parser.finish()


def items(pieces: list[Any]) -> list[str]:
    """Each item, put together again; an unfinished last one included."""
    found = [""]
    for piece in pieces:
        if piece is END_OF_ITEM:
            found.append("")
        else:
            found[-1] += piece
    return found


# --- paragraphs -----------------------------------------------------------------------------------------------


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
        ("one\r\n\rtwo\r\n\ntwo\n\r\nthree", ["one\r\n", "two\r\n", "two\n", "three"]),
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
def test_a_blank_line_ends_an_item_whatever_the_chunks(whole: str, expected: list[str]) -> None:
    def normal(found: list[str]) -> list[str]:
        # A line feed may be left out after a carriage return that came before it: it is no more than space.
        return [text.replace("\r\n", "\n").replace("\r", "\n").lstrip() for text in found]

    for chunks in chunkings(whole.encode()):
        assert normal(items(list(each_piece(ParagraphParser(), chunks)))) == normal(expected)


def test_pieces_are_passed_on_as_they_come() -> None:
    parser = ParagraphParser()
    assert [parser.feed(chunk) for chunk in (b"one ", b"tw", b"o\n", b"", b"\nthree")] == [
        ["one "], ["tw"], ["o\n"], [], [END_OF_ITEM, "three"],
    ]  # fmt: skip
    assert parser.finish() == []


def test_a_split_character_is_held_back() -> None:
    parser = ParagraphParser()
    first, rest = "é".encode()[:1], "é".encode()[1:]
    assert [parser.feed(b"caf" + first), parser.feed(rest)] == [["caf"], ["é"]]


def test_a_long_line_is_not_held_back() -> None:
    parser = ParagraphParser()
    assert [len(piece) for _ in range(20) for piece in parser.feed(b"x" * 65536)] == [65536] * 20


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
def test_bytes_that_are_not_utf8_name_their_line_after_the_pieces_before_it(
    whole: bytes, line: int, before: str
) -> None:  # fmt: skip
    for chunks in chunkings(whole):
        found: list[Any] = []
        with pytest.raises(ParseError, match=rf"^line {line}: not UTF-8 text; convert it first$") as error:
            found.extend(each_piece(ParagraphParser(), chunks))
        text = "".join(items([*found, *error.value.pieces]))
        assert text.replace("\r\n", "\r") == before.replace("\r\n", "\r")


# --- bytes as they are ----------------------------------------------------------------------------------------

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (b"one\r\n\r\ntwo\n", b"one\r\n\r\ntwo\n"),
        (BOM + b"one", b"one"),
        (BOM + BOM + b"one", BOM + b"one"),
        (b"one" + BOM, b"one" + BOM),
        (BOM[:2] + b"one", BOM[:2] + b"one"),
        (BOM[:2], BOM[:2]),
        (BOM, b""),
        (b"caf\xe9 \xff", b"caf\xe9 \xff"),
        (b"", b""),
    ],
)
def test_bytes_pass_but_for_a_byte_order_mark_whatever_the_chunks(whole: bytes, expected: bytes) -> None:
    for chunks in chunkings(whole):
        assert b"".join(each_piece(RawParser(), chunks)) == expected


def test_bytes_are_passed_on_as_they_come() -> None:
    parser = RawParser()
    assert [parser.feed(chunk) for chunk in (b"", b"o", b"", b"n\xc3", b"\xa9")] == [
        [], [b"o"], [], [b"n\xc3"], [b"\xa9"],
    ]  # fmt: skip
    assert parser.finish() == []
