from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from suite_captioning import Captioning
from suite_captioning.plot import COLUMNS, SIDE, highlighted

from suite.inference.pipeline import Pipeline


def test_places_with_attention_are_bright_and_others_dark() -> None:
    picture = np.full((60, 60, 3), 200, np.uint8)
    weights = np.zeros(9)
    weights[2] = 1  # the upper right
    shown = highlighted(picture, weights, (96, 96))
    assert shown[5, 55].tolist() == [200] * 3
    assert shown[55, 5].tolist() == [50] * 3
    even = highlighted(picture, np.full(9, 1 / 9), (96, 96))
    assert (even == 200).all()


@pytest.mark.parametrize("places", [4, 9, 36])
def test_a_grid_has_as_many_rows_as_columns(places: int) -> None:
    weights = np.zeros(places)
    weights[-1] = 1
    shown = highlighted(np.full((60, 60, 3), 200, np.uint8), weights, (96, 96))
    assert shown[58, 58, 0] > 190
    assert shown[58, 2, 0] < 60


def test_a_panel_for_the_picture_and_one_for_each_piece_that_is_written(
    describe: Pipeline, pictures: Path, tmp_path: Path
) -> None:
    file, given = tmp_path / "attention.png", sorted(pictures.glob("*.png"))[:2]
    Captioning().plot(describe.model, given, describe(given), file)
    with Image.open(file) as image:
        assert image.width == COLUMNS * (SIDE + 40)
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    # The pictures are drawn as they are.
    assert (np.abs(colours.astype(int) - (30, 60, 220)).max(1) < 12).any()
