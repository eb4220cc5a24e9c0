"""Chorales as tokens."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_music.notation.chorales import FILE, HOLD, METERS, ORDER, REST, Chorale, ChoraleCodec, tonic
from suite_music.notation.piece_codec import END, START

from suite.codecs import Codec
from suite.errors import CheckpointError, DataError

CODEC = ChoraleCodec()
VALUES = st.sampled_from([REST, HOLD]) | st.integers(40, 84)


@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), max_size=12), st.integers(-7, 7),
    st.sampled_from(["major", "minor"]),
    st.sampled_from(sorted(METERS)), st.integers(0, 23),
)  # fmt: skip
def test_every_piece_comes_back(
    steps: list[tuple[int, int, int, int]], fifths: int, mode: str, meter: str, pickup: int
) -> None:
    piece = Chorale(tuple(steps), fifths, mode, meter, pickup)
    assert CODEC.decode(CODEC.targets(piece)) == piece
    rows = CODEC.encode(piece)
    assert len(rows) == len(CODEC.targets(piece)) == 4 + 4 * len(steps)
    assert ((rows >= 0) & (rows < np.array(CODEC.columns))).all()


def test_a_piece_has_the_same_tokens_in_every_key(chorale: Chorale) -> None:
    up = [tuple(v + 2 if v > 0 else v for v in step) for step in chorale.steps]
    other = replace(chorale, steps=tuple((s, a, t, b) for s, a, t, b in up), fifths=0)
    first, second = CODEC.tokens(chorale), CODEC.tokens(other)
    assert first[1:] == second[1:]
    assert first[0] != second[0]


def test_columns_say_what_is_sounding_and_whose_turn_it_is(chorale: Chorale) -> None:
    rows = CODEC.encode(chorale)
    np.testing.assert_array_equal(rows[1:, 0], CODEC.targets(chorale)[:-1])
    assert rows[0].tolist() == [START, *[0] * 7]
    assert rows[3:8, 1].tolist() == [1 + voice for voice in (*ORDER, 0)]
    # A pickup of four steps ends where the first bar begins.
    assert rows[3::4, 2].tolist()[:6] == [13, 14, 15, 16, 1, 2]
    soprano, bass = rows[4, 0], rows[5, 0]
    assert rows[7, 3:].tolist() == [soprano, soprano, rows[7, 0], rows[6, 0], bass]
    # The tenor is silent in the third beat.
    assert rows[3 + 4 * 9, 6] == 0


def test_columns_continue_from_a_saved_state(chorale: Chorale) -> None:
    tokens = [START, *CODEC.tokens(chorale)]
    for count in range(len(tokens)):
        first = CODEC.token_features()
        found = [first.next(token) for token in tokens[:count]]
        second = CODEC.token_features(json.loads(json.dumps(first.state)))
        found += [second.next(token) for token in tokens[count:]]
        np.testing.assert_array_equal(found, CODEC.encode(chorale))
    for bad in ([16, 0, 4, 0, 0, 0, 0], [16, 24, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0], [16, 0, 0, 0]):
        with pytest.raises(ValueError, match="not the state of a chorale"):
            CODEC.token_features(bad)


def test_tonics() -> None:
    assert [tonic(*key) for key in ((0, "major"), (1, "major"), (-2, "minor"), (6, "major"), (3, "minor"))] == [
        0, -5, -5, 6, 6,
    ]  # fmt: skip


def test_the_row_of_a_piece_says_where_its_pickup_ends() -> None:
    row = {"bars": [0, 4, 20], "meter": "4/4", "steps": [[60, 55, 50, 40]], "fifths": 1, "mode": "major"}
    assert Chorale.from_row(row).pickup == 4
    assert Chorale.from_row({**row, "bars": [0, 16]}).pickup == 0
    with pytest.raises(DataError, match="not a chorale"):
        Chorale.from_row({"steps": []})


def test_what_has_no_token_is_refused(chorale: Chorale) -> None:
    for bad, message in (
        (replace(chorale, meter="7/8"), "meter 7/8"),
        (replace(chorale, fifths=9), "no key"),
        (replace(chorale, pickup=99), "pickup"),
        (replace(chorale, steps=((3, 3, 3, 3),)), "pitch 3 is out of range"),
    ):
        with pytest.raises(DataError, match=message):
            CODEC.tokens(bad)
    with pytest.raises(DataError, match="begin with its key"):
        CODEC.decode([END])


def test_a_step_that_is_not_whole_is_left_out(chorale: Chorale) -> None:
    tokens = CODEC.tokens(chorale)
    assert CODEC.decode(tokens[:-1]).steps == chorale.steps[:-1]


def test_files_come_back() -> None:
    assert isinstance(CODEC, Codec)
    assert ChoraleCodec.from_files(CODEC.files()).size == CODEC.size
    for files in ({}, {FILE: b"{}"}):
        with pytest.raises(CheckpointError, match=FILE):
            ChoraleCodec.from_files(files)
