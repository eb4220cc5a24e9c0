"""The ``.ts`` format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.data.series import read_labelled
from suite.errors import DataError

TS = """#a comment
@problemName Two
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
1,2,3:4,5,6:up
7,8:9,10:down
"""


def test_ts(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    path = written(tmp_path, "a.ts", TS)
    first, second = read_labelled(path)
    assert (first.label, first.array.tolist(), first.where) == ("up", [[1, 4], [2, 5], [3, 6]], f"{path}:10")
    assert (second.label, second.array.tolist()) == ("down", [[7, 9], [8, 10]])
    assert first.key != second.key


def test_ts_univariate_with_missing_values_and_padding(
    tmp_path: Path, written: Callable[[Path, str, str], Path]
) -> None:
    text = "@missing true\n@univariate true\n@equalLength true\n@seriesLength 4\n@classLabel true 1 2\n@data\n"
    first, second = read_labelled(written(tmp_path, "a.ts", f"{text}1,?,3,?:1\n1,2,3,4:2\n"))
    assert first.array.shape == (3, 1)
    assert np.isnan(first.array[1, 0])
    assert second.array[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@univariate false", "@univariate true", "says univariate, this series has 2"),
        ("@dimensions 2", "@dimensions 3", "says 3 dimensions, this series has 2"),
        ("@equalLength false", "@equalLength true\n@seriesLength 9", "equal length 9, this one has 3"),
        ("1,2,3:4", "1,?,3:4", "says that nothing is missing"),
        ("@classLabel true up down", "@classLabel true left right", "the label 'up' is not in the header's"),
        ("@classLabel true up down", "@classLabel true", "names no labels"),
        ("@classLabel true up down", "@classLabel maybe", "must be followed by true or false"),
        ("@dimensions 2", "@dimensions two", "must be followed by a whole number"),
        ("@timeStamps false", "@timeStamps true", "time stamps are not read"),
        ("@data\n", "", "values before the @data line"),
        ("6:up", "6", "no label at the end of the line"),
        ("6:up", "x:up", "'x' in column 2 is not a number"),
        ("5,6:up", "5:up", "channels of 2 and of 3 samples"),
        ("@classLabel true up down", "@classLabel false", "'up' in column 3 is not a number"),
    ],
)
def test_a_header_that_lies(
    tmp_path: Path,
    old: str,
    new: str,
    said: str,
    written: Callable[[Path, str, str], Path],
    one_line: Callable[[pytest.ExceptionInfo[DataError]], str],
) -> None:
    assert old in TS
    path = written(tmp_path, "a.ts", TS.replace(old, new, 1))
    with pytest.raises(DataError) as error:
        # A whole file is wrong from its first series on: that is never passed over.
        list(read_labelled(path, on_error=lambda error: None))
    assert said in one_line(error)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,2:up", "says 2 dimensions, this series has 1"),
        ("1,2:3,4:left", "the label 'left' is not in the header's"),
        ("1,x:3,4:up", "'x' in column 1 is not a number"),
        ("1,2:3:up", "channels of 1 and of 2 samples"),
        ("?,?:?,?:up", "every value is missing"),
    ],
)
def test_a_bad_series_of_a_good_ts_is_named_and_passed_over(
    tmp_path: Path, line: str, said: str, written: Callable[[Path, str, str], Path]
) -> None:
    path = written(tmp_path, "a.ts", f"{TS}{line}\n1,1:2,2:up\n")
    errors: list[DataError] = []
    found = list(read_labelled(path, errors.append))
    assert [s.label for s in found] == ["up", "down", "up"]
    assert len(errors) == 1
    assert said in str(errors[0])
    assert f"{path}:12" in str(errors[0])
    with pytest.raises(DataError, match="12"):
        list(read_labelled(path))


def test_ts_without_data_or_series(tmp_path: Path, written: Callable[[Path, str, str], Path]) -> None:
    with pytest.raises(DataError, match="no @data line"):
        list(read_labelled(written(tmp_path, "a.ts", "@univariate true\n")))
    with pytest.raises(DataError, match="no series in it"):
        list(read_labelled(written(tmp_path, "b.ts", "@univariate true\n@classLabel true 1\n@data\n")))
    with pytest.raises(DataError, match="without a label"):
        list(read_labelled(written(tmp_path, "c.ts", "@univariate true\n@data\n1,2\n")))
