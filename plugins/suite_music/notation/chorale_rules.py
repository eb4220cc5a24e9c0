"""Constrained decoding of chorales: voices stay in range, and the piece ends with a bar.

A state machine over tokens, a constraint for `suite.decoding.generate.generate`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from suite.errors import UsageError, nearest
from suite_music.notation import abc, chorales
from suite_music.notation.piece_codec import END

#: Bars that a chorale has at least where no number is given.
MIN_BARS = 4
#: The lowest and the highest pitch of soprano, alto, tenor and bass.
RANGES = ((60, 81), (53, 74), (48, 69), (36, 64))


class ChoraleState(NamedTuple):
    """The position in a chorale.

    It counts header tokens read, the voice whose turn it is (an index into the order) and whole steps written, and
    keeps of the header the tonic and the length of a bar; ``sounding`` says which voices hold a note.
    """

    head: int = 0
    turn: int = 0
    steps: int = 0
    tonic: int = 0
    bar: int = 16
    sounding: tuple[bool, bool, bool, bool] = (False,) * 4


class ChoraleRules:
    """Chorales whose voices stay in range and hold only what they sing, and that end with a bar.

    ``key`` (``"D"``, ``"F#m"``) and ``meter`` fix the header, ``bars`` the length; a pickup and the last measure
    make one bar together. Without ``bars`` the model ends where a bar does, after four; an ``endless`` chorale
    never ends. Raises UsageError for a key or a meter that there is no token for, or less than one bar.
    """

    def __init__(
        self, *, key: str | None = None, meter: str | None = None, bars: int | None = None, endless: bool = False
    ) -> None:
        if bars is not None and bars < 1:
            raise UsageError(f"bars {bars}: a chorale has at least 1")
        self.bars, self.endless = bars, endless
        size, kinds = len(chorales.VOCABULARY), (chorales.KEY, chorales.METER, chorales.PICKUP, chorales.REST_TOKEN)
        self._heads = [_where(size, range(low, high)) for low, high in itertools.pairwise(kinds)]
        if key is not None:
            self._heads[0] = _where(size, [_stated_key(key)])
        if meter is not None:
            if meter not in chorales.METERS:
                raise UsageError(f"meter {meter!r}: {nearest(meter, chorales.METERS)}")
            self._heads[1] = _where(size, [chorales.METER + list(chorales.METERS).index(meter)])
        self._masks: dict[tuple[int, int, bool, bool, bool], np.ndarray] = {}

    def start(self) -> ChoraleState:
        """Before anything is written."""
        return ChoraleState()

    def advance(self, state: ChoraleState, token: int) -> ChoraleState:
        """The turn after a token."""
        if chorales.KEY <= token < chorales.METER:
            return state._replace(head=1, tonic=chorales.tonic(*chorales.KEYS[token - chorales.KEY]))
        if chorales.METER <= token < chorales.PICKUP:
            return state._replace(head=2, bar=list(chorales.METERS.values())[token - chorales.METER])
        if chorales.PICKUP <= token < chorales.REST_TOKEN:
            return state._replace(head=3)
        if token < chorales.KEY:
            return state
        sounding = list(state.sounding)
        sounding[chorales.ORDER[state.turn]] = token != chorales.REST_TOKEN and (
            token >= chorales.PITCH or state.sounding[chorales.ORDER[state.turn]]
        )
        turn = (state.turn + 1) % 4
        voices = (sounding[0], sounding[1], sounding[2], sounding[3])
        return state._replace(head=3, turn=turn, steps=state.steps + (turn == 0), sounding=voices)

    def mask(self, state: ChoraleState) -> np.ndarray:
        """Which tokens may follow, bool ``[V]``."""
        if state.head < 3:
            found = self._heads[state.head]
            # A pickup is shorter than a bar.
            return found & (np.arange(len(found)) < chorales.PICKUP + state.bar) if state.head == 2 else found
        bars, rest = divmod(state.steps, state.bar)
        ends = state.turn == 0 and rest == 0 and not self.endless and bars >= (self.bars or MIN_BARS)
        voice = chorales.ORDER[state.turn]
        place = (voice, state.tonic, state.sounding[voice], ends, self.bars is None)
        if place not in self._masks:
            low, high = (chorales.PITCH + pitch - state.tonic - chorales.LOWEST for pitch in RANGES[voice])
            allowed = [END] if ends else []
            if not ends or self.bars is None:
                allowed += [*range(low, high + 1), *([chorales.HOLD_TOKEN] if state.sounding[voice] else [])]
            self._masks[place] = _where(len(chorales.VOCABULARY), allowed)
        return self._masks[place]


def _stated_key(name: str) -> int:
    """The token of a key as users write it."""
    stated = abc.key(name)
    pair = (sum(stated.signature), "minor" if stated.mode == "min" else "major") if stated else None
    if stated is None or pair not in chorales.KEYS or stated.mode not in ("maj", "min"):
        raise UsageError(f"key {name!r}: a chorale is in major or minor, for example D, Bb or F#m")
    return chorales.KEY + chorales.KEYS.index(pair)


def _where(size: int, tokens: Iterable[int]) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[list(tokens)] = True
    return mask
