"""Files to read rows from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.data.readers import Row, read_rows
from suite.errors import DataError


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | bytes], str]:
    """Write a file and return its plain name; the working folder is its folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write


@pytest.fixture
def values() -> Callable[..., list[dict[str, Any]]]:
    """``values(path, …)``: the values of every row."""
    return lambda path, **options: [row.values for row in read_rows(path, **options)]


@pytest.fixture
def problems() -> Callable[..., tuple[list[Row], list[str]]]:
    """``problems(path, …)``: the good rows, and the messages about the others."""

    def collect(path: str, **options: Any) -> tuple[list[Row], list[str]]:
        errors: list[DataError] = []
        rows = list(read_rows(path, on_error=errors.append, **options))
        return rows, [str(error) for error in errors]

    return collect


@pytest.fixture
def fails() -> Callable[..., str]:
    """``fails(path, …)``: the message, on one line, of the error that reading ends in."""

    def message(path: str, **options: Any) -> str:
        with pytest.raises(DataError) as caught:
            list(read_rows(path, **options))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message
