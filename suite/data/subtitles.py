"""Words with their times as subtitles, SubRip's and the web's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.errors import SuiteError, one_line

#: A subtitle ends before it is longer than this (letters, seconds), and where nobody speaks for so long (seconds).
MAX_CHARS, MAX_SECONDS, MIN_PAUSE = 80, 6.0, 0.8

Words = Sequence[Mapping[str, Any]]


def write_subtitles(words: Words, path: Path) -> Path:
    """Write a file by its ending, ``.srt`` or ``.vtt``. Raises SuiteError where it cannot be written."""
    web = path.suffix == ".vtt"
    mark = "." if web else ","
    parts = ["WEBVTT"] if web else []
    for number, (start, end, text) in enumerate(subtitle_lines(words), 1):
        head = "" if web else f"{number}\n"
        parts.append(f"{head}{timestamp(start, mark)} --> {timestamp(end, mark)}\n{text}")
    try:
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"cannot write {path}: {one_line(error)}; copy the recording to a folder of yours") from error
    return path


def subtitle_lines(words: Words) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of each subtitle."""
    run: list[Mapping[str, Any]] = []
    for word in words:
        if run and (
            word["start"] - run[-1]["end"] >= MIN_PAUSE
            or word["end"] - run[0]["start"] > MAX_SECONDS
            or sum(len(w["word"]) + 1 for w in run) + len(word["word"]) > MAX_CHARS
        ):
            yield _line(run)
            run = []
        run.append(word)
    if run:
        yield _line(run)


def _line(run: Words) -> tuple[float, float, str]:
    return run[0]["start"], run[-1]["end"], " ".join(word["word"] for word in run)


def timestamp(seconds: float, mark: str) -> str:
    """``00:01:02,500``."""
    whole = round(seconds * 1000)
    hours, minutes, rest = whole // 3_600_000, whole // 60_000 % 60, whole % 60_000
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
