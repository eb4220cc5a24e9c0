"""The music task's files: pieces to train on, beginnings to go on from, and what is said of written pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.data.readers import Row, read_rows
from suite.errors import DataError, one_line, stop
from suite.task import Example
from suite_music import midi, statistics, writing
from suite_music.chorales import Chorale
from suite_music.data import split_tunes, tune_key
from suite_music.musicxml import read as read_musicxml
from suite_music.notes import Note, notes, sung
from suite_music.results import MusicResult

TUNES, SONGS, SCORES = (".abc",), (".mid", ".midi"), (".mxl", ".musicxml", ".xml")
ENDINGS = (*TUNES, *SONGS, *SCORES)


def labelled(
    path: str | Path, example: Callable[[Row], Example], *, format: str | None, columns: Mapping[str, str] | None,
    on_error: Any,
) -> Iterator[Example]:  # fmt: skip
    """The pieces of a table, a file of music, or a folder of them with all its sub-folders."""
    path = Path(path)
    if not path.is_dir() and (format or path.suffix.lower() not in ENDINGS):
        for row in read_rows(path, format=format, columns=columns, on_error=on_error):
            try:
                yield example(row)
            except DataError as error:
                (on_error or stop)(error if row.where in str(error) else DataError(f"{row.where}: {error}"))
        return
    for where, title, piece in pieces(path, on_error):
        key = tune_key(title) or where
        yield Example(input=piece, target=piece, key=key, where=where)


@dataclass(frozen=True)
class Beginning:
    """A piece of a file, to be gone on with: where it is, its title or the file's name, and a text or a `Chorale`."""

    where: str
    title: str
    piece: Any


def beginnings(argument: str, on_error: Any = None) -> Iterator[tuple[str, Beginning]]:
    """Where each beginning in a file or folder is, and the beginning."""
    if not argument:
        raise DataError("an empty name where a file or folder is needed; is a variable not set?")
    for where, title, piece in pieces(Path(argument), on_error):
        yield where, Beginning(where, title or Path(where).stem, piece)


def beginning(given: Any) -> Any:
    """What a model is to go on from: the piece of a `Beginning` or of a file, or the tune's text or chorale itself."""
    if isinstance(given, Beginning):
        return given.piece
    if isinstance(given, Path) or (isinstance(given, str) and "\n" not in given and given.lower().endswith(ENDINGS)):
        return next(piece for _, _, piece in pieces(Path(given)))
    return given if isinstance(given, Chorale) else tune(given)


def named(result: Any, given: Any) -> Any:
    """A result under the title of its beginning, where that has one."""
    if isinstance(result, MusicResult) and isinstance(given, str | Path | Beginning):
        where, title = (given.where, given.title) if isinstance(given, Beginning) else (str(given), Path(given).stem)
        return replace(result, input=where, title=title if "\n" not in where else result.title)
    return result


def tune(text: Any) -> str:
    """ABC text as it is. Raises DataError for what is none."""
    if not isinstance(text, str):
        raise DataError(f"expected ABC text, a chorale or a file, got {type(text).__name__}")
    if not re.search(r"(?m)^K:.*\n(?=.*\S)", text):
        raise DataError("no tune in it; a tune needs a line K: and notes after it")
    return text


def pieces(path: Path, on_error: Any = None) -> Iterator[tuple[str, str, Any]]:
    """Every piece of a file or folder: where it is, its title, and a tune's text or a `Chorale`.

    Raises DataError for a file that cannot be read, or holds no piece; with ``on_error`` it is passed over.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        # A piece that was saved in several forms is one piece: notation before MIDI.
        written = {file.with_suffix("") for file in files if file.suffix.lower() not in SONGS}
        files = [file for file in files if file.suffix.lower() not in SONGS or file.with_suffix("") not in written]
        if not files:
            raise DataError(f"{path}: no music in it; expected files ending in {', '.join(ENDINGS)}")
        for file in files:
            yield from pieces(file, on_error)
        return
    try:
        yield from list(_file(path))
    except DataError as error:
        (on_error or stop)(error if str(path) in str(error) else DataError(f"{path}: {error}"))


def _file(path: Path) -> Iterator[tuple[str, str, Any]]:
    ending = path.suffix.lower()
    if ending in TUNES:
        yield from _tunes(path)
    elif ending in SONGS:
        yield str(path), path.stem, writing.tune(midi.read(path))
    elif ending in SCORES:
        from suite_music.data import chorale

        row = chorale(read_musicxml(path), path.name)
        if row is None:
            raise DataError(f"{path}: without parts called soprano, alto, tenor and bass; give a four-part score")
        yield str(path), path.stem, Chorale.from_row(row)
    else:
        raise DataError(f"{path}: the ending {ending!r} is not known; use one of {', '.join(ENDINGS)}")


def _tunes(path: Path) -> Iterator[tuple[str, str, str]]:
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
        yield f"{path}, tune {number}" if len(found) > 1 else str(path), title, body


# -- what pieces are like ----------------------------------------------------------------------------------------


def reported(paths: Sequence[str], against: Path | None) -> dict[str, Any]:
    """Figures of the pieces in files and folders, beside those of the training pieces where these are at hand.

    ``bars_filled``; with training pieces ``distance`` (half the sum of differences of shares, 0…1, of pitches,
    rhythms and intervals) and ``longest_copy``, the run of notes each piece shares with one of them.
    """
    if not paths:
        raise DataError("give the files or folders that are to be looked at")
    found = [piece for path in paths for piece in pieces(Path(path))]
    if any(isinstance(piece, str) for _, _, piece in found) and any(
        isinstance(piece, Chorale) for _, _, piece in found
    ):
        raise DataError("some pieces are tunes and some chorales; look at them one kind at a time")
    sounding = [heard(piece) for _, _, piece in found]
    figures: dict[str, Any] = {"pieces": len(found), "notes": sum(map(len, sounding))}
    if tunes := [piece for _, _, piece in found if isinstance(piece, str)]:
        figures["bars_filled"] = filled(tunes)
    training = _training(against, chorales=not tunes)
    if training is None:
        figures["training"] = "not here: suite data get music fetches it, or --against FILE"
        return figures
    theirs = [heard(piece) for piece in training]
    if tunes:
        figures["bars_filled_training"] = filled([piece for piece in training if isinstance(piece, str)])
    ours = statistics.histograms(sounding)
    figures["distance"] = statistics.distances(ours, statistics.histograms(theirs))
    check = statistics.CopyCheck(theirs)
    runs = [check.longest(piece).notes for piece in sounding]
    figures["longest_copy"] = {
        where: {"notes": run, "share": run / max(len(piece), 1)}
        for (where, _, _), run, piece in zip(found, runs, sounding, strict=True)
    }
    figures["longest_copy_mean"] = sum(runs) / len(runs)
    return figures


def heard(piece: Any) -> list[Note]:
    """The notes of a tune or a chorale."""
    return sung(piece) if isinstance(piece, Chorale) else notes(piece)


def filled(tunes: Sequence[str]) -> float:
    """The share of bars that fill their meter; NaN where there are none."""
    counts = [statistics.full_bars(text) for text in tunes]
    bars = sum(count for _, count in counts)
    return sum(full for full, _ in counts) / bars if bars else float("nan")


def _training(against: Path | None, *, chorales: bool) -> list[Any] | None:
    if against is None:
        from suite.data.sources import located
        from suite_music.data import recipe

        folder = located("music", recipe())
        if folder is None:
            return None
        against = folder / "chorales" / "train.jsonl" if chorales else folder / "train.jsonl"
    if against.is_dir() or against.suffix.lower() in ENDINGS:
        return [piece for _, _, piece in pieces(against)]
    try:
        rows = [json.loads(line) for line in against.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [Chorale.from_row(row) if "steps" in row else str(row["text"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error) if isinstance(error, OSError) else f"{against}: not pieces as JSON lines"
        raise DataError(f"{reason}; give pieces as .jsonl, .abc or a folder") from error
