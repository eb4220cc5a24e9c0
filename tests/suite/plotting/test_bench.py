"""The figure of the benchmark of cells."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from suite.plotting.bench import Score, draw


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_a_chart_for_each_task(tmp_path: Path) -> None:
    scores = [Score("sentiment", "gru", "macro_f1", 0.8), Score("sentiment", "rnn", "macro_f1", 0.7)]
    draw(scores, tmp_path / "one.png")
    draw([*scores, Score("speech", "gru", "cer", 0.1, lower_is_better=True)] * 2, tmp_path / "two.png")
    one, two = (size(tmp_path / name) for name in ("one.png", "two.png"))
    assert one == two  # two charts stand side by side
    draw([*scores, Score("a", "gru", "x", 1), Score("b", "gru", "x", 1)], tmp_path / "three.png")
    assert size(tmp_path / "three.png")[1] > one[1]
