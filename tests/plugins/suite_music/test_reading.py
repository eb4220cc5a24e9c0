"""Files of pieces, to train on and to describe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation import midi
from suite_music.notation.chorales import Chorale
from suite_music.notation.musicxml import score_xml
from suite_music.notation.notes import notes

Cli = Callable[..., Any]
SAMPLES = Path(__file__).parents[3] / "assets" / "music" / "samples" / "labelled.abc"
OPENING = "M:6/8\nL:1/8\nK:D\nABc def|gfe dcB|\n"


def test_training_from_a_folder(cli: Cli, tunes: list[str], tmp_path: Path, small: list[str]) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    for number, text in enumerate(tunes):
        (tmp_path / "in" / f"{number}.abc").write_text(f"X:1\nT:Tune {number}\n{text}")
    (tmp_path / "in" / "more" / "song.mid").write_bytes(midi.midi_bytes(notes(OPENING), meter=(6, 8), sharps=2))
    (tmp_path / "in" / "0.mid").write_bytes(midi.midi_bytes(notes(tunes[0])))  # the first tune once more
    (tmp_path / "in" / "notes.txt").write_text("not music")
    ran = cli("train", "--data", "in", "--dev", SAMPLES, "--out", "model", "--bptt", "16", "--epochs", "1",
              *(f"--set={setting}" for setting in small if "epochs" not in setting))  # fmt: skip
    assert ran.code == 0, ran.err
    assert "8 items to train on, 7 for dev" in ran.err
    assert cli("generate", "--checkpoint", "model", "--bars", "2").code == 0
    assert cli("evaluate", "--checkpoint", "model", "--data", "in").code == 0


@pytest.fixture
def training(tunes: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "training.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in tunes[1:]))
    return path


def test_a_report(cli: Cli, tunes: list[str], training: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "fresh.abc").write_text(f"X:1\n{tunes[0]}")
    (tmp_path / "in" / "fresh.mid").write_bytes(midi.midi_bytes(notes(tunes[0])))  # the same piece
    (tmp_path / "in" / "copied.abc").write_text(
        "X:1\nM:C|\nL:1/8\nK:C\nC8|C4G4|^F8|\nK:A\n" + tunes[1].split("\n", 3)[3]
    )
    (values,) = cli("report", "in", "--against", training, "--json").values
    assert {*values} == {"pieces", "notes", "bars_filled", "bars_filled_training", "distance", "longest_copy",
                         "longest_copy_mean"}  # fmt: skip
    assert values["pieces"] == 2
    assert values["notes"] == len(notes(tunes[0])) + len(notes(tunes[1])) + 4
    assert values["bars_filled"] > 0.9
    assert {*values["distance"]} == {"pitch", "rhythm", "interval"}
    assert all(0 < value < 1 for value in values["distance"].values())
    copied, fresh = values["longest_copy"].values()
    assert len(notes(tunes[1])) <= copied["notes"] <= len(notes(tunes[1])) + 2
    assert fresh["notes"] < 20 < copied["notes"]
    assert values["longest_copy_mean"] == (copied["notes"] + fresh["notes"]) / 2
    shown = cli("report", "in", "--against", training)
    assert any(line.startswith("in/copied.abc") for line in shown.lines)


def test_a_report_without_the_training_pieces(cli: Cli, tunes: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(f"X:1\n{tunes[0]}")
    (values,) = cli("report", "a.abc", "--json").values
    assert (values["pieces"], "suite data get music" in values["training"]) == (1, True)


def test_a_report_of_chorales(cli: Cli, chorale: Chorale, chorales_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.musicxml").write_text(score_xml(chorale))
    (values,) = cli("report", "a.musicxml", "--against", chorales_file, "--json").values
    assert values["distance"]["rhythm"] == pytest.approx(0)
    assert values["longest_copy"]["a.musicxml"]["notes"] > 6
    assert "bars_filled" not in values


def test_a_piece_that_is_named_twice_counts_twice(cli: Cli, tunes: list[str], training: Path, tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(f"X:1\n{tunes[0]}")
    (values,) = cli("report", "a.abc", "a.abc", "--against", training, "--json").values
    assert (values["pieces"], values["notes"]) == (2, 2 * len(notes(tunes[0])))


def test_an_empty_name_is_not_the_current_folder(cli: Cli, tiny: Path, tunes: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(f"X:1\n{tunes[0]}")
    for verb in (["report", ""], ["train", "--data", ""], ["evaluate", "--checkpoint", tiny, "--data", ""]):
        ran = cli(*verb)
        assert (ran.code, ran.out) == (1, "")
        assert "an empty name where a file or folder is needed; is a variable not set?" in ran.error
