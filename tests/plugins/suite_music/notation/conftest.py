"""A codec fitted on a handful of real tunes, and another reader of notation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from suite_music.notation.piece_codec import END, START
from suite_music.notation.tunes import TuneCodec, TuneSpec


@pytest.fixture(scope="session")
def codec(tunes: list[str]) -> TuneCodec:
    """A codec with a token for everything in the samples."""
    return TuneCodec.fit(tunes, TuneSpec(min_count=1, min_layout=1))


@pytest.fixture(scope="session")
def music21() -> Callable[..., Any]:
    """``music21(path)`` or ``music21(text, format="abc")``: a score as that reader has it, where it is installed."""
    converter = pytest.importorskip("music21.converter")

    def parse(given: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return converter.parse(given, forceSource=True, **options)

    return parse


@pytest.fixture(scope="session")
def sounding() -> Callable[..., set[tuple[int, float, float, int]]]:
    """The notes of such a score: pitch, start, duration and part of each, tied ones as one."""
    return lambda score: {
        (note.pitch.midi, float(note.offset), float(note.quarterLength), voice)
        for voice, part in enumerate(score.stripTies().parts)
        for note in part.flatten().notes
    }


@pytest.fixture(scope="session")
def walk() -> Callable[..., list[int]]:
    """``walk(rules, random, prefix, …)``: tokens drawn among those that are allowed."""

    def walk(
        rules: Any, random: np.random.Generator, prefix: list[int], limit: int = 4000, eager: bool = False
    ) -> list[int]:
        """Tokens drawn at random among those that are allowed; if ``eager``, the end as soon as it is."""
        state = rules.start()
        for token in [START, *prefix]:
            state = rules.advance(state, token)
        tokens = list(prefix)
        while len(tokens) < limit and (not tokens or tokens[-1] != END):
            allowed = np.flatnonzero(rules.mask(state))
            assert len(allowed), f"nothing may follow {state}"
            tokens.append(END if eager and END in allowed else int(random.choice(allowed)))
            state = rules.advance(state, tokens[-1])
        return tokens

    return walk
