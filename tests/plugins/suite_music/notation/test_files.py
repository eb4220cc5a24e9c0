"""Files of pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation import midi
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import Filed, is_file, piece_of, pieces, rows, split_tunes, tune
from suite_music.notation.musicxml import score_xml
from suite_music.notation.notes import heard

from suite.errors import DataError

TUNE = "M:6/8\nL:1/8\nK:D\nABc def|gfe dcB|\n"


@pytest.fixture
def folder(tmp_path: Path, chorale: Chorale) -> Path:
    """Two tunes in a file, one of them untitled; a score; a song by itself, and one of the second file's tune."""
    (tmp_path / "below").mkdir()
    (tmp_path / "a.abc").write_text(f"X:1\nT:First\n{TUNE}\nX:2\n{TUNE}")
    (tmp_path / "below" / "b.ABC").write_text(TUNE)
    (tmp_path / "below" / "b.mid").write_bytes(midi.midi_bytes(heard(TUNE)))
    (tmp_path / "c.mid").write_bytes(midi.midi_bytes(heard(TUNE), meter=(6, 8), sharps=2))
    (tmp_path / "d.musicxml").write_text(score_xml(chorale))
    (tmp_path / "README.txt").write_text("nothing to play")
    return tmp_path


def test_a_folder_has_each_piece_once(folder: Path, chorale: Chorale) -> None:
    found = list(pieces(folder))
    assert [(Path(one.where).name, one.title, one.called) for one in found] == [
        ("a.abc, tune 1", "First", "First"), ("a.abc, tune 2", "", "a"), ("b.ABC", "", "b"), ("c.mid", "c", "c"),
        ("d.musicxml", "d", "d"),
    ]  # fmt: skip
    assert [one.piece for one in found[:3]] == [TUNE] * 3
    assert heard(found[3].piece) == heard(TUNE)
    assert found[4].piece == chorale


def test_what_cannot_be_read_is_named_and_passed_over(folder: Path) -> None:
    (folder / "b.abc").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"b\.abc: not UTF-8 text"):
        list(pieces(folder))
    said: list[DataError] = []
    assert len(list(pieces(folder, said.append))) == 5
    assert len(said) == 1
    with pytest.raises(DataError, match="no such file or folder"):
        list(pieces(folder / "none"))
    with pytest.raises(DataError, match=r"'\.txt' is not known; use one of \.abc"):
        list(pieces(folder / "README.txt"))


@pytest.mark.parametrize("part", ["<part/>", "<part><measure/></part>"])
def test_a_score_without_notes(part: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(f"<score-partwise>{part * 4}</score-partwise>")
    with pytest.raises(DataError, match=r"a\.xml: no notes in its four parts; give a score with some"):
        list(pieces(tmp_path / "a.xml"))


def test_what_a_user_gives(folder: Path, chorale: Chorale) -> None:
    for given in (TUNE, folder / "below" / "b.ABC", str(folder / "below" / "b.ABC"), Filed("x", "y", TUNE)):
        assert piece_of(given) == TUNE
    assert piece_of(chorale) is chorale
    assert is_file("tune.abc")
    assert not is_file(TUNE + "tune.abc")
    for wrong, said in ((3, "got int"), ("ABc|", "a tune needs a line K:"), ("none.abc", "no such file")):
        with pytest.raises(DataError, match=said):
            piece_of(wrong)
    with pytest.raises(DataError, match="notes after it"):
        tune("K:D\n \n")


def test_tunes_of_a_text_are_their_meter_length_key_and_body() -> None:
    text = f"% a book\nX:1\nT:One\nR:jig\n{TUNE}w:la la\nX:2\nT:No key\nM:4/4\nabc|\nX:3\nT:No body\nK:G\n"
    assert list(split_tunes(text)) == [("One", TUNE)]


def test_rows(tmp_path: Path, chorale: Chorale) -> None:
    steps = [list(step) for step in chorale.steps]
    row: dict[str, Any] = {"steps": steps, "fifths": -2, "mode": "minor", "meter": "4/4", "bars": [0, 4, 20]}
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": TUNE}) + "\n\n" + json.dumps(row) + "\n")
    assert rows(tmp_path / "a.jsonl") == [TUNE, chorale]
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n')
    for name, said in (("b.jsonl", "not pieces as JSON lines"), ("c.jsonl", "No such file or directory")):
        with pytest.raises(DataError, match=rf"{name}: {said}; give pieces as"):
            rows(tmp_path / name)
