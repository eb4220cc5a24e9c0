"""Word n-gram language models with Witten–Bell smoothing, and ARPA files.

Data flow: texts → n-gram counts → interpolated probabilities and back-off weights → `TableNgramLM` → an ARPA file, and
back; or `PackedNgramLM`, the same model as arrays in a file of a checkpoint, which loads at once.
"""

from __future__ import annotations

import gzip
import itertools
import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from suite.checkpoint.arrays import packed, unpacked
from suite.config import check_ranges
from suite.data.readers import read_rows
from suite.errors import CheckpointError, DataError, UsageError, one_line

#: The file of a checkpoint that holds a packed model.
FILE = "ngrams.npz"

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
#: The log10 of probability 0 in ARPA files.
LOG10_ZERO = -99.0
LOG10 = math.log(10)
#: The highest order of a model.
MAX_ORDER = 9

Ngram = tuple[str, ...]


@dataclass(frozen=True)
class NgramSpec:
    """The n-gram model of the training texts.

    Attributes:
        order: The model's order, the length of its longest n-grams in words; 0 for no model.
        least: The least count of an n-gram of three words or more.
    """

    order: int = 3
    least: int = 2

    def __post_init__(self) -> None:
        check_ranges(self, least={"order": 0, "least": 1})
        if self.order > MAX_ORDER:
            raise ValueError(f"order must be {MAX_ORDER} or less, not {self.order}")


class NgramLM(ABC):
    """An n-gram language model with back-off."""

    @property
    @abstractmethod
    def order(self) -> int:
        """The length of the longest n-grams, in words."""

    @abstractmethod
    def entry(self, ngram: Ngram) -> tuple[float, float] | None:
        """The (log10 probability of the last word given the others, log10 back-off weight) of an n-gram, or None."""

    def score(self, word: str, before: Sequence[str]) -> float:
        """The natural log of a word's probability, given the last ``order − 1`` of the words before it."""
        past = tuple(self._known(word) for word in before[-(self.order - 1) :]) if self.order > 1 else ()
        word = self._known(word)
        weight = 0.0
        while True:
            found = self.entry((*past, word))
            if found is not None:
                return (weight + found[0]) * LOG10
            if not past:
                return (weight + LOG10_ZERO) * LOG10  # the model has no unknown word
            weight += (self.entry(past) or (0.0, 0.0))[1]
            past = past[1:]

    def _known(self, word: str) -> str:
        return UNKNOWN if self.entry((word,)) is None else word

    def perplexity(self, texts: Iterable[str]) -> float:
        """The perplexity of texts, per word, the end of a text counted as one."""
        total, count = 0.0, 0
        for text in texts:
            words = [START, *text.split(), END]
            for i in range(1, len(words)):
                total, count = total + self.score(words[i], words[:i]), count + 1
        return math.exp(-total / count) if count else math.nan


@dataclass(frozen=True)
class TableNgramLM(NgramLM):
    """A model as dicts: ``tables[n - 1]`` has the entries of the n-grams of n words (see ``NgramLM.entry``)."""

    tables: tuple[Mapping[Ngram, tuple[float, float]], ...]

    @property
    def order(self) -> int:
        return len(self.tables)

    def entry(self, ngram: Ngram) -> tuple[float, float] | None:
        return self.tables[len(ngram) - 1].get(ngram)


class PackedNgramLM(NgramLM):
    """A model as sorted arrays (a trie), which take a tenth of the memory of dicts and load at once.

    The n-grams of n words are the rows of level n, in the order of their words.

    Args:
        words: The vocabulary, sorted.
        children: For each level but the last, how many n-grams of the next level begin with each row.
        lasts: For each level, the index of each row's last word.
        logs: For each level, the entries of ``NgramLM.entry``, ``[rows, 2]``.
    """

    def __init__(
        self, words: Sequence[str], children: Sequence[np.ndarray], lasts: Sequence[np.ndarray],
        logs: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        sizes = [len(words), *(int(count.sum()) for count in children)]
        if sizes != [len(last) for last in lasts] or [(size, 2) for size in sizes] != [log.shape for log in logs]:
            raise ValueError("the sizes of its tables do not match")
        self.words, self.children, self.lasts, self.logs = words, children, lasts, logs
        self._ids = {word: i for i, word in enumerate(words)}
        self._starts = [np.concatenate([[0], np.cumsum(count, dtype=np.int64)]) for count in children]

    @classmethod
    def from_tables(cls, model: TableNgramLM) -> Self:
        """The packed form of a model that has every n-gram's beginning too, as ``train_ngram`` makes it."""
        words = sorted(word for (word,) in model.tables[0])
        ids = {word: i for i, word in enumerate(words)}
        tables = [
            sorted((tuple(ids[word] for word in ngram), entry) for ngram, entry in table.items())
            for table in model.tables
        ]
        children = []
        for shorter, longer in itertools.pairwise(tables):
            count = Counter(ngram[:-1] for ngram, _ in longer)
            children.append(np.asarray([count[ngram] for ngram, _ in shorter], np.uint32))
        lasts = [np.asarray([ngram[-1] for ngram, _ in table], np.uint32) for table in tables]
        logs = [np.asarray([entry for _, entry in table], np.float16).reshape(-1, 2) for table in tables]
        return cls(words, children, lasts, logs)

    @property
    def order(self) -> int:
        return len(self.lasts)

    def entry(self, ngram: Ngram) -> tuple[float, float] | None:
        row, end = 0, len(self.words)
        for n, word in enumerate(ngram):
            number = self._ids.get(word)
            if number is None:
                return None
            row = bisect_left(self.lasts[n], number, row, end)
            if row == end or self.lasts[n][row] != number:
                return None
            if n + 1 < len(ngram):
                row, end = self._starts[n][row : row + 2].tolist()
        value, weight = self.logs[len(ngram) - 1][row].tolist()
        return value, weight

    def files(self) -> dict[str, bytes]:
        """The model as a file of a checkpoint."""
        arrays: dict[str, Any] = {"words": np.frombuffer("\n".join(self.words).encode(), np.uint8)}
        for name in ("children", "lasts", "logs"):
            arrays |= {f"{name}{n}": array for n, array in enumerate(getattr(self, name), 1)}
        return {FILE: packed(arrays)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """The model of a checkpoint's files. Raises CheckpointError if its file is missing or damaged."""
        arrays = unpacked(files, FILE)
        try:
            order = sum(name.startswith("lasts") for name in arrays)
            lasts, logs = ([arrays[f"{name}{n + 1}"] for n in range(order)] for name in ("lasts", "logs"))
            children = [arrays[f"children{n + 1}"] for n in range(order - 1)]
            return cls(arrays["words"].tobytes().decode().split("\n"), children, lasts, logs)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{FILE}: {one_line(error)}; copy the checkpoint again") from error


def train_ngram(texts: Iterable[str], order: int = 3, min_count: int = 1) -> TableNgramLM:
    """Train a model with interpolated Witten–Bell smoothing (Witten and Bell, 1991, method C).

    After a history that was seen c times with t different next words, t / (c + t) of the probability goes to the
    distribution after the shorter history; below the empty history it is uniform.

    Args:
        texts: The texts, words separated by spaces.
        order: The length of the longest n-grams.
        min_count: The least count of an n-gram of three words or more.

    Raises:
        DataError: If there are no words.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or more, not {order}")
    counts: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for text in texts:
        if not (words := text.split()):
            continue
        ngram = (START, *words, END)
        for n in range(1, order + 1):
            # No n-gram ends with the start: it is always given.
            counts[n - 1].update(ngram[i : i + n] for i in range(1 if n == 1 else 0, len(ngram) - n + 1))
    if not counts[0]:
        raise DataError("no words to train on; give texts, one sentence per line")
    for n in range(2, order):
        counts[n] = Counter({ngram: count for ngram, count in counts[n].items() if count >= min_count})

    following: defaultdict[Ngram, list[int]] = defaultdict(lambda: [0, 0])  # count, and number of different next words
    for table in counts:
        for ngram, count in table.items():
            entry = following[ngram[:-1]]
            entry[0], entry[1] = entry[0] + count, entry[1] + 1
    share = {ngram: distinct / (total + distinct) for ngram, (total, distinct) in following.items()}
    even = 1 / (len(counts[0]) + 1)  # the vocabulary and the unknown word

    probabilities: dict[Ngram, float] = {(UNKNOWN,): share[()] * even}
    for table in counts:
        for ngram, count in table.items():
            before = ngram[:-1]
            lower = probabilities[ngram[1:]] if before else even
            probabilities[ngram] = (1 - share[before]) * count / following[before][0] + share[before] * lower
    tables: list[dict[Ngram, tuple[float, float]]] = [{} for _ in range(order)]
    for ngram, value in probabilities.items():
        # The back-off weight is the share of words unseen after the n-gram.
        tables[len(ngram) - 1][ngram] = (math.log10(value), math.log10(share[ngram]) if ngram in share else 0.0)
    tables[0][START,] = (LOG10_ZERO, math.log10(share[START,]) if (START,) in share else 0.0)
    return TableNgramLM(tuple(tables))


def fit_ngram(texts: Iterable[str], spec: NgramSpec) -> PackedNgramLM | None:
    """The packed model of training texts; None if ``spec.order`` is 0 or there are no words."""
    nonempty = [text for text in texts if text.strip()]
    return PackedNgramLM.from_tables(train_ngram(nonempty, spec.order, spec.least)) if spec.order and nonempty else None


def write_arpa(model: TableNgramLM, path: Path) -> None:
    """Write a model as an ARPA file. Raises DataError if it cannot be written."""
    lines = ["\\data\\", *(f"ngram {n}={len(table)}" for n, table in enumerate(model.tables, 1))]
    for n, table in enumerate(model.tables, 1):
        lines += ["", f"\\{n}-grams:"]
        for ngram, (value, weight) in sorted(table.items()):
            last = f"\t{weight:.6f}" if n < model.order else ""
            lines.append(f"{value:.6f}\t{' '.join(ngram)}{last}")
    try:
        path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{one_line(error)}; choose another place for the model") from error


def read_arpa(path: Path) -> TableNgramLM:
    """Read an ARPA file, which may be gzipped. Raises DataError, naming the line, for a malformed one."""
    try:
        with _text(path) as file:
            return TableNgramLM(tuple(_tables(file, str(path))))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as ARPA ({one_line(error)}); give another model") from error


def _text(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _tables(lines: Iterable[str], name: str) -> Iterator[dict[Ngram, tuple[float, float]]]:
    table: dict[Ngram, tuple[float, float]] | None = None
    order = done = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text == f"\\{order + 1}-grams:":
            if table is not None:
                yield table
            order, table = order + 1, {}
        elif text == "\\end\\":
            break
        elif table is not None and text:
            fields = text.split()
            try:
                value, ngram = float(fields[0]), tuple(fields[1 : order + 1])
                weight = float(fields[order + 1]) if len(fields) > order + 1 else 0.0
            except ValueError:
                value, ngram, weight = math.nan, (), 0.0
            if len(ngram) != order or len(fields) > order + 2 or not value <= 0:
                raise DataError(
                    f"{name}:{number}: expected a log probability, {order} words and a back-off weight; correct it"
                )
            table[ngram], done = (value, weight), done + 1
    else:
        raise DataError(f"{name}: no \\end\\ in it: truncated, or not an ARPA file; copy it again")
    if table is None or not done:
        raise DataError(f"{name}: no n-grams in it; give an ARPA file")
    yield table


def train_ngram_files(files: Sequence[str], order: int, out: Path, plain: Callable[[str], str]) -> dict[str, Any]:
    """Train a model on files of text and write it as an ARPA file.

    Args:
        files: Files with one sentence per line or row.
        order: The length of the longest n-grams.
        out: The ARPA file to write.
        plain: Normalises a sentence to words separated by spaces.

    Returns:
        The file, the number of texts and n-grams, and the perplexity on the texts.
    """
    if not files:
        raise UsageError("give files of text, one sentence per line, or - for standard input")
    if not 1 <= order <= MAX_ORDER:
        raise UsageError(f"order={order}: expected a whole number from 1 to {MAX_ORDER}")
    texts = []
    for file in files:
        for row in read_rows(file):
            text = row.values.get("text")
            if not isinstance(text, str):
                raise DataError(f"{row.where}: no column 'text' with a text in it")
            try:
                texts.append(plain(text))
            except DataError as error:
                raise DataError(f"{row.where}: {error}") from error
    model = train_ngram(texts, order)
    write_arpa(model, out)
    counts = {f"{n}-grams": len(table) for n, table in enumerate(model.tables, 1)}
    return {"file": str(out), "texts": len(texts), **counts, "perplexity": round(model.perplexity(texts), 2)}


def load_arpa(path: Path) -> TableNgramLM:
    """The model of an ARPA file, cached until the file changes. Raises DataError if it cannot be read."""
    try:
        return _cached(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{one_line(error)}; give a model that train-lm wrote, or an ARPA file") from error


@lru_cache(4)
def _cached(path: Path, changed: int) -> TableNgramLM:
    return read_arpa(path)
