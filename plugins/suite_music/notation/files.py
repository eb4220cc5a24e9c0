"""Files of pieces: ABC, MIDI, and scores in XML or **kern; alone, several in one, or a folder of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.errors import DataError, one_line, stop
from suite_music.notation import kern, midi
from suite_music.notation.chorales import REST, Chorale
from suite_music.notation.melody import tune as melody_of
from suite_music.notation.musicxml import chorale_steps as steps_of
from suite_music.notation.musicxml import read_score as read_score

TUNES, SONGS, SCORES = (".abc",), (".mid", ".midi"), (".mxl", ".musicxml", ".xml", ".krn")
ENDINGS = (*TUNES, *SONGS, *SCORES)


@dataclass(frozen=True)
class Filed:
    """A piece of a file: where it is, its title if it has one, and a tune's text or a `Chorale`."""

    where: str
    title: str
    piece: Any

    @property
    def called(self) -> str:
        """Its title, or the file's name."""
        return self.title or Path(self.where).stem


def is_file(given: Any) -> bool:
    """Whether what a user gives is the path of a file of pieces, and not itself a tune."""
    return isinstance(given, Path) or (
        isinstance(given, str) and "\n" not in given and given.lower().endswith(ENDINGS)
    )  # fmt: skip


def piece_of(given: Any) -> Any:
    """The piece that a user gives: that of a `Filed` or the first of a file, or a tune's text or chorale itself."""
    if isinstance(given, Filed):
        return given.piece
    if is_file(given):
        return next(pieces(Path(given))).piece
    return given if isinstance(given, Chorale) else tune(given)


def tune(text: Any) -> str:
    """ABC text as it is. Raises DataError for what is none."""
    if not isinstance(text, str):
        raise DataError(f"expected ABC text, a chorale or a file, got {type(text).__name__}")
    if not re.search(r"(?m)^K:.*\n(?=.*\S)", text):
        raise DataError("no tune in it; a tune needs a line K: and notes after it")
    return text


def pieces(path: Path, on_error: Any = None) -> Iterator[Filed]:
    """Every piece of a file or folder.

    Raises DataError for a file that cannot be read, or holds no piece; with ``on_error`` it is skipped.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        # A piece that was saved in several forms is one piece: notation before MIDI.
        written = {file.with_suffix("") for file in files if file.suffix.lower() not in SONGS}
        files = [file for file in files if file.suffix.lower() not in SONGS or file.with_suffix("") not in written]
        if not files:
            raise DataError(f"{path}: no pieces in it; expected files ending in {', '.join(ENDINGS)}")
        for file in files:
            yield from pieces(file, on_error)
        return
    try:
        yield from list(_file(path))
    except DataError as error:
        (on_error or stop)(error if str(path) in str(error) else DataError(f"{path}: {error}"))


def _file(path: Path) -> Iterator[Filed]:
    ending = path.suffix.lower()
    if ending in TUNES:
        yield from _tunes(path)
    elif ending in SONGS:
        yield Filed(str(path), path.stem, melody_of(midi.read_midi(path)))
    elif ending in SCORES:
        row = steps_of(kern.read_kern(path) if ending == ".krn" else read_score(path), path.name, named=False)
        if row is None:
            raise DataError(
                f"{path}: neither four parts, nor soprano, alto, tenor and bass among them; give such a score"
            )
        if not any(value > REST for step in row["steps"] for value in step):
            raise DataError(f"{path}: no notes in its four parts; give a score with some")
        yield Filed(str(path), path.stem, Chorale.from_row(row))
    else:
        raise DataError(f"{path}: the ending {ending!r} is not known; use one of {', '.join(ENDINGS)}")


def _tunes(path: Path) -> Iterator[Filed]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text; is it ABC? Convert it first") from error
    except OSError as error:
        raise DataError(f"{one_line(error)}; give a text file of ABC") from error
    # One tune may come without its number.
    found = list(split_tunes(text.replace("\r\n", "\n"))) or list(split_tunes(f"X:1\n{text}"))
    if not found:
        raise DataError(f"{path}: no tune in it; a tune needs a line K: and notes after it")
    for number, (title, body) in enumerate(found, 1):
        yield Filed(f"{path}, tune {number}" if len(found) > 1 else str(path), title, body)


def split_tunes(text: str) -> Iterator[tuple[str, str]]:
    """The tunes of an ABC file as (title, text form): its lines ``M:``, ``L:`` and ``K:``, then the body.

    A tune begins at a line ``X:``; one without ``K:`` or without a body is skipped.
    """
    for piece in re.split(r"(?m)^(?=X:)", text):
        lines = [line.rstrip() for line in piece.split("\n") if line.strip() and not line.startswith("%")]
        head = [line for line in lines if line[:2] in ("M:", "L:", "K:")]
        body = [line for line in lines if not re.match(r"[A-Za-z]:", line)]
        title = next((line[2:].strip() for line in lines if line.startswith("T:")), "")
        if piece.startswith("X:") and body and any(line.startswith("K:") for line in head):
            yield title, "\n".join([*head, *body]) + "\n"


def rows(path: Path) -> list[Any]:
    """The pieces of JSON lines, tunes as ``text`` and chorales as ``steps``. Raises DataError for what is none."""
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [Chorale.from_row(row) if "steps" in row else str(row["text"]) for row in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error) if isinstance(error, OSError) else f"{path}: not pieces as JSON lines"
        raise DataError(f"{reason}; give pieces as .jsonl, .abc or a folder") from error
