"""Files of series to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.errors import DataError


@pytest.fixture
def written() -> Callable[[Path, str, str], Path]:
    """``written(folder, name, text)``: the path of a new file."""

    def written(folder: Path, name: str, text: str) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def one_line() -> Callable[[pytest.ExceptionInfo[DataError]], str]:
    """``one_line(error)``: the message of an error, which is one line."""

    def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
        text = str(error.value)
        assert "\n" not in text
        return text

    return one_line
