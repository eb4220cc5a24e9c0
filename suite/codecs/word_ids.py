"""Text as whole words, one id each: for tasks that answer at every word.

Data flow: text → words (split at whitespace) → small letters → ids by a list of the words of training; 0 for all
others. A word is encoded by itself, so a text that arrives in any pieces gives the same ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from suite.codecs.serialization import json_file, read_json_file
from suite.codecs.subwords import check_text
from suite.codecs.wordpieces import TextFeeder, split_words
from suite.errors import CheckpointError, DataError

FILE = "tokens.json"
UNKNOWN = 0


@dataclass(frozen=True)
class WordIdCodec:
    """Text → one id a word. Fit it on training texts; ``encode`` a whole text, or feed an ``incremental`` one."""

    words: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Iterable[str], *, min_count: int = 1) -> Self:
        """The words that occur at least ``min_count`` times, most frequent first. Raises DataError for none."""
        counts = Counter(word for text in texts for word in split_words(text.lower()))
        words = tuple(sorted((w for w, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word)))
        if not words:
            raise DataError("the training texts have no words; check that the text column is the right one")
        return cls(words)

    @property
    def size(self) -> int:
        """How many ids there are (V)."""
        return len(self.words) + 1

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {word: number for number, word in enumerate(self.words, UNKNOWN + 1)}

    def word(self, word: str) -> tuple[int, ...]:
        """The id of one word."""
        return (self._ids.get(check_text(word).lower(), UNKNOWN),)

    def encode(self, raw: Any) -> np.ndarray:
        """One text as int64 ids ``[T]``, one a word. Raises DataError for what is not a text, or has no words."""
        ids = [number for word in split_words(check_text(raw)) for number in self.word(word)]
        if not ids:
            raise DataError("the text is empty; give at least one word")
        return np.asarray(ids, dtype=np.int64)

    def incremental(self, pending: Any = None) -> TextFeeder:
        """A feeder that takes text or UTF-8 bytes in any pieces, and gives a step a word."""
        return TextFeeder(self, pending)

    def files(self) -> dict[str, bytes]:
        return json_file(FILE, {"words": self.words}, indent=None)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        words = read_json_file(files, FILE, "words")["words"]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise CheckpointError(f"{FILE}: expected a list of words; copy the checkpoint again")
        return cls(tuple(words))
