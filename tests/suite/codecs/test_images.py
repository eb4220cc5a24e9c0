from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from suite.codecs.images import FILE, MAX_PIXELS, ImageCodec, ImageSpec, fit_to_square, open_image
from suite.errors import CheckpointError, DataError

CODEC = ImageCodec(ImageSpec(size=16))


def noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colours(raw: Any, *places: tuple[int, int]) -> list[tuple[int, ...]]:
    """The colours at places (x, y) of what a model sees."""
    array = CODEC.encode(raw)
    return [tuple(array[:, y, x].tolist()) for x, y in places]


def halves(left: str, right: str, mode: str = "RGB", size: tuple[int, int] = (16, 16)) -> Image.Image:
    image = Image.new(mode, size, left)
    ImageDraw.Draw(image).rectangle((size[0] // 2, 0, size[0], size[1]), fill=right)
    return image


# --- sizes ----------------------------------------------------------------------------------------------------


def test_a_picture_of_the_right_size_is_as_it_is() -> None:
    pixels = noise(16, 16)
    array = CODEC.encode(saved(Image.fromarray(pixels)))
    assert (array.dtype, array.shape) == (np.uint8, (3, 16, 16))
    np.testing.assert_array_equal(array, pixels.transpose(2, 0, 1))
    assert array.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(("width", "height", "box"), [
    (32, 16, (0, 4, 16, 12)), (16, 32, (4, 0, 12, 16)), (4, 8, (4, 0, 12, 16)), (100, 30, (0, 5, 16, 10)),
    (400, 4, (0, 7, 16, 8)),
])  # fmt: skip
def test_another_shape_stands_in_the_middle_with_white_around(
    width: int, height: int, box: tuple[int, int, int, int]
) -> None:
    array = CODEC.encode(saved(Image.new("RGB", (width, height), "black")))
    left, top, right, bottom = box
    wanted = np.full((3, 16, 16), 255, np.uint8)
    wanted[:, top:bottom, left:right] = 0
    np.testing.assert_array_equal(array, wanted)


def test_the_size_of_a_picture_is_changed_to_the_pixel_as_ever() -> None:
    """The same pixels for training and use, on any machine: cubic, by pillow's whole numbers."""
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    small = ImageCodec(ImageSpec(size=8)).encode(np.kron(np.stack([ramp] * 3, 2), np.ones((4, 4, 1), np.uint8)))
    wanted = [
        [2, 6, 10, 14, 18, 22, 26, 30], [31, 35, 39, 43, 47, 51, 55, 59], [64, 68, 72, 76, 80, 84, 88, 92],
        [96, 100, 104, 108, 112, 116, 120, 124], [128, 132, 136, 140, 144, 148, 152, 156],
        [160, 164, 168, 172, 176, 180, 184, 188], [193, 197, 201, 205, 209, 213, 217, 221],
        [222, 226, 230, 234, 238, 242, 246, 250],
    ]  # fmt: skip
    np.testing.assert_array_equal(small[0], wanted)


def test_a_picture_made_to_fit_once_stays_what_it_is() -> None:
    """So that what is kept small for training is what a model sees of the original."""
    for size in ((200, 90), (7, 300), (5, 5)):
        original = Image.fromarray(noise(*size))
        kept = fit_to_square(original, 16)
        assert kept.size == (16, 16)
        np.testing.assert_array_equal(CODEC.encode(saved(kept)), CODEC.encode(saved(original)))


# --- kinds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_kinds_that_lose_nothing(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(halves("red", "blue"), kind, **options)
    assert colours(content, (2, 8), (13, 8)) == [(255, 0, 0), (0, 0, 255)]


def test_a_photograph_of_four_colours_or_one_is_one_of_three() -> None:
    for mode in ("CMYK", "RGB"):
        (left, right) = colours(saved(halves("red", "white").convert(mode), "JPEG", quality=95), (2, 8), (13, 8))
        assert np.abs(np.subtract(left, (254, 0, 0))).max() < 16
        assert np.abs(np.subtract(right, (255, 255, 255))).max() < 4
    (left, right) = colours(saved(halves("black", "white", "L"), "JPEG"), (2, 8), (13, 8))
    assert max(left) < 8
    assert min(right) > 247


def test_sixteen_bits_are_eight() -> None:
    grey = np.full((16, 16), 0x80FF, np.uint16)
    grey[:, 8:] = 0xFFFF
    assert colours(saved(Image.fromarray(grey)), (2, 8), (13, 8)) == [(128,) * 3, (255,) * 3]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_on_white(mode: str) -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 255))
    ImageDraw.Draw(image).rectangle((8, 0, 16, 16), fill=(0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 128))
    left, right, half = colours(image.convert(mode), (4, 8), (13, 8), (0, 0))
    assert (left, right) == ((0, 0, 0), (255, 255, 255))
    assert half[0] == pytest.approx(127, abs=1)


def test_one_colour_of_a_palette_or_of_all_may_be_transparent() -> None:
    palette = halves("red", "blue").quantize(4)
    blue = palette.getpixel((13, 8))
    assert isinstance(blue, int)
    for kind in ("PNG", "GIF"):
        assert colours(saved(palette, kind, transparency=blue), (2, 8), (13, 8)) == [(255, 0, 0), (255, 255, 255)]
    content = saved(halves("red", "blue"), transparency=(0, 0, 255))
    assert colours(content, (2, 8), (13, 8)) == [(255, 0, 0), (255, 255, 255)]


def test_of_one_that_moves_the_first_is_taken() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("lime", "red", "blue")]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert colours(content, (8, 8)) == [(0, 255, 0)]


@pytest.mark.parametrize(("turned", "place"), [(1, (2, 2)), (3, (13, 13)), (6, (13, 2)), (8, (2, 13)), (2, (13, 2))])
def test_a_picture_is_turned_as_the_camera_was_held(turned: int, place: tuple[int, int]) -> None:
    image = Image.new("RGB", (16, 16), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 5, 5), fill="red")
    exif = Image.Exif()
    exif[0x0112] = turned
    for kind in ("PNG", "JPEG"):
        (found,) = colours(saved(image, kind, exif=exif.tobytes(), **({} if kind == "PNG" else {"quality": 95})), place)
        assert found[0] > 230
        assert found[1] < 40


# --- what is given --------------------------------------------------------------------------------------------


def test_paths_bytes_images_and_arrays_are_the_same_picture(tmp_path: Path) -> None:
    pixels = noise(20, 30)
    image = Image.fromarray(pixels)
    file = tmp_path / "a.png"
    file.write_bytes(saved(image))
    wanted = CODEC.encode(pixels)
    for raw in (file, str(file), file.read_bytes(), image):
        np.testing.assert_array_equal(CODEC.encode(raw), wanted)


def test_a_picture_inside_a_zip_is_named_by_its_path(tmp_path: Path) -> None:
    pixels = noise(16, 16)
    for name in ("all.zip", "again.ZIP"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("sub/a.png", saved(Image.fromarray(pixels)))
        np.testing.assert_array_equal(CODEC.encode(tmp_path / name / "sub" / "a.png"), pixels.transpose(2, 0, 1))
    with pytest.raises(DataError, match=r"no such image in .*all.zip; check the path"):
        CODEC.encode(tmp_path / "all.zip" / "sub" / "b.png")
    # Another file of the same name is another one.
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("sub/a.png", saved(Image.new("RGB", (16, 16), "black")))
        archive.writestr("more", b"x")
    assert not CODEC.encode(tmp_path / "all.zip" / "sub" / "a.png").any()
    (tmp_path / "odd.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        CODEC.encode(tmp_path / "odd.zip" / "a.png")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (3, "expected an image, got int"),
        (None, "expected an image, got NoneType"),
        (np.zeros((4, 4)), r"an array \[4, 4\] of float64; give \[height, width, 3\] of uint8"),
        (np.zeros((3, 8, 8), np.uint8), r"an array \[3, 8, 8\] of uint8"),
        (np.zeros((8, 3, 3), np.uint8), "3 × 8 pixels, too small to show anything"),
        (b"", "not an image that can be read"),
        (b"%PDF-1.4 ", "not an image that can be read"),
        (saved(Image.new("RGB", (1, 1))), "1 × 1 pixels, too small to show anything; give 4 × 4 or more"),
        (saved(Image.fromarray(noise(64, 64)))[:-1000], "damaged or cut short"),
        (Path("/nowhere/a.png"), "no such file; check the path"),
        (Path("/"), "cannot be read"),
    ],
)
def test_what_is_no_picture(raw: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.encode(raw)


def test_what_is_too_large_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*arguments: Any) -> None:
        raise AssertionError("it was decoded")

    content = saved(Image.new("1", (20_000, 4_001)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(DataError, match=r"20,000 × 4,001 pixels, more than 80 million pixels; make it smaller first"):
        open_image(content)
    assert MAX_PIXELS < Image.MAX_IMAGE_PIXELS, "pillow itself warns of no picture that is read"  # type: ignore[operator]


def test_a_picture_as_large_as_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.codecs.images.MAX_PIXELS", 400)
    assert open_image(saved(Image.fromarray(noise(20, 20)))).size == (20, 20)
    with pytest.raises(DataError, match="21 × 20 pixels"):
        open_image(saved(Image.fromarray(noise(21, 20))))


# --- files ----------------------------------------------------------------------------------------------------


def test_the_codec_lives_in_a_file() -> None:
    codec = ImageCodec(ImageSpec(size=40))
    again = ImageCodec.from_files(codec.files())
    assert again == codec
    np.testing.assert_array_equal(again.encode(noise(9, 9)), codec.encode(noise(9, 9)))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "images.json: missing"),
        ({FILE: b"{"}, "images.json: JSONDecodeError"),
        ({FILE: b"[]"}, "expected the keys images, got"),
        ({FILE: b'{"images": {"width": 3}}'}, "images.json.width: no such setting"),
        ({FILE: b'{"images": {"size": 3}}'}, "size must be 8 or more"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        ImageCodec.from_files(files)
