"""Images as arrays of one size, by pillow and numpy, the same in training and prediction.

Data flow: a file → its size, checked before anything is decoded → pixels, turned upright by EXIF → 8-bit RGB,
transparency on white → scaled to fit into the square → padded with white.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from suite.codecs.serialization import json_file, read_json_file
from suite.config import check_ranges, from_dict, to_dict
from suite.data.zip_paths import open_file
from suite.errors import CheckpointError, DataError, one_line

FILE = "images.json"
#: The formats that are read; of an animation, the first frame.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
#: The most pixels of an image, checked before it is decoded, and the fewest a side.
MAX_PIXELS, MIN_SIDE = 80_000_000, 4
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class ImageSpec:
    """How an image becomes an array: ``size`` is the side, in pixels, of the square that it is scaled to fit."""

    size: int = 96

    def __post_init__(self) -> None:
        check_ranges(self, least={"size": 8})


@dataclass(frozen=True)
class ImageCodec:
    """Images → RGB ``[3, H, W]`` uint8. Nothing is fitted."""

    spec: ImageSpec

    def files(self) -> dict[str, bytes]:
        return json_file(FILE, {"images": to_dict(self.spec)})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = read_json_file(files, FILE, "images")
        return cls(from_dict(ImageSpec, values["images"], where=FILE, error=CheckpointError))

    def encode(self, raw: Any) -> np.ndarray:
        """One image: a path, the bytes of a file, a pillow image, or an array ``[H, W, 3]`` of uint8.

        A path may lead into a ZIP file, ``images.zip/cat.png``. Raises DataError for what cannot be read.
        """
        return image_array(fit_to_square(open_image(raw), self.spec.size))


def image_array(image: Image.Image) -> np.ndarray:
    """An RGB image as ``[3, H, W]`` uint8."""
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))


def fit_to_square(image: Image.Image, size: int) -> Image.Image:
    """An RGB image scaled to fit into a square of ``size`` pixels, centered, padded with white."""
    scale = size / max(image.size)
    width, height = (min(size, max(1, round(side * scale))) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    if (width, height) == (size, size):
        return image
    whole = Image.new("RGB", (size, size), WHITE)
    whole.paste(image, ((size - width) // 2, (size - height) // 2))
    return whole


def open_image(raw: Any) -> Image.Image:
    """What `ImageCodec.encode` takes as an RGB image, upright, on white. Raises DataError."""
    if isinstance(raw, np.ndarray):
        if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] != 3:
            raise DataError(f"an array {list(raw.shape)} of {raw.dtype}; give [height, width, 3] of uint8")
        _check_size(raw.shape[1], raw.shape[0])
        return Image.fromarray(raw)
    if isinstance(raw, Image.Image):
        with _decoding():
            return _to_rgb(raw)
    if isinstance(raw, bytes):
        return _read(io.BytesIO(raw))
    if not isinstance(raw, str | Path):
        raise DataError(f"expected an image, got {type(raw).__name__}; give a path, bytes, or an image")
    with open_file(Path(raw), "image") as file:
        return _read(file)


def _read(file: IO[bytes]) -> Image.Image:
    with _decoding(), Image.open(file, formats=FORMATS) as image:
        return _to_rgb(image)


@contextmanager
def _decoding() -> Iterator[None]:
    """Turns what pillow raises for a file that it cannot read into DataError."""
    try:
        # Pillow warns of large images; their size is checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except Image.DecompressionBombError as error:
        raise DataError(f"more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller first") from error
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS[:-1])
        raise DataError(f"not an image that can be read ({kinds} or {FORMATS[-1]}); convert it first") from error
    except DataError:
        raise
    except Exception as error:  # a damaged file makes pillow's readers raise nearly anything
        raise DataError(f"damaged or cut short ({one_line(error)}); get it again") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    _check_size(*image.size)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit gray: the upper eight bits are what a screen shows.
        values = np.asarray(image)
        values = np.clip(values, 0, 255) if image.mode == "F" else values.astype(np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(values.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    return image.convert("RGB")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} million pixels"
        raise DataError(f"{width:,} × {height:,} pixels, more than {limit}; make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise DataError(f"{width} × {height} pixels, too small to show anything; give {MIN_SIDE} × {MIN_SIDE} or more")
