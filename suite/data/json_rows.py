"""Rows out of JSON: an object a line, or one list of objects, which is read whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from suite.data.columns import Columns
from suite.data.lines import OnError, text_lines
from suite.errors import DataError, one_line, stop

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def jsonl_rows(stream: IO[bytes], name: str, columns: Columns, report: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, values) of an object a line."""
    for where, line in text_lines(stream, name, report):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            report(DataError(f"{where}: not JSON: {_problem(error)}; one object a line is needed"))
            continue
        try:
            _check(value, where, columns, line)
        except DataError as error:
            report(error)
        else:
            yield where, value


def json_rows(stream: IO[bytes], name: str, columns: Columns, report: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(``name[index]``, values) of the objects in a list, which is sound as a whole or not at all."""
    text = "\n".join(line for _, line in text_lines(stream, name, stop))
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        line, hint = "", "fix it there"
        if isinstance(error, json.JSONDecodeError):
            line = f":{error.lineno}"
            if error.msg == "Extra data":
                hint = "if it holds one object a line, name it .jsonl or say the format jsonl"
        raise DataError(f"{name}{line}: not JSON: {_problem(error)}; {hint}") from error
    if not isinstance(values, list):
        raise DataError(f"{name}: {_KINDS[type(values)]} where a list of objects is needed")
    for index, value in enumerate(values):
        where = f"{name}[{index}]"
        try:
            _check(value, where, columns, text)
        except DataError as error:
            report(error)
        else:
            yield where, value


def _check(value: Any, where: str, columns: Columns, text: str) -> None:
    """Raise DataError for what is not an object of sound text with the right columns."""
    if not isinstance(value, dict):
        raise DataError(f'{where}: {_KINDS[type(value)]} where an object is needed, like {{"text": "…"}}')
    if "\\u" in text:
        try:
            # Half of a surrogate pair ("\ud83d" alone) decodes, but could never be written again.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(f"{where}: half of a surrogate pair in a string; write the whole character") from error
    columns.check(value, where)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at position {error.colno}"
    return one_line(error).removeprefix("ValueError: ")
