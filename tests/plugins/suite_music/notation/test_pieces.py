"""Hypothesis pieces: what they say of themselves, and the files they are saved to."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_music.notation import midi
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import pieces
from suite_music.notation.notes import heard
from suite_music.notation.pieces import PieceResult

from suite.errors import DataError

TUNE = "M:6/8\nL:1/8\nK:Bm\nd|ABc def|gfe dc|]"


def test_a_tune_and_a_chorale(chorale: Chorale) -> None:
    tune = PieceResult.of(TUNE, "A jig", 3)
    assert (tune.title, tune.key, tune.meter, tune.input, tune.pickup) == ("A jig", "Bm", "6/8", 3, 0.5)
    assert (tune.abc, tune.musicxml, "musicxml" in tune.to_dict()) == (f"{TUNE}\n", None, False)
    assert tune.notes == [note.to_dict() for note in heard(TUNE)]
    four = PieceResult.of(chorale, "Four", None)
    assert (four.key, four.meter, four.pickup, four.abc) == ("Gm", "4/4", 1.0, None)
    assert {note["voice"] for note in four.notes} == {0, 1, 2, 3}


def test_what_is_saved_is_what_it_is(chorale: Chorale, tmp_path: Path) -> None:
    for piece, title, ending in ((TUNE + "\n", "My tune/1", ".abc"), (chorale, "…", ".musicxml")):
        result = PieceResult.of(piece, title, None)
        notation, song, sound = (Path(file) for file in result.save_all(tmp_path / "new", tempo=90))
        assert notation.name == {"My tune/1": "My-tune-1.abc", "…": "piece.musicxml"}[title]
        assert next(pieces(notation)).piece == piece
        assert midi.read_midi(song).tempo == pytest.approx(90, abs=0.01)
        assert midi.read_midi(song).minor
        assert sound.read_bytes()[:4] == b"RIFF"
        assert result.save(tmp_path / "roll.PNG").read_bytes()[:4] == b"\x89PNG"
        with pytest.raises(DataError, match=rf"cannot be written as '\.pdf'; use one of {ending}, \.mid, "):
            result.save(tmp_path / "a.pdf")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="; choose another place"):
        PieceResult.of(TUNE, "x", None).save(tmp_path / "file" / "a.abc")


def test_what_people_see(chorale: Chorale) -> None:
    tune = PieceResult.of(TUNE, "A jig", None)
    assert tune.shown().splitlines() == ["A jig  key Bm, meter 6/8, 12 notes, 6 quarter notes", "  d|ABc def|gfe dc|]"]
    lines = PieceResult.of(chorale, "Four", None).shown().splitlines()
    assert lines[0].startswith("Four  key Gm, meter 4/4, ")
    assert [line.split()[0] for line in lines[1:]] == ["soprano", "alto", "tenor", "bass"]
