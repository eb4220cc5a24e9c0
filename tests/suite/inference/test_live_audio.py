"""How much was heard, and how late words came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from suite.inference.live_audio import Clock
from suite.task import Result


@dataclass(frozen=True, kw_only=True)
class Said(Result):
    words: tuple[dict[str, Any], ...]


def said(*ends: float) -> Iterator[Said]:
    yield Said(input=None, words=tuple({"word": "w", "end": end} for end in ends))


def test_a_word_is_late_by_what_was_heard_after_its_end_once() -> None:
    clock = Clock(8000)
    (plain,) = clock.timed(said(0.5), 8000, False)
    (timed,) = clock.timed(said(0.5, 1.25), 8000, True)
    assert plain.seconds is None
    assert timed.seconds is not None
    assert clock.heard == 2
    assert clock.late == [pytest.approx(0.5, abs=0.1), pytest.approx(0.75, abs=0.1)]
    assert clock.report().startswith("2.0 s of sound in 0.0")
    assert "after their end (median)" in clock.report()


def test_where_nothing_was_heard_there_is_nothing_to_report() -> None:
    assert Clock(8000).report() == "0.0 s of sound in 0.00 s: real-time factor 0.000"
