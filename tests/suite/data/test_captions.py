"""Pictures and captions out of tables, COCO's files and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from suite.data.captions import read_captions
from suite.errors import DataError


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not opened here")


def found(path: Path, **options: Any) -> dict[str, tuple[str, ...]]:
    return {str(example.input): example.target for example in read_captions(path, **options)}


def test_a_picture_comes_once_with_all_its_captions(tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    table.write_text("image,caption,key\na.png, one ,k\nsub/b.png,two,\na.png,three,k\n")
    rows = list(read_captions(table))
    assert [(Path(row.input), row.target, row.key, row.where) for row in rows] == [
        (tmp_path / "a.png", ("one", "three"), "k", f"{table}:2"),
        (tmp_path / "sub/b.png", ("two",), "sub/b.png", f"{table}:3"),
    ]


def test_captions_are_a_list_or_a_text_and_other_columns_stay(tmp_path: Path) -> None:
    table = tmp_path / "all.jsonl"
    rows = [{"image": "a.png", "captions": ["one", "two"], "seen": True}, {"image": "b.png", "captions": "three"}]
    table.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {"image": "c.png"}]))
    examples = list(read_captions(table))
    assert [example.target for example in examples] == [("one", "two"), ("three",), None]
    assert examples[0].values["seen"] is True
    renamed = tmp_path / "own.tsv"
    renamed.write_text("picture\ttext\nd.png\tfour\n")
    assert found(renamed, columns={"image": "picture", "caption": "text"}) == {str(tmp_path / "d.png"): ("four",)}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file": "a.png", "captions": ["x"]}, ":1: no column 'image'"),
        ({"image": 3, "captions": ["x"]}, ":1: image is 3, not the path of an image"),
        ({"image": " ", "captions": ["x"]}, ":1: image is ' ', not the path of an image"),
        ({"image": "a.png", "captions": []}, r":1: captions is \[\]; give a text, or a list of texts"),
        ({"image": "a.png", "captions": ["x", 3]}, r":1: captions is \['x', 3\]; give"),
        ({"image": "a.png", "captions": {"en": "x" * 99}}, r":1: captions is \{'en': .*…; give"),
    ],
)
def test_rows_that_are_none(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    table = tmp_path / "all.jsonl"
    table.write_text(f"{json.dumps(row)}\n" + '{"image": "b.png", "captions": ["y"]}\n')
    with pytest.raises(DataError, match=message):
        list(read_captions(table))
    if "image" in row:
        told: list[DataError] = []
        assert list(found(table, on_error=told.append).values()) == [("y",)]
        assert len(told) == 1


# --- COCO -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["annotations/", "annotations/images/", "val2017/", "images/"])
def test_cocos_pictures_are_found_where_people_put_them(tmp_path: Path, place: str) -> None:
    made(tmp_path, f"{place}1.jpg", f"{place}2.jpg")
    (tmp_path / "annotations").mkdir(exist_ok=True)
    coco = {
        "images": [{"id": 7, "file_name": "1.jpg"}, {"id": 9, "file_name": "2.jpg"}, {"id": 10, "file_name": "3.jpg"}],
        "annotations": [
            {"image_id": 9, "caption": "two "}, {"image_id": 7, "caption": "one"}, {"image_id": 9, "caption": "zwei"},
            {"image_id": 11, "caption": "of nothing"}, {"image_id": 7, "caption": " "},
        ],
    }  # fmt: skip
    path = tmp_path / "annotations" / "captions_val2017.json"
    path.write_text(json.dumps(coco))
    rows = {Path(name): texts for name, texts in found(path).items()}
    assert rows == {tmp_path / f"{place}1.jpg": ("one",), tmp_path / f"{place}2.jpg": ("two", "zwei")}


def test_json_that_is_not_cocos(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"image": "a.png", "captions": ["a"]}]))
    assert found(path) == {str(tmp_path / "a.png"): ("a",)}
    path.write_text('{"pictures": []}')
    with pytest.raises(DataError, match="without 'images' and 'annotations'"):
        list(read_captions(path))
    path.write_text('{"images": [{"id": 1}], "annotations": []}')
    with pytest.raises(DataError, match=r"an entry is not COCO's .*file_name"):
        list(read_captions(path))
    path.write_text("{")
    with pytest.raises(DataError, match="JSON"):
        list(read_captions(path))


# --- Flickr ---------------------------------------------------------------------------------------------------


def test_a_folder_as_flickr8k_comes(tmp_path: Path) -> None:
    made(tmp_path, "Images/1.jpg", "Images/2.jpg")
    (tmp_path / "captions.txt").write_text('image,caption\n1.jpg,"A dog , running ."\n2.jpg,A cat .\n1.jpg,A dog .\n')
    rows = {Path(name).name: texts for name, texts in found(tmp_path).items()}
    assert rows == {"1.jpg": ("A dog , running .", "A dog ."), "2.jpg": ("A cat .",)}


def test_a_folder_as_flickr8k_came_before(tmp_path: Path) -> None:
    made(tmp_path, "Flicker8k_Dataset/1.jpg")
    (tmp_path / "Flickr8k.token.txt").write_text("1.jpg#0\tA dog .\n1.jpg#1\tTwo dogs .\n2.jpg#0\tA cat .\nodd\n")
    told: list[DataError] = []
    rows = list(read_captions(tmp_path, on_error=told.append))
    assert [(Path(row.input).name, row.target) for row in rows] == [("1.jpg", ("A dog .", "Two dogs ."))]
    assert "no image 2.jpg in" in str(told[0])
    assert str(told[1]).endswith(
        "Flickr8k.token.txt:4: expected an image's name and its caption, as Flickr8k has; fix the line"
    )


def test_a_folder_without_captions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither captions.txt nor a ….token.txt in it"):
        list(read_captions(tmp_path))
