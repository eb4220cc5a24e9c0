"""A reference for language models: an n-gram with Witten and Bell's interpolation (1991)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence


class NGram:
    """p(token | the ``order`` − 1 before it), every order interpolated with the next lower, down to a uniform one."""

    def __init__(self, pieces: Iterable[Sequence[int]], order: int, size: int) -> None:
        self.order, self.size = order, size
        self.counts: list[defaultdict[tuple[int, ...], Counter[int]]] = [defaultdict(Counter) for _ in range(order)]
        for piece in pieces:
            for at, token in enumerate(piece):
                for length in range(min(order - 1, at) + 1):
                    self.counts[length][tuple(piece[at - length : at])][token] += 1

    def nats(self, piece: Sequence[int]) -> float:
        """−ln p of a piece."""
        return -sum(
            math.log(self.probability(piece[at], piece[max(0, at - self.order + 1) : at])) for at in range(len(piece))
        )

    def probability(self, token: int, before: Sequence[int]) -> float:
        p = 1 / self.size
        for length in range(len(before) + 1):
            seen = self.counts[length].get(tuple(before[len(before) - length :]))
            if seen is None:
                break
            total, kinds = seen.total(), len(seen)
            p = (seen[token] + kinds * p) / (total + kinds)
        return p
