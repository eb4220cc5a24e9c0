"""The data of the music task: old fiddle tunes as ABC text, and Bach's four-part chorales as steps.

Both come with music21. The tunes are those of O'Neill's Music of Ireland (1903: 1,850 of them and variants)
and of Ryan's Mammoth Collection (1883), typed by Norbert Paap, John Chambers and others; the chorales are
Margaret Greentree's edition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.datasets.download import Source
from suite.datasets.recipes import Recipe, write_parts
from suite.errors import DataError
from suite_music.notation.files import split_tunes
from suite_music.notation.musicxml import chorale_steps, read_score

MUSIC21 = Source(
    purl="pkg:pypi/music21@10.5.1",
    filename="music21-10.5.1-py3-none-any.whl",
    sha256="dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
    size=20_118_992,
    licence="BSD-3-Clause",
    origin=(
        "music21's corpus, which its licence file says is out of copyright in the United States or distributed with "
        "permission; the tunes were printed in 1883 and 1903, the chorales are J. S. Bach's"
    ),
)
COLLECTIONS = ("oneills1850", "ryansMammoth")


def recipe() -> Recipe:
    """Tunes as train, dev and test, and chorales as the same three files in the folder ``chorales``."""
    return Recipe(
        sources=(MUSIC21,),
        build=build,
        note=(
            "Tunes of O'Neill's and Ryan's collections as ABC: the header lines M, L and K, and the body. Variants "
            "of a tune, by the letters and digits of its title, are in one part. In chorales/, four voices in "
            "sixteenth-note steps."
        ),
        parts={
            "train": (2_482, "bebac28b7216c04a"),
            "dev": (282, "9f1eb5abbb384054"),
            "test": (304, "f1bc89219050f244"),
        },
    )


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write both sets; a tune is ``key``, ``title``, ``text``, ``source``, a chorale as `chorale` says."""
    corpus = folders[MUSIC21.purl] / "music21" / "corpus"
    write_parts(out, tunes(corpus))
    (out / "chorales").mkdir()
    write_parts(out / "chorales", chorales(corpus / "bach"))


# --- tunes ------------------------------------------------------------------------------------------------------


def tunes(corpus: Path) -> Iterator[dict[str, str]]:
    """Every tune of the two collections that states its key, in the order of files and numbers."""
    for collection in COLLECTIONS:
        for path in sorted((corpus / collection).glob("*.abc")):
            for title, text in split_tunes(path.read_text(encoding="utf-8", errors="replace")):
                yield {"key": tune_key(title) or text, "title": title, "text": text, "source": collection}


def tune_key(title: str) -> str:
    """What variants of a tune share: their title's letters and digits, in lower case."""
    return re.sub(r"[^a-z0-9]", "", title.lower())


# --- chorales ---------------------------------------------------------------------------------------------------


def chorales(folder: Path) -> Iterator[dict[str, Any]]:
    """Every score of the folder in which all four voices sing, by file name."""
    paths = sorted(folder.glob("*.mxl"))
    if not paths:
        raise DataError(f"{folder}: no .mxl files; fetch the package again")
    for path in paths:
        if (row := chorale_steps(read_score(path), path.name)) is not None:
            yield row
