"""Lines of text, and bytes that are none."""

from __future__ import annotations

from typing import Any

import pytest

from suite.data import lines


def test_only_a_newline_ends_a_line(write: Any, values: Any) -> None:
    # Form feeds, NEL and the Unicode separators are characters of a text, whatever str.splitlines thinks.
    assert values(write("x.txt", "a\x0cb\u0085c\u2028d\ne")) == [
        {"text": "a\x0cb\u0085c\u2028d"},
        {"text": "e"},
    ]


@pytest.mark.parametrize(
    ("name", "start", "good"),
    [
        ("x.txt", b"", b"good"),
        ("x.jsonl", b"", b'{"text": "good"}'),
        ("x.csv", b"text,n\n", b"good,1"),
        ("x.tsv", b"text\tn\n", b"good\t1"),
    ],
)
@pytest.mark.parametrize(("slip", "word"), [(b"caf\xe9", "0xE9"), (b"a\0b", "NUL")])
def test_a_wrong_byte_costs_its_own_line_only(
    write: Any, name: str, start: bytes, good: bytes, slip: bytes, word: str, problems: Any, fails: Any
) -> None:
    line = good.replace(b"good", slip)
    path = write(name, start + b"\n".join([good] * 30 + [line] + [good] * 3))
    number = 31 + start.count(b"\n")
    message = fails(path)
    assert message.startswith(f"{name}:{number}: ")
    assert word in message
    rows, errors = problems(path)
    assert (len(rows), len(errors)) == (33, 1)
    assert rows[-1].where == f"{name}:{number + 3}"


def test_a_line_without_end(write: Any, monkeypatch: pytest.MonkeyPatch, problems: Any) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    rows, errors = problems(write("x.txt", "a\n" + "b" * 5000 + "\nc\n" + "d" * 1001))
    assert [(row.where, row.values["text"]) for row in rows] == [("x.txt:1", "a"), ("x.txt:3", "c")]
    assert [error.split(": a line")[0] for error in errors] == ["x.txt:2", "x.txt:4"]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("x.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "PNG"),
        ("x.csv", b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)), "ZIP"),
        ("x.txt", b"\x1f\x8b\x08\0\0\0\0\0" + bytes(range(256)), "gzip"),
        ("x.csv", "text,label\r\na,b\r\n".encode("utf-16"), "UTF-16"),
        ("x.csv", "text,label\r\na,b\r\n".encode("utf-16-le"), "UTF-16"),
        ("x.jsonl", bytes(range(256)) * 40, "binary"),
        ("x.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    ],
)
def test_binary_files_are_one_error(write: Any, name: str, content: bytes, word: str, fails: Any) -> None:
    path = write(name, content)
    message = fails(path)
    assert message.startswith(f"{name}: not UTF-8 text but ")
    assert word in message
    # Even where bad lines are passed over: there is no good line to come.
    assert fails(path, on_error=lambda error: None) == message


def test_text_that_begins_like_a_binary_file(write: Any, values: Any) -> None:
    assert values(write("x.txt", "GIF89a is an image format\nRIFF")) == [
        {"text": "GIF89a is an image format"},
        {"text": "RIFF"},
    ]


def test_latin_1_is_reported_by_line(write: Any, fails: Any) -> None:
    assert fails(write("x.txt", "a\ncaf\xe9\n".encode("latin-1"))) == (
        "x.txt:2: not UTF-8 (byte 0xE9 at position 4); save the file as UTF-8"
    )
