"""The recipe of the music data, on a made-up package of the published form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from suite_music import data
from suite_music.notation.chorales import Chorale
from suite_music.notation.musicxml import score_xml

from suite.data.splits import part
from suite.errors import DataError

FILE = """% a comment
X: 1
T: The First, or Other
M: 6/8
Z: somebody
L: 1/8
K: G
GAB c2d | % no comment of its own
% another
w: words
e3 d3 |]

X: 2
T: No Key
M: 4/4
abc|

X:3
T:The FIRST (or other)
K:D
d4|
"""


def test_a_tune_is_its_meter_length_key_and_body() -> None:
    found = list(data.split_tunes(FILE))
    assert found == [
        ("The First, or Other", "M: 6/8\nL: 1/8\nK: G\nGAB c2d | % no comment of its own\ne3 d3 |]\n"),
        ("The FIRST (or other)", "K:D\nd4|\n"),
    ]
    # Variants share a key, so that they are in one part.
    assert {data.tune_key(title) for title, _ in found} == {"thefirstorother"}


def package(folder: Path, chorale: Chorale) -> Path:
    corpus = folder / "music21" / "corpus"
    for name in ("oneills1850", "ryansMammoth", "bach"):
        (corpus / name).mkdir(parents=True)
    (corpus / "oneills1850" / "1.abc").write_text(FILE)
    (corpus / "ryansMammoth" / "1.abc").write_text("".join(f"X:{i}\nT:T {i}\nK:C\nc4|\n" for i in range(40)))
    import zipfile

    for number in range(12):
        with zipfile.ZipFile(corpus / "bach" / f"bwv{number}.mxl", "w") as archive:
            text = '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
            archive.writestr("META-INF/container.xml", text)
            archive.writestr("a.xml", score_xml(chorale))
    return folder


def test_both_sets_are_split_by_their_keys(tmp_path: Path, chorale: Chorale) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build({data.MUSIC21.purl: package(tmp_path / "in", chorale)}, out)
    for folder, count in ((out, 42), (out / "chorales", 12)):
        rows = {
            name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
            for name in ("train", "dev", "test")
        }
        assert sum(map(len, rows.values())) == count
        for name, found in rows.items():
            assert {part(row["key"]) for row in found} <= {name}
    row = next(json.loads(line) for line in (out / "chorales" / "train.jsonl").read_text().splitlines())
    assert Chorale.from_row(row) == chorale
    assert (row["title"], row["bars"]) == (row["key"].removesuffix(".mxl"), [0, 4, 20])


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.mxl files"):
        list(data.chorales(tmp_path))


def test_the_recipe() -> None:
    made = data.recipe()
    assert {name: count for name, (count, _) in made.parts.items()} == {"train": 2_482, "dev": 282, "test": 304}
    assert made.sources[0].filename.startswith("music21-10.5.1")
