"""A canvas to draw on, by pillow: smooth lines, sharp rectangles, and text in whichever font has its characters.

Lengths are in pixels of the finished picture. Import this only where something is drawn.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from suite.errors import SuiteError, one_line

#: Everything is drawn this many times larger and scaled down, which makes slanted edges smooth.
SCALE = 3
#: Where pillow's own font, which knows ASCII, lacks a character: fonts that systems have, by file name.
FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arialuni.ttf", "Arial.ttf", "arial.ttf",
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf", "Hiragino Sans GB.ttc", "msyh.ttc", "msgothic.ttc", "malgun.ttf",
    "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "Nirmala.ttf",
    "NotoEmoji-Regular.ttf", "seguiemj.ttf", "seguisym.ttf", "Symbola.ttf",
)  # fmt: skip


class Box(NamedTuple):
    """A rectangle of the picture."""

    left: float
    top: float
    right: float
    bottom: float


@cache
def _font(name: str, size: float, *, shaping: bool = True) -> ImageFont.FreeTypeFont | None:
    """A font of the system, or pillow's own for the empty name; None if there is no such font."""
    engine = None if shaping else ImageFont.Layout.BASIC
    try:
        font = ImageFont.truetype(name, size, layout_engine=engine) if name else ImageFont.load_default(size)
    except OSError:
        return None
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@cache
def _has(name: str, character: str) -> bool:
    """Whether a font has a glyph of its own for a character, other than the box that stands for unknown ones."""
    # Shaping would put a lone vowel sign on a dotted circle, which looks like a glyph of its own.
    font = _font(name, 24, shaping=False)
    if font is None or unicodedata.category(character) in ("Cc", "Cs"):
        return False
    return character == " " or bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))


def _font_for(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """A text as it can be drawn, and the font to draw it in, its small letters as tall as those of pillow's own."""
    text, name = _drawable(text)
    font = _font(name, size * SCALE * min(max(_x_height("") / _x_height(name), 0.8), 1.2))
    assert font is not None
    return text, font


@cache
def _x_height(name: str) -> float:
    font = _font(name, 100)
    assert font is not None
    return -font.getbbox("x", anchor="ls")[1] or 50.0


@lru_cache(4096)
def _drawable(text: str) -> tuple[str, str]:
    """A text on one line, as well as it can be drawn, and the name of the font that can.

    The font is the first with every character, or the one that lacks the fewest; what it lacks is written as
    the letter without its accent, or as a dot.
    """
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    best, fewest = "", len(text) + 1
    for name in ("", *FONTS):
        missing = sum(not _has(name, c) for c in text)
        if missing < fewest:
            best, fewest = name, missing
        if not missing:
            break
    return "".join(c if _has(best, c) else _replaced(best, c) for c in text), best


def _replaced(name: str, character: str) -> str:
    if unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):  # accents and joiners: nothing on their own
        return ""
    plain = {"−": "-", "–": "-", "—": "-"}.get(character) or unicodedata.normalize("NFKD", character)
    return "".join(c for c in plain if _has(name, c)) or "·"


def width_of(text: str, size: int) -> float:
    """The width of a text."""
    text, font = _font_for(text, size)
    return font.getlength(text) / SCALE


def shortened(text: str, size: int, room: float) -> str:
    """The text on one line, or as much of it as has room, and an ellipsis."""
    text = " ".join(text[:300].split())
    if width_of(text, size) <= room:
        return text
    keep = bisect(range(len(text)), room, key=lambda n: width_of(f"{text[:n]}…", size)) - 1
    return f"{text[: max(keep, 0)].rstrip()}…"


class Canvas:
    """A picture being drawn: ``image`` is ``SCALE`` times as large as it will be, and starts at ``left, top``."""

    def __init__(self, image: Image.Image, left: int = 0, top: int = 0) -> None:
        self.image, self._start = image, (left, top)
        self._pen = ImageDraw.Draw(image, "RGBA")

    @classmethod
    def blank(cls, width: int, height: int) -> Self:
        """An empty picture."""
        return cls(Image.new("RGB", (width * SCALE, height * SCALE), "white"))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self._start[0]) * SCALE, (y - self._start[1]) * SCALE

    def _whole(self, box: Box) -> tuple[int, int, int, int]:
        """A box in the image, its edges moved to whole pixels so that they are sharp."""
        (left, top), (right, bottom) = self._at(*map(round, box[:2])), self._at(*map(round, box[2:]))
        return int(left), int(top), int(right), int(bottom)

    @contextmanager
    def window(self, box: Box) -> Iterator[Canvas]:
        """A canvas that draws nothing outside a box."""
        place = self._whole(box)
        part = self.image.crop(place)
        yield Canvas(part, round(box.left), round(box.top))
        self.image.paste(part, place)

    def rectangle(self, box: Box, colour: str) -> None:
        """A filled rectangle."""
        left, top, right, bottom = self._whole(box)
        if right > left and bottom > top:
            self._pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)

    def line(self, points: np.ndarray, colour: str, width: float = 2) -> None:
        """Straight lines through points ``[N, 2]``, interrupted where one is NaN."""
        for part in np.split(points, np.flatnonzero(~np.isfinite(points).all(axis=-1))):
            part = part[np.isfinite(part).all(axis=-1)]
            if len(part) > 1:
                path = [self._at(*point) for point in part]
                self._pen.line(path, fill=colour, width=round(width * SCALE), joint="curve")
            self.dots(part[:1], colour, width / 2)  # round ends, and a value between two that are missing
            self.dots(part[-1:], colour, width / 2)

    def dashes(self, start: np.ndarray, end: np.ndarray, colour: str) -> None:
        """A dashed line between two points ``[2]``."""
        count = max(int(math.dist(start, end) / 9), 1)
        for i in range(count):
            path = [self._at(*(start + (end - start) * (i + part) / count)) for part in (0.2, 0.8)]
            self._pen.line(path, fill=colour, width=round(1.4 * SCALE))

    def dots(self, points: np.ndarray, colour: str, radius: float) -> None:
        """A filled circle at each point ``[N, 2]`` that is not NaN."""
        size = radius * SCALE
        for point in points[np.isfinite(points).all(axis=-1)]:
            x, y = self._at(*point)
            self._pen.ellipse((x - size, y - size, x + size, y + size), fill=colour)

    def pixels(self, box: Box, colours: np.ndarray) -> None:
        """Colours ``[R, C, 3]`` (uint8) stretched over a box; where there are more of them than pixels, means."""
        left, top, right, bottom = self._whole(box)
        image = Image.fromarray(np.ascontiguousarray(colours))
        for size in ((right - left, image.height), (right - left, bottom - top)):
            fewer = size[0] < image.width or size[1] < image.height
            image = image.resize(size, Image.Resampling.BOX if fewer else Image.Resampling.NEAREST)
        self.image.paste(image, (left, top))

    def text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str = "mm", angle: float = 0) -> None:
        """A text, its left end (``anchor`` "lm"), middle ("mm") or right end ("rm") at a point, turned by degrees."""
        text, font = _font_for(text, size)
        x, y = self._at(x, y)
        if not angle:
            self._pen.text((x, y), text, fill=colour, font=font, anchor=anchor)
            return
        half = math.ceil(font.getlength(text) / 2) + SCALE
        mask = Image.new("L", (2 * half, 2 * size * SCALE))
        ImageDraw.Draw(mask).text((half, size * SCALE), text, fill=255, font=font, anchor="mm")
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        along = {"l": half, "m": 0, "r": -half}[anchor[0]]
        x, y = x + along * math.cos(math.radians(angle)), y - along * math.sin(math.radians(angle))
        self.image.paste(colour, (round(x - mask.width / 2), round(y - mask.height / 2)), mask)

    def save(self, path: Path) -> None:
        """Write the picture as PNG. Raises SuiteError if the file cannot be written."""
        size = self.image.width // SCALE, self.image.height // SCALE
        try:
            self.image.resize(size, Image.Resampling.LANCZOS).save(path, format="PNG", optimize=True)
        except OSError as error:
            reason = error.strerror or one_line(error)
            raise SuiteError(f"cannot write {path}: {reason}; choose another file") from error
