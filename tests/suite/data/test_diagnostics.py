"""What is said of training data."""

from __future__ import annotations

import numpy as np

from suite.data.diagnostics import label_warnings, rate_warnings, value_warnings
from suite.data.series import Recording


def test_labels_that_are_rare() -> None:
    assert list(label_warnings(["a", "a", "b", "b"])) == []
    assert list(label_warnings(["a"] * 7 + ["b"], "recording")) == [
        "one recording only of b: the figures leave these out; record more",
        "labels have 1 to 7 recordings: rare ones count for more (training.balance)",
    ]
    (line, _) = label_warnings(["a"] * 4 + [f"l{i}" for i in range(9)])
    assert line.startswith("one item only of l0, l1, l2, l3, l4, l5, l6, l7, …: ")


def test_rates_that_differ_or_are_not_known() -> None:
    assert list(rate_warnings([None, None], None)) == []
    assert list(rate_warnings([10.0, 10.0], 10.0)) == []
    assert list(rate_warnings([20.0, None, 10.0], 15.0)) == [
        "recordings come at 10, 20 samples a second: all are brought to 15",
        "1 recordings do not say their rate: 15 samples a second is taken",
    ]


def test_values_that_are_missing_or_never_change() -> None:
    nan = float("nan")
    arrays = [[[1, 2, nan], [1, 3, nan]], [[1, 4, nan], [nan, 5, nan]]]
    recordings = [Recording(array=np.array(array, np.float32)) for array in arrays]
    assert list(value_warnings(recordings, ["x", "y", "z"])) == [
        "41.7% of the values are missing: the last one known is taken",
        "channel x never changes: it says nothing", "channel z never changes: it says nothing",
    ]  # fmt: skip
    assert list(value_warnings([Recording(array=np.eye(2, dtype=np.float32))], ["x", "y"])) == []
