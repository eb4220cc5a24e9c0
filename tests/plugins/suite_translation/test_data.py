"""The recipe of the translation task's data, on made-up indices of the published form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from suite_translation import data

from suite.data.splits import part
from suite.errors import DataError

ENGLISH = """Package: a
Description-md5: 1
Description-en: shared library
 This package contains  a library.
 It is small.
 .
  * one
  * two

Package: b
Description-md5: 2
Description-en: shared library
 .
 Two paragraphs here.

Package: c
Description-md5: 3
Description-en: a name
"""
ITALIAN = """Package: a
Description-md5: 1
Description-it: libreria condivisa
 Questo pacchetto contiene una libreria.
 È piccola.
 .
  * uno
  * due

Package: b
Description-md5: 2
Description-it: libreria condivisa
 Un solo paragrafo qui.

Package: c
Description-md5: 3
Description-it: a name

Package: d
Description-md5: 4
Description-it: senza inglese
"""


def index(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_descriptions_are_read_paragraph_by_paragraph(tmp_path: Path) -> None:
    found = data.descriptions(index(tmp_path / "en", ENGLISH), "en")
    assert found == {
        "1": ["shared library", "This package contains  a library. It is small.", "* one * two"],
        "2": ["shared library", "", "Two paragraphs here."],
        "3": ["a name", ""],
    }


def test_pairs_are_those_of_as_many_paragraphs_once_and_translated(tmp_path: Path) -> None:
    english = data.descriptions(index(tmp_path / "en", ENGLISH), "en")
    italian = data.descriptions(index(tmp_path / "it", ITALIAN), "it")
    assert list(data.pairs(english, italian)) == [
        ("shared library", "libreria condivisa"),
        ("This package contains  a library. It is small.", "Questo pacchetto contiene una libreria. È piccola."),
        ("* one * two", "* uno * due"),
    ]
    assert list(data.pairs({"1": ["a", "a", "x"]}, {"1": ["b", "b", "x"]})) == [("a", "b")]
    long = "w " * 61
    assert list(data.pairs({"1": [long], "2": ["a"]}, {"1": ["b"], "2": ["w " * 80]})) == [("a", "w " * 80)]
    assert list(data.pairs({"1": ["w " * 60]}, {"1": ["w " * 81]})) == []


def test_the_parts_are_by_the_english_paragraph(tmp_path: Path) -> None:
    texts = [f"Program number {i}" for i in range(300)]
    blocks = {
        name: "\n".join(f"Description-md5: {i}\nDescription-{name}: {text}{end}\n" for i, text in enumerate(texts))
        for name, end in (("en", ""), ("de", " auf Deutsch"), ("it", " in italiano"))
    }
    folders = {}
    for name, text in blocks.items():
        source = data.source(name)
        folders[source.purl] = index(tmp_path / name / source.filename, text).parent
    out = tmp_path / "out"
    out.mkdir()
    data.build(folders, out, languages=("de", "it"))
    for place, language, end in ((out, "de", "auf Deutsch"), (out / "it", "it", "in italiano")):
        keys = {}
        for name in ("train", "dev", "test"):
            rows = [json.loads(line) for line in (place / f"{name}.jsonl").read_text("utf-8").splitlines()]
            assert all(row["target"] == f"{row['source']} {end}" and row["to"] == language for row in rows)
            keys[name] = [row["key"] for row in rows]
            assert keys[name] == [row["source"] for row in rows]
            assert all(part(key, 50) == name for key in keys[name])
        assert sorted(keys["train"] + keys["dev"] + keys["test"]) == sorted(texts)
        assert keys["dev"]
        assert keys["test"]


def test_a_recipe_of_several_languages_reads_the_rarer_ones_twice() -> None:
    recipe = data.recipe("it", "de")
    assert recipe.train == ("train.jsonl", "de/train.jsonl", "de/train.jsonl")
    assert recipe.dev == ("dev.jsonl", "de/dev.jsonl")
    assert len(recipe.sources) == 3


def test_the_recipes_are_of_one_release_and_may_move() -> None:
    for language in ("it", "de", "fr"):
        recipe = data.recipe(language)
        assert [source.filename for source in recipe.sources] == [
            "bookworm-Translation-en", f"bookworm-Translation-{language}",
        ]  # fmt: skip
        assert all(source.moves for source in recipe.sources)
        assert recipe.parts["test"][0] == {"it": 2185, "de": 628, "fr": 956}[language]


def test_a_file_without_descriptions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no descriptions in 'it' in it"):
        data.descriptions(index(tmp_path / "en", ENGLISH), "it")
