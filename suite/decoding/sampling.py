"""Sampling: how a token is drawn from logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.config import check_ranges
from suite.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from logits ``[V]``. What a constraint forbids is left out first.

    Attributes:
        temperature: Divides the logits; 0 is greedy.
        top_k: Keep the k most likely tokens; 0 for all.
        top_p: Keep the most likely tokens that together have this probability (Holtzman et al., 2020,
            arXiv:1904.09751).
        no_repeat: Never repeat an n-gram of this many tokens within the last ``suite.decoding.generate.REPEAT_WINDOW``
            tokens, unless no other token is left; 0 allows it.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    no_repeat: int = 0

    def __post_init__(self) -> None:
        check_ranges(self, least={"temperature": 0, "top_k": 0, "no_repeat": 0})
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")

    def probabilities(self, logits: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """The distribution ``[V]`` that tokens are drawn from, float64. At least one must be ``allowed``."""
        found = np.zeros(len(logits))
        tokens, weights = self._kept(logits, allowed)
        found[tokens] = weights / weights.sum()
        return found

    def draw(self, logits: np.ndarray, random: np.random.Generator, allowed: np.ndarray | None = None) -> int:
        """A token. Greedy sampling takes no number from ``random``, any other takes one."""
        if self.temperature == 0:
            return int((logits if allowed is None else np.where(allowed, logits, -np.inf)).argmax())
        tokens, weights = self._kept(logits, allowed)
        sums = weights.cumsum()
        place = int(sums.searchsorted(random.random() * sums[-1], side="right"))
        return int(tokens[min(place, len(sums) - 1)])  # the product may be rounded up to the whole sum

    def _kept(self, logits: np.ndarray, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The tokens that may be drawn, most likely first, with their weights relative to the first, float64."""
        tokens = np.arange(len(logits)) if allowed is None else allowed.nonzero()[0]
        scores = logits[tokens].astype(np.float64)
        order = (-scores).argsort(kind="stable")
        if self.temperature == 0:
            order = order[:1]
        elif self.top_k:
            order = order[: self.top_k]
        scores = scores[order]
        weights: np.ndarray = np.exp((scores - scores[0]) / (self.temperature or 1))
        if self.top_p < 1:
            sums = weights.cumsum()
            weights = weights[: sums.searchsorted(self.top_p * sums[-1]) + 1]
        return tokens[order[: len(weights)]], weights


def check_seed(seed: int) -> None:
    """Raise UsageError for what is no random seed."""
    if seed < 0:
        raise UsageError(f"seed={seed}: expected a whole number from 0")


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, in the logits' own precision."""
    scores: np.ndarray = logits - logits.max(axis=-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return scores
