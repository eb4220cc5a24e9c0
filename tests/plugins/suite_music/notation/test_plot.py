"""Piano rolls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from suite_music.notation.chorales import VOICES, Chorale
from suite_music.notation.notes import Note, notes, sung
from suite_music.notation.plot import LEFT, ROW, TOP, WIDTH, piano_roll

from suite.errors import DataError
from suite.plotting.style import PALETTE


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def share(image: np.ndarray, colour: str) -> float:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(image - wanted).max(axis=-1) < 24).mean())


def test_a_note_is_where_its_pitch_and_time_are(tmp_path: Path) -> None:
    piano_roll([Note(60, 0, 1), Note(64, 2, 2)], tmp_path / "a.png", bar=4)
    image = pixels(tmp_path / "a.png")
    assert image.shape[1] == WIDTH
    dark = np.abs(image - np.array([0, 0x72, 0xB2])).max(axis=-1) < 24
    rows, columns = np.nonzero(dark)
    upper = rows < rows.mean()
    assert rows[~upper].mean() - rows[upper].mean() == pytest.approx(4 * ROW, abs=1)
    assert columns[~upper].min() == pytest.approx(LEFT, abs=2)
    assert columns[upper].min() == pytest.approx((LEFT + WIDTH - 16) / 2, abs=3)


def test_every_voice_has_its_colour_and_a_name(chorale: Chorale, tmp_path: Path) -> None:
    piano_roll(sung(chorale), tmp_path / "a.png", title="four voices", pickup=1, names=VOICES)
    image = pixels(tmp_path / "a.png")
    for colour in PALETTE[:4]:
        assert share(image[TOP:], colour) > 0.005
        assert share(image[:TOP], colour) > 0.0001


def test_long_pieces_go_on_in_rows_and_end(tunes: list[str], tmp_path: Path) -> None:
    piano_roll(notes(tunes[0]), tmp_path / "short.png", bar=3)
    piano_roll([Note(60 + i % 5, i, 1) for i in range(300)], tmp_path / "long.png")
    piano_roll([Note(60 + i % 5, i, 1) for i in range(9000)], tmp_path / "endless.png")
    short, long, endless = (pixels(tmp_path / f"{name}.png").shape[0] for name in ("short", "long", "endless"))
    assert long > 3 * 9 * ROW
    assert endless < 3000
    assert short < long


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no notes"):
        piano_roll([], tmp_path / "a.png")
