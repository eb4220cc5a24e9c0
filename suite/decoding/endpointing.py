"""Endpointing: utterances with word times and confidences from the symbols that a search finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.decoding.ctc import Search, Symbol

#: Steps after which an utterance ends at the next word even if nobody pauses, and after twice as many anyway.
MAX_UTTERANCE_STEPS = 2000


@dataclass(frozen=True)
class Word:
    """A word, the steps from ``start`` up to ``end`` at which it was heard, and how sure it is, 0 … 1."""

    word: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Utterance:
    """An utterance: its words, and how sure they are together, 0 … 1; of silence, how sure that is."""

    words: tuple[Word, ...]
    confidence: float

    @property
    def text(self) -> str:
        """The words in a row."""
        return " ".join(word.word for word in self.words)


class Endpointer:
    """Outputs in pieces of any size to utterances, which end at a pause of so many steps (0: only at the end)."""

    def __init__(
        self, alphabet: str, search: Search, pause: int = 0, pending: Any = None, *,
        max_steps: int = MAX_UTTERANCE_STEPS,
    ) -> None:  # fmt: skip
        self._alphabet, self._search, self._pause, self._max_steps = alphabet, search, pause, max_steps
        self._space = alphabet.index(" ") + 1
        self._at, self._begun, self._sure = 0, 0, 0.0
        if pending is not None:
            self._at, self._begun, self._sure = pending["at"], pending["begun"], pending["sure"]
            search.restore(pending["search"])

    def feed(self, outputs: np.ndarray) -> list[Utterance]:
        """Take the outputs ``[T, K]`` of the next steps; gives the utterances that end there."""
        found = []
        for row in outputs:
            self._sure += self._search.step(row, self._at)
            self._at += 1
            letters = self._search.best() if self._pause or self._at - self._begun >= self._max_steps else ()
            if letters and self._over(letters):
                found.append(self.finish())
        return found

    def _over(self, letters: Sequence[Symbol]) -> bool:
        quiet, steps = self._at - 1 - letters[-1].last, self._at - self._begun
        between = letters[-1].label == self._space or quiet >= 5
        return (
            bool(self._pause and quiet >= self._pause)
            or (steps >= self._max_steps and between)
            or steps >= 2 * self._max_steps
        )

    def partial(self, *, last: bool = False) -> Utterance:
        """The utterance as far as it has come."""
        return self._words(self._search.best(last=last))

    def finish(self) -> Utterance:
        """End the utterance, and begin another one."""
        found = self.partial(last=True)
        self._search.reset()
        self._begun, self._sure = self._at, 0.0
        return found

    @property
    def pending(self) -> Any:
        """Everything it is, as JSON."""
        return {"at": self._at, "begun": self._begun, "sure": self._sure, "search": self._search.pending}

    def _words(self, letters: Sequence[Symbol]) -> Utterance:
        words: list[Word] = []
        run: list[Symbol] = []
        peaks: list[float] = []
        for letter in (*letters, None):
            if letter is not None and letter.label != self._space:
                run.append(letter)
            elif run:
                own = [one.log_prob for one in run]
                text = "".join(self._alphabet[one.label - 1] for one in run)
                words.append(Word(text, run[0].first, run[-1].last + 1, math.exp(sum(own) / len(own))))
                peaks, run = peaks + own, []
        if peaks:
            return Utterance(tuple(words), math.exp(sum(peaks) / len(peaks)))
        return Utterance((), math.exp(self._sure / max(1, self._at - self._begun)))
