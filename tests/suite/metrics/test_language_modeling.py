"""Metrics of language models against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from suite.metrics import bits_per_char, perplexity


def test_perplexity_is_the_number_of_equally_likely_tokens() -> None:
    assert perplexity(3 * math.log(8), 3) == pytest.approx(8)
    assert perplexity(0, 5) == 1
    # p = 1/2 and 1/8: the inverse of their geometric mean.
    assert perplexity(math.log(2) + math.log(8), 2) == pytest.approx(4)
    assert perplexity(1e6, 1) == math.inf
    assert math.isnan(perplexity(0, 0))


def test_bits_per_char() -> None:
    # Two tokens of 3 bits each, over a text of 4 characters.
    assert bits_per_char(2 * math.log(8), 4) == pytest.approx(1.5)
    assert math.isnan(bits_per_char(0, 0))
