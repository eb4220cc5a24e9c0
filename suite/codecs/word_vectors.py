"""Word vectors from a file: ``.npz`` with ``words`` and ``vectors``, or text, a word and its numbers a line."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from suite.errors import DataError, one_line


def read_words(path: Path) -> list[str]:
    """The words of a vectors file, in its order (most frequent first, as such files are written)."""
    if path.suffix == ".npz":
        return [str(word) for word in _archive(path)[0]]
    return [word for _, word, _ in _lines(path)]


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """Word → float32 vector ``[D]``. Raises DataError, naming file and line, for one that cannot be used."""
    if path.suffix == ".npz":
        words, vectors = _archive(path)
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise DataError(f"{path}: {len(words)} words and {len(vectors)} vectors; expected a row a word")
        return {str(word): row for word, row in zip(words, vectors.astype(np.float32), strict=True)}
    found: dict[str, np.ndarray] = {}
    size = 0
    for number, word, numbers in _lines(path):
        try:
            vector = np.asarray(numbers.split(), dtype=np.float32)
        except ValueError:
            raise DataError(
                f"{path}:{number}: not a word and numbers; expected the format of GloVe or fastText"
            ) from None
        size = size or len(vector)
        if len(vector) != size:
            raise DataError(f"{path}:{number}: {len(vector)} numbers where the lines before have {size}")
        found[word] = vector
    if not found:
        raise DataError(f"{path}: no word vectors in it; expected the format of GloVe or fastText")
    return found


def _archive(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive["words"], archive["vectors"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {one_line(error)}; expected an .npz with words and vectors") from error


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                word, _, numbers = line.rstrip("\n").partition(" ")
                if number == 1 and numbers.count(" ") == 0:
                    continue  # the header of word2vec and fastText files: how many, how long
                if word:
                    yield number, word, numbers
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {one_line(error)}; expected word vectors as UTF-8 text") from error
