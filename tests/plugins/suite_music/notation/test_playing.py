"""Tokens as they come: text and notes in the order in which they sound, and chorales as rows of names."""

from __future__ import annotations

import time

import pytest
from suite_music.notation import playing
from suite_music.notation.chorales import HOLD_TOKEN, Chorale, ChoraleCodec
from suite_music.notation.notes import Note, heard, notes, sung
from suite_music.notation.pieces import PieceResult
from suite_music.notation.playing import ChoralePlayer, TunePlayer, name, performed, player, voices
from suite_music.notation.tunes import TuneCodec


def test_a_codec_has_its_player(codec: TuneCodec) -> None:
    assert isinstance(player(codec), TunePlayer)
    assert isinstance(player(ChoraleCodec()), ChoralePlayer)


def test_a_tune_is_its_text_and_its_notes(codec: TuneCodec, tunes: list[str]) -> None:
    for text in tunes:
        play = TunePlayer(codec)
        moments = [moment for token in codec.tokens(text) for moment in play.take(token)]
        assert "".join(moment.text for moment in moments) == text
        found = [note for moment in moments for note in moment.notes]
        assert found == notes(text)[: len(found)]
        assert len(found) >= len(notes(text)) - 1  # the last one may be tied to what comes
        assert all(moment.start == moment.notes[0].start for moment in moments if moment.notes)
        assert all(moment.notes or moment.text.endswith("\n") for moment in moments)


def test_notes_of_a_chorale_come_by_start(chorale: Chorale) -> None:
    play = ChoralePlayer()
    moments = [moment for token in ChoraleCodec().tokens(chorale) for moment in play.take(token)]
    starts = [moment.start for moment in moments]
    assert starts == sorted(starts)
    found = [note for moment in moments for note in moment.notes]
    # At the end some are held since the sixth quarter: they, and what began after that, are still to come.
    assert {note for note in sung(chorale) if note.start < 6} <= {*found} <= {*sung(chorale)}
    assert len(found) == len({*found})
    assert max(note.start for note in found) == 6
    lines = "".join(moment.text for moment in moments).splitlines()
    assert lines[:4] == ["key Gm, meter 4/4", "S    A    T    B", "Bb4  D4   G3   G2", "Bb4  D4   G3   F#2"]
    assert all(len(moment.notes) <= 1 for moment in moments)


def test_a_note_that_is_held_for_ever_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "WAITING", 8)
    steps = tuple((72 + step % 2, 67, 64, 48) if step == 0 else (72 + step % 2, -1, -1, -1) for step in range(400))
    play = ChoralePlayer()
    tokens = ChoraleCodec().tokens(Chorale(steps))
    assert tokens.count(HOLD_TOKEN) == 3 * 399
    found = [note for token in tokens for moment in play.take(token) for note in moment.notes]
    assert [note.start for note in found] == [step / 4 for step in range(len(found))]
    assert len(found) > 385


@pytest.mark.parametrize(
    ("pitch", "fifths", "written"),
    [(60, 0, "C4"), (66, 1, "F#4"), (66, -5, "Gb4"), (70, -2, "Bb4"), (59, 7, "B3"), (71, -7, "Cb5"), (61, -2, "Db4")],
)
def test_names(pitch: int, fifths: int, written: str) -> None:
    assert name(pitch, fifths) == written


def test_a_chorale_for_people(chorale: Chorale) -> None:
    lines = voices(PieceResult.of(chorale, "x", None))
    assert [line.split()[0] for line in lines] == ["soprano", "alto", "tenor", "bass"]
    soprano, _, tenor, bass = (line.split()[1:] for line in lines)
    assert soprano == ["Bb4", "Bb4", "A4", "G4", "F#4", "G4", "G4", "·"]
    assert tenor == ["G3", "·", "-", "G3", "A3", "Bb3", "G3", "F#3"]
    assert bass == ["G2", "F#2", "G2", "D2", "D2", "G2", "C3", "D3"]
    long = voices(PieceResult.of(Chorale(chorale.steps * 4, -2, "minor"), "x", None))
    assert all(line.endswith("…") and len(line) <= 78 for line in long)


def test_a_piece_is_performed_as_its_tokens_come(
    codec: TuneCodec, tunes: list[str], chorale: Chorale, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 5 + sum(slept))
    monkeypatch.setattr(time, "sleep", slept.append)
    four = ChoraleCodec()
    for tokens, own, piece in ((codec.tokens(tunes[0]), codec, tunes[0]), (four.tokens(chorale), four, chorale)):
        slept.clear()
        at_once = list(performed(tokens, own))
        assert not slept
        notes = [Note(**note) for update in at_once for note in update.notes]
        assert len(heard(piece)) - len(notes) <= 4  # what is still held at the end
        assert {*notes} <= {*heard(piece)}
        assert "".join(update.text for update in at_once)
        assert [update.input for update in at_once] == list(range(len(at_once)))
        assert list(performed(tokens, own, tempo=240)) == at_once
        assert sum(slept) == pytest.approx(notes[-1].start / 4)
