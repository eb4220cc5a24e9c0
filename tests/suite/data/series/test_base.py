"""Recordings as arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.data.series import as_array, read_labelled
from suite.errors import DataError


@pytest.mark.parametrize(
    ("raw", "shape"),
    [([1, 2, 3], (3, 1)), ([[1, None]], (1, 2)), (np.zeros((4, 2), int), (4, 2)), ([], (0, 1)), ([True], (1, 1))],
)
def test_numbers_become_arrays(raw: object, shape: tuple[int, int]) -> None:
    assert as_array(raw).shape == shape
    assert as_array(raw).dtype == np.float32


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([["1", "x"]], "'x' is not a number"),
        ([[1, 2], [3]], "unequal length"),
        (np.zeros((1, 1, 1)), "3 axes"),
        (3.0, "0 axes"),
        ({"a": 1}, "not numbers"),
        ([1, float("inf")], "sample 2 of channel 1 is infinite"),
        (np.zeros((3, 0)), "no channels"),
    ],
)
def test_what_is_no_series_of_numbers(
    raw: object, said: str, one_line: Callable[[pytest.ExceptionInfo[DataError]], str]
) -> None:
    with pytest.raises(DataError) as error:
        as_array(raw)
    assert said in one_line(error)


def test_equal_series_have_equal_keys(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    path = written(tmp_path, "a.csv", "label,0,1\na,1,2\na,1,2\nb,1,3\n")
    first, again, other = read_labelled(path)
    assert first.key == again.key != other.key
