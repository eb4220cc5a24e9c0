"""Recordings and texts out of tables, LibriSpeech's folders and Common Voice's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from suite.data.transcripts import read_transcripts
from suite.errors import DataError


def test_a_table_of_audio_and_text(tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    table.write_text("audio,text,source\na.wav,Hello there,x\nsub/b.wav,Two,y\n")
    rows = list(read_transcripts(table))
    assert [(row.input, row.target, row.key, row.where) for row in rows] == [
        (str(tmp_path / "a.wav"), "Hello there", "Hello there", f"{table}:2"),
        (str(tmp_path / "sub/b.wav"), "Two", "Two", f"{table}:3"),
    ]
    assert rows[0].values["source"] == "x"
    table.write_text("file,said\na.wav,Hello\n")
    (row,) = read_transcripts(table, columns={"audio": "file", "text": "said"})
    assert row.target == "Hello"


def test_a_table_of_common_voice(tmp_path: Path) -> None:
    table = tmp_path / "validated.tsv"
    table.write_text('client_id\tpath\tsentence\nx\tone.mp3\tHe said "no".\n')
    (row,) = read_transcripts(table)
    assert (row.input, row.target) == (str(tmp_path / "clips" / "one.mp3"), 'He said "no".')


def test_a_folder_of_librispeech(tmp_path: Path) -> None:
    chapter = tmp_path / "dev-clean" / "84" / "121123"
    chapter.mkdir(parents=True)
    (chapter / "84-121123.trans.txt").write_text("84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT\n84-121123-0002\n")
    (chapter / "84-121123-0000.flac").write_bytes(b"not opened here")
    errors: list[str] = []
    (row,) = read_transcripts(tmp_path / "dev-clean", on_error=lambda error: errors.append(str(error)))
    assert (row.target, row.key) == ("GO DO YOU HEAR", "84-121123")
    assert row.input == str(chapter / "84-121123-0000.flac")
    assert "no recording 84-121123-0001.flac beside it" in errors[0]
    assert "not a recording's name and what is said" in errors[1]
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"no ….trans.txt in it"):
        list(read_transcripts(tmp_path / "other"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file": "a.wav", "text": "x"}, ":1: no column 'audio'"), ({"audio": 3, "text": "x"}, ":1: audio is '3', not"),
        ({"audio": " ", "text": "x"}, ":1: audio is ' ', not the path"), ({"audio": "a", "text": 3}, ":1: text is '3'"),
    ],
)  # fmt: skip
def test_rows_that_are_none(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    (tmp_path / "all.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match=message):
        list(read_transcripts(tmp_path / "all.jsonl"))
