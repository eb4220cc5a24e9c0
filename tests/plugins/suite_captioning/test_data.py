"""The recipes of captioning, on made-up packages of the published form."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from suite_captioning import data

from suite.codecs.images import open_image
from suite.data.splits import part
from suite.errors import DataError

LABELS = [
    {"hexcode": "1F600", "label": "grinning face"}, {"hexcode": "2764-FE0F", "label": "red heart"},
    {"hexcode": "1F476", "label": "baby", "skins": [{"hexcode": "1F476-1F3FB", "label": "baby: light skin tone"}]},
    {"hexcode": "1F452", "label": "woman’s hat"}, {"hexcode": "1F1E8-1F1FF", "label": "flag: Czechia"},
    {"hexcode": "1F1E8-1F1EE", "label": "flag: Côte d’Ivoire"}, {"hexcode": "1F422", "label": "turtle"},
    {"hexcode": "1F423", "label": "hatching chick"}, {"hexcode": "1F424", "label": "baby chick"},
]  # fmt: skip
CIRCLE = '<circle cx="32" cy="32" r="30" fill="{}"/>'


def package(folder: Path, chars: Mapping[str, str], icons: Mapping[str, Any], **aliases: Mapping[str, Any]) -> Path:
    place = folder / "package"
    place.mkdir(parents=True)
    (place / "chars.json").write_text(json.dumps(chars))
    names = {name.replace("_", "-"): value for name, value in aliases.items()}
    (place / "icons.json").write_text(json.dumps({"icons": icons, "aliases": names, "width": 64, "height": 64}))
    return place


def icon(colour: str = "red", **size: float) -> dict[str, Any]:
    return {"body": CIRCLE.format(colour), **size}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Packages of five artists, each with an icon for every label."""
    found = {}
    codes = {
        form["hexcode"].lower().replace("-fe0f", ""): form["label"].replace(":", "").replace(" ", "-")
        for row in LABELS
        for form in [row, *row.get("skins", ())]  # type: ignore[misc]
    }
    for artist in (*data.TRAINED, data.CHOOSING, data.TESTING):
        folder = tmp_path / artist.name
        icons = {name: icon() for name in codes.values()}
        if artist is data.CHOOSING:
            icons = {"grinning-face": icon(), "womans-hat": icon(), "flag-for-czechia": icon(), "infant": icon("blue"),
                     "cote": icon(), "not-an-emoji": icon()}  # fmt: skip
        package(folder, {} if artist is data.CHOOSING else codes, icons, infant={"parent": "baby"})
        found[artist.source.purl] = folder
    names = tmp_path / "names" / "package" / "en"
    names.mkdir(parents=True)
    (names / "data.json").write_text(json.dumps(LABELS))
    found[data.NAMES.purl] = tmp_path / "names"
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_parts_are_of_artists_and_of_code_points(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build(folders, out)
    keys = [row["hexcode"].replace("-FE0F", "") for row in LABELS] + ["1F476-1F3FB"]
    buckets = {key: part(key) for key in keys}
    assert set(buckets.values()) == {"train", "dev", "test"}, "the keys are chosen so that every part has some"
    train, dev, test = (rows(out / f"{name}.jsonl") for name in ("train", "dev", "test"))
    assert {row["artist"] for row in train} == {"twemoji", "openmoji", "fluent-emoji-flat"}
    assert {row["key"] for row in train} == {key for key in keys if buckets[key] == "train"}
    assert all(row["seen"] for row in train)
    for row in dev:
        assert buckets[row["key"]] != "test"
        assert row["seen"] is (buckets[row["key"]] == "train")
        assert row["artist"] == "emojione" or buckets[row["key"]] == "dev"
    assert {row["artist"] for row in test} == {"noto"}
    assert {row["key"]: row["seen"] for row in test} == {key: buckets[key] != "test" for key in keys}
    heart = next(row for row in test if row["key"] == "2764")
    assert heart["captions"] == ["red heart"]
    assert heart["image"] == "test.zip/noto/2764.png"


def test_pictures_are_drawn_on_white_as_large_as_the_model_sees_them(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build(folders, out)
    image = open_image(out / rows(out / "test.jsonl")[0]["image"])
    assert image.size == (96, 96)
    assert image.getpixel((48, 48)) == (255, 0, 0)
    assert image.getpixel((1, 1)) == (255, 255, 255)
    first = (out / "test.zip").read_bytes()
    data.build(folders, out)
    assert (out / "test.zip").read_bytes() == first


def test_drawings_of_training_are_drawn_anew(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build(folders, out)
    plain, anew = (rows(out / f"{name}.jsonl") for name in ("train", "redrawn"))
    assert [row["key"] for row in anew] == [row["key"] for row in plain for _ in range(data.REDRAWN)]
    assert [row["captions"] for row in anew] == [row["captions"] for row in plain for _ in range(data.REDRAWN)]
    assert len({row["image"] for row in anew}) == len(anew)
    assert open_image(out / anew[0]["image"]).size == (96, 96)
    assert set(data.recipe().train) <= {path.name for path in out.iterdir()}


def test_an_artist_without_code_points_is_joined_by_name(folders: dict[str, Path]) -> None:
    labels = data.names(folders[data.NAMES.purl] / "package" / "en" / "data.json")
    other = folders[data.TRAINED[0].source.purl] / "package"
    called = list(data.aliases(other, data.icons(other, labels)))
    assert ("infant", "1F476") in called
    found = data.by_name(folders[data.CHOOSING.source.purl] / "package", labels, called)
    assert found == {
        "1F600": "grinning-face", "1F452": "womans-hat", "1F1E8-1F1FF": "flag-for-czechia", "1F476": "infant",
    }  # fmt: skip


def test_a_name_others_give_to_several_is_the_plainest_of_them(tmp_path: Path) -> None:
    place = package(tmp_path, {}, {"blond": icon(), "grinning-face": icon()})
    called = [("blond", "1F471-200D"), ("blond", "1F471"), ("grinning-face", "1F471")]
    assert data.by_name(place, {"1F600": "grinning face"}, called) == {"1F471": "blond", "1F600": "grinning-face"}


def test_a_mirrored_alias_is_another_drawing(tmp_path: Path) -> None:
    place = package(
        tmp_path, {}, {"left": icon()}, same={"parent": "left"}, right={"parent": "left", "hFlip": True}
    )  # fmt: skip
    assert list(data.aliases(place, {"1F448": "left"})) == [("left", "1F448"), ("same", "1F448")]


@pytest.mark.parametrize("size", [{"width": 32.0}, {"height": 25.22}])
def test_a_drawing_that_is_no_square_stands_in_the_middle_of_one(tmp_path: Path, size: dict[str, float]) -> None:
    place = package(tmp_path, {}, {"a": {"body": '<path d="M0 0h64v64h-64z" fill="blue"/>', **size}})
    image = open_image(data.draw(data.svgs(place)["a"], 64))
    assert image.size == (64, 64)
    assert image.getpixel((32, 32)) == (0, 0, 255)


def test_a_drawing_that_is_none() -> None:
    with pytest.raises(DataError, match="an SVG cannot be rendered"):
        data.draw("<svg", 96)


def test_sizes_in_points_are_drawn() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="128pt" height="64pt"><rect width="9" height="9"/></svg>'
    assert open_image(data.draw(svg, 96)).size == (96, 48)


def test_stamps_are_pictures_or_drawings_with_the_first_line_of_their_text(tmp_path: Path) -> None:
    stamps = tmp_path / "deb" / "usr" / "share" / "tuxpaint" / "stamps"
    (stamps / "animals").mkdir(parents=True)
    buffer = io.BytesIO()
    Image.new("RGBA", (200, 100), (0, 0, 0, 0)).save(buffer, "PNG")
    for number in range(20):
        (stamps / "animals" / f"a{number}.txt").write_text(f"An animal, № {number}.\nde.utf8=Ein Tier.\n", "utf-8")
        if number % 2:
            (stamps / "animals" / f"a{number}.png").write_bytes(buffer.getvalue())
        else:
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">{CIRCLE.format("blue")}</svg>'
            (stamps / "animals" / f"a{number}.svg").write_text(svg)
    (stamps / "alone.txt").write_text("Nothing to see.")
    out = tmp_path / "out"
    out.mkdir()
    data.build_stamps({data.STAMPS.purl: tmp_path / "deb"}, out)
    found = {row["key"]: (name, row) for name in ("train", "dev", "test") for row in rows(out / f"{name}.jsonl")}
    assert set(found) == {f"animals/a{number}" for number in range(20)}
    for key, (name, row) in found.items():
        assert part(key) == name
        assert row["captions"] == [f"An animal, № {key.removeprefix('animals/a')}."]
        image = open_image(out / row["image"])
        assert image.size == (96, 96)
        assert image.getpixel((48, 0 if int(key[9:]) % 2 else 48)) != (0, 0, 0)


def test_the_recipes_name_their_sources_and_parts() -> None:
    recipe = data.recipe()
    assert [source.licence for source in recipe.sources] == [
        "CC-BY-4.0", "CC-BY-SA-4.0", "MIT", "CC-BY-4.0", "Apache-2.0", "MIT",
    ]  # fmt: skip
    assert recipe.parts["test"][0] == 3313 + 395
    assert sum(count for count, _ in data.stamps_recipe().parts.values()) == 950
