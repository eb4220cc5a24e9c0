"""What training has seen, for what is written to lean on: a vector and a text of each of its items.

Data flow: what the encoder made of an input → its mean over places, less that of all items, of length 1 → the most
similar items of training → how like their texts each hypothesis of a beam is → the hypotheses in another order.

That a caption should be what similar pictures' captions agree on is Devlin et al.'s (2015, arXiv:1505.04467); here a
model's own hypotheses are chosen from, so that what is written need not have been written before. Texts are compared
by the letters they share, as chrF has it (Popović, 2015, doi:10.18653/v1/W15-3049).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from suite.checkpoint.arrays import packed, unpacked
from suite.errors import CheckpointError, one_line

if TYPE_CHECKING:
    from suite.decoding.beam_search import EncoderOutput
    from suite.runtime import Runtime

#: The file of a checkpoint that they are in.
FILE = "remembered.npz"
#: How much less a less similar item counts, and how much likeness counts beside the log-probability a token: chosen on
#: dev, by captions of photographs.
TEMPERATURE, WEIGHT = 0.2, 4.0
#: Hypotheses that are chosen from, at least.
MIN_HYPOTHESES = 16
#: Letters in a row that are compared, at most, and how much what is missing counts beside what is too much.
CHRF_ORDER, CHRF_BETA = 6, 2
#: Items that go through the encoder together, and that are kept at most: each takes as many bytes as it has features.
ENCODER_BATCH, MAX_ITEMS = 16, 10_000

#: How often each run of one letter, two, … is in a text.
CharacterNgrams = tuple[Counter[str], ...]


class ExampleMemory:
    """Items of training: ``vectors`` ``[N, D]``, of 127ths, less their ``mean`` ``[D]``, and a text of each."""

    def __init__(self, vectors: np.ndarray, mean: np.ndarray, texts: Sequence[str]) -> None:
        if not texts or vectors.shape != (len(texts), *mean.shape) or mean.ndim != 1:
            raise ValueError("its arrays do not belong together")
        self.vectors, self.mean, self.texts = vectors, mean, tuple(texts)
        self._directions = vectors.astype(np.float32) / 127

    @classmethod
    def from_vectors(cls, vectors: np.ndarray, texts: Sequence[str]) -> Self:
        """Of what `pool_memory` makes of the items, ``[N, D]``."""
        mean = vectors.mean(axis=0).astype(np.float32)
        return cls(np.round(_directions(vectors - mean) * 127).astype(np.int8), mean, texts)

    def nearest(self, vector: np.ndarray, count: int) -> list[tuple[float, str]]:
        """The texts of the ``count`` most similar items, each with its share of 1, the most similar first."""
        (direction,) = _directions(vector[None] - self.mean)
        similar = self._directions @ direction
        places = np.argsort(-similar, kind="stable")[:count]
        shares = np.exp((similar[places] - similar[places[0]]) / TEMPERATURE)
        return [(float(share), self.texts[i]) for share, i in zip(shares / shares.sum(), places, strict=True)]

    def files(self) -> dict[str, bytes]:
        """A checkpoint's file."""
        texts = "\0".join(text.replace("\0", " ") for text in self.texts).encode()
        arrays = {"vectors": self.vectors, "mean": self.mean, "texts": np.frombuffer(texts, np.uint8)}
        return {FILE: packed(arrays)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Of a checkpoint's file. Raises CheckpointError for one that is none."""
        arrays = unpacked(files, FILE)
        try:
            return cls(arrays["vectors"], arrays["mean"], arrays["texts"].tobytes().decode().split("\0"))
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{FILE}: {one_line(error)}; copy the checkpoint again") from error


def build_memory(runtime: Runtime, arrays: Sequence[np.ndarray], texts: Sequence[str]) -> ExampleMemory:
    """What is kept of some items: what the encoder makes of their inputs, and a text of each."""
    from suite.decoding.beam_search import encode

    parts = [
        pool_memory(encode(runtime, arrays[at : at + ENCODER_BATCH])) for at in range(0, len(arrays), ENCODER_BATCH)
    ]
    return ExampleMemory.from_vectors(np.concatenate(parts), texts)


def pool_memory(given: EncoderOutput) -> np.ndarray:
    """A vector ``[N, D]`` for what an encoder made of each input: the mean of its memory over the places there are."""
    values, mask = given.memory["memory.values"], given.memory["memory.mask"]
    there = mask.astype(np.float32)[..., None]
    return np.asarray((values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), np.float32)


def rerank(hypotheses: Sequence[tuple[str, float]], neighbours: Sequence[tuple[float, str]]) -> list[int]:
    """The numbers of hypotheses, (text, mean log-probability a token) each, in the order that neighbours make."""
    others = [(share, _runs(text)) for share, text in neighbours]
    ranks = []
    for text, score in hypotheses:
        own = _runs(text)
        ranks.append(score + WEIGHT * sum(share * _similarity(own, other) for share, other in others))
    return sorted(range(len(ranks)), key=lambda i: -ranks[i])


def chrf_similarity(found: str, wanted: str) -> float:
    """How many runs of up to six letters two texts share, 0 … 1."""
    return _similarity(_runs(found), _runs(wanted))


def _similarity(found: CharacterNgrams, wanted: CharacterNgrams) -> float:
    precision = recall = 0.0
    sizes = 0
    for ours, theirs in zip(found, wanted, strict=True):
        if ours and theirs:
            shared = sum((ours & theirs).values())
            precision, recall = precision + shared / ours.total(), recall + shared / theirs.total()
            sizes += 1
    if not precision:
        return 0.0
    precision, recall = precision / sizes, recall / sizes
    return (1 + CHRF_BETA**2) * precision * recall / (CHRF_BETA**2 * precision + recall)


def _runs(text: str) -> CharacterNgrams:
    letters = "".join(text.split())
    return tuple(Counter(letters[i : i + n] for i in range(len(letters) - n + 1)) for n in range(1, CHRF_ORDER + 1))


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``[N, D]`` of length 1."""
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, math.ulp(1.0)))
