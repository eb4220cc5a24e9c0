"""What is measured of pieces."""

from __future__ import annotations

import random

import numpy as np
import pytest
from suite_music.notation.chorales import Chorale
from suite_music.notation.notes import Note, heard, notes, sung
from suite_music.notation.statistics import (
    CopyCheck,
    Shared,
    describe,
    distances,
    full_bar_share,
    full_bars,
    histograms,
    lines,
    measures,
)
from suite_music.notation.transpose import transpose

HEAD = "M:2/4\nL:1/8\nK:C\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cdef|gabc|]", (2, 2)),
        ("cdef|gab|]", (1, 2)),
        ("cde|gabc|]", (1, 1)),  # a pickup of three eighths is odd, but it is one
        ("c|cdef|gab|]", (2, 2)),
        ("c|cdef|gabc|]", (2, 2)),
        ("c|cdef|ga|]", (1, 2)),
        ("c|cdef|gab:|c|cdef|gab:|", (4, 4)),
        ("cdef|gab:|c|cdef|gab||", (4, 4)),  # the last bar waits for what follows
        ("cdef|gab:|cdef|gabc||", (3, 4)),
        ("c|cdef|1gab:|2gabc|c2d2|]", (4, 4)),
        ("c|cdef|1gab:|2gab||", (3, 3)),
        ("cdef|gabcd|efga|]", (2, 3)),
        ("(3cde f2|c>d{e}ef|]", (2, 2)),
        ("cdef||", (1, 1)),
        ("cdef|gabc|", (2, 2)),
        ("f|cdef|gab|", (2, 2)),
        ("cdef", (1, 1)),
        ("", (0, 0)),
    ],
)
def test_full_bars(text: str, expected: tuple[int, int]) -> None:
    assert full_bars(HEAD + text) == expected


def test_a_tune_without_a_meter_has_no_bars() -> None:
    assert full_bars("M:none\nK:C\ncde|f") == (0, 0)
    assert full_bars("K:C\ncde|f") == (0, 0)


def test_real_tunes_are_full(tunes: list[str]) -> None:
    for text in tunes:
        full, bars = full_bars(text)
        assert full == bars >= 16
        assert len(measures(text)) >= bars


def test_histograms_and_their_distance(chorale: Chorale) -> None:
    first = histograms([[Note(60, 0, 1), Note(62, 1, 0.5), Note(60, 1.5, 1 / 3)]])
    assert first == {
        "pitch": {"60": pytest.approx(2 / 3), "62": pytest.approx(1 / 3)},
        "rhythm": {"1/3": pytest.approx(1 / 3), "1/2": pytest.approx(1 / 3), "1": pytest.approx(1 / 3)},
        "interval": {"-2": 0.5, "+2": 0.5},
    }
    second = histograms([[Note(60, 0, 1), Note(64, 1, 1)]])
    assert distances(first, first) == {"pitch": 0, "rhythm": 0, "interval": 0}
    assert distances(first, second) == pytest.approx({"pitch": 0.5, "rhythm": 2 / 3, "interval": 1})
    # Intervals are those of each voice.
    assert set(histograms([sung(chorale)])["interval"]) <= {f"{i:+d}" for i in range(-8, 9)}
    assert histograms([]) == {"pitch": {}, "rhythm": {}, "interval": {}}


def test_lines_are_the_voices_and_the_highest_notes_of_chords() -> None:
    piece = [Note(60, 0, 1), Note(64, 0, 1), Note(50, 0, 2, 1), Note(62, 1, 1)]
    assert [[note.pitch for note in line] for line in lines(piece)] == [[64, 62], [50]]


def slow(a: list[int], b: list[int]) -> int:
    """The longest run of equal steps, in notes."""
    best = 0
    for i in range(len(a)):
        for j in range(len(b)):
            size = 0
            while i + size < len(a) and j + size < len(b) and a[i + size] == b[j + size]:
                size += 1
            best = max(best, size)
    return best + 1 if best else 0


def test_the_longest_shared_run_is_what_a_slow_search_finds() -> None:
    generator = random.Random(0)
    pieces = [[Note(60 + generator.randrange(4), i, 1) for i in range(generator.randrange(2, 40))] for _ in range(8)]
    check = CopyCheck(pieces[:5])
    for piece in pieces[5:]:
        found = check.longest(piece)
        steps = np.diff([note.pitch for note in piece]).tolist()
        each = [slow(steps, np.diff([note.pitch for note in other]).tolist()) for other in pieces[:5]]
        assert found.notes == max(each)
        assert each[found.piece] == found.notes
        run = steps[found.start : found.start + found.notes - 1]
        assert str(run)[1:-1] in str(np.diff([note.pitch for note in pieces[found.piece]]).tolist())


def test_a_copy_is_found_in_any_key(tunes: list[str]) -> None:
    check = CopyCheck([notes(text) for text in tunes])
    for number, text in enumerate(tunes):
        copied = notes(transpose(text, "Eb"))
        found = check.longest([Note(40, -1, 0.5), *copied])
        assert found == Shared(len(lines(copied)[0]), 1, number)
    assert check.longest([]).notes == check.longest([Note(60, 0, 1)]).notes == 0


def test_runs_do_not_go_from_one_piece_into_the_next() -> None:
    check = CopyCheck([[Note(60, 0, 1), Note(61, 1, 1)], [Note(70, 0, 1), Note(77, 1, 1)]])
    whole = [Note(60, 0, 1), Note(61, 1, 1), Note(68, 2, 1)]
    assert check.longest(whole).notes == 2
    assert CopyCheck([]).longest(whole) == Shared(0)


def test_pieces_beside_those_of_training(tunes: list[str], chorale: Chorale) -> None:
    assert full_bar_share([HEAD + "cdef|gab|]", HEAD + "cdef|gabc|]"]) == 0.75
    assert np.isnan(full_bar_share([]))
    alone = describe([("a", tunes[0]), ("b", tunes[1])])
    assert alone == {
        "pieces": 2,
        "notes": len(heard(tunes[0])) + len(heard(tunes[1])),
        "bars_filled": full_bar_share(tunes[:2]),
    }
    beside = describe([("a", tunes[0]), ("a", tunes[1])], tunes[1:])
    assert (beside["pieces"], beside["bars_filled_training"]) == (2, full_bar_share(tunes[1:]))
    assert all(0 < distance < 1 for distance in beside["distance"].values())
    assert beside["longest_copy"] == {"a": {"notes": len(heard(tunes[1])), "share": 1.0}}
    assert beside["longest_copy_mean"] > len(heard(tunes[1])) / 2
    four = describe([("x", chorale)], [chorale])
    assert four["distance"] == {"pitch": 0, "rhythm": 0, "interval": 0}
    assert "bars_filled" not in four
