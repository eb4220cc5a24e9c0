"""Natural sort order."""

from __future__ import annotations

from suite.data.natural_order import natural_key


def test_numbers_compare_by_value() -> None:
    names = ["10", "9", "a10", "a2", "b", "1.10", "1.9", ""]
    assert sorted(names, key=natural_key) == ["", "1.9", "1.10", "9", "10", "a2", "a10", "b"]
