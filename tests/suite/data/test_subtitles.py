"""Words as subtitles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite.data.subtitles import subtitle_lines, timestamp, write_subtitles
from suite.errors import SuiteError


def words(*given: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [{"word": word, "start": start, "end": end} for word, start, end in given]


def test_a_pause_many_letters_and_many_seconds_end_a_line() -> None:
    assert list(subtitle_lines(words(("a", 0, 1), ("b", 1.2, 2), ("c", 3, 4)))) == [(0, 2, "a b"), (3, 4, "c")]
    assert len(list(subtitle_lines(words(*((f"w{i}", i / 2, i / 2 + 0.4) for i in range(30)))))) == 3
    long = list(subtitle_lines(words(*(("x" * 20, i / 10, i / 10 + 0.1) for i in range(8)))))
    assert [len(text) for _, _, text in long] == [62, 62, 41]
    assert list(subtitle_lines([])) == []


def test_hours_minutes_seconds() -> None:
    assert timestamp(3_723.0456, ",") == "01:02:03,046"
    assert timestamp(59.9996, ".") == "00:01:00.000"


def test_the_two_kinds_of_file(tmp_path: Path) -> None:
    given = words(("go", 0.1, 0.5), ("on", 2, 2.5))
    assert write_subtitles(given, tmp_path / "a.srt").read_text() == (
        "1\n00:00:00,100 --> 00:00:00,500\ngo\n\n2\n00:00:02,000 --> 00:00:02,500\non\n"
    )
    assert write_subtitles(given, tmp_path / "a.vtt").read_text() == (
        "WEBVTT\n\n00:00:00.100 --> 00:00:00.500\ngo\n\n00:00:02.000 --> 00:00:02.500\non\n"
    )
    with pytest.raises(SuiteError, match="cannot write"):
        write_subtitles(given, tmp_path / "no" / "a.srt")
