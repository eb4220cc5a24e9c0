"""Reading texts off the outputs of a model that spells what it hears: numpy only, one copy for both runtimes.

Data flow: outputs ``[T, K]`` a step at a time → a search (the best path, or prefixes in a beam, with words and a
language model to lean on) → letters with the steps at which they came → words with times and confidences → where a
pause ends an utterance, it is given and forgotten, so that nothing grows with the length of what is heard.

CTC is of Graves et al. (2006, doi:10.1145/1143844.1143891), the search over prefixes as Hannun et al. (2014,
arXiv:1408.2873) have it. What a transducer writes is searched by `suite.decoding.transducer`.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from suite.codecs.characters import BLANK, CharacterCodec
from suite.decoding.generate import log_softmax
from suite.decoding.ngram_lm import END, START, Model
from suite.errors import UsageError

#: The log of nothing: finite, so that it goes through JSON and sums.
ZERO = -1e30
#: Log-probabilities of words that are kept.
KEPT = 4096
#: Letters less likely than this start no hypothesis.
LEAST = math.log(1e-4)
#: What falls so far behind the last hypothesis that is kept, before its words count, is not looked at: it would hardly
#: ever be kept, and adds little to what is.
MARGIN = 3.0
#: Steps after which an utterance ends at the next word even if nobody pauses, and after twice as many anyway.
LONGEST = 2000


class Letter(NamedTuple):
    """A letter, the first and last step at which it was heard, and the log of its highest probability there."""

    number: int
    first: int
    last: int
    peak: float


@dataclass(frozen=True)
class Word:
    """A word, the steps from ``start`` up to ``end`` at which it was heard, and how sure it is, 0 … 1."""

    word: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Heard:
    """An utterance: its words, and how sure they are together, 0 … 1; of silence, how sure that is."""

    words: tuple[Word, ...]
    confidence: float

    @property
    def text(self) -> str:
        """The words in a row."""
        return " ".join(word.word for word in self.words)


class Search(Protocol):
    """What finds letters in outputs that come a step at a time."""

    def step(self, row: np.ndarray, at: int) -> float:
        """Take the outputs of step ``at``; gives the log of the highest probability there."""
        ...

    def best(self, *, last: bool = False) -> Sequence[Letter]:
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


# --- the best path --------------------------------------------------------------------------------------------


class BestPath(Search):
    """The likeliest symbol of every step, repetitions and blanks left out."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._before = BLANK

    def step(self, row: np.ndarray, at: int) -> float:
        scores = log_softmax(row)
        number = int(scores.argmax())
        peak = float(scores[number])
        if number != BLANK:
            if number == self._before and self._letters:
                held = self._letters[-1]
                self._letters[-1] = held._replace(last=at, peak=max(held.peak, peak))
            else:
                self._letters.append(Letter(number, at, at, peak))
        self._before = number
        return peak

    def best(self, *, last: bool = False) -> Sequence[Letter]:
        return self._letters

    def reset(self) -> None:
        self._letters = []

    @property
    def pending(self) -> Any:
        return {"letters": [list(letter) for letter in self._letters], "before": self._before}

    def restore(self, pending: Any) -> None:
        self._letters = [Letter(*letter) for letter in pending["letters"]]
        self._before = pending["before"]


# --- words that are expected ----------------------------------------------------------------------------------


class Expected:
    """What a search leans on: a language model, and words that are favoured, or the only ones there are.

    A word counts ``weight`` times its log-probability in the model, and ``bonus``, so that many words are not shunned;
    one of ``words`` ``favour`` a letter more, from its first letter on. ``only`` leaves no other words.
    """

    def __init__(
        self, model: Model | None = None, *, weight: float = 0.5, bonus: float = 1.0, words: Iterable[str] = (),
        favour: float = 1.0, only: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.weight, self.bonus, self.favour, self.only = model, weight, bonus, favour, only
        # Prefixes differ in a few words: the same ones are asked for step after step.
        self._score = None if model is None else lru_cache(KEPT)(model.score)
        self.words = frozenset(words)
        self.starts = frozenset(word[:i] for word in self.words for i in range(len(word) + 1))
        if only and not self.words:
            raise UsageError("there are no words that nothing but them could be heard of; give some")

    def so_far(self, part: str) -> float:
        """What the beginning of a word adds, as long as it is one."""
        if part in self.starts:
            return self.favour * len(part)
        return ZERO if self.only else 0.0

    def most(self, part: str) -> float:
        """What the beginning of a word and a letter more, or its end, may add, as long as no word is surer than 1."""
        return max(0.0, self.favour) * (len(part) + 1) * bool(self.words) + max(0.0, self.bonus)

    def whole(self, word: str, before: Sequence[str]) -> float:
        """What a word adds, after those before it in its utterance."""
        known = word in self.words
        if self.only and not known:
            return ZERO
        added = self.favour * len(word) if known else 0.0
        if self.model is not None:
            added += self.weight * self._after(word, before) + self.bonus
        return added

    def end(self, before: Sequence[str]) -> float:
        """What the end of an utterance adds after some words."""
        return 0.0 if self.model is None else self.weight * self._after(END, before)

    def _after(self, word: str, before: Sequence[str]) -> float:
        """The log-probability of a word, or the end, after others."""
        assert self.model is not None
        assert self._score is not None
        past = self.model.order - 1
        return self._score(word, (START, *before[-past:])[-past:] if past else ())


# --- prefixes in a beam ---------------------------------------------------------------------------------------


@dataclass
class _Prefix:
    """What may have been said: letters, and the log-probabilities that it ends in a blank or in its last letter.

    ``letters`` is (the rest, the last letter), None at the beginning, so that prefixes share what they have in common.
    ``words`` are whole, ``part`` is the one under way, ``added`` is what the whole ones brought.
    """

    letters: Any = None
    blank: float = ZERO
    spoken: float = ZERO
    words: tuple[str, ...] = ()
    part: str = ""
    added: float = 0.0
    route: float = ZERO  # the likeliest way here: the letters' times are those of it

    @property
    def heard(self) -> float:
        return log_sum(self.blank, self.spoken)


#: The whole words of a prefix, the part of one under way, and what the whole ones bring.
Grown = tuple[tuple[str, ...], str, float]


class Leaning(Search):
    """A search that keeps the ``size`` likeliest prefixes, and leans on what is expected."""

    _beam: dict[Any, Any]

    def __init__(self, letters: CharacterCodec, size: int, expected: Expected | None = None) -> None:
        self._letters, self._size, self._expected = letters, size, expected or Expected()
        self._space, self._alphabet = letters.space, letters.spec.alphabet
        self.reset()

    def _grown(self, prefix: Any, number: int) -> Grown | None:
        """The words, the part of one and what the words bring when a letter is added; None if nothing begins so."""
        words, part, added = prefix.words, prefix.part, prefix.added
        if number != self._space:
            part += self._alphabet[number - 1]
            return None if self._expected.only and part not in self._expected.starts else (words, part, added)
        added += self._expected.whole(part, words)
        return None if added < ZERO / 2 else ((*words, part), "", added)

    def _rank(self, prefix: Any, *, last: bool = False) -> float:
        score: float = prefix.heard + prefix.added
        if not last:
            return score + self._expected.so_far(prefix.part)
        words = prefix.words
        if prefix.part:
            score += self._expected.whole(prefix.part, words)
            words = (*words, prefix.part)
        return score + self._expected.end(words)

    def best(self, *, last: bool = False) -> Sequence[Letter]:
        prefix = max(self._beam.values(), key=lambda one: self._rank(one, last=last))
        found = listed(prefix.letters)
        if last and self._expected.only and prefix.part not in self._expected.words:
            # Half a word that there is not.
            found = found[: len(found) - len(prefix.part)]
        return found


class Prefixes(Leaning):
    """The ``size`` likeliest prefixes, each the sum of all ways to say it."""

    def step(self, row: np.ndarray, at: int) -> float:
        scores = log_softmax(row).tolist()
        likely = [number for number, score in enumerate(scores) if score > LEAST and number != BLANK]
        following = {key: self._stays(prefix, scores, at) for key, prefix in self._beam.items()}
        growing: list[tuple[float, float, float, _Prefix, int]] = []
        for key, prefix in self._beam.items():
            whole, last = prefix.heard, prefix.letters[1].number if prefix.letters else BLANK
            most = self._expected.most(prefix.part)
            for number in likely:
                # After itself a letter is another one only if there was a blank.
                score = (prefix.blank if number == last else whole) + scores[number]
                if number == self._space and not prefix.part:
                    # At the beginning, or after another one, a space says nothing.
                    following[key].blank = log_sum(following[key].blank, score)
                elif score > ZERO / 2:
                    growing.append((score + prefix.added, most, score, prefix, number))
        least = self._least([*map(self._rank, following.values())], [rank for rank, *_ in growing])
        for rank, most, score, prefix, number in growing:
            if rank + most > least:
                self._said(following, prefix, number, score, at, scores[number])
        ranked = sorted(following.items(), key=lambda pair: -self._rank(pair[1]))
        self._beam = dict(ranked[: self._size])
        self._level()
        return float(max(scores))

    def _least(self, ranks: list[float], growing: list[float]) -> float:
        """What a prefix that grows must come to, if it is to be looked at."""
        if not self._expected.only:  # else most of what grows becomes no word
            ranks += growing
        return heapq.nlargest(self._size, ranks)[-1] - MARGIN if len(ranks) >= self._size else ZERO

    def _stays(self, prefix: _Prefix, scores: Sequence[float], at: int) -> _Prefix:
        """A prefix that goes on with no letter: a blank, or its last one again."""
        whole = prefix.heard
        blank = whole + scores[BLANK]
        stays = dataclasses.replace(prefix, blank=blank, spoken=ZERO, route=whole)
        if prefix.letters:
            held: Letter = prefix.letters[1]
            stays.spoken = prefix.spoken + scores[held.number]
            if stays.spoken > prefix.blank + scores[BLANK]:
                peak = max(held.peak, scores[held.number])
                stays.letters = (prefix.letters[0], held._replace(last=at, peak=peak))
        return stays

    def _said(
        self, following: dict[Any, _Prefix], prefix: _Prefix, number: int, score: float, at: int, peak: float
    ) -> None:
        """A prefix that goes on with a letter."""
        grown = self._grown(prefix, number)
        if grown is None:
            return
        words, part, added = grown
        key = (words, part)
        found = following.get(key)
        if found is None:
            found = following[key] = _Prefix(words=words, part=part, added=added)
        if score > found.route:
            # It may be in the beam already, and go on there: the times are those of the likelier way.
            there = self._beam.get(key)
            if there is None or there.heard < score:
                found.letters, found.route = (prefix.letters, Letter(number, at, at, peak)), score
            elif found.letters is None:
                found.letters = there.letters
        found.spoken = log_sum(found.spoken, score)

    def _level(self) -> None:
        """Take what all have in common off the scores, which would fall without end."""
        top = max(prefix.heard for prefix in self._beam.values())
        for prefix in self._beam.values():
            prefix.blank, prefix.spoken, prefix.route = prefix.blank - top, prefix.spoken - top, ZERO
            prefix.blank, prefix.spoken = max(prefix.blank, ZERO), max(prefix.spoken, ZERO)

    def reset(self) -> None:
        self._beam = {((), ""): _Prefix(blank=0.0)}

    @property
    def pending(self) -> Any:
        return [
            [listed(p.letters), p.blank, p.spoken, list(p.words), p.part, p.added] for p in self._beam.values()
        ]  # fmt: skip

    def restore(self, pending: Any) -> None:
        self._beam = {}
        for letters, blank, spoken, words, part, added in pending:
            self._beam[tuple(words), part] = _Prefix(chained(letters), blank, spoken, tuple(words), part, added)


def chained(letters: Iterable[Sequence[Any]]) -> Any:
    """Letters as (the rest, the last one)."""
    chain: Any = None
    for letter in letters:
        chain = (chain, Letter(*letter))
    return chain


def listed(chain: Any) -> list[Letter]:
    """And back."""
    found = []
    while chain is not None:
        chain, letter = chain
        found.append(letter)
    return found[::-1]


def log_sum(a: float, b: float) -> float:
    """log(eᵃ + eᵇ)."""
    if a < b:
        a, b = b, a
    return a if b < a - 50 else a + math.log1p(math.exp(b - a))


# --- utterances -----------------------------------------------------------------------------------------------


class Listener:
    """Outputs in pieces of any size to utterances, which end at a pause of so many steps (0: only at the end)."""

    def __init__(self, letters: CharacterCodec, search: Search, pause: int = 0, pending: Any = None) -> None:
        self._letters, self._search, self._pause = letters, search, pause
        self._at, self._begun, self._sure = 0, 0, 0.0
        if pending is not None:
            self._at, self._begun, self._sure = pending["at"], pending["begun"], pending["sure"]
            search.restore(pending["search"])

    def feed(self, outputs: np.ndarray) -> list[Heard]:
        """Take the outputs ``[T, K]`` of the next steps; gives the utterances that end there."""
        found = []
        for row in outputs:
            self._sure += self._search.step(row, self._at)
            self._at += 1
            letters = self._search.best() if self._pause or self._at - self._begun >= LONGEST else ()
            if letters and self._over(letters):
                found.append(self.finish())
        return found

    def _over(self, letters: Sequence[Letter]) -> bool:
        quiet, steps = self._at - 1 - letters[-1].last, self._at - self._begun
        between = letters[-1].number == self._letters.space or quiet >= 5
        return bool(self._pause and quiet >= self._pause) or (steps >= LONGEST and between) or steps >= 2 * LONGEST

    def heard(self, *, last: bool = False) -> Heard:
        """The utterance as far as it has come."""
        return self._words(self._search.best(last=last))

    def finish(self) -> Heard:
        """End the utterance, and begin another one."""
        found = self.heard(last=True)
        self._search.reset()
        self._begun, self._sure = self._at, 0.0
        return found

    @property
    def pending(self) -> Any:
        """Everything it is, as JSON."""
        return {"at": self._at, "begun": self._begun, "sure": self._sure, "search": self._search.pending}

    def _words(self, letters: Sequence[Letter]) -> Heard:
        words: list[Word] = []
        run: list[Letter] = []
        peaks: list[float] = []
        for letter in (*letters, None):
            if letter is not None and letter.number != self._letters.space:
                run.append(letter)
            elif run:
                own = [one.peak for one in run]
                text = self._letters.decode(one.number for one in run)
                words.append(Word(text, run[0].first, run[-1].last + 1, math.exp(sum(own) / len(own))))
                peaks, run = peaks + own, []
        if peaks:
            return Heard(tuple(words), math.exp(sum(peaks) / len(peaks)))
        return Heard((), math.exp(self._sure / max(1, self._at - self._begun)))
