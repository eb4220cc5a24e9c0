"""Items of training that answers lean on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sacrebleu import CHRF

from suite.decoding.beam_search import EncoderOutput
from suite.decoding.reranking import FILE, ExampleMemory, chrf_similarity, pool_memory, rerank
from suite.errors import CheckpointError

TEXTS = ("A red apple.", "A green apple.", "A cow on a meadow.", "Zwei\0Kühe")
VECTORS = np.array([[1, 0, 0], [0.8, 0.2, 0], [0, 1, 0], [0, 0, 1]], np.float32)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("A red apple.", "A green apple."), ("a cow", "A cow on a meadow."), ("A cow on a meadow.", "a cow"),
        ("An owl", "A bowl of rice"), ("abcdefgh", "abcdefgh"),
    ],
)  # fmt: skip
def test_texts_are_alike_as_chrf_has_it(found: str, wanted: str) -> None:
    theirs = CHRF(eps_smoothing=False).sentence_score(found, [wanted]).score / 100
    assert chrf_similarity(found, wanted) == pytest.approx(theirs, abs=1e-3)


def test_texts_with_nothing_in_common_are_not_alike() -> None:
    assert chrf_similarity("abc", "abc") == 1
    for nothing in (("abc", "xyz"), ("", "abc"), ("abc", " "), ("", "")):
        assert chrf_similarity(*nothing) == 0


def test_the_most_similar_items_come_first_and_count_most() -> None:
    kept = ExampleMemory.from_vectors(VECTORS, TEXTS)
    found = kept.nearest(np.array([1, 0.1, 0], np.float32), 3)
    assert [text for _, text in found[:2]] == ["A red apple.", "A green apple."]
    shares = [share for share, _ in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert len(kept.nearest(VECTORS[0], 100)) == 4


def test_similarity_is_that_of_directions_from_the_mean() -> None:
    kept = ExampleMemory.from_vectors(VECTORS, TEXTS)
    for at in (0, 3):
        far = kept.mean + 50 * (VECTORS[at] - kept.mean)
        assert kept.nearest(far, 1) == [(1.0, TEXTS[at])]
    assert len(kept.nearest(kept.mean, 2)) == 2, "what is like nothing is like all"


def test_hypotheses_are_chosen_by_what_neighbours_agree_on() -> None:
    neighbours = [(0.2, "A red apple."), (0.4, "A brown horse."), (0.4, "A black cow.")]
    hypotheses = [("A red apple.", -1.0), ("A black horse.", -1.0), ("A tree.", -0.9)]
    assert rerank(hypotheses, [(1.0, "A red apple.")])[0] == 0
    assert rerank(hypotheses, neighbours)[0] == 1
    # What the model is much surer of stays before.
    assert rerank([("A tree.", -0.1), ("A brown cow.", -5.0)], neighbours) == [0, 1]


def test_a_vector_is_the_mean_over_the_places_there_are() -> None:
    values = np.array([[[1, 2], [3, 4], [100, 100]], [[5, 6], [7, 8], [9, 10]]], np.float32)
    mask = np.array([[True, True, False], [True, True, True]])
    found = pool_memory(EncoderOutput({}, {"memory.values": values, "memory.mask": mask}))
    assert found.tolist() == [[2, 3], [7, 8]]


def test_they_live_in_a_file() -> None:
    kept = ExampleMemory.from_vectors(VECTORS, TEXTS)
    again = ExampleMemory.from_files(kept.files())
    assert again.texts == (*TEXTS[:3], "Zwei Kühe")
    assert again.files() == kept.files()
    assert again.nearest(VECTORS[1], 2) == kept.nearest(VECTORS[1], 2)


@pytest.mark.parametrize(
    "change",
    [
        b"", b"no arrays", {"texts": None}, {"texts": np.frombuffer(b"one", np.uint8)},
        {"mean": np.zeros(2)}, {"mean": np.zeros((3, 1))}, {"texts": np.frombuffer(b"\xff", np.uint8)},
    ],
    ids=["empty", "text", "no texts", "few texts", "short mean", "odd mean", "no utf-8"],
)  # fmt: skip
def test_what_is_no_file_of_them(change: Any, altered: Callable[..., bytes]) -> None:
    with pytest.raises(CheckpointError, match=rf"^{FILE}: .*; copy the checkpoint again$"):
        ExampleMemory.from_files({FILE: altered(ExampleMemory.from_vectors(VECTORS, TEXTS).files(), FILE, change)})
