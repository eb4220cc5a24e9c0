"""Reading texts off the outputs of a model that spells what it hears: numpy only, one copy for both runtimes.

Data flow: outputs ``[T, K]`` a step at a time → a search (the best path, or prefixes in a beam, with words and a
language model for shallow fusion) → letters with the steps at which they came → words with times and confidences →
at a pause the utterance ends and is forgotten, so that memory does not grow with the length of the input.

CTC is of Graves et al. (2006, doi:10.1145/1143844.1143891), the search over prefixes as Hannun et al. (2014,
arXiv:1408.2873) have it. What a transducer writes is searched by `suite.decoding.transducer`.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from suite.decoding.sampling import log_softmax
from suite.decoding.shallow_fusion import LOG_ZERO, FusedText, ShallowFusion

#: The label of the blank; label n > 0 is the n-th letter of the alphabet.
BLANK = 0
#: Letters less likely than this start no hypothesis.
MIN_LOG_PROB = math.log(1e-4)
#: What falls so far behind the last hypothesis that is kept, before its words count, is not looked at: it would hardly
#: ever be kept, and adds little to what is.
PRUNING_MARGIN = 3.0


class Symbol(NamedTuple):
    """A letter, the first and last step at which it was heard, and the log of its highest probability there."""

    label: int
    first: int
    last: int
    log_prob: float


class Search(Protocol):
    """What finds letters in outputs that come a step at a time."""

    def step(self, row: np.ndarray, at: int) -> float:
        """Take the outputs of step ``at``; gives the log of the highest probability there."""
        ...

    def best(self, *, last: bool = False) -> Sequence[Symbol]:
        """The likeliest letters so far; with ``last`` those of an utterance that ends here."""
        ...

    def reset(self) -> None:
        """Forget the utterance, and go on listening."""
        ...

    @property
    def pending(self) -> Any:
        """Everything it is, as JSON."""
        ...

    def restore(self, pending: Any) -> None:
        """Be as ``pending`` says."""
        ...


class CTCGreedy(Search):
    """The likeliest symbol of every step, repetitions and blanks left out."""

    def __init__(self) -> None:
        self._letters: list[Symbol] = []
        self._before = BLANK

    def step(self, row: np.ndarray, at: int) -> float:
        scores = log_softmax(row)
        number = int(scores.argmax())
        peak = float(scores[number])
        if number != BLANK:
            if number == self._before and self._letters:
                held = self._letters[-1]
                self._letters[-1] = held._replace(last=at, log_prob=max(held.log_prob, peak))
            else:
                self._letters.append(Symbol(number, at, at, peak))
        self._before = number
        return peak

    def best(self, *, last: bool = False) -> Sequence[Symbol]:
        return self._letters

    def reset(self) -> None:
        self._letters = []

    @property
    def pending(self) -> Any:
        return {"letters": [list(letter) for letter in self._letters], "before": self._before}

    def restore(self, pending: Any) -> None:
        self._letters = [Symbol(*letter) for letter in pending["letters"]]
        self._before = pending["before"]


@dataclass
class _Prefix:
    """What may have been said: letters, and the log-probabilities that it ends in a blank or in its last letter.

    ``letters`` is (the rest, the last letter), None at the beginning, so that prefixes share what they have in common.
    """

    text: FusedText
    letters: Any = None
    blank: float = LOG_ZERO
    spoken: float = LOG_ZERO
    route: float = LOG_ZERO  # the likeliest way here: the letters' times are those of it

    @property
    def heard(self) -> float:
        return log_add(self.blank, self.spoken)


class PrefixSearch(Search):
    """A search that keeps the ``size`` likeliest prefixes, with shallow fusion."""

    _beam: dict[Any, Any]

    def __init__(
        self, alphabet: str, size: int, fusion: ShallowFusion | None = None, *, pruning_margin: float = PRUNING_MARGIN
    ) -> None:
        self._alphabet, self._size, self._fusion = alphabet, size, fusion or ShallowFusion()
        self._margin = pruning_margin
        self._space = alphabet.index(" ") + 1
        self.reset()

    def _extend(self, hypotheses: Sequence[tuple[Any, int]]) -> list[FusedText | None]:
        """The text of each hypothesis with the letter of that number; None if the vocabulary has no such word."""
        return self._fusion.extend([(one.text, self._alphabet[number - 1]) for one, number in hypotheses])

    def _rank(self, one: Any) -> float:
        score: float = one.heard + one.text.score
        return score

    def _last_rank(self, one: Any) -> float:
        """The rank of a hypothesis if its utterance ends here."""
        words, prefix, word_scores, *_ = one.text
        score: float = one.heard + word_scores
        if prefix:
            score += self._fusion.word_score(prefix, words)
            words = (*words, prefix)
        return score + self._fusion.end_score(words)

    def best(self, *, last: bool = False) -> Sequence[Symbol]:
        best = max(self._beam.values(), key=self._last_rank if last else self._rank)
        found, prefix = to_list(best.letters), best.text.prefix
        if last and self._fusion.vocabulary_only and prefix not in self._fusion.vocabulary:
            # Half a word that there is not.
            found = found[: len(found) - len(prefix)]
        return found


class CTCPrefixBeamSearch(PrefixSearch):
    """The ``size`` likeliest prefixes, each the sum of all ways to say it."""

    def step(self, row: np.ndarray, at: int) -> float:
        scores = log_softmax(row).tolist()
        likely = [number for number, score in enumerate(scores) if score > MIN_LOG_PROB and number != BLANK]
        following = {key: self._stays(prefix, scores, at) for key, prefix in self._beam.items()}
        growing: list[tuple[float, float, float, _Prefix, int]] = []
        for key, prefix in self._beam.items():
            whole, last = prefix.heard, prefix.letters[1].label if prefix.letters else BLANK
            word_scores, most = prefix.text.word_scores, prefix.text.max_gain
            for number in likely:
                # After itself a letter is another one only if there was a blank.
                score = (prefix.blank if number == last else whole) + scores[number]
                if number == self._space and not prefix.text.prefix:
                    # At the beginning, or after another one, a space says nothing.
                    following[key].blank = log_add(following[key].blank, score)
                elif score > LOG_ZERO / 2:
                    growing.append((score + word_scores, most, score, prefix, number))
        least = self._least([*map(self._rank, following.values())], [rank for rank, *_ in growing])
        kept = [(prefix, number, score) for rank, most, score, prefix, number in growing if rank + most > least]
        texts = self._extend([(prefix, number) for prefix, number, _ in kept])
        for (prefix, number, score), text in zip(kept, texts, strict=True):
            if text is not None:
                self._said(following, prefix, text, Symbol(number, at, at, scores[number]), score)
        ranked = sorted(following.items(), key=lambda pair: -self._rank(pair[1]))
        self._beam = dict(ranked[: self._size])
        self._level()
        return float(max(scores))

    def _least(self, ranks: list[float], growing: list[float]) -> float:
        """What a prefix that grows must come to, if it is to be looked at."""
        if not self._fusion.vocabulary_only:  # else most of what grows becomes no word
            ranks += growing
        return heapq.nlargest(self._size, ranks)[-1] - self._margin if len(ranks) >= self._size else LOG_ZERO

    def _stays(self, prefix: _Prefix, scores: Sequence[float], at: int) -> _Prefix:
        """A prefix that goes on with no letter: a blank, or its last one again."""
        whole = prefix.heard
        blank = whole + scores[BLANK]
        stays = dataclasses.replace(prefix, blank=blank, spoken=LOG_ZERO, route=whole)
        if prefix.letters:
            held: Symbol = prefix.letters[1]
            stays.spoken = prefix.spoken + scores[held.label]
            if stays.spoken > prefix.blank + scores[BLANK]:
                peak = max(held.log_prob, scores[held.label])
                stays.letters = (prefix.letters[0], held._replace(last=at, log_prob=peak))
        return stays

    def _said(
        self, following: dict[Any, _Prefix], prefix: _Prefix, text: FusedText, symbol: Symbol, score: float
    ) -> None:
        """A prefix that goes on with a letter."""
        key = text[:2]
        found = following.get(key)
        if found is None:
            found = following[key] = _Prefix(text)
        if score > found.route:
            # It may be in the beam already, and go on there: the times are those of the likelier way.
            there = self._beam.get(key)
            if there is None or there.heard < score:
                found.letters, found.route = (prefix.letters, symbol), score
            elif found.letters is None:
                found.letters = there.letters
        found.spoken = log_add(found.spoken, score)

    def _level(self) -> None:
        """Take what all have in common off the scores, which would fall without end."""
        top = max(prefix.heard for prefix in self._beam.values())
        for prefix in self._beam.values():
            prefix.blank, prefix.spoken, prefix.route = prefix.blank - top, prefix.spoken - top, LOG_ZERO
            prefix.blank, prefix.spoken = max(prefix.blank, LOG_ZERO), max(prefix.spoken, LOG_ZERO)

    def reset(self) -> None:
        self._beam = {((), ""): _Prefix(self._fusion.text(), blank=0.0)}

    @property
    def pending(self) -> Any:
        return [
            [to_list(p.letters), p.blank, p.spoken, list(p.text.words), p.text.prefix, p.text.word_scores]
            for p in self._beam.values()
        ]

    def restore(self, pending: Any) -> None:
        self._beam = {}
        for letters, blank, spoken, words, prefix, word_scores in pending:
            text = self._fusion.text(tuple(words), prefix, word_scores)
            self._beam[text[:2]] = _Prefix(text, to_chain(letters), blank, spoken)


def to_chain(letters: Iterable[Sequence[Any]]) -> Any:
    """Letters as (the rest, the last one)."""
    chain: Any = None
    for letter in letters:
        chain = (chain, Symbol(*letter))
    return chain


def to_list(chain: Any) -> list[Symbol]:
    """And back."""
    found = []
    while chain is not None:
        chain, letter = chain
        found.append(letter)
    return found[::-1]


def log_add(a: float, b: float) -> float:
    """log(eᵃ + eᵇ)."""
    if a < b:
        a, b = b, a
    return a if b < a - 50 else a + math.log1p(math.exp(b - a))
