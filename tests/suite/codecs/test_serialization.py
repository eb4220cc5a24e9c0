"""What a codec keeps as JSON."""

from __future__ import annotations

import re

import pytest

from suite.codecs.serialization import json_file, read_json_file, read_tokenizer
from suite.errors import CheckpointError


def test_values_survive() -> None:
    values = {"a": ["é", None], "b": 0.1}
    assert json_file("x.json", {"a": "é"}, indent=None) == {"x.json": '{"a": "é"}\n'.encode()}
    for keys in ((), ("b", "a")):
        assert read_json_file(json_file("x.json", values), "x.json", *keys) == values


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "missing; the checkpoint is incomplete: copy it again"),
        (
            {"x.json": b"{"},
            "JSONDecodeError: Expecting property name enclosed in double quotes: ",
        ),
        (
            {"x.json": b"\xff"},
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: ",
        ),
        ({"x.json": b'{"a": NaN, "b": 1}'}, "ValueError: NaN is no number of JSON; "),
        ({"x.json": b"[" * 100_000}, "RecursionError: "),
        ({"x.json": b"[1]"}, "expected the keys a, b, got [1]; "),
        ({"x.json": b'{"a": 1}'}, "expected the keys a, b, got {'a': 1}; "),
    ],
)
def test_what_is_wrong_is_one_line(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^x\.json: {re.escape(said)}(.*; )?(copy the checkpoint again)?$"):
        read_json_file(files, "x.json", "b", "a")


def test_any_keys_but_an_object() -> None:
    with pytest.raises(CheckpointError, match=r"^x\.json: expected an object, got 3; copy the checkpoint again$"):
        read_json_file({"x.json": b"3"}, "x.json")


@pytest.mark.parametrize("files", [{}, {"x.json": b"{}"}, {"x.json": b"\xff"}])
def test_what_is_no_tokenizer_is_one_line(files: dict[str, bytes]) -> None:
    with pytest.raises(CheckpointError, match=r"^x\.json: [^\n]*copy (the checkpoint|it) again$"):
        read_tokenizer(files, "x.json")
