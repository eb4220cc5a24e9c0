"""Encoded examples, in memory as far as they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from suite.data.examples import Example

#: Encoded inputs are kept in memory up to this many bytes; those beyond are encoded again when they are needed.
KEEP_BYTES = 2 * 2**30


class EncodedInputs(Sequence[np.ndarray]):
    """Encoded inputs by number. Those that do not fit into ``keep_bytes`` are encoded again each time they are used.

    ``lengths`` are known without encoding.
    """

    def __init__(self, encode: Callable[[Any], np.ndarray], keep_bytes: int = KEEP_BYTES) -> None:
        self._encode, self._left = encode, keep_bytes
        self._items: list[Any] = []
        self._arrays: list[np.ndarray | None] = []
        self.lengths: list[int] = []

    def append(self, item: Any, array: np.ndarray) -> None:
        """Add an input and its array, which is kept while there is room."""
        keeps = array.nbytes <= self._left
        self._left -= array.nbytes if keeps else 0
        self._items.append(None if keeps else item)
        self._arrays.append(array if keeps else None)
        self.lengths.append(len(array))

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        array = self._arrays[index]
        return self._encode(self._items[index]) if array is None else array

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True)
class EncodedSet:
    """Examples with their arrays: ``inputs[i]`` is ``[T, …]``, ``targets[i]`` what the codec made of the target."""

    examples: list[Example]
    inputs: EncodedInputs
    targets: Any
