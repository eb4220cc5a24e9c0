"""Heat maps and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from suite.plotting.heatmap import Heatmap, Picture, confusion_matrix, mistakes
from suite.plotting.style import BLUES


def test_a_confusion_matrix_is_coloured_by_row(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    pixels = drawn(file, confusion_matrix([[9, 0], [0, 1000]], ["no", "yes"]), width=500, height=300)
    rows, columns = where(pixels, BLUES[-1])
    assert ((rows < 160) & (columns < 250)).sum() > 18_000, "all of 9 is as dark as all of 1000"
    assert ((rows > 200) & (columns > 300)).sum() > 18_000
    assert ((rows < 150) & (columns > 320)).sum() < 1000
    assert (pixels[24:160, 80:250].min(axis=-1) > 240).any(), "the number is white on dark"


def test_a_heat_map_with_a_range_has_its_first_row_at_the_bottom(
    file: Path, drawn: Callable[..., np.ndarray], where: Callable[..., Any]
) -> None:
    values = np.zeros((50, 2000))
    values[0] = 1
    rows, _ = where(drawn(file, Heatmap(values, x_range=(0, 20), y_range=(0, 50)), height=300), BLUES[-1])
    assert rows.min() > 290
    rows, _ = where(drawn(file, Heatmap(values), height=300), BLUES[-1])
    assert rows.max() < 40


def test_mistakes_are_counted_by_label_in_natural_order(
    tmp_path: Path, drawn: Callable[..., np.ndarray], file: Path
) -> None:
    file, same = tmp_path / "mistakes.png", tmp_path / "same.png"
    drawn(file, mistakes(["10", "2", "2"], ["2", "2", "10"]), width=300, height=300)
    drawn(same, confusion_matrix([[1, 1], [1, 0]], ["2", "10"]), width=300, height=300)
    assert file.read_bytes() == same.read_bytes()


def test_a_picture_is_drawn_as_it_is(tmp_path: Path, drawn: Callable[..., np.ndarray], file: Path) -> None:
    file = tmp_path / "picture.png"
    drawn(file, Picture(np.full((20, 20, 3), (30, 60, 220), np.uint8), "blue"), width=300, height=300)
    with Image.open(file) as image:
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (colours == (30, 60, 220)).all(1).sum() > 1000
