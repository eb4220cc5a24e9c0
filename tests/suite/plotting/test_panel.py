"""Axes, ticks and legends around a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.heatmap import confusion_matrix

RED, GREEN = "#cc2222", "#22aa22"


def drawn(path: Path, *panels: Any, **how: Any) -> np.ndarray:
    """The pixels ``[H, W, 3]`` of a picture of some panels."""
    figure(panels, path, **how)
    return np.asarray(Image.open(path).convert("RGB"), np.int64)


def where(pixels: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns in which a colour is, or nearly: scaling down changes it a little at edges."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.abs(pixels - wanted) <= 60).all(axis=-1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def test_several_series_have_a_legend_and_one_has_none(file: Path) -> None:
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
def test_labels_of_any_number_and_length_stay_inside(file: Path, count: int) -> None:
    names = [f"a rather long name of class {i}, longer than there is room for" for i in range(count)]
    pixels = drawn(file, confusion_matrix(np.eye(count, dtype=int), names), width=600, height=300)
    edges = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
    assert edges.min() == 255, "the rim of the picture is white"
