"""The commands of captioning, with pictures that are odd and files that are none: one clear line each."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def vast(side: int) -> bytes:
    """The beginning of a PNG that says it is so large: there is no need for its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
PNG = saved(NOISE, "PNG")

#: File, content, what the one line says after the path.
UNUSABLE = [
    ("a.png", b"", "not an image that can be read (PNG, JPEG, WEBP, GIF or BMP); convert it first"),
    ("a.png", b"hello", "not an image that can be read (PNG, JPEG, WEBP, GIF or BMP); convert it first"),
    ("a.png", PNG[: len(PNG) // 2], "damaged or cut short"),
    ("a.jpg", saved(NOISE, "JPEG")[:900], "damaged or cut short"),
    ("a.gif", saved(NOISE, "GIF")[:1500], "damaged or cut short"),
    ("a.webp", saved(NOISE, "WEBP")[:300], "damaged or cut short"),
    ("a.png", saved(Image.new("RGB", (1, 1)), "PNG"), "1 × 1 pixels, too small to show anything; give 4 × 4 or more"),
    ("a.png", vast(20_000), "more than 80 million pixels; make it smaller first"),
    ("a.png", vast(9_000), "9,000 × 9,000 pixels, more than 80 million pixels; make it smaller first"),
    ("a.tif", saved(NOISE, "TIFF"), "not an image that can be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), UNUSABLE)
def test_what_is_no_picture_is_told_in_one_line(
    cli: Cli, checkpoint: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    ran = cli("captioning", "predict", name, "--checkpoint", checkpoint)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.error.startswith(f"suite: {name}: {message}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cmyk.jpg", saved(NOISE.convert("CMYK"), "JPEG")),
        ("grey16.png", saved(Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16), "PNG")),
        ("palette.png", saved(NOISE.quantize(16), "PNG", transparency=3)),
        ("moving.gif", saved(NOISE, "GIF", save_all=True, append_images=[NOISE.rotate(90)] * 3)),
        ("moving.webp", saved(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)])),
        ("alpha.webp", saved(NOISE.convert("RGBA"), "WEBP")),
        ("wide.bmp", saved(NOISE.resize((400, 5)), "BMP")),
        ("lines.gif", saved(NOISE.convert("1"), "GIF")),
    ],
)
def test_odd_pictures_are_read(cli: Cli, checkpoint: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    ran = cli("captioning", "predict", name, "--checkpoint", checkpoint)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(f"  [{name}]\n")


def test_bad_pictures_are_passed_over_and_counted_if_asked(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").write_bytes(PNG[:200])
    command = ["captioning", "predict", "a.png", "b.png", "nowhere.png", "a.png", "--checkpoint", checkpoint]
    ran = cli(*command, "--skip-errors", "--json")
    assert ran.code == 0
    assert [values["input"] for values in ran.values] == ["a.png", "a.png"]
    told = ran.err.splitlines()
    assert told[0].startswith("suite: b.png: damaged or cut short")
    assert told[1:] == ["suite: nowhere.png: no such file; check the path (skipped)", "suite: 2 skipped"]
    stopped = cli(*command)
    assert stopped.code == 1
    assert len(stopped.lines) == 1
    assert stopped.error.startswith("suite: b.png: damaged or cut short")


# --- folders --------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_pictures_and_with_recursive_those_below(
    cli: Cli, checkpoint: Path, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "all" / "more").mkdir(parents=True)
    for name in ("b.png", "a.PNG", "more/c.png", "notes.txt"):
        (tmp_path / "all" / name).write_bytes(PNG)
    ran = cli("captioning", "predict", "all", "--json", "--checkpoint", checkpoint)
    assert [values["input"] for values in ran.values] == ["all/a.PNG", "all/b.png"]
    ran = cli("captioning", "predict", "all", "--recursive", "--json", "--checkpoint", checkpoint)
    assert [values["input"] for values in ran.values] == ["all/a.PNG", "all/b.png", "all/more/c.png"]


def test_folders_without_a_picture(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "inner" / "a.png").write_bytes(PNG)
    ran = cli("captioning", "predict", "empty", "--checkpoint", checkpoint)
    assert ran.code == 1
    assert ran.error.startswith("suite: empty: no image in it (.png, .jpg, ")
    assert ran.error.endswith("; is it the right folder?")
    ran = cli("captioning", "predict", "outer", "--checkpoint", checkpoint)
    assert ran.error.endswith("; --recursive searches its subfolders too")
    ran = cli("captioning", "predict", "", "--checkpoint", checkpoint)
    assert ran.error == "suite: an empty name where a file or folder is needed; is a variable not set?"


# --- data -----------------------------------------------------------------------------------------------------


def test_a_coco_file_whose_picture_is_missing(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "annotations": [{"image_id": 1, "caption": "a thing"}, {"image_id": 2, "caption": "another"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    ran = cli("captioning", "evaluate", "--data", "coco.json", "--checkpoint", checkpoint)
    assert ran.code == 1
    assert ran.error == "suite: coco.json: b.png: no such image in .; put it there"
    ran = cli("captioning", "evaluate", "--data", "coco.json", "--skip-errors", "--json", "--checkpoint", checkpoint)
    assert ran.code == 0
    assert (ran.values[0]["items"], ran.values[0]["skipped"]) == (1, 1)


def test_a_table_whose_picture_is_missing_or_damaged_names_its_line(
    cli: Cli, checkpoint: Path, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "a.png").write_bytes(PNG[:99])
    (tmp_path / "all.csv").write_text("image,caption\na.png,a thing\nb.png,another\n")
    ran = cli("captioning", "evaluate", "--data", "all.csv", "--checkpoint", checkpoint)
    assert ran.error.startswith("suite: all.csv:2: damaged or cut short")
    ran = cli("captioning", "evaluate", "--data", "all.csv", "--skip-errors", "--checkpoint", checkpoint)
    assert ran.code == 1
    assert ran.err.splitlines()[1:] == [
        "suite: all.csv:3: no such file; check the path (skipped)",
        "suite: nothing to evaluate: no item could be read; fix the data",
    ]


# --- other commands -------------------------------------------------------------------------------------------


def test_a_stream_writes_a_line_a_picture(cli: Cli, checkpoint: Path, pictures: Path) -> None:
    given = "".join(f"{pictures / name}.png\n" for name in ("red-circle", "blue-square")).encode()
    pieces = [given[i : i + 11] for i in range(0, len(given), 11)]
    ran = cli("captioning", "stream", "--checkpoint", checkpoint, stdin=pieces)
    assert ran.out == "circle: red\nsquare: blue\n"
    last = cli("captioning", "stream", "--json", "--checkpoint", checkpoint, stdin=pieces).values[-1]
    assert last["final"] is True


def test_a_stream_stops_at_a_bad_picture_or_passes_it_over_and_counts(
    cli: Cli, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "b.png").write_bytes(PNG[:200])
    good = [f"{pictures / name}.png" for name in ("red-circle", "blue-square")]
    given = "\n".join([good[0], "b.png", "nowhere.png", good[1]]).encode()
    command = ["captioning", "stream", "--checkpoint", checkpoint]
    ran = cli(*command, "--skip-errors", stdin=given)
    assert (ran.code, ran.out) == (0, "circle: red\nsquare: blue\n")
    told = ran.err.splitlines()
    assert told[0].startswith("suite: b.png: damaged or cut short")
    assert told[1:] == ["suite: nowhere.png: no such file; check the path (skipped)", "suite: 2 skipped"]
    stopped = cli(*command, stdin=given)
    assert (stopped.code, stopped.out) == (1, "circle: red\n")
    assert stopped.error.startswith("suite: b.png: damaged or cut short")


def test_a_plot_is_a_picture(cli: Cli, checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    ran = cli("captioning", "predict", pictures, "--plot", "out.png", "--checkpoint", checkpoint)
    assert ran.code == 0
    assert ran.err.splitlines()[-1] == "drawn: out.png"
    with Image.open(tmp_path / "out.png") as image:
        assert image.width > 1000
    options = ("--sample", "--temperature", "5", "--top-p", "1")
    ran = cli("captioning", "predict", pictures, "--plot", "drawn.png", "--checkpoint", checkpoint, *options)
    assert ran.code == 0
    assert (tmp_path / "drawn.png").read_bytes() != (tmp_path / "out.png").read_bytes()


def test_an_unknown_backbone_is_named_before_training(cli: Cli, pictures: Path) -> None:
    data = ("--data", pictures / "captions.jsonl")
    ran = cli("captioning", "train", *data, "--set", "encoder.backbone=resnet19")
    assert ran.err.splitlines()[-1] == "suite: encoder.backbone=resnet19: did you mean 'resnet18'?"
    ran = cli("captioning", "train", *data, "--set", "encoder.weights=DEFAULT")
    assert "'small' has no pretrained weights" in ran.err.splitlines()[-1]
