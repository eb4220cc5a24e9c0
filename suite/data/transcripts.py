"""Recordings and what is said in them, out of files: tables, a LibriSpeech folder, and a table of Common Voice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.data.examples import Example
from suite.data.readers import read_rows
from suite.errors import DataError, stop


def read_transcripts(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    on_error: Any = None,
) -> Iterator[Example]:
    """The examples of a table of ``audio`` and ``text``, a folder as LibriSpeech has, or Common Voice's ``.tsv``.

    A recording's path is relative to its table; it is not opened here. Raises DataError, or gives it to ``on_error``,
    for a bad row.
    """
    place = Path(path)
    found = _libri(place, on_error) if str(path) != "-" and place.is_dir() else _table(path, format, columns, on_error)
    for row in found:
        if isinstance(row, DataError):
            (on_error or stop)(row)
        else:
            yield row


def _table(
    path: str | Path, format: str | None, columns: Mapping[str, str] | None, on_error: Any
) -> Iterator[Example | DataError]:
    base = Path() if str(path) == "-" else Path(path).parent
    rows = read_rows(path, format=format, columns=columns, text_column="audio", on_error=on_error)
    for number, row in enumerate(rows):
        values, place = row.values, base
        if "audio" not in values and {"path", "sentence"} <= values.keys():
            # As Common Voice comes: the recordings lie in a folder beside the table.
            values = {**values, "audio": values["path"], "text": values["sentence"]}
            place = base / "clips"
        audio, text = values.get("audio"), values.get("text")
        if "audio" not in values:
            error = DataError(f"{row.where}: no column 'audio' (a recording's path); --columns audio=YOURS renames one")
            if number == 0:
                raise error
            yield error
        elif not isinstance(audio, str) or not audio.strip():
            yield DataError(f"{row.where}: audio is {str(audio)[:40]!r}, not the path of a recording; give one")
        elif text is not None and not isinstance(text, str):
            yield DataError(f"{row.where}: text is {str(text)[:40]!r}, not what is said; give a text")
        else:
            key = str(values.get("key") or text or audio)
            recording = str(place / audio.strip())
            yield Example(input=recording, target=text, key=key, where=row.where, values=values)


def _libri(folder: Path, on_error: Any) -> Iterator[Example | DataError]:
    """Every ``….trans.txt`` in a folder or below: a name and its text a line, the recording beside it."""
    listed = sorted(folder.rglob("*.trans.txt"))
    if not listed:
        raise DataError(f"{folder}: no ….trans.txt in it, a name and a text a line; or give a table of audio and text")
    for file in listed:
        for row in read_rows(file, format="txt", text_column="line", on_error=on_error):
            name, _, text = row.values["line"].partition(" ")
            there = next((p for end in (".flac", ".wav") if (p := file.parent / f"{name}{end}").is_file()), None)
            if not text.strip():
                yield DataError(f"{row.where}: not a recording's name and what is said in it; mend the line")
            elif there is None:
                yield DataError(f"{row.where}: no recording {name}.flac beside it; put it there")
            else:
                # A chapter stays on one side.
                chapter = file.name.removesuffix(".trans.txt")
                yield Example(input=str(there), target=text, key=chapter, where=row.where, values={})
