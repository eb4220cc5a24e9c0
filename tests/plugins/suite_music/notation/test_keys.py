"""Keys of notes."""

from __future__ import annotations

import pytest
from suite_music.notation import abc
from suite_music.notation.keys import estimated, name_of, spelling
from suite_music.notation.notes import Note, notes


@pytest.mark.parametrize(
    ("pitch", "fifths", "expected"),
    [
        (60, 0, ("C", 0)), (61, 2, ("C", 1)), (68, 0, ("G", 1)), (70, -1, ("B", -1)), (66, -3, ("G", -1)),
        (71, -3, ("B", 0)),
        (63, -2, ("E", -1)), (65, 6, ("E", 1)), (59, -6, ("C", -1)),
    ],
)  # fmt: skip
def test_spelling(pitch: int, fifths: int, expected: tuple[str, int]) -> None:
    assert spelling(pitch, fifths) == expected


@pytest.mark.parametrize("fifths", range(-7, 8))
@pytest.mark.parametrize("minor", [False, True])
def test_a_key_is_named_as_it_is_read(fifths: int, minor: bool) -> None:
    key = abc.key(name_of(fifths, minor))
    assert key is not None
    assert (sum(key.signature), key.mode == "min") == (fifths, minor)


def test_the_key_of_real_tunes_is_found(tunes: list[str]) -> None:
    right = 0
    for text in tunes:
        key = next(event.value for event in abc.events(text) if event.kind == "key")
        right += estimated(notes(text)) == (sum(key.signature), key.mode == "min")
    assert right >= len(tunes) - 2  # one of them is dorian


def test_the_key_of_nothing_is_c_major() -> None:
    assert estimated([]) == (0, False)
    assert len(estimated([Note(pitch, 0, 1) for pitch in range(60, 72)])) == 2
