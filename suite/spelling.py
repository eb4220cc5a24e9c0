"""Reading texts off the outputs of a model that spells what it hears: numpy only, one copy for both runtimes.

Data flow: outputs ``[T, K]`` a step at a time → a search (the best path, or prefixes in a beam, with words and a
language model to lean on) → letters with the steps at which they came → words with times and confidences → where a
pause ends an utterance, it is given and forgotten, so that nothing grows with the length of what is heard.

CTC is of Graves et al. (2006, doi:10.1145/1143844.1143891), the search over prefixes as Hannun et al. (2014,
arXiv:1408.2873) have it; transducers are of Graves (2012, arXiv:1211.3711), their search is as Saon et al. (2020,
doi:10.1109/ICASSP40776.2020.9053040) have it, synchronous in time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from suite.codecs.letters import BLANK, Letters
from suite.errors import UsageError
from suite.ngrams import END, START, Ngrams
from suite.runtime import Arrays, Runtime, carried
from suite.search import log_softmax

#: The log of nothing: finite, so that it goes through JSON and sums.
ZERO = -1e30
#: Letters less likely than this start no hypothesis.
LEAST = math.log(1e-4)
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
        self, model: Ngrams | None = None, *, weight: float = 0.5, bonus: float = 1.0, words: Iterable[str] = (),
        favour: float = 1.0, only: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.weight, self.bonus, self.favour, self.only = model, weight, bonus, favour, only
        self.words = frozenset(words)
        self.starts = frozenset(word[:i] for word in self.words for i in range(len(word) + 1))
        if only and not self.words:
            raise UsageError("there are no words that nothing but them could be heard of; give some")

    def so_far(self, part: str) -> float:
        """What the beginning of a word adds, as long as it is one."""
        if part in self.starts:
            return self.favour * len(part)
        return ZERO if self.only else 0.0

    def whole(self, word: str, before: Sequence[str]) -> float:
        """What a word adds, after those before it in its utterance."""
        known = word in self.words
        if self.only and not known:
            return ZERO
        added = self.favour * len(word) if known else 0.0
        if self.model is not None:
            added += self.weight * self.model.score(word, (START, *before)) + self.bonus
        return added

    def end(self, before: Sequence[str]) -> float:
        """What the end of an utterance adds after some words."""
        return 0.0 if self.model is None else self.weight * self.model.score(END, (START, *before))


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
        return _sum(self.blank, self.spoken)


#: The whole words of a prefix, the part of one under way, and what the whole ones bring.
_Grown = tuple[tuple[str, ...], str, float]


class _Leaning(Search):
    """A search that keeps the ``size`` likeliest prefixes, and leans on what is expected."""

    _beam: dict[Any, Any]

    def __init__(self, letters: Letters, size: int, expected: Expected | None = None) -> None:
        self._letters, self._size, self._expected = letters, size, expected or Expected()
        self._space = letters.space
        self.reset()

    def _grown(self, prefix: Any, number: int) -> _Grown | None:
        """The words, the part of one and what the words bring when a letter is added; None if nothing begins so."""
        words, part, added = prefix.words, prefix.part, prefix.added
        if number != self._space:
            part += self._letters.decode([number])
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
        found = _listed(prefix.letters)
        if last and self._expected.only and prefix.part not in self._expected.words:
            # Half a word that there is not.
            found = found[: len(found) - len(prefix.part)]
        return found


class Prefixes(_Leaning):
    """The ``size`` likeliest prefixes, each the sum of all ways to say it."""

    def step(self, row: np.ndarray, at: int) -> float:
        scores = log_softmax(row).tolist()
        likely = [number for number, score in enumerate(scores) if score > LEAST and number != BLANK]
        following: dict[tuple[tuple[str, ...], str], _Prefix] = {}
        for key, prefix in self._beam.items():
            whole = prefix.heard
            held: Letter | None = prefix.letters[1] if prefix.letters else None
            stays = following.get(key)
            if stays is None:
                stays = following[key] = _Prefix(
                    prefix.letters, words=prefix.words, part=prefix.part, added=prefix.added
                )
            stays.blank = _sum(stays.blank, whole + scores[BLANK])
            if held is not None:
                again = prefix.spoken + scores[held.number]
                stays.spoken = _sum(stays.spoken, again)
                if again > prefix.blank + scores[BLANK] and stays.letters is prefix.letters:
                    peak = max(held.peak, scores[held.number])
                    stays.letters = (prefix.letters[0], held._replace(last=at, peak=peak))
            stays.route = max(stays.route, whole)
            for number in likely:
                # After itself a letter is another one only if there was a blank.
                twice = held is not None and held.number == number
                score = (prefix.blank if twice else whole) + scores[number]
                if number == self._space and not prefix.part:
                    # At the beginning, or after another one, a space says nothing.
                    stays.blank = _sum(stays.blank, score)
                elif score > ZERO / 2:
                    self._said(following, prefix, number, score, at, scores[number])
        ranked = sorted(following.items(), key=lambda pair: -self._rank(pair[1]))
        self._beam = dict(ranked[: self._size])
        self._level()
        return float(max(scores))

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
        found.spoken = _sum(found.spoken, score)

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
            [_listed(p.letters), p.blank, p.spoken, list(p.words), p.part, p.added] for p in self._beam.values()
        ]  # fmt: skip

    def restore(self, pending: Any) -> None:
        self._beam = {}
        for letters, blank, spoken, words, part, added in pending:
            self._beam[tuple(words), part] = _Prefix(_chained(letters), blank, spoken, tuple(words), part, added)


def _chained(letters: Iterable[Sequence[Any]]) -> Any:
    chain: Any = None
    for letter in letters:
        chain = (chain, Letter(*letter))
    return chain


def _listed(chain: Any) -> list[Letter]:
    found = []
    while chain is not None:
        chain, letter = chain
        found.append(letter)
    return found[::-1]


def _sum(a: float, b: float) -> float:
    """log(eᵃ + eᵇ)."""
    if a < b:
        a, b = b, a
    return a if b < a - 50 else a + math.log1p(math.exp(b - a))


# --- transducers ----------------------------------------------------------------------------------------------

#: Letters that one step may bring.
MOST = 8


class Transduced(Search):
    """A transducer's likeliest letters, step by step; the prediction moves on a letter only, never on the blank."""

    def __init__(self, runtime: Runtime) -> None:
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        self._letters: list[Letter] = []
        self._state: Arrays = {}
        self.reset()

    def step(self, row: np.ndarray, at: int) -> float:
        for _ in range(MOST):
            logits = self._joiner({"frame": row[None], "prediction": self._prediction})["logits"][0]
            scores = log_softmax(logits)
            number = int(scores.argmax())
            if number == BLANK:
                break
            self._letters.append(Letter(number, at, at, float(scores[number])))
            self._move(number)
        return float(scores.max())

    def _move(self, number: int) -> None:
        outputs = self._decoder({"token": np.array([number]), **self._state})
        self._prediction, self._state = outputs["prediction"], carried(outputs)

    def best(self, *, last: bool = False) -> Sequence[Letter]:
        return self._letters

    def reset(self) -> None:
        self._letters = []
        self._state = self._decoder.initial(1)
        self._move(BLANK)

    @property
    def pending(self) -> Any:
        return {
            "letters": [list(one) for one in self._letters],
            "prediction": self._prediction.tolist(),
            "state": _plain(self._state),
        }

    def restore(self, pending: Any) -> None:
        self._letters = [Letter(*letter) for letter in pending["letters"]]
        self._prediction = np.asarray(pending["prediction"], np.float32)
        self._state = _arrays(pending["state"], self._state)


def _plain(state: Arrays) -> dict[str, Any]:
    """A decoder's state as JSON."""
    return {name: array.tolist() for name, array in state.items()}


def _arrays(plain: dict[str, Any], like: Arrays) -> Arrays:
    """And back, of the types that ``like`` has."""
    return {name: np.asarray(plain[name], array.dtype) for name, array in like.items()}


@dataclass
class _Joined:
    """What a transducer may have written: letters as (the rest, the last), the log-probability of all ways to write
    them, words as a ``_Prefix`` has them, and what is expected after them."""

    letters: Any
    heard: float
    words: tuple[str, ...]
    part: str
    added: float
    prediction: np.ndarray
    state: Arrays


class Joined(_Leaning):
    """The ``size`` likeliest texts of a transducer, each the sum of all ways to write it.

    At each step what is likeliest goes on by a letter, and again, up to ``MOST`` of them; all that takes the blank goes
    on to the next step.
    """

    def __init__(self, runtime: Runtime, letters: Letters, size: int, expected: Expected | None = None) -> None:
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        super().__init__(letters, size, expected)

    def step(self, row: np.ndarray, at: int) -> float:
        going, peak = list(self._beam.values()), 0.0
        over: dict[Any, _Joined] = {}
        for turn in range(MOST + 1):
            frames = np.repeat(row[None], len(going), axis=0)
            predictions = np.concatenate([one.prediction for one in going])
            scores = log_softmax(self._joiner({"frame": frames, "prediction": predictions})["logits"])
            if not turn:
                peak = float(scores[0].max())
            for one, blank in zip(going, scores[:, BLANK].tolist(), strict=True):
                self._passes(over, one, one.heard + blank)
            if turn == MOST:
                break
            likely = self._likely(going, scores, over, at)
            if not likely:
                break
            going = self._written(likely)
        ranked = sorted(over.items(), key=lambda pair: -self._rank(pair[1]))[: self._size]
        top = max(one.heard for _, one in ranked)
        for _, one in ranked:
            one.heard = max(one.heard - top, ZERO)
        self._beam = dict(ranked)
        return peak

    def _passes(self, over: dict[Any, _Joined], one: _Joined, score: float) -> None:
        """Take the blank: no more is written at this step."""
        found = over.get((one.words, one.part))
        if found is None:
            over[one.words, one.part] = dataclasses.replace(one, heard=score)
        else:
            if score > found.heard:
                found.letters = one.letters
            found.heard = _sum(found.heard, score)

    def _likely(
        self, going: Sequence[_Joined], scores: np.ndarray, over: dict[Any, _Joined], at: int
    ) -> list[tuple[_Joined, Letter, float, _Grown]]:
        """Texts that go on by a letter, their scores and words, if they may still be among the ``size`` likeliest."""
        ranks = sorted((self._rank(one) for one in over.values()), reverse=True)
        least = ranks[self._size - 1] if len(ranks) >= self._size else ranks[0] + LEAST
        found = []
        for one, row in zip(going, scores, strict=True):
            for number in np.flatnonzero(row > LEAST).tolist():
                # At the beginning, or after another one, a space says nothing.
                if number == BLANK or (number == self._space and not one.part):
                    continue
                grown = self._grown(one, number)
                if grown is None:
                    continue
                score = float(row[number])
                heard = one.heard + score
                rank = heard + grown[2] + self._expected.so_far(grown[1])
                if rank > least:
                    found.append((rank, (one, Letter(number, at, at, score), heard, grown)))
        found.sort(key=lambda ranked: -ranked[0])
        return [likely for _, likely in found[: self._size]]

    def _written(self, likely: Sequence[tuple[_Joined, Letter, float, _Grown]]) -> list[_Joined]:
        """What has another letter, and what is expected after it."""
        state = {name: np.concatenate([one.state[name] for one, *_ in likely]) for name in likely[0][0].state}
        outputs = self._decoder({"token": np.array([letter.number for _, letter, *_ in likely]), **state})
        following = carried(outputs)
        found = []
        for place, (one, letter, heard, grown) in enumerate(likely):
            own = {name: array[place : place + 1] for name, array in following.items()}
            prediction = outputs["prediction"][place : place + 1]
            found.append(_Joined((one.letters, letter), heard, *grown, prediction, own))
        return found

    def reset(self) -> None:
        outputs = self._decoder({"token": np.array([BLANK]), **self._decoder.initial(1)})
        self._beam = {((), ""): _Joined(None, 0.0, (), "", 0.0, outputs["prediction"], carried(outputs))}

    @property
    def pending(self) -> Any:
        return [
            [
                _listed(one.letters), one.heard, list(one.words), one.part, one.added, one.prediction.tolist(),
                _plain(one.state),
            ]
            for one in self._beam.values()
        ]  # fmt: skip

    def restore(self, pending: Any) -> None:
        initial = self._decoder.initial(1)
        self._beam = {}
        for letters, heard, words, part, added, prediction, state in pending:
            self._beam[tuple(words), part] = _Joined(
                _chained(letters), heard, tuple(words), part, added, np.asarray(prediction, np.float32),
                _arrays(state, initial),
            )  # fmt: skip


# --- utterances -----------------------------------------------------------------------------------------------


class Listener:
    """Outputs in pieces of any size to utterances, which end at a pause of so many steps (0: only at the end)."""

    def __init__(self, letters: Letters, search: Search, pause: int = 0, pending: Any = None) -> None:
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
