"""The figure of measured cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from suite.plotting.cells import CellCurves, References, draw

REFERENCES = References(
    gradient=[1.0, 10.0, 1e30], before=[5.0, 50.0], after=[1.0, 1.0], limit=1.0, chance=1 / 8, trained_at=50,
    rnn_step_us=10.0, rnn_scan_us=2.0,
)  # fmt: skip


@pytest.mark.parametrize("names", [["gru"], ["gru", "rnn", "lstm"]])
def test_six_panels_of_any_number_of_cells(names: list[str], tmp_path: Path) -> None:
    curves = CellCurves(
        initial=[1.0, 0.1, 0.0], trained=[1.0, 0.5, 1e-30], recall={10: 1.0, 50: 0.9, 200: 0.1}, norms=[2.0, 0.5],
        step_us=20.0, scan_us=3.0,
    )  # fmt: skip
    draw(dict.fromkeys(names, curves), REFERENCES, tmp_path / "cells.png")
    with Image.open(tmp_path / "cells.png") as image:
        width, height = image.size
    assert width == 1200
    assert height > 3 * 280
