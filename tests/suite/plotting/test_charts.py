"""Charts and heat maps: what is drawn where, and that odd data draws something."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suite.errors import SuiteError
from suite.plotting.charts import BLUES, Chart, Heatmap, Picture, confusion_matrix, curves, figure, mistakes

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


def test_a_picture_is_as_wide_as_asked_and_as_high_as_its_rows_need(file: Path) -> None:
    one = drawn(file, Chart("a"), Chart("b"), columns=2, width=900, height=200)
    two = drawn(file, Chart("a"), Chart("b"), columns=1, width=900, height=200)
    assert one.shape[1] == two.shape[1] == 900
    assert 200 < one.shape[0] < 300
    assert 400 < two.shape[0] < 600


def test_bars_stand_where_their_values_are(file: Path) -> None:
    chart = Chart(y_range=(-1, 1)).bars([1, -0.5], ["up", "down"], colours=[RED, GREEN])
    pixels = drawn(file, chart, width=600, height=200)
    (up, right_of_up), (down, right_of_down) = where(pixels, RED), where(pixels, GREEN)
    assert up.max() <= down.min(), "one is above zero, the other below"
    assert up.max() - up.min() == pytest.approx(100, abs=3)
    assert down.max() - down.min() == pytest.approx(50, abs=4)
    assert right_of_up.max() < right_of_down.min()


def test_a_line_goes_through_its_points_and_stops_where_one_is_missing(file: Path) -> None:
    chart = Chart(x_range=(0, 4), y_range=(0, 1))
    chart.line([0, 1, 2, 3, 4], [0.25, 0.25, None, 0.75, 0.75], colour=RED, markers=False)
    rows, columns = where(drawn(file, chart, width=600, height=200), RED)
    low, high = columns[rows > rows.mean()], columns[rows < rows.mean()]
    assert rows.max() - rows.min() == pytest.approx(100, abs=4)
    assert high.min() - low.max() == pytest.approx((columns.max() - columns.min()) / 2, abs=6)


def test_nothing_is_drawn_outside_a_fixed_range(file: Path) -> None:
    chart = Chart(x_range=(0, 1), y_range=(0, 1)).line([0, 1, 2, -3], [0.5, 900, 0.5, -1e50], colour=RED)
    inside = drawn(file, chart, width=600, height=200)
    rows, columns = where(inside, RED)
    assert rows.size
    assert rows.max() - rows.min() <= 208
    assert columns.min() > 20
    assert columns.max() < 592


def test_reference_lines_are_where_they_should_be(file: Path) -> None:
    plain = Chart(x_range=(0, 10), y_range=(0, 10))
    lined = Chart(x_range=(0, 10), y_range=(0, 10)).vertical(5).horizontal(5).diagonal()
    rows, columns = np.nonzero((drawn(file, plain) != drawn(file, lined)).any(axis=-1))
    middle = (columns.min() + columns.max()) / 2
    assert (abs(columns - middle) < 3).sum() > 100
    assert (abs(rows - (rows.min() + rows.max()) / 2) < 3).sum() > 100


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


def test_a_confusion_matrix_is_coloured_by_row(file: Path) -> None:
    pixels = drawn(file, confusion_matrix([[9, 0], [0, 1000]], ["no", "yes"]), width=500, height=300)
    rows, columns = where(pixels, BLUES[-1])
    assert ((rows < 160) & (columns < 250)).sum() > 18_000, "all of 9 is as dark as all of 1000"
    assert ((rows > 200) & (columns > 300)).sum() > 18_000
    assert ((rows < 150) & (columns > 320)).sum() < 1000
    assert (pixels[24:160, 80:250].min(axis=-1) > 240).any(), "the number is white on dark"


def test_a_heat_map_with_a_range_has_its_first_row_at_the_bottom(file: Path) -> None:
    values = np.zeros((50, 2000))
    values[0] = 1
    rows, _ = where(drawn(file, Heatmap(values, x_range=(0, 20), y_range=(0, 50)), height=300), BLUES[-1])
    assert rows.min() > 290
    rows, _ = where(drawn(file, Heatmap(values), height=300), BLUES[-1])
    assert rows.max() < 40


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
def test_odd_data_draws_something(file: Path, panel: Any) -> None:
    assert drawn(file, panel, width=400, height=100).min() < 255


def test_no_panels_and_no_room_do_not_fail(file: Path) -> None:
    assert drawn(file).shape[1] == 1200
    chart = Chart("a long title", x="x", y="y").bars([1], ["a long label"])
    assert drawn(file, chart, width=60, height=10).shape[1] == 240, "less would not hold the labels"


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
    code = "import sys, suite.plotting.charts; print(*{'matplotlib', 'torch', 'scipy', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_mistakes_are_counted_by_label_in_natural_order(tmp_path: Path) -> None:
    file, same = tmp_path / "mistakes.png", tmp_path / "same.png"
    drawn(file, mistakes(["10", "2", "2"], ["2", "2", "10"]), width=300, height=300)
    drawn(same, confusion_matrix([[1, 1], [1, 0]], ["2", "10"]), width=300, height=300)
    assert file.read_bytes() == same.read_bytes()


def test_a_picture_is_drawn_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    drawn(file, Picture(np.full((20, 20, 3), (30, 60, 220), np.uint8), "blue"), width=300, height=300)
    with Image.open(file) as image:
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (colours == (30, 60, 220)).all(1).sum() > 1000
