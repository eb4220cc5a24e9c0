"""Charts and heat maps: what is drawn where, and that odd data draws something."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suite.plotting.charts import Chart, curves

RED, GREEN = "#cc2222", "#22aa22"


def test_bars_stand_where_their_values_are(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    chart = Chart(y_range=(-1, 1)).bars([1, -0.5], ["up", "down"], colours=[RED, GREEN])
    pixels = drawn(file, chart, width=600, height=200)
    (up, right_of_up), (down, right_of_down) = where(pixels, RED), where(pixels, GREEN)
    assert up.max() <= down.min(), "one is above zero, the other below"
    assert up.max() - up.min() == pytest.approx(100, abs=3)
    assert down.max() - down.min() == pytest.approx(50, abs=4)
    assert right_of_up.max() < right_of_down.min()


def test_a_line_goes_through_its_points_and_stops_where_one_is_missing(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    chart = Chart(x_range=(0, 4), y_range=(0, 1))
    chart.line([0, 1, 2, 3, 4], [0.25, 0.25, None, 0.75, 0.75], colour=RED, markers=False)
    rows, columns = where(drawn(file, chart, width=600, height=200), RED)
    low, high = columns[rows > rows.mean()], columns[rows < rows.mean()]
    assert rows.max() - rows.min() == pytest.approx(100, abs=4)
    assert high.min() - low.max() == pytest.approx((columns.max() - columns.min()) / 2, abs=6)


def test_nothing_is_drawn_outside_a_fixed_range(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    chart = Chart(x_range=(0, 1), y_range=(0, 1)).line([0, 1, 2, -3], [0.5, 900, 0.5, -1e50], colour=RED)
    inside = drawn(file, chart, width=600, height=200)
    rows, columns = where(inside, RED)
    assert rows.size
    assert rows.max() - rows.min() <= 208
    assert columns.min() > 20
    assert columns.max() < 592


def test_reference_lines_are_where_they_should_be(file: Path, drawn: Callable[..., np.ndarray]) -> None:
    plain = Chart(x_range=(0, 10), y_range=(0, 10))
    lined = Chart(x_range=(0, 10), y_range=(0, 10)).vertical(5).horizontal(5).diagonal()
    rows, columns = np.nonzero((drawn(file, plain) != drawn(file, lined)).any(axis=-1))
    middle = (columns.min() + columns.max()) / 2
    assert (abs(columns - middle) < 3).sum() > 100
    assert (abs(rows - (rows.min() + rows.max()) / 2) < 3).sum() > 100


@pytest.mark.parametrize("epochs", [0, 1, 12, 200])
def test_curves_mark_the_best_epoch(file: Path, epochs: int) -> None:
    history = [{"epoch": i + 1, "loss": 1 / (i + 1), "dev": math.sin(i / 4), "grad_norm": 1.0} for i in range(epochs)]
    curves(history, "macro_f1", file)
    unmarked = [{**entry, "dev": math.nan} for entry in history]
    picture = np.asarray(Image.open(file))
    curves(unmarked, "macro_f1", file)
    assert picture.shape[1] == 1200
    assert bool((picture[:, :390] == np.asarray(Image.open(file))[:, :390]).all())
    assert bool((picture != np.asarray(Image.open(file))).any()) == (epochs > 0)
