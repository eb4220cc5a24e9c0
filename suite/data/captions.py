"""Readers of images with captions: tables, COCO captions, and folders as Flickr8k has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.data.examples import Example
from suite.data.readers import read_rows
from suite.errors import DataError, one_line, stop

#: The place of a row, its image, its captions, and all its columns.
Found = tuple[str, Path, list[str], Mapping[str, Any]]
#: Folders with the images of Flickr8k and Flickr30k, next to the captions.
FLICKR = ("Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images", "flickr30k_images", ".")


def read_captions(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    on_error: Any = None,
) -> Iterator[Example]:
    """The examples of a file or folder, one for each image, with all its captions.

    The path of an image is relative to the file; the image is not opened here. Raises DataError for a bad row, or
    calls ``on_error`` with it.
    """
    report = on_error or stop
    place = Path(path)
    found: Iterable[Found | DataError]
    if str(path) != "-" and place.is_dir():
        found = _flickr(place)
    elif place.suffix.lower() == ".json" and format in (None, "json") and (coco := _coco(place)) is not None:
        found = coco
    else:
        found = _table(path, format, columns, on_error)
    pictures: dict[Path, Found] = {}
    for row in found:
        if isinstance(row, DataError):
            report(row)
        elif row[1] in pictures:
            pictures[row[1]][2].extend(row[2])
        else:
            pictures[row[1]] = row
    for where, picture, captions, values in pictures.values():
        key = str(values.get("key") or values.get("image") or picture.name)
        yield Example(input=str(picture), target=tuple(captions) or None, key=key, where=where, values=values)


# --- tables ---------------------------------------------------------------------------------------------------


def _table(
    path: str | Path, format: str | None, columns: Mapping[str, str] | None, on_error: Any
) -> Iterator[Found | DataError]:
    """Rows of ``image`` and ``captions``, a list or a text, or ``caption``."""
    base = Path() if str(path) == "-" else Path(path).parent
    rows = read_rows(path, format=format, columns=columns, text_column="image", on_error=on_error)
    for number, row in enumerate(rows):
        picture = row.values.get("image")
        captions = row.values.get("captions", row.values.get("caption"))
        captions = [captions] if isinstance(captions, str) else captions
        if "image" not in row.values:
            error = DataError(f"{row.where}: no column 'image' (an image's path); --columns image=YOURS renames one")
            if number == 0:
                raise error
            yield error
        elif not isinstance(picture, str) or not picture.strip():
            yield DataError(f"{row.where}: image is {_shown(picture)}, not the path of an image; give one")
        elif captions is not None and not _are_texts(captions):
            yield DataError(f"{row.where}: captions is {_shown(captions)}; give a text, or a list of texts")
        else:
            yield row.where, base / picture.strip(), [text.strip() for text in captions or ()], row.values


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text.strip() for text in value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# --- COCO -----------------------------------------------------------------------------------------------------


def _coco(path: Path) -> Iterator[Found | DataError] | None:
    """The images of a file of COCO captions; None for other JSON, such as a list of rows."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None  # the reader of tables reports what is wrong
    if not isinstance(whole, dict):
        return None
    pictures, captions = whole.get("images"), whole.get("annotations")
    if not isinstance(pictures, list) or not isinstance(captions, list):
        raise DataError(f"{path}: an object without 'images' and 'annotations', the lists of COCO captions; give those")
    try:
        names = {picture["id"]: str(picture["file_name"]) for picture in pictures}
        texts: dict[Any, list[str]] = {}
        for item in captions:
            if (text := str(item["caption"]).strip()) and item["image_id"] in names:
                texts.setdefault(item["image_id"], []).append(text)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: an entry is not COCO's ({one_line(error)}); images have id and file_name, annotations image_id "
            "and caption"
        ) from error
    return _placed(path, {names[number]: own for number, own in texts.items()})


def _placed(path: Path, texts: Mapping[str, list[str]]) -> Iterator[Found | DataError]:
    """Finds each image: next to the file, or in a folder of the split, next to the file or to its folder."""
    splits = re.findall(r"(?:train|val|test)\d*", path.stem)
    around = [base / name for base in (path.parent, path.parent.parent) for name in (".", "images", *splits)]
    folders = [folder for folder in dict.fromkeys(around) if folder.is_dir()]
    for name, own in texts.items():
        where = f"{path}: {name}"
        there = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if there is None:
            yield DataError(f"{where}: no such image in {', '.join(map(str, folders))}; put it there")
        else:
            yield where, there, own, {"image": name}


# --- Flickr ---------------------------------------------------------------------------------------------------


def _flickr(folder: Path) -> Iterator[Found | DataError]:
    """The images of a folder as Flickr8k has: ``captions.txt`` (image, caption) or ``….token.txt`` (name#n)."""
    listed = [*sorted(folder.glob("captions.txt")), *sorted(folder.glob("*.token*"))]
    if not listed:
        raise DataError(f"{folder}: neither captions.txt nor a ….token.txt in it, as Flickr8k has; or give a file")
    pictures = [folder / name for name in FLICKR if (folder / name).is_dir()]
    table = listed[0].name == "captions.txt"
    rows = read_rows(listed[0], format="csv") if table else read_rows(listed[0], format="txt", text_column="line")
    for row in rows:
        if table:
            name, caption = row.values.get("image"), row.values.get("caption")
        else:
            name, _, caption = row.values["line"].partition("\t")
            name = re.sub(r"#\d+$", "", name)
        if not isinstance(name, str) or not isinstance(caption, str) or not name or not caption.strip():
            yield DataError(f"{row.where}: expected an image's name and its caption, as Flickr8k has; fix the line")
            continue
        there = next((place / name for place in pictures if (place / name).is_file()), None)
        if there is None:
            yield DataError(f"{row.where}: no image {name} in {pictures[0]}; put it there")
        else:
            yield row.where, there, [caption.strip()], {"image": name}
