"""Text in pieces: lines, and characters that are split."""

from __future__ import annotations

import pytest

from suite.codecs.text import LineSegmenter
from suite.errors import DataError


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_in_any_pieces(size: int) -> None:
    raw = "one\r\ntwo é\n\n  \rthree".encode()
    lines = LineSegmenter()
    found = [line for at in range(0, len(raw), size) for line in lines.feed(raw[at : at + size])]
    assert lines.pending is not None
    assert [*found, *lines.flush()] == [("", "one"), ("", "two é"), ("", "three")]
    assert [*LineSegmenter().feed("a\n"), *LineSegmenter(lines.pending).flush()] == [("", "a")]


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 0xe9\)"):
        list(LineSegmenter().feed(b"caf\xe9 x"))
    lines = LineSegmenter()
    assert list(lines.feed(b"caf\xc3")) == []
    with pytest.raises(DataError, match="ends in the middle of a UTF-8 character"):
        list(lines.flush())


def test_what_is_no_text() -> None:
    with pytest.raises(DataError, match="expected text, got int; feed str or bytes"):
        list(LineSegmenter().feed(3))  # type: ignore[arg-type]
