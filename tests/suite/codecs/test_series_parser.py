"""Streams of samples: any chunking gives the same recordings, and a fault is named after what came before it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from suite.codecs.parsing import END_OF_ITEM, ParseError
from suite.codecs.series_parser import SampleParser
from suite.data.series import Recording
from suite.errors import DataError


def chunked(data: bytes) -> Iterator[list[bytes]]:
    """Ways to cut ``data``: whole, in pieces of a size, in two anywhere, in some by chance, and with empty pieces."""
    yield [data]
    for size in (1, 2, 3, 7):
        yield [data[at : at + size] for at in range(0, len(data), size)]
    for at in range(len(data) + 1):
        yield [data[:at], b"", data[at:]]
    chance = random.Random(0)
    for _ in range(20):
        cuts = sorted(chance.choices(range(len(data) + 1), k=5))
        yield [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def pieces(parts: Iterable[bytes]) -> Iterator[Any]:
    """What comes of some chunks; a ParseError after the pieces that it brings."""
    parser = SampleParser()
    try:
        for part in parts:
            yield from parser.feed(part)
        yield from parser.finish()
    except ParseError as error:
        yield from error.pieces
        raise


def items(parts: Iterable[bytes]) -> list[list[Any]]:
    """The rows of each item with their channels, and where END_OF_ITEM is; rows as text, so that NaN equals NaN."""
    found: list[list[Any]] = [[]]
    for piece in pieces(parts):
        if piece is END_OF_ITEM:
            found[-1].append(END_OF_ITEM)
            found.append([])
            continue
        assert isinstance(piece, Recording)
        assert piece.array.dtype == np.float32
        assert len(piece.array) > 0
        found[-1] += [(str(row), piece.channels) for row in piece.array.tolist()]
    return found


@pytest.mark.parametrize(
    ("text", "channels", "ended"),
    [("1,2\n3,\n\n5,6\n", (), False), ("1\t2\n3\t?\n\n\n5\t6", (), False),
     ("1 2\r\n3 nan\r\n\r\n5 6\r\n", (), False), ("ax,ay\n1,2\n3,?\n\n5,6\n\n", ("ax", "ay"), True),
     ("\ufefftime,ax,ay\n0,1,2\n1,3,?\n\n2,5,6\n", ("ax", "ay"), False),
     ("\n\nax ay\n\n1 2\n3 nan\n\n5 6\n", ("ax", "ay"), False)],
)  # fmt: skip
def test_every_chunking_gives_the_same_samples(text: str, channels: tuple[str, ...], ended: bool) -> None:
    first = [("[1.0, 2.0]", channels), ("[3.0, nan]", channels), END_OF_ITEM]
    second = [("[5.0, 6.0]", channels)]
    wanted = [first, [*second, END_OF_ITEM], []] if ended else [first, second]
    for parts in chunked(text.encode()):
        assert items(parts) == wanted


def test_samples_come_as_soon_as_their_line_is_there() -> None:
    parser = SampleParser()
    assert parser.feed(b"1,2") == []
    (one,) = parser.feed(b"\n3,4")
    assert one.array.tolist() == [[1, 2]]
    (two,) = parser.feed(b"\n5,6\n7,")
    assert two.array.tolist() == [[3, 4], [5, 6]]
    (three,) = parser.finish()
    assert three.array.tolist()[0][0] == 7
    assert [one.where, two.where, three.where] == ["line 1", "line 2", "line 4"]


def test_nothing_comes_of_nothing() -> None:
    for content in (b"", b"\n", b"\n \n\r\n", b"ax,ay\n"):
        for parts in chunked(content):
            assert list(pieces(parts)) == []


def test_an_item_may_have_names_and_a_width_of_its_own() -> None:
    for parts in chunked(b"x,time\n1,0\n2,1\n\na,b,c\n1,2,3\n"):
        assert items(parts) == [
            [("[1.0]", ("x",)), ("[2.0]", ("x",)), END_OF_ITEM],
            [("[1.0, 2.0, 3.0]", ("a", "b", "c"))],
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1,2\n3,x\n", "line 2: 'x' in column 2 is not a number"),
        (b"1,2\n3\n", "line 2: 1 values where the line before has 2"),
        (b"1,2\n\xff,2\n", "line 2: not UTF-8"),
        (b"1,2\ninf,2\n", "line 2: 'inf' in column 1 is infinite"),
        (b"1,2\n3,x", "line 2: 'x' in column 2 is not a number"),
        (b"1,x\n", "line 1: 'x' in column 2"),
    ],
)
def test_bad_samples_are_named_after_what_came_before(text: bytes, said: str) -> None:
    def read(parts: Iterable[bytes], came: list[list[float]]) -> None:
        for piece in pieces(parts):
            came += piece.array.tolist()

    for parts in chunked(text):
        came: list[list[float]] = []
        with pytest.raises(DataError) as error:
            read(parts, came)
        assert said in str(error.value)
        assert came == ([[1, 2]] if said.startswith("line 2") else [])
