"""Drawing tokens from logits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from suite.decoding.sampling import Sampling

SIZE, HIDDEN = 5, 7
LOGITS = np.log(np.array([0.5, 0.2, 0.15, 0.1, 0.05]))


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def test_a_draw_follows_the_softmax() -> None:
    np.testing.assert_allclose(Sampling().probabilities(LOGITS), [0.5, 0.2, 0.15, 0.1, 0.05])
    random = np.random.default_rng(0)
    counts = Counter(Sampling().draw(LOGITS, random) for _ in range(20_000))
    np.testing.assert_allclose([counts[i] / 20_000 for i in range(SIZE)], softmax(LOGITS), atol=0.01)


def test_temperature_sharpens_and_zero_takes_the_likeliest() -> None:
    squares = np.array([0.25, 0.04, 0.0225, 0.01, 0.0025])
    np.testing.assert_allclose(Sampling(temperature=0.5).probabilities(LOGITS), squares / squares.sum())
    assert Sampling(temperature=0).draw(LOGITS, np.random.default_rng(0)) == 0
    assert Sampling(temperature=0).draw(LOGITS, np.random.default_rng(0), np.array([0, 1, 1, 0, 1], bool)) == 1
    np.testing.assert_array_equal(Sampling(temperature=0).probabilities(LOGITS), [1, 0, 0, 0, 0])
    assert Sampling(temperature=1e-5).draw(LOGITS, np.random.default_rng(0)) == 0


def test_top_k_and_top_p_keep_the_likeliest() -> None:
    np.testing.assert_allclose(Sampling(top_k=2).probabilities(LOGITS), [5 / 7, 2 / 7, 0, 0, 0])
    np.testing.assert_allclose(Sampling(top_p=0.6).probabilities(LOGITS), [5 / 7, 2 / 7, 0, 0, 0])
    np.testing.assert_allclose(Sampling(top_p=0.01).probabilities(LOGITS), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(Sampling(top_k=9, top_p=1).probabilities(LOGITS), softmax(LOGITS))
    # What is forbidden is left out first.
    allowed = np.array([False, True, True, True, True])
    np.testing.assert_allclose(Sampling(top_k=2).probabilities(LOGITS, allowed), [0, 4 / 7, 3 / 7, 0, 0])


@pytest.mark.parametrize("allowed", [None, np.array([0, 1, 1, 1, 1], bool)])
@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 2.0}, {"top_k": 3}, {"top_p": 0.75}, {"top_k": 4, "top_p": 0.9}]
)
def test_tokens_are_drawn_as_likely_as_is_said(settings: dict[str, Any], allowed: np.ndarray | None) -> None:
    sampling, random, count = Sampling(**settings), np.random.default_rng(1), 20_000
    counts = Counter(sampling.draw(LOGITS, random, allowed) for _ in range(count))
    said = sampling.probabilities(LOGITS, allowed)
    np.testing.assert_allclose([counts[token] / count for token in range(SIZE)], said, atol=0.012)
    assert not any(counts[token] for token in np.flatnonzero(said == 0))


def test_settings_out_of_range_are_refused() -> None:
    for bad in ({"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.5}, {"no_repeat": -2}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Sampling(**bad)  # type: ignore[arg-type]
