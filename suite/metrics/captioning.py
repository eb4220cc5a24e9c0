"""CIDEr: how much of what people agree on a caption says (Vedantam et al., 2015, arXiv:1411.5726).

The variant CIDEr-D, which is what is called CIDEr since the COCO challenge.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

#: The longest n-grams that are compared, in words.
MAX_NGRAM = 4
#: How soon another length than the reference's counts against a caption, in words.
SIGMA = 6.0

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
Grams = Counter[tuple[str, ...]]


def cider(found: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The mean over all items, 0 … 10, of captions against one or more ``references`` each; NaN for no items.

    Words count in small letters and without punctuation, the more the fewer items have them in a reference.
    """
    if not found:
        return float("nan")
    wanted = [[_grams(text) for text in texts] for texts in references]
    having: Grams = Counter(gram for texts in wanted for gram in set().union(*texts))
    items = math.log(len(found))
    rarity = {gram: items - math.log(count) for gram, count in having.items()}
    scores = []
    for text, texts in zip(found, wanted, strict=True):
        own = _grams(text)
        scores.append(sum(_alike(own, other, rarity, items) for other in texts) / len(texts))
    return 10 * sum(scores) / len(scores)


def _grams(text: str) -> Grams:
    """How often each stretch of one to four words is there."""
    words = _WORD.findall(text.lower())
    return Counter(tuple(words[i : i + n]) for n in range(1, MAX_NGRAM + 1) for i in range(len(words) - n + 1))


def _alike(found: Grams, wanted: Grams, rarity: dict[tuple[str, ...], float], unknown: float) -> float:
    """The mean over the lengths of stretches of how alike two captions are, 0 … 1."""
    apart = _pairs(found) - _pairs(wanted)
    total = 0.0
    for n in range(1, MAX_NGRAM + 1):
        ours, theirs = (
            {gram: count * rarity.get(gram, unknown) for gram, count in grams.items() if len(gram) == n}
            for grams in (found, wanted)
        )
        norms = math.sqrt(sum(v * v for v in ours.values()) * sum(v * v for v in theirs.values()))
        if norms:
            # What is said more often than the reference has it counts as often as that.
            total += sum(min(v, theirs[gram]) * theirs[gram] for gram, v in ours.items() if gram in theirs) / norms
    return total / MAX_NGRAM * math.exp(-(apart**2) / (2 * SIGMA**2))


def _pairs(grams: Grams) -> int:
    return sum(count for gram, count in grams.items() if len(gram) == 2)
