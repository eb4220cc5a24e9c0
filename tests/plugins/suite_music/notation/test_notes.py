"""What tunes and chorales sound like."""

from __future__ import annotations

import re
from typing import Any

import pytest
from suite_music.notation import abc
from suite_music.notation.chorales import Chorale
from suite_music.notation.notes import Note, Player, heard, notes, played, sung

HEAD = "M:4/4\nL:1/8\nK:G\n"


def heard_of(text: str, **options: bool) -> list[tuple[int, float, float]]:
    return [(note.pitch, note.start, note.duration) for note in notes(HEAD + text, **options)]


def pitches(text: str) -> list[int]:
    return [pitch for pitch, _, _ in heard_of(text)]


def test_pitches_follow_the_key_and_accidentals_hold_for_the_bar() -> None:
    assert pitches("C c f F, c'") == [60, 72, 78, 54, 84]
    assert pitches("=f f F | f") == [77, 77, 65, 78]
    assert pitches("^c c {^d}e d _B | c B") == [73, 73, 76, 75, 70, 72, 71]
    assert pitches("__e ^^g") == [74, 81]


def test_starts_and_durations() -> None:
    assert heard_of("c2d/e/ z f>g") == [
        (72, 0, 1), (74, 1, 0.25), (76, 1.25, 0.25), (78, 2, 0.75), (79, 2.75, 0.25),
    ]  # fmt: skip
    assert heard_of("(3cde c<d") == [
        (72, 0, 1 / 3), (74, 1 / 3, 1 / 3), (76, 2 / 3, 1 / 3), (72, 1, 0.25), (74, 1.25, 0.75),
    ]  # fmt: skip
    assert heard_of("[ceg]2 d") == [(72, 0, 1), (76, 0, 1), (79, 0, 1), (74, 1, 0.5)]
    assert heard_of("c4|d") == [(72, 0, 2), (74, 2, 0.5)]


def test_ties_prolong_and_slurs_between_pitches_do_not() -> None:
    assert heard_of("c2-c d") == [(72, 0, 1.5), (74, 1.5, 0.5)]
    assert heard_of("c2-|c d") == [(72, 0, 1.5), (74, 1.5, 0.5)]
    assert heard_of("^c2-|c c'") == [(73, 0, 1.5), (84, 1.5, 0.5)]
    assert heard_of("c-d") == [(72, 0, 0.5), (74, 0.5, 0.5)]
    assert heard_of("c-c-c") == [(72, 0, 1.5)]
    assert heard_of("[ce]-[cg]") == [(72, 0, 1), (76, 0, 0.5), (79, 0.5, 0.5)]
    assert heard_of("c-z c") == [(72, 0, 0.5), (72, 1, 0.5)]
    assert heard_of("c2-") == [(72, 0, 1)]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("A|B|", "AB"), ("A|B:|", "ABAB"), ("|:A|B:|c|", "ABABc"), ("A||B:|", "ABB"), ("|:A::B:|", "AABB"),
        ("A|1B:|2c|]", "ABAc"), ("|:A|1B:|2c||d:|", "ABAcdd"), ("|:A||B:|", "ABAB"), ("A:|2B|", "AAB"), ("|:A|B", "AB"),
        ("[1A:|[2B||", "AB"),
    ],
)  # fmt: skip
def test_repeats(text: str, order: str) -> None:
    names = {abc.pitch(name)[1]: name for name in "ABcd"}
    assert "".join(names[event.value[1]] for event in played(abc.events(text)) if event.kind == "note") == order
    assert len(notes(HEAD + text, repeats=True)) == len(order)


def test_a_player_gives_a_note_once_nothing_can_change_it(tunes: list[str]) -> None:
    player = Player()
    given = [(event.kind, len(player.take(event))) for event in abc.events(HEAD + "c2d-|d e")]
    assert given[-7:] == [("length", 0), ("note", 1), ("tie", 0), ("bar", 0), ("note", 0), ("other", 0), ("note", 1)]
    assert player.finish() == [Note(76, 2, 0.5)]
    assert player.finish() == []
    for text in tunes:
        player = Player()
        ends = [note.start for event in abc.events(text) for note in player.take(event)]
        assert ends == sorted(ends)


def test_real_tunes_sound_as_another_reader_hears_them(tunes: list[str], music21: Any) -> None:
    for text in tunes:
        plain = re.sub("H", "", text)  # a fermata makes that reader lose its note
        score = music21(f"%abc-2.1\nX:1\nT:a\n{plain}", format="abc")
        theirs = [(n.pitch.midi, float(n.offset)) for n in score.flatten().notes if not n.duration.isGrace]
        assert [(note.pitch, note.start) for note in notes(plain)] == theirs


def test_voices_of_a_chorale_hold_their_notes(chorale: Chorale) -> None:
    found = sung(chorale)
    soprano = [(note.pitch, note.start, note.duration) for note in found if note.voice == 0]
    assert soprano == [
        (70, 0, 1), (70, 1, 0.5), (72, 1.5, 0.5), (69, 2, 1), (67, 3, 1), (66, 4, 1), (67, 5, 1), (67, 6, 2),
    ]  # fmt: skip
    tenor = [(note.pitch, note.start, note.duration) for note in found if note.voice == 2]
    assert tenor[:2] == [(55, 0, 2), (55, 3, 1)]
    assert [note.start for note in found] == sorted(note.start for note in found)
    assert found[0].to_dict() == {"pitch": 70, "start": 0, "duration": 1, "voice": 0}


def test_nothing_is_held_after_silence() -> None:
    assert sung(Chorale(((-1, 0, 60, -1), (-1, -1, 0, 0), (-1, -1, -1, -1)))) == [Note(60, 0, 0.25, 2)]


def test_what_is_heard_of_either(tunes: list[str], chorale: Chorale) -> None:
    assert heard(tunes[0]) == notes(tunes[0])
    assert heard(chorale) == sung(chorale)
