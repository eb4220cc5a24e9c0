"""The protocol of constrained decoding: which tokens may come next."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Constraint(Protocol):
    """Rules of what may come next, as a machine whose states are values: one may be kept, and gone on from twice."""

    def start(self) -> Any:
        """The state before any token, the start token included."""
        ...

    def mask(self, state: Any) -> np.ndarray:
        """Which tokens may come next, bool ``[V]``; do not write to it."""
        ...

    def advance(self, state: Any, token: int) -> Any:
        """The state after a token, which a prefix may contain even where the rules forbid it."""
        ...
