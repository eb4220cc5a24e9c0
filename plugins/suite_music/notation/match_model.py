"""What came next the last time: a hint at the next token, from the piece itself.

Tunes repeat themselves, and a recurrent state of fixed size is bad at quoting. So a model is told, beside each
token, which token followed the longest recent stretch that ends like the piece so far, and how long that
stretch is; how far to trust it, it learns. (The idea is that of match models in data compression: Mahoney, 2005,
"Adaptive Weighing of Context Models for Lossless Data Compression".)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Tokens that are looked back on, at least and at most: memory is bounded in a piece without end.
HISTORY = 1024
#: Stretches shorter than the first give no hint, and ones longer than the last are all the same.
MIN_MATCH, MAX_MATCH = 2, 24
#: How many earlier places are compared.
PLACES = 8
#: Classes of length: 0 without a hint, then 2, 3, … 7, 8–11, 12–15, 16–23, and 24.
CLASSES = 11


class MatchModel:
    """Reads tokens one by one, and hints at the next; it looks back on at least ``history`` of them.

    A *place* is the index of a token that followed some pair; ``_latest`` has the last one of every pair, and
    ``_before`` for each place the one before it of the same pair.
    """

    def __init__(self, history: int = HISTORY, *, state: Mapping[str, Any] | None = None) -> None:
        self._history = history
        self._tokens: list[int] = []
        self._latest: dict[tuple[int, int], int] = {}
        self._before: list[int] = [-1]
        self._place, self._length = -1, 0
        if state is not None:
            self._remember(state["tokens"])
            self._place, self._length = int(state["place"]), int(state["length"])
            if not -1 <= self._place < max(len(self._tokens), 1) <= 2 * history:
                raise ValueError(f"place {self._place} of {len(self._tokens)} tokens")

    @property
    def state(self) -> dict[str, Any]:
        """Everything that the next hints depend on, as JSON values."""
        return {"tokens": list(self._tokens), "place": self._place, "length": self._length}

    def read(self, token: int) -> tuple[int, int]:
        """Take the next token; returns (token that may follow or -1, class of the length of the stretch)."""
        if self._place >= 0 and self._tokens[self._place] == token:
            self._place, self._length = self._place + 1, min(self._length + 1, MAX_MATCH)
        else:
            self._place, self._length = -1, 0
        if len(self._tokens) == 2 * self._history:
            self._forget()
        self._tokens.append(token)
        if self._length < MAX_MATCH:
            self._search()
        self._index()
        return (self._tokens[self._place], _class(self._length)) if self._place >= 0 else (-1, 0)

    def _search(self) -> None:
        """Go to the latest place after a stretch that is longer than the present one."""
        tokens = self._tokens
        place = self._latest.get((tokens[-2], tokens[-1]), -1) if len(tokens) > 1 else -1
        for _ in range(PLACES):
            if place < 0:
                return
            length = MIN_MATCH
            while length < MAX_MATCH and length < place and tokens[place - 1 - length] == tokens[-1 - length]:
                length += 1
            if length > self._length:
                self._place, self._length = place, length
            place = self._before[place]

    def _index(self) -> None:
        pair = (self._tokens[-2], self._tokens[-1]) if len(self._tokens) > 1 else (-1, -1)
        self._before.append(self._latest.get(pair, -1))
        self._latest[pair] = len(self._tokens)

    def _forget(self) -> None:
        """Keep the latest ``history`` tokens, and what is known of them."""
        kept, self._tokens = self._tokens[-self._history :], []
        self._latest, self._before = {}, [-1]
        self._remember(kept)
        self._place -= self._history
        if self._place < 0:
            self._place, self._length = -1, 0

    def _remember(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self._tokens.append(int(token))
            self._index()


def _class(length: int) -> int:
    if length < 8:
        return max(length - 1, 0)
    return 7 if length < 12 else 8 if length < 16 else 9 if length < MAX_MATCH else 10
