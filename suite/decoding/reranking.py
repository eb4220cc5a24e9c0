"""Reranking a beam by its nearest training examples.

Data flow: the encoder's outputs of an input → their mean over places, centred and normalised → the most similar
training examples → the similarity of each hypothesis to their texts → the hypotheses in a new order.

After consensus captions of Devlin et al. (2015), arXiv:1505.04467; here a model's own hypotheses are reranked, so that
the result need not be a text of the training data. Texts are compared by chrF (Popović, 2015,
doi:10.18653/v1/W15-3049).
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

#: The file of a checkpoint that holds the training examples.
FILE = "remembered.npz"
#: The softmax temperature of the examples' similarities, and the weight of text similarity relative to the mean
#: log-probability per token. Tuned on the dev set of a captioning model.
TEMPERATURE, WEIGHT = 0.2, 4.0
#: The least size of a beam that is reranked.
MIN_HYPOTHESES = 16
#: Letters in a row that are compared, at most, and how much what is missing counts beside what is too much.
CHRF_ORDER, CHRF_BETA = 6, 2
#: The batch size of the encoder, and the most examples kept: each takes one byte per feature.
ENCODER_BATCH, MAX_ITEMS = 16, 10_000

#: The counts of a text's character n-grams, for n = 1, 2, …
CharacterNgrams = tuple[Counter[str], ...]


class ExampleMemory:
    """Training examples to compare with.

    Attributes:
        vectors: Centred, normalised vectors times 127, int8 ``[N, D]``.
        mean: What was subtracted to centre them, float32 ``[D]``.
        texts: The text of each example.
    """

    def __init__(self, vectors: np.ndarray, mean: np.ndarray, texts: Sequence[str]) -> None:
        if not texts or vectors.shape != (len(texts), *mean.shape) or mean.ndim != 1:
            raise ValueError("the shapes of its arrays do not match")
        self.vectors, self.mean, self.texts = vectors, mean, tuple(texts)
        self._directions = vectors.astype(np.float32) / 127

    @classmethod
    def from_vectors(cls, vectors: np.ndarray, texts: Sequence[str]) -> Self:
        """The memory of examples with these vectors (see ``pool_memory``), float32 ``[N, D]``."""
        mean = vectors.mean(axis=0).astype(np.float32)
        return cls(np.round(_normalized(vectors - mean) * 127).astype(np.int8), mean, texts)

    def nearest(self, vector: np.ndarray, count: int) -> list[tuple[float, str]]:
        """The texts of the ``count`` most similar examples with weights that sum to 1, the most similar first."""
        (direction,) = _normalized(vector[None] - self.mean)
        similar = self._directions @ direction
        places = np.argsort(-similar, kind="stable")[:count]
        shares = np.exp((similar[places] - similar[places[0]]) / TEMPERATURE)
        return [(float(share), self.texts[i]) for share, i in zip(shares / shares.sum(), places, strict=True)]

    def files(self) -> dict[str, bytes]:
        """The memory as a file of a checkpoint."""
        texts = "\0".join(text.replace("\0", " ") for text in self.texts).encode()
        arrays = {"vectors": self.vectors, "mean": self.mean, "texts": np.frombuffer(texts, np.uint8)}
        return {FILE: packed(arrays)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """The memory of a checkpoint's files. Raises CheckpointError if its file is missing or damaged."""
        arrays = unpacked(files, FILE)
        try:
            return cls(arrays["vectors"], arrays["mean"], arrays["texts"].tobytes().decode().split("\0"))
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{FILE}: {one_line(error)}; copy the checkpoint again") from error


def build_memory(runtime: Runtime, arrays: Sequence[np.ndarray], texts: Sequence[str]) -> ExampleMemory:
    """The memory of training examples: their encoded inputs, run through the encoder, and their texts."""
    from suite.decoding.beam_search import encode

    parts = [
        pool_memory(encode(runtime, arrays[at : at + ENCODER_BATCH])) for at in range(0, len(arrays), ENCODER_BATCH)
    ]
    return ExampleMemory.from_vectors(np.concatenate(parts), texts)


def pool_memory(given: EncoderOutput) -> np.ndarray:
    """The mean of each input's memory over its places, ``[N, D]``."""
    values, mask = given.memory["memory.values"], given.memory["memory.mask"]
    weights = mask.astype(np.float32)[..., None]
    return np.asarray((values * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1), np.float32)


def rerank(hypotheses: Sequence[tuple[str, float]], neighbours: Sequence[tuple[float, str]]) -> list[int]:
    """Rank hypotheses by score and similarity to the neighbours' texts.

    Args:
        hypotheses: Pairs (text, mean log-probability per token).
        neighbours: Pairs (weight, text), as ``ExampleMemory.nearest`` returns them.

    Returns:
        The indices of the hypotheses, best first.
    """
    others = [(share, _character_ngrams(text)) for share, text in neighbours]
    ranks = []
    for text, score in hypotheses:
        own = _character_ngrams(text)
        ranks.append(score + WEIGHT * sum(share * _similarity(own, other) for share, other in others))
    return sorted(range(len(ranks)), key=lambda i: -ranks[i])


def chrf_similarity(found: str, wanted: str) -> float:
    """The chrF score of two texts, 0 … 1."""
    return _similarity(_character_ngrams(found), _character_ngrams(wanted))


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


def _character_ngrams(text: str) -> CharacterNgrams:
    letters = "".join(text.split())
    return tuple(Counter(letters[i : i + n] for i in range(len(letters) - n + 1)) for n in range(1, CHRF_ORDER + 1))


def _normalized(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``[N, D]``, normalised to length 1."""
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, math.ulp(1.0)))
