"""Constraints on generated tokens, features of each token, and their states as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from suite.errors import UsageError


class Constraint(Protocol):
    """What may come next, as a state machine whose states are values: one can be kept, saved, and continued twice.

    A state is a number, a string, None, or a tuple or named tuple of these. The fields of a named tuple keep the types
    that they have in ``start()``.
    """

    def start(self) -> Any:
        """The state before any token, the start token included."""
        ...

    def mask(self, state: Any) -> np.ndarray:
        """Which tokens may come next, bool ``[V]``; do not write to it."""
        ...

    def advance(self, state: Any, token: int) -> Any:
        """The state after a token, which a prefix may contain even where the constraint forbids it."""
        ...


class TokenFeatures(Protocol):
    """What a graph reads of each token, where that is more than the token."""

    def next(self, token: int) -> Sequence[int]:
        """The inputs ``[F]`` of the next token."""
        ...

    @property
    def state(self) -> Any:
        """Everything that the inputs of the next tokens depend on, as JSON values."""
        ...


def state_to_json(state: Any) -> Any:
    """A constraint's state as JSON values: tuples become lists."""
    if isinstance(state, tuple | list):
        return [state_to_json(value) for value in state]
    return state.item() if isinstance(state, np.generic) else state


def state_from_json(values: Any, like: Any) -> Any:
    """The state that ``state_to_json`` was given; ``like`` is another state of the same kind, such as the first one.

    Raises UsageError for values that are no such state.
    """
    if isinstance(like, tuple) and hasattr(like, "_fields"):
        if not isinstance(values, list | tuple) or len(values) != len(like):
            raise UsageError(f"the saved state is no {type(like).__name__}; use it with what it was saved of")
        return type(like)(*map(state_from_json, values, like))
    if isinstance(values, list | tuple):
        known = like if isinstance(like, tuple) and len(like) == len(values) else (None,) * len(values)
        return tuple(map(state_from_json, values, known))
    if like is not None and type(values) is not type(like):
        raise UsageError(f"the saved state has {values!r:.40} for {like!r:.40}; use it with what it was saved of")
    return values
