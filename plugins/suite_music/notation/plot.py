"""Piano rolls: notes as bars over time. Import this only where something is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError
from suite.plotting.canvas import Box, Canvas, shortened
from suite.plotting.style import GRID, INK, PALETTE, SMALL, SOFT, TITLE
from suite_music.notation import abc
from suite_music.notation.chorales import VOICES
from suite_music.notation.notes import Note

WIDTH, LEFT, RIGHT, TOP, BELOW = 1200, 48, 16, 44, 34
#: The height of a semitone; quarter notes in a row and rows in a picture at most; a gap between rows.
ROW, QUARTERS, ROWS, GAP = 9, 64, 12, 30
_BLACK = {1, 3, 6, 8, 10}
SHADE = "#f3f4f6"


def piano_roll(
    notes: Sequence[Note],
    path: Path,
    *,
    title: str = "",
    bar: float = 4.0,
    pickup: float = 0.0,
    names: Sequence[str] = (),
) -> None:
    """Draw notes to a PNG: pitch upwards, time to the right, a colour a voice, in rows of some bars each.

    ``bar`` and ``pickup`` are in quarter notes and place the bar lines; ``names`` are the voices' for a legend. A
    piece that is too long for a picture is drawn as far as there is room. Raises DataError without notes.
    """
    if not notes:
        raise DataError("no notes to draw; give a piece with some")
    end = max(note.start + note.duration for note in notes)
    bars = max(math.ceil((end - pickup) / bar - 1e-9), 1)
    rows = math.ceil(bars * bar / QUARTERS - 1e-9)
    span = math.ceil(bars / rows) * bar
    count = min(rows, ROWS)
    low = min(note.pitch for note in notes) - 2
    high = max(note.pitch for note in notes) + 2
    tall = (high - low + 1) * ROW
    canvas = Canvas.blank(WIDTH, TOP + count * tall + (count - 1) * GAP + BELOW)
    canvas.text(LEFT, TOP / 2, shortened(title, TITLE, WIDTH * 0.6), TITLE, INK, "lm")
    place = WIDTH - RIGHT
    for voice, name in reversed(list(enumerate(names))):
        canvas.text(place, TOP / 2, name, SMALL, PALETTE[voice % len(PALETTE)], "rm")
        place -= 90
    for row in range(count):
        # The pickup belongs to the first row; every row is as wide as the widest.
        first = row * span + pickup if row else 0.0
        last = (row + 1) * span + pickup
        top = TOP + row * (tall + GAP)
        box = Box(LEFT, top, WIDTH - RIGHT, top + tall)
        _row(canvas, box, notes, (first, last), (low, high), (bar, pickup, bars))
    canvas.save(path)


def _row(
    canvas: Canvas, box: Box, notes: Sequence[Note], times: tuple[float, float], pitches: tuple[int, int],
    meter: tuple[float, float, int],
) -> None:  # fmt: skip
    (first, last), (low, high), (bar, pickup, bars) = times, pitches, meter
    scale = (box.right - box.left) / (last - first)
    for pitch in range(low, high + 1):
        top = box.bottom - (pitch - low + 1) * ROW
        if pitch % 12 in _BLACK:
            canvas.rectangle(Box(box.left, top, box.right, top + ROW), SHADE)
        if pitch % 12 == 0:
            canvas.text(box.left - 8, top + ROW / 2, f"C{pitch // 12 - 1}", SMALL, SOFT, "rm")
    number = max(math.ceil((first - pickup) / bar - 1e-9), 0)
    while (time := pickup + number * bar) <= last + 1e-9:
        x = box.left + (time - first) * scale
        canvas.line(np.array([[x, box.top], [x, box.bottom]]), GRID, 1)
        if time < last - 1e-9 and number < bars:
            canvas.text(x + 4, box.bottom + 11, str(number + 1), SMALL, SOFT, "lm")
        number += 1
    for note in notes:
        start, end = max(note.start, first), min(note.start + note.duration, last)
        if start < end:
            left, right = (box.left + (time - first) * scale for time in (start, end))
            top = box.bottom - (note.pitch - low + 1) * ROW
            # A gap shows where a note ends and the next one of the same pitch begins.
            canvas.rectangle(Box(left + 0.5, top + 1, max(right - 1.5, left + 1.5), top + ROW - 1), _colour(note))


def _colour(note: Note) -> str:
    return PALETTE[note.voice % len(PALETTE)]


def draw(result: Any, path: Path) -> None:
    """The piano roll of a `suite_music.notation.pieces.PieceResult`."""
    beats = abc.meter(result.meter) or (4, 4)
    found = [Note(**note) for note in result.notes]
    names = VOICES if result.musicxml is not None else ()
    title = f"{result.title}, {result.key}, {result.meter}"
    piano_roll(found, path, title=title, bar=4 * beats[0] / beats[1], pickup=result.pickup, names=names)
