"""Figures of several panels."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.errors import SuiteError
from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.heatmap import Heatmap, confusion_matrix


def test_a_picture_is_as_wide_as_asked_and_as_high_as_its_rows_need(
    file: Path, drawn: Callable[..., np.ndarray]
) -> None:
    one = drawn(file, Chart("a"), Chart("b"), columns=2, width=900, height=200)
    two = drawn(file, Chart("a"), Chart("b"), columns=1, width=900, height=200)
    assert one.shape[1] == two.shape[1] == 900
    assert 200 < one.shape[0] < 300
    assert 400 < two.shape[0] < 600


@pytest.mark.parametrize(
    "panel",
    [
        Chart(),
        Chart("nothing").line([], []).points([], []).bars([]),
        Chart("one").line([3], [7]),
        Chart("the same").line(range(3), [0.0] * 3),
        Chart("nearly the same").line(range(3), [1, 1 + 1e-15, 1]),
        Chart("minute").line([1e-320, 2e-320], [5e-300, 6e-300]),
        Chart("huge").line([1e15, 2e15], [-1e90, 1e90]).points([1e15], [1e300]),
        Chart("not numbers").line([1, 2, 3], [math.nan, math.inf, None]).vertical(math.nan).horizontal(math.inf),
        Chart("bars").bars([math.nan, 0, -math.inf], ["", " ", "x" * 5000]),
        Chart("a range without length", x_range=(1, 1), y_range=(0, 0)).line([1], [1]),
        Chart("out of sight", x_range=(0, 1), y_range=(0, 1)).diagonal().points([5], [5]).vertical(9),
        Heatmap(np.zeros((0, 0))),
        Heatmap([[math.nan, math.inf], [0, 0]], texts=[["a", "b"], ["c", ""]], limits=(1, 1)),
        Heatmap(np.zeros((4, 0)), x_range=(0, 0), y_range=(0, 8000)),
        Heatmap([[1]], rows=["日本\n語\0"], columns=["שלום 👩‍👩‍👧 \ud800"]),
        confusion_matrix(np.zeros((2, 2), int), ["a", "b"]),
    ],
    ids=lambda panel: panel.title or type(panel).__name__,
)
def test_odd_data_draws_something(file: Path, panel: Any, drawn: Callable[..., np.ndarray]) -> None:
    assert drawn(file, panel, width=400, height=100).min() < 255


def test_no_panels_and_no_room_do_not_fail(file: Path, drawn: Callable[..., np.ndarray]) -> None:
    assert drawn(file).shape[1] == 1200
    chart = Chart("a long title", x="x", y="y").bars([1], ["a long label"])
    assert drawn(file, chart, width=60, height=10).shape[1] == 240, "less would not hold the labels"


def test_the_same_data_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        figure([Chart("title").line([1, 2], [3, 4])], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "x.png"
    with pytest.raises(SuiteError) as caught:
        figure([Chart()], file)
    assert str(caught.value) == f"cannot write {file}: No such file or directory; choose another file"
    with pytest.raises(SuiteError, match="choose another file"):
        figure([Chart()], tmp_path)


def test_drawing_needs_pillow_alone() -> None:
    heavy = "{'matplotlib', 'torch', 'scipy', 'pandas'}"
    code = f"import sys, suite.plotting.charts, suite.plotting.heatmap; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
