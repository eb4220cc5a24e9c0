"""Metrics, on numpy. Names and ranges are the project's vocabulary: the same in Python, JSON and cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import MissingExtra

if TYPE_CHECKING:
    from suite.data.examples import Example


def accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    """The share of labels that are right, 0 … 1; NaN for no items."""
    return float(np.mean([a == b for a, b in zip(truth, found, strict=True)])) if truth else float("nan")


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    """The mean over labels of F1, 0 … 1, every label that occurs in either counting the same."""
    scores = []
    for label in sorted({*truth, *found}):
        both = sum(a == b == label for a, b in zip(truth, found, strict=True))
        total = sum(a == label for a in truth) + sum(b == label for b in found)
        scores.append(2 * both / total)
    return float(np.mean(scores)) if scores else float("nan")


def pearson_r(truth: Sequence[float], found: Sequence[float]) -> float:
    """Pearson's correlation, −1 … 1; NaN where either side does not vary."""
    a, b = np.asarray(truth, np.float64), np.asarray(found, np.float64)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def sign_accuracy(truth: Sequence[float], found: Sequence[float]) -> float:
    """The share of values whose sign is right, 0 … 1, over items whose true value is not zero."""
    pairs = [(a, b) for a, b in zip(truth, found, strict=True) if a != 0]
    return float(np.mean([np.sign(a) == np.sign(b) for a, b in pairs])) if pairs else float("nan")


def confusion(truth: Sequence[str], found: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Counts ``[K, K]``: rows are true labels, columns predicted ones, in the order of ``names``."""
    index = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    for a, b in zip(truth, found, strict=True):
        table[index[a], index[b]] += 1
    return table


def per_class(truth: Sequence[str], found: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of every label that occurs: how many ``items`` have it, ``precision``, ``recall`` and ``f1``; NaN for 0 / 0."""
    figures = {}
    for label in sorted({*truth, *found}, key=natural):
        both = sum(a == b == label for a, b in zip(truth, found, strict=True))
        true, said = sum(a == label for a in truth), sum(b == label for b in found)
        figures[label] = {
            "items": true,
            "precision": both / said if said else float("nan"),
            "recall": both / true if true else float("nan"),
            "f1": 2 * both / (true + said),
        }
    return figures


def bleu_and_chrf(found: Sequence[str], wanted: Sequence[Sequence[str]], what: str) -> dict[str, Any]:
    """BLEU and chrF of texts beside the references of each, 0 … 100, as sacreBLEU has them by default.

    Keys ``bleu``, ``chrf`` and ``bleu_signature``. Raises MissingExtra, which says ``what`` needs it, where sacreBLEU
    is not installed.
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise MissingExtra(what, "evaluate", error) from error
    # One list for the first reference of each text, one for the second, and so on.
    most = max(map(len, wanted))
    references = [[own[n] if n < len(own) else None for own in wanted] for n in range(most)]
    bleu = BLEU()
    return {
        "bleu": round(float(bleu.corpus_score(found, references).score), 2),
        "chrf": round(float(CHRF().corpus_score(found, references).score), 2),
        "bleu_signature": str(bleu.get_signature()),
    }


def edits(found: Sequence[Any], wanted: Sequence[Any]) -> int:
    """How many items must be put in, left out or exchanged to make one sequence of another (Levenshtein, 1966)."""
    before = list(range(len(wanted) + 1))
    for i, item in enumerate(found, 1):
        row = [i]
        for j, other in enumerate(wanted, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (item != other)))
        before = row
    return before[-1]


def error_rates(found: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """Edits of all texts over what is wanted of all: ``wer`` a word, ``cer`` a letter; spaces are letters.

    ``wer_95`` is a 95 % interval of ``wer``, by drawing texts anew a thousand times. NaN where nothing is wanted.
    """
    words = np.array([(edits(a.split(), b.split()), len(b.split())) for a, b in zip(found, wanted, strict=True)])
    letters = np.array([(edits(a, b), len(b)) for a, b in zip(found, wanted, strict=True)])
    if not len(words) or not words[:, 1].sum():
        return {"wer": float("nan"), "cer": float("nan"), "wer_95": [float("nan")] * 2}
    drawn = words[np.random.default_rng(0).integers(len(words), size=(1000, len(words)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), (0.025, 0.975))
    return {
        "wer": round(float(words[:, 0].sum() / words[:, 1].sum()), 4),
        "cer": round(float(letters[:, 0].sum() / letters[:, 1].sum()), 4),
        "wer_95": [round(float(low), 4), round(float(high), 4)],
    }


def per_source(
    results: Sequence[Any], examples: Sequence[Example], figures: Callable[[list[Any], list[Example]], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The figures of each source that examples name (``values["source"]``), apart, by its name in order."""
    groups: dict[str, list[int]] = {}
    for i, example in enumerate(examples):
        if source := example.values.get("source"):
            groups.setdefault(str(source), []).append(i)
    return {
        source: figures([results[i] for i in members], [examples[i] for i in members])
        for source, members in sorted(groups.items())
    }


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts names as people do, ``2`` before ``10``."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", text)]
