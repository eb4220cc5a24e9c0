"""The states of constraints as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import pytest

from suite.decoding.constraints import state_from_json, state_to_json
from suite.errors import UsageError


class Inner(NamedTuple):
    pair: tuple[int, int] = (0, 1)
    name: str = ""


class Outer(NamedTuple):
    inner: Inner = Inner()
    open: bool = False
    seen: tuple[int, ...] = ()
    last: Any = None


@pytest.mark.parametrize(
    ("state", "start"),
    [
        (3, -1), (None, None), ("ab", ""), ((1, (2, 3)), ()), (Outer(), Outer()), (0.5, 0.0),
        (Outer(Inner((5, 6), "x"), True, (1, 2, 3), (4,)), Outer()),
    ],
)  # fmt: skip
def test_states_come_back(state: Any, start: Any) -> None:
    again = state_from_json(json.loads(json.dumps(state_to_json(state))), start)
    assert again == state
    assert type(again) is type(state)
    assert state_from_json(state, start) == state  # as it is, without JSON
    if isinstance(state, Outer):
        assert isinstance(again.inner, Inner)


def test_numbers_of_numpy_become_plain() -> None:
    assert json.dumps(state_to_json((np.int64(3), np.True_))) == "[3, true]"


@pytest.mark.parametrize(
    ("values", "start"),
    [("x", 0), (True, 0), (1, False), ([], Outer()), (3, Outer()), ([[[0, 1], 7], False, [], None], Outer()), (3, ())],
)
def test_other_values_are_refused(values: Any, start: Any) -> None:
    with pytest.raises(UsageError, match="use it with what it was saved of"):
        state_from_json(values, start)
