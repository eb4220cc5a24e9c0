"""Word n-grams with Witten and Bell's smoothing, as the ARPA files that other tools read and write too.

Data flow: texts → counts of every run of up to n words → interpolated probabilities and what is left for words unseen
after each → `TableNgramLM`, which says how likely a word is after some others → an ARPA file, and back; or
`PackedNgramLM`, the same as arrays, which a checkpoint holds and which is there at once.
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

#: The file of a checkpoint that packed n-grams are in.
FILE = "ngrams.npz"

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
#: The log10 that ARPA files have for what never comes.
LOG10_ZERO = -99.0
LOG10 = math.log(10)
#: The longest run that a model may have.
MAX_ORDER = 9

Ngram = tuple[str, ...]


@dataclass(frozen=True)
class NgramSpec:
    """What is learnt of the texts of training, for a search to lean on.

    ``order`` is the longest run of words that counts, 0 where nothing is learnt; runs of three words or more count if
    they came ``least`` times.
    """

    order: int = 3
    least: int = 2

    def __post_init__(self) -> None:
        check_ranges(self, least={"order": 0, "least": 1})
        if self.order > MAX_ORDER:
            raise ValueError(f"order must be {MAX_ORDER} or less, not {self.order}")


class NgramLM(ABC):
    """How likely a word is after others."""

    @property
    @abstractmethod
    def order(self) -> int:
        """The longest run of words that counts."""

    @abstractmethod
    def entry(self, run: Ngram) -> tuple[float, float] | None:
        """A run's (log10 probability of the last word after the others, log10 back-off weight); None for none."""

    def score(self, word: str, before: Sequence[str]) -> float:
        """The natural log of a word's probability after others, of which the last ``order − 1`` count."""
        past = tuple(self._known(word) for word in before[-(self.order - 1) :]) if self.order > 1 else ()
        word = self._known(word)
        weight = 0.0
        while True:
            found = self.entry((*past, word))
            if found is not None:
                return (weight + found[0]) * LOG10
            if not past:
                return (weight + LOG10_ZERO) * LOG10  # not even unknown words are expected
            weight += (self.entry(past) or (0.0, 0.0))[1]
            past = past[1:]

    def _known(self, word: str) -> str:
        return UNKNOWN if self.entry((word,)) is None else word

    def perplexity(self, texts: Iterable[str]) -> float:
        """What a word, the end of a text included, is worth a choice of."""
        total, count = 0.0, 0
        for text in texts:
            words = [START, *text.split(), END]
            for i in range(1, len(words)):
                total, count = total + self.score(words[i], words[:i]), count + 1
        return math.exp(-total / count) if count else math.nan


@dataclass(frozen=True)
class TableNgramLM(NgramLM):
    """``tables[n - 1]`` of runs of n words: (log10 probability of the last after the others, log10 back-off weight)."""

    tables: tuple[Mapping[Ngram, tuple[float, float]], ...]

    @property
    def order(self) -> int:
        return len(self.tables)

    def entry(self, run: Ngram) -> tuple[float, float] | None:
        return self.tables[len(run) - 1].get(run)


class PackedNgramLM(NgramLM):
    """The same as sorted arrays, which take a tenth of the memory and no time to be read.

    ``words`` are in order, and the runs of n words are the rows of a table, in order too: ``lasts[n - 1]`` says with
    which word each ends, ``logs[n - 1]`` ``[rows, 2]`` what `TableNgramLM` has of it, ``children[n - 1]`` how many
    longer runs it begins.
    """

    def __init__(
        self, words: Sequence[str], children: Sequence[np.ndarray], lasts: Sequence[np.ndarray],
        logs: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        sizes = [len(words), *(int(count.sum()) for count in children)]
        if sizes != [len(last) for last in lasts] or [(size, 2) for size in sizes] != [log.shape for log in logs]:
            raise ValueError("its tables do not belong together")
        self.words, self.children, self.lasts, self.logs = words, children, lasts, logs
        self._ids = {word: i for i, word in enumerate(words)}
        self._starts = [np.concatenate([[0], np.cumsum(count, dtype=np.int64)]) for count in children]

    @classmethod
    def from_tables(cls, model: TableNgramLM) -> Self:
        """The arrays of tables in which each run's beginning is a run too, as `train_ngram` makes them."""
        words = sorted(word for (word,) in model.tables[0])
        ids = {word: i for i, word in enumerate(words)}
        tables = [
            sorted((tuple(ids[word] for word in run), entry) for run, entry in table.items()) for table in model.tables
        ]
        children = []
        for shorter, longer in itertools.pairwise(tables):
            count = Counter(run[:-1] for run, _ in longer)
            children.append(np.asarray([count[run] for run, _ in shorter], np.uint32))
        lasts = [np.asarray([run[-1] for run, _ in table], np.uint32) for table in tables]
        logs = [np.asarray([entry for _, entry in table], np.float16).reshape(-1, 2) for table in tables]
        return cls(words, children, lasts, logs)

    @property
    def order(self) -> int:
        return len(self.lasts)

    def entry(self, run: Ngram) -> tuple[float, float] | None:
        row, end = 0, len(self.words)
        for n, word in enumerate(run):
            number = self._ids.get(word)
            if number is None:
                return None
            row = bisect_left(self.lasts[n], number, row, end)
            if row == end or self.lasts[n][row] != number:
                return None
            if n + 1 < len(run):
                row, end = self._starts[n][row : row + 2].tolist()
        value, weight = self.logs[len(run) - 1][row].tolist()
        return value, weight

    def files(self) -> dict[str, bytes]:
        """A checkpoint's file."""
        arrays: dict[str, Any] = {"words": np.frombuffer("\n".join(self.words).encode(), np.uint8)}
        for name in ("children", "lasts", "logs"):
            arrays |= {f"{name}{n}": array for n, array in enumerate(getattr(self, name), 1)}
        return {FILE: packed(arrays)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Of a checkpoint's file. Raises CheckpointError for one that is none."""
        arrays = unpacked(files, FILE)
        try:
            order = sum(name.startswith("lasts") for name in arrays)
            lasts, logs = ([arrays[f"{name}{n + 1}"] for n in range(order)] for name in ("lasts", "logs"))
            children = [arrays[f"children{n + 1}"] for n in range(order - 1)]
            return cls(arrays["words"].tobytes().decode().split("\n"), children, lasts, logs)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{FILE}: {one_line(error)}; copy the checkpoint again") from error


def train_ngram(texts: Iterable[str], order: int = 3, min_count: int = 1) -> TableNgramLM:
    """The model of some texts, each a line of words (Witten and Bell, 1991, their method C, interpolated).

    After a run that came c times with t different words next, a new word has t / (c + t) of the probability, shared
    as the shorter run says; the shortest shares it evenly. Runs of three words or more count from ``min_count`` times
    on. Raises DataError for no words.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or more, not {order}")
    counts: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for text in texts:
        if not (words := text.split()):
            continue
        run = (START, *words, END)
        for n in range(1, order + 1):
            # No run ends with the start: it is given.
            counts[n - 1].update(run[i : i + n] for i in range(1 if n == 1 else 0, len(run) - n + 1))
    if not counts[0]:
        raise DataError("no words to learn from; give a text, a sentence a line")
    for n in range(2, order):
        counts[n] = Counter({run: count for run, count in counts[n].items() if count >= min_count})

    following: defaultdict[Ngram, list[int]] = defaultdict(lambda: [0, 0])  # how often, and by how many words
    for table in counts:
        for run, count in table.items():
            entry = following[run[:-1]]
            entry[0], entry[1] = entry[0] + count, entry[1] + 1
    share = {run: kinds / (total + kinds) for run, (total, kinds) in following.items()}
    even = 1 / (len(counts[0]) + 1)  # the words there are, and the unknown one

    probabilities: dict[Ngram, float] = {(UNKNOWN,): share[()] * even}
    for table in counts:
        for run, count in table.items():
            before = run[:-1]
            lower = probabilities[run[1:]] if before else even
            probabilities[run] = (1 - share[before]) * count / following[before][0] + share[before] * lower
    tables: list[dict[Ngram, tuple[float, float]]] = [{} for _ in range(order)]
    for run, value in probabilities.items():
        # What is written with a run is the share of new words after it.
        tables[len(run) - 1][run] = (math.log10(value), math.log10(share[run]) if run in share else 0.0)
    tables[0][START,] = (LOG10_ZERO, math.log10(share[START,]) if (START,) in share else 0.0)
    return TableNgramLM(tuple(tables))


def fit_ngram(texts: Iterable[str], spec: NgramSpec) -> PackedNgramLM | None:
    """What a search is to expect after these texts; None where there is nothing to expect."""
    spoken = [text for text in texts if text.strip()]
    return PackedNgramLM.from_tables(train_ngram(spoken, spec.order, spec.least)) if spec.order and spoken else None


def write_arpa(model: TableNgramLM, path: Path) -> None:
    """Write an ARPA file."""
    lines = ["\\data\\", *(f"ngram {n}={len(table)}" for n, table in enumerate(model.tables, 1))]
    for n, table in enumerate(model.tables, 1):
        lines += ["", f"\\{n}-grams:"]
        for run, (value, weight) in sorted(table.items()):
            last = f"\t{weight:.6f}" if n < model.order else ""
            lines.append(f"{value:.6f}\t{' '.join(run)}{last}")
    try:
        path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{one_line(error)}; choose another place for the model") from error


def read_arpa(path: Path) -> TableNgramLM:
    """The model of an ARPA file, which may be gzipped. Raises DataError, naming the line, for what is none."""
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
                value, run = float(fields[0]), tuple(fields[1 : order + 1])
                weight = float(fields[order + 1]) if len(fields) > order + 1 else 0.0
            except ValueError:
                value, run, weight = math.nan, (), 0.0
            if len(run) != order or len(fields) > order + 2 or not value <= 0:
                raise DataError(
                    f"{name}:{number}: not a log probability, {order} words and a weight, as ARPA has them; mend it"
                )
            table[run], done = (value, weight), done + 1
    else:
        raise DataError(f"{name}: no \\end\\ in it: it is cut short, or not an ARPA file; copy it again")
    if table is None or not done:
        raise DataError(f"{name}: no n-grams in it; give an ARPA file")
    yield table


def train_ngram_files(files: Sequence[str], order: int, out: Path, plain: Callable[[str], str]) -> dict[str, Any]:
    """Write a model of the texts in some files, a sentence a line or row, as ``plain`` makes each; what it is like."""
    if not files:
        raise UsageError("give files of text, a sentence a line, or - for standard input")
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
    """The model of an ARPA file, read anew only where it has changed."""
    try:
        return _kept(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{one_line(error)}; give a model that train-lm wrote, or an ARPA file") from error


@lru_cache(4)
def _kept(path: Path, changed: int) -> TableNgramLM:
    return read_arpa(path)
