"""Arrays as a file of a checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from suite.checkpoint.arrays import packed, row_scale, unpacked
from suite.errors import CheckpointError

ARRAYS = {"a": np.arange(6, dtype=np.uint16).reshape(2, 3), "b": np.array([0.5, -1.0], np.float16)}


def test_arrays_come_back_as_they_are_from_the_same_bytes() -> None:
    found = unpacked({"x.npz": packed(ARRAYS)}, "x.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].tolist() == array.tolist()
    assert packed(found) == packed(ARRAYS)


def test_whatever_byte_is_damaged_it_is_said_in_a_line_or_makes_no_difference_to_reading() -> None:
    whole = packed(ARRAYS)
    told = []
    for at in range(len(whole)):
        broken = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            unpacked({"x.npz": broken}, "x.npz")
        except CheckpointError as error:
            told.append(str(error))
    assert len(told) > len(whole) / 2
    assert all(line.startswith("x.npz: not an array file (") and "\n" not in line for line in told)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(CheckpointError, match=r"x.npz: not an array file \(.*\); copy the checkpoint again"):
        unpacked({}, "x.npz")


def test_what_an_error_is_held_to() -> None:
    assert row_scale(np.array([[600.0, 0.3], [-2.0, 0.5], [0.0, 0.1]])).tolist() == [[600], [2], [1]]
    assert row_scale(np.array(3.0)) == 3
    assert row_scale(np.array([1000.0, 1.0, 0.5])).tolist() == [1000, 1, 1]
    assert row_scale(np.array([[True, False]])).tolist() == [[1]]
    assert row_scale(np.zeros((2, 0))).tolist() == [[1], [1]]
