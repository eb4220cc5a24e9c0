"""Text in whichever font there is, and drawing inside a window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from suite.plotting import canvas
from suite.plotting.canvas import SCALE, Box, Canvas, shortened, width_of


@pytest.fixture
def _no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(canvas, "FONTS", ("NoSuchFont.ttf",))
    canvas._drawable.cache_clear()
    yield
    canvas._drawable.cache_clear()


@pytest.mark.usefixtures("_no_system_fonts")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 100 %", "plain text, 100 %"),
        ("two\nlines\tand  a tab", "two lines and a tab"),
        ("café naïve Übergröße", "cafe naive Ubergro·e"),
        ("cafe\u0301", "cafe"),
        ("−0.5 – x", "-0.5 - x"),
        ("日本", "··"),
        ("नमस्ते", "····"),
        ("good \u2764\ufe0f \U0001f469\u200d\U0001f467", "good · ··"),
        ("\x00\ud800", "··"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_a_plain_letter_or_a_dot(text: str, shown: str) -> None:
    assert canvas._drawable(text) == (shown, "")


@pytest.mark.skipif(canvas._font("DejaVuSans.ttf", 10) is None, reason="the system lacks the DejaVu fonts")
@pytest.mark.parametrize("text", ["café", "Привет", "שלום", "مرحبا", "Ελλάδα"])
def test_a_system_font_is_found_where_pillows_own_lacks_a_letter(text: str) -> None:
    assert canvas._drawable(text) == (text, "DejaVuSans.ttf")
    assert canvas._drawable("cafe") == ("cafe", "")


def test_text_is_shortened_to_the_room_there_is() -> None:
    text = "a sentence that goes on for quite a while " * 40
    for room in (20, 100, 300):
        short = shortened(text, 14, room)
        assert short.endswith("…")
        assert width_of(short, 14) <= room
    assert shortened("short", 14, 300) == "short"
    assert shortened("none", 14, 1) == "…"


@pytest.mark.parametrize("anchor", ["lm", "mm", "rm"])
@pytest.mark.parametrize("angle", [0, 35, 90])
def test_text_starts_or_ends_at_its_point(anchor: str, angle: float) -> None:
    made = Canvas.blank(300, 300)
    made.text(150, 150, "HHHHHHHH", 14, "#000000", anchor, angle)
    rows, columns = np.nonzero(np.asarray(made.image.convert("L")) < 128)
    middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2 / SCALE
    along = {"l": 1, "m": 0, "r": -1}[anchor[0]] * width_of("HHHHHHHH", 14) / 2
    turn = np.radians(angle)
    assert middle == pytest.approx([150 + along * np.cos(turn), 150 - along * np.sin(turn)], abs=2)


def test_a_window_keeps_drawing_inside_it(tmp_path: Path) -> None:
    made = Canvas.blank(100, 50)
    with made.window(Box(20, 10, 40, 30)) as window:
        window.rectangle(Box(0, 0, 100, 100), "#000000")
        window.dots(np.array([[39.0, 29.0], [np.nan, 0.0]]), "#ff0000", 5)
    made.save(tmp_path / "x.png")
    rows, columns = np.nonzero(np.asarray(made.image).min(axis=-1) < 255)
    assert (columns.min(), rows.min()) == (20 * SCALE, 10 * SCALE)
    assert (columns.max(), rows.max()) == (40 * SCALE - 1, 30 * SCALE - 1)


def test_more_colours_than_pixels_are_averaged() -> None:
    made = Canvas.blank(20, 20)
    stripes = np.zeros((2, 20_000, 3), np.uint8)
    stripes[:, ::2] = 255
    made.pixels(Box(0, 0, 20, 20), stripes)
    assert np.asarray(made.image).min() > 100
    assert np.asarray(made.image).max() < 155
