"""Chorales written under rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from suite_music.notation import chorales
from suite_music.notation.chorale_rules import RANGES, ChoraleRules
from suite_music.notation.chorales import ChoraleCodec
from suite_music.notation.notes import sung
from suite_music.notation.piece_codec import END

from suite.errors import UsageError


@pytest.mark.parametrize(
    "options", [{"key": "F#m", "meter": "3/4", "bars": 6}, {"bars": 1}, {"key": "Bb"}, {"meter": "12/8", "bars": 2}]
)
def test_voices_stay_in_range_and_the_piece_ends_with_a_bar(
    options: dict[str, Any], walk: Callable[..., list[int]]
) -> None:
    codec, rules = ChoraleCodec(), ChoraleRules(**options)
    for seed in range(5):
        piece = codec.decode(walk(rules, np.random.default_rng(seed), [], limit=60_000))
        bars, rest = divmod(len(piece.steps), chorales.METERS[piece.meter])
        assert rest == 0
        assert bars >= 4 if "bars" not in options else bars == options["bars"]
        assert piece.meter == options.get("meter", piece.meter)
        assert piece.pickup < chorales.METERS[piece.meter]
        if options.get("key") == "F#m":
            assert (piece.fifths, piece.mode) == (3, "minor")
        notes = sung(piece)
        assert {note.voice for note in notes} == {0, 1, 2, 3}
        assert all(RANGES[note.voice][0] <= note.pitch <= RANGES[note.voice][1] for note in notes)
        # Every hold holds something: the voices sound from beginning to end.
        assert sum(note.duration for note in notes) == len(piece.steps)


def test_a_chorale_without_an_end_goes_on(walk: Callable[..., list[int]]) -> None:
    assert END not in walk(ChoraleRules(endless=True), np.random.default_rng(0), [], limit=3000)


def test_a_chorale_is_in_major_or_minor() -> None:
    for bad in ("Ddor", "H", "G#"):
        with pytest.raises(UsageError, match=f"key '{bad}'"):
            ChoraleRules(key=bad)
    with pytest.raises(UsageError, match="meter '5/4'"):
        ChoraleRules(meter="5/4")
