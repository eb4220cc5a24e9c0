"""Durations added up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from suite_music.notation import abc
from suite_music.notation.clock import WHOLE, Clock, advance


def after(text: str) -> Clock:
    clock = Clock()
    for event in abc.events(text):
        clock = advance(clock, event)
    return clock


@pytest.mark.parametrize(
    ("text", "eighths"),
    [
        ("c", 1), ("c2d/", "5/2"), ("c>d", 2), ("c2<d2", 4), ("c>>d", 2), ("(3cde", 2), ("(3c2d2e2f", 5),
        ("(5cdefg", 2),
        ("{ab}c", 1), ("c{a2}>d", 2), ("[ceg]", 1), ("[c2e2]", 2), ("[ce]3", 3), ("[c2e]2", 4), ("z4", 4),
        ("(3c>de", 2), ("c3/4d/4", 1), ("c>.d", 2), ("(2cd", 3),
    ],
)  # fmt: skip
def test_what_lasts_how_long(text: str, eighths: int | str) -> None:
    assert Fraction(after(f"M:4/4\nL:1/8\n{text}").position, WHOLE // 8) == Fraction(eighths)


def test_fives_depend_on_the_meter() -> None:
    assert after("M:6/8\nL:1/8\n(5cdefg").position == 3 * WHOLE // 8


def test_a_bar_line_begins_anew_and_a_double_one_a_section() -> None:
    clock = after("M:3/4\nL:1/4\nc|def|gab|")
    assert (clock.position, clock.bars, clock.bar) == (0, 3, 3 * WHOLE // 4)
    assert after("M:3/4\nL:1/4\nc|def|gab||").bars == 0
    assert after("M:3/4\nc3 | \n | c").bars == 1


def test_the_length_of_a_note_without_one_depends_on_the_meter() -> None:
    assert after("M:2/4\nc").position == WHOLE // 16
    assert after("M:3/4\nc").position == WHOLE // 8
    assert after("L:1/4\nM:2/4\nc").position == WHOLE // 4


def test_bars_of_real_tunes_fill_their_meter(tunes: list[str]) -> None:
    for text in tunes:
        clock, full, bars = Clock(), 0, 0
        for event in abc.events(text):
            before, clock = clock, advance(clock, event)
            if event.kind == "bar" and before.position:
                full += before.position == before.bar
                bars += 1
        assert full / bars > 0.7  # pickups and the last bars of sections aside
