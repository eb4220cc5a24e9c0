"""Metrics of language models: perplexity and bits per character."""

from __future__ import annotations

import math


def perplexity(nats: float, tokens: int) -> float:
    """Perplexity: exp(−(1/N) Σ ln p), 1 … ∞; with N equally likely tokens it is N. NaN for no tokens.

    Args:
        nats: The negative log-likelihood −Σ ln p of all tokens, end tokens included.
        tokens: How many tokens that is (N).
    """
    if not tokens:
        return float("nan")
    mean = nats / tokens
    return math.exp(mean) if mean < 709 else math.inf  # the largest float is near exp(709.8)


def bits_per_char(nats: float, characters: int) -> float:
    """Bits per character: −Σ log₂ p over the characters of the text, comparable across vocabularies; NaN for none.

    Args:
        nats: The negative log-likelihood −Σ ln p of all tokens, end tokens included.
        characters: How many characters the text has that the tokens decode to.
    """
    return nats / math.log(2) / characters if characters else float("nan")
