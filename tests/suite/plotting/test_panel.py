"""Axes, ticks and legends around a drawing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.plotting.charts import Chart
from suite.plotting.heatmap import confusion_matrix

RED, GREEN = "#cc2222", "#22aa22"


def test_several_series_have_a_legend_and_one_has_none(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    def chart(*names: str) -> Chart:
        made = Chart("series")
        for name in names:
            made.line([0, 1], [0, 1], name, colour=RED)
        return made

    alone, both = drawn(file, chart("a")), drawn(file, chart("a", "b"))
    many = drawn(file, chart(*(f"a series with a long name, number {i}" for i in range(12))))
    assert len(alone) < len(both) < len(many)
    assert where(both, RED)[0].min() < 70, "a key above the drawing"


@pytest.mark.parametrize("count", [1, 2, 12, 60])
def test_labels_of_any_number_and_length_stay_inside(file: Path, count: int, drawn: Callable[..., np.ndarray]) -> None:
    names = [f"a rather long name of class {i}, longer than there is room for" for i in range(count)]
    pixels = drawn(file, confusion_matrix(np.eye(count, dtype=int), names), width=600, height=300)
    edges = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
    assert edges.min() == 255, "the rim of the picture is white"
