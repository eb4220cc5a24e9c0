"""Samples from standard input."""

from __future__ import annotations

import io

import numpy as np
import pytest

from suite.data.series import read_sample_stream
from suite.errors import DataError


class Trickle(io.RawIOBase):
    """A pipe that gives its content in pieces of the sizes asked for."""

    def __init__(self, content: bytes, size: int) -> None:
        self.content, self.size = content, size

    def read1(self, limit: int) -> bytes:
        piece, self.content = self.content[: self.size], self.content[self.size :]
        return piece


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "text",
    ["1,2\n3,\n\n5,6\n", "1\t2\n3\t?\n\n\n5\t6", "1 2\r\n3 nan\r\n\r\n5 6\r\n", "ax,ay\n1,2\n3,?\n\n5,6\n\n",
     "\ufefftime,ax,ay\n0,1,2\n1,3,?\n\n2,5,6\n"],
)  # fmt: skip
def test_samples_of_standard_input(text: str, size: int) -> None:
    found: list[list[list[float]]] = [[]]
    for piece in read_sample_stream(Trickle(text.encode(), size)):  # type: ignore[arg-type]
        if piece is None:
            found.append([])
        else:
            found[-1] += piece.array.tolist()
    found = [item for item in found if item]
    assert len(found) == 2
    assert found[0][0] == [1, 2]
    assert found[0][1][0] == 3
    assert np.isnan(found[0][1][1])
    assert found[1] == [[5, 6]]


def test_samples_come_as_soon_as_their_line_is_there() -> None:
    source = read_sample_stream(Trickle(b"1,2\n3,4\n", 4))  # type: ignore[arg-type]
    assert next(source).array.tolist() == [[1, 2]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1,2\n3,x\n", "line 2: 'x' in column 2 is not a number"),
        (b"1,2\n3\n", "line 2: 1 values where the line before has 2"),
        (b"1,2\n\xff,2\n", "line 2: not UTF-8"),
        (b"1,2\ninf,2\n", "line 2: 'inf' in column 1 is infinite"),
        (b"1,x\n", "line 1: 'x' in column 2"),
    ],
)
def test_bad_samples_are_named_after_what_came_before(text: bytes, said: str) -> None:
    came = []
    with pytest.raises(DataError) as error:
        came += [piece.array.tolist() for piece in read_sample_stream(io.BytesIO(text)) if piece is not None]
    assert said in str(error.value)
