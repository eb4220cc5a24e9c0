"""Word n-grams with Witten and Bell's smoothing, as the ARPA files that other tools read and write too.

Data flow: texts → counts of every run of up to n words → interpolated probabilities and what is left for words unseen
after each → ``Ngrams``, which says how likely a word is after some others → an ARPA file, and back.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from suite.data.readers import read_rows
from suite.errors import DataError, UsageError, one_line

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
#: The log10 that ARPA files have for what never comes.
NEVER = -99.0
LOG10 = math.log(10)

Run = tuple[str, ...]


@dataclass(frozen=True)
class Ngrams:
    """``tables[n - 1]`` of runs of n words: (log10 probability of the last after the others, log10 back-off weight)."""

    tables: tuple[Mapping[Run, tuple[float, float]], ...]

    @property
    def order(self) -> int:
        """The longest run."""
        return len(self.tables)

    def score(self, word: str, before: Sequence[str]) -> float:
        """The natural log of a word's probability after others, of which the last ``order − 1`` count."""
        vocabulary = self.tables[0]
        if (word,) not in vocabulary:
            word = UNKNOWN
        past = (
            tuple(w if (w,) in vocabulary else UNKNOWN for w in before[-(self.order - 1) :]) if self.order > 1 else ()
        )
        weight = 0.0
        while True:
            found = self.tables[len(past)].get((*past, word))
            if found is not None:
                return (weight + found[0]) * LOG10
            if not past:
                return (weight + NEVER) * LOG10  # not even unknown words are expected
            weight += self.tables[len(past) - 1].get(past, (0.0, 0.0))[1]
            past = past[1:]

    def perplexity(self, texts: Iterable[str]) -> float:
        """What a word, the end of a text included, is worth a choice of."""
        total, count = 0.0, 0
        for text in texts:
            words = [START, *text.split(), END]
            for i in range(1, len(words)):
                total, count = total + self.score(words[i], words[:i]), count + 1
        return math.exp(-total / count) if count else math.nan


def learn(texts: Iterable[str], order: int = 3) -> Ngrams:
    """The model of some texts, each a line of words (Witten and Bell, 1991, their method C, interpolated).

    After a run that came c times with t different words next, a new word has t / (c + t) of the probability, shared
    as the shorter run says; the shortest shares it evenly. Raises DataError for no words.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or more, not {order}")
    counts: list[Counter[Run]] = [Counter() for _ in range(order)]
    for text in texts:
        if not (words := text.split()):
            continue
        run = (START, *words, END)
        for n in range(1, order + 1):
            # No run ends with the start: it is given.
            counts[n - 1].update(run[i : i + n] for i in range(1 if n == 1 else 0, len(run) - n + 1))
    if not counts[0]:
        raise DataError("no words to learn from; give a text, a sentence a line")

    following: defaultdict[Run, list[int]] = defaultdict(lambda: [0, 0])  # how often, and by how many words
    for table in counts:
        for run, count in table.items():
            entry = following[run[:-1]]
            entry[0], entry[1] = entry[0] + count, entry[1] + 1
    share = {run: kinds / (total + kinds) for run, (total, kinds) in following.items()}
    even = 1 / (len(counts[0]) + 1)  # the words there are, and the unknown one

    probabilities: dict[Run, float] = {(UNKNOWN,): share[()] * even}
    for table in counts:
        for run, count in table.items():
            before = run[:-1]
            lower = probabilities[run[1:]] if before else even
            probabilities[run] = (1 - share[before]) * count / following[before][0] + share[before] * lower
    tables: list[dict[Run, tuple[float, float]]] = [{} for _ in range(order)]
    for run, value in probabilities.items():
        # What is written with a run is the share of new words after it.
        tables[len(run) - 1][run] = (math.log10(value), math.log10(share[run]) if run in share else 0.0)
    tables[0][START,] = (NEVER, math.log10(share[START,]) if (START,) in share else 0.0)
    return Ngrams(tuple(tables))


def write(model: Ngrams, path: Path) -> None:
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


def read(path: Path) -> Ngrams:
    """The model of an ARPA file, which may be gzipped. Raises DataError, naming the line, for what is none."""
    try:
        with _text(path) as file:
            return Ngrams(tuple(_tables(file, str(path))))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as ARPA ({one_line(error)})") from error


def _text(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _tables(lines: Iterable[str], name: str) -> Iterator[dict[Run, tuple[float, float]]]:
    table: dict[Run, tuple[float, float]] | None = None
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
                raise DataError(f"{name}:{number}: not a log probability, {order} words and a weight, as ARPA has them")
            table[run], done = (value, weight), done + 1
    else:
        raise DataError(f"{name}: no \\end\\ in it: it is cut short, or not an ARPA file")
    if table is None or not done:
        raise DataError(f"{name}: there are no n-grams in it; is it an ARPA file?")
    yield table


def learn_files(files: Sequence[str], order: int, out: Path, plain: Callable[[str], str]) -> dict[str, Any]:
    """Write a model of the texts in some files, a sentence a line or row, as ``plain`` makes each; what it is like."""
    if not files:
        raise UsageError("give files of text, a sentence a line, or - for standard input")
    if not 1 <= order <= 9:
        raise UsageError(f"order={order}: expected a whole number from 1 to 9")
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
    model = learn(texts, order)
    write(model, out)
    counts = {f"{n}-grams": len(table) for n, table in enumerate(model.tables, 1)}
    return {"file": str(out), "texts": len(texts), **counts, "perplexity": round(model.perplexity(texts), 2)}


def opened(path: Path) -> Ngrams:
    """The model of an ARPA file, read anew only where it has changed."""
    try:
        return _kept(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{one_line(error)}; give a model that train-lm wrote, or an ARPA file") from error


@lru_cache(4)
def _kept(path: Path, changed: int) -> Ngrams:
    return read(path)
