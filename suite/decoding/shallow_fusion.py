"""Shallow fusion: what an external language model and a vocabulary add to the score of a hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from suite.decoding.ngram_lm import END, START, NgramLM
from suite.errors import UsageError

#: The log of nothing: finite, so that it goes through JSON and sums.
LOG_ZERO = -1e30
#: Log-probabilities of words that are kept.
SCORE_CACHE_SIZE = 4096


class FusedText(NamedTuple):
    """The text of a hypothesis, and what shallow fusion adds to its score.

    Attributes:
        words: Its whole words.
        prefix: The unfinished word at its end.
        word_scores: The score of the whole words.
        score: The same with the score of the unfinished word, as long as it is unfinished.
        max_gain: An upper bound of what one more letter, or the end of the word, adds to ``word_scores``, unless the
            language model has a word of a probability above 1.
    """

    words: tuple[str, ...]
    prefix: str
    word_scores: float
    score: float
    max_gain: float


class ShallowFusion:
    """Scores of an external language model and of a vocabulary, added to the scores of a beam search.

    Args:
        lm: The language model, or None for none.
        lm_weight: The weight of its log-probabilities.
        word_bonus: What each word adds where there is a language model, so that long texts are not penalised.
        vocabulary: Words that are favoured.
        vocabulary_bonus: What each of their letters adds.
        vocabulary_only: Restrict the output to the words of ``vocabulary``.

    Raises:
        UsageError: If the output is restricted to no words at all.
    """

    def __init__(
        self, lm: NgramLM | None = None, *, lm_weight: float = 0.5, word_bonus: float = 1.0,
        vocabulary: Iterable[str] = (), vocabulary_bonus: float = 1.0, vocabulary_only: bool = False,
    ) -> None:  # fmt: skip
        self.lm, self.lm_weight, self.word_bonus = lm, lm_weight, word_bonus
        # Hypotheses differ in a few words, so that the same scores are asked for at step after step.
        self._lm_score = None if lm is None else lru_cache(SCORE_CACHE_SIZE)(lm.score)
        self._history = 0 if lm is None else lm.order - 1
        self.vocabulary = frozenset(vocabulary)
        self.vocabulary_bonus, self.vocabulary_only = vocabulary_bonus, vocabulary_only
        self.prefixes = frozenset(word[:i] for word in self.vocabulary for i in range(len(word) + 1))
        if vocabulary_only and not self.vocabulary:
            raise UsageError("there are no words that nothing but them could be heard of; give some")

    def text(self, words: tuple[str, ...] = (), prefix: str = "", word_scores: float = 0.0) -> FusedText:
        """The text of a hypothesis whose whole words have the score ``word_scores``."""
        score = word_scores
        if prefix in self.prefixes:
            score += self.vocabulary_bonus * len(prefix)
        elif self.vocabulary_only:
            score += LOG_ZERO
        bonus = max(0.0, self.vocabulary_bonus) * (len(prefix) + 1) * bool(self.vocabulary)
        return FusedText(words, prefix, word_scores, score, bonus + max(0.0, self.word_bonus))

    def extend(self, extensions: Iterable[tuple[FusedText, str]]) -> list[FusedText | None]:
        """Each text with another letter, where a space ends a word; None if the vocabulary has no such word.

        All extensions of a step are given at once.
        """
        found: list[FusedText | None] = []
        for (words, prefix, score, *_), letter in extensions:
            if letter == " ":
                score += self.word_score(prefix, words)
                found.append(None if score < LOG_ZERO / 2 else self.text((*words, prefix), "", score))
            else:
                prefix += letter
                allowed = not self.vocabulary_only or prefix in self.prefixes
                found.append(self.text(words, prefix, score) if allowed else None)
        return found

    def word_score(self, word: str, history: Sequence[str]) -> float:
        """The score of a word after the words before it in its utterance."""
        known = word in self.vocabulary
        if self.vocabulary_only and not known:
            return LOG_ZERO
        score = self.vocabulary_bonus * len(word) if known else 0.0
        if self.lm is not None:
            score += self.lm_weight * self._log_prob(word, history) + self.word_bonus
        return score

    def end_score(self, history: Sequence[str]) -> float:
        """The score of the end of an utterance after its words."""
        return 0.0 if self.lm is None else self.lm_weight * self._log_prob(END, history)

    def _log_prob(self, word: str, history: Sequence[str]) -> float:
        """The language model's log-probability of a word, or of the end, after others."""
        assert self.lm is not None
        assert self._lm_score is not None
        past = self._history
        return self._lm_score(word, (START, *history[-past:])[-past:] if past else ())
