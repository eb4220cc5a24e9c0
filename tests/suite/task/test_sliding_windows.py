"""Windows over a long recording, and the segments that they make."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data.series import Recording
from suite.task.sliding_windows import segments, windows

LONG = Recording(array=np.arange(50, dtype=np.float32)[:, None], channels=("x",))


def test_windows_are_over_every_sample_and_the_last_one_ends_it() -> None:
    parts = windows(LONG, 20, 10, None)
    assert [(part.start, part.end) for part in parts] == [(0, 20), (10, 30), (20, 40), (30, 50)]
    assert [(part.start, part.end) for part in windows(LONG, 20, 12, None)] == [(0, 20), (12, 32), (24, 44), (30, 50)]
    for part in parts:
        np.testing.assert_array_equal(part.array, LONG.array[part.start : part.end])
        assert part.channels == ("x",)


@pytest.mark.parametrize(("rate", "unit"), [(None, "samples"), (10.0, "s")])
def test_at_every_moment_the_mean_of_the_windows_over_it_decides(rate: float | None, unit: str) -> None:
    shares = [{"a": 0.9, "b": 0.1}, {"a": 0.6, "b": 0.4}, {"a": 0.2, "b": 0.8}, {"a": 0.3, "b": 0.7}]
    first, second = segments(windows(LONG, 20, 10, rate), shares)
    scale = rate or 1
    assert (first["start"], first["end"], first["label"], first["unit"]) == (0, 20 / scale, "a", unit)
    assert (second["start"], second["end"], second["label"], second["unit"]) == (20 / scale, 50 / scale, "b", unit)
    assert first["probability"] == pytest.approx((0.9 + 0.75) / 2)
    assert second["probability"] == pytest.approx((0.6 + 0.75 + 0.7) / 3)
