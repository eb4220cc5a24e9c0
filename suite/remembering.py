"""What training has seen, for what is written to lean on: a vector and a text of each of its items.

Data flow: what the encoder made of an input → its mean over places, less that of all items, of length 1 → the most
similar items of training → how like their texts each hypothesis of a beam is → the hypotheses in another order.

That a caption should be what similar pictures' captions agree on is Devlin et al.'s (2015, arXiv:1505.04467); here a
model's own hypotheses are chosen from, so that what is written need not have been written before. Texts are compared
by the letters they share, as chrF has it (Popović, 2015, doi:10.18653/v1/W15-3049).
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Self

import numpy as np

from suite.beam import Read, read
from suite.errors import CheckpointError, one_line
from suite.runtime import Runtime

#: The file of a checkpoint that they are in.
FILE = "remembered.npz"
#: How much less a less similar item counts, and how much likeness counts beside the log-probability a token: chosen on
#: dev, by captions of photographs.
TEMPERATURE, WEIGHT = 0.2, 4.0
#: Hypotheses that are chosen from, at least.
HYPOTHESES = 16
#: Letters in a row that are compared, at most, and how much what is missing counts beside what is too much.
LETTERS, RECALL = 6, 2
#: Items that go through the encoder together.
BATCH = 16


class Remembered:
    """Items of training: ``vectors`` ``[N, D]``, of 127ths, less their ``mean`` ``[D]``, and a text of each."""

    def __init__(self, vectors: np.ndarray, mean: np.ndarray, texts: Sequence[str]) -> None:
        if not len(texts) or vectors.shape != (len(texts), *mean.shape) or mean.ndim != 1:
            raise ValueError("its arrays do not belong together")
        self.vectors, self.mean, self.texts = vectors, mean, tuple(texts)

    @classmethod
    def of(cls, vectors: np.ndarray, texts: Sequence[str]) -> Self:
        """Of what ``read_as`` makes of the items, ``[N, D]``."""
        mean = vectors.mean(axis=0).astype(np.float32)
        return cls(np.round(_directions(vectors - mean) * 127).astype(np.int8), mean, texts)

    def nearest(self, vector: np.ndarray, count: int) -> list[tuple[float, str]]:
        """The texts of the ``count`` most similar items, each with its share of 1, the most similar first."""
        (direction,) = _directions(vector[None] - self.mean)
        similar = self.vectors.astype(np.float32) @ direction / 127
        places = np.argsort(-similar, kind="stable")[:count]
        shares = np.exp((similar[places] - similar[places[0]]) / TEMPERATURE)
        return [(float(share), self.texts[i]) for share, i in zip(shares / shares.sum(), places, strict=True)]

    def files(self) -> dict[str, bytes]:
        """A checkpoint's file."""
        place = io.BytesIO()
        texts = np.frombuffer("\0".join(self.texts).encode(), np.uint8)
        np.savez_compressed(place, vectors=self.vectors, mean=self.mean, texts=texts)
        return {FILE: place.getvalue()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Of a checkpoint's file. Raises CheckpointError for one that is none."""
        try:
            with np.load(io.BytesIO(files[FILE]), allow_pickle=False) as arrays:
                texts = arrays["texts"].tobytes().decode().split("\0")
                return cls(arrays["vectors"], arrays["mean"], texts)
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{FILE}: {one_line(error)}; copy the checkpoint again") from error


def remember(runtime: Runtime, arrays: Sequence[np.ndarray], texts: Sequence[str]) -> Remembered:
    """What is kept of some items: what the encoder makes of their inputs, and a text of each."""
    parts = [read_as(read(runtime, arrays[at : at + BATCH])) for at in range(0, len(arrays), BATCH)]
    return Remembered.of(np.concatenate(parts), texts)


def read_as(given: Read) -> np.ndarray:
    """A vector ``[N, D]`` for what an encoder made of each input: the mean of its memory over the places there are."""
    values, mask = given.memory["memory.values"], given.memory["memory.mask"]
    there = mask.astype(np.float32)[..., None]
    return np.asarray((values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), np.float32)


def order(hypotheses: Sequence[tuple[str, float]], neighbours: Sequence[tuple[float, str]]) -> list[int]:
    """The numbers of hypotheses, (text, mean log-probability a token) each, in the order that neighbours make."""
    ranks = [
        score + WEIGHT * sum(share * likeness(text, other) for share, other in neighbours)
        for text, score in hypotheses
    ]  # fmt: skip
    return sorted(range(len(ranks)), key=lambda i: -ranks[i])


def likeness(found: str, wanted: str) -> float:
    """How many runs of up to six letters two texts share, 0 … 1."""
    precision = recall = 0.0
    orders = 0
    for ours, theirs in zip(_runs(found), _runs(wanted), strict=True):
        if not ours or not theirs:
            continue
        shared = sum((ours & theirs).values())
        precision, recall = precision + shared / ours.total(), recall + shared / theirs.total()
        orders += 1
    if not orders or not precision:
        return 0.0
    precision, recall = precision / orders, recall / orders
    return (1 + RECALL**2) * precision * recall / (RECALL**2 * precision + recall)


@lru_cache(4096)  # neighbours come again and again
def _runs(text: str) -> tuple[Counter[str], ...]:
    letters = "".join(text.split())
    return tuple(Counter(letters[i : i + n] for i in range(len(letters) - n + 1)) for n in range(1, LETTERS + 1))


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``[N, D]`` of length 1."""
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, math.ulp(1.0)))
