"""What cannot be used: one line that says what, where and what to do; and nothing else is lost."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation import midi
from suite_music.notation.chorales import Chorale
from suite_music.notation.musicxml import score_xml
from suite_music.notation.notes import Note

Cli = Callable[..., Any]
NOISE = random.Random(0).randbytes(600)
GOOD = "X:1\nT:Good\nM:6/8\nL:1/8\nK:D\nABc def|gfe dcB|\n"

NOTE = b"\0\x90\x3c\x40\x83\x60\x80\x3c\x40"
END = b"\0\xff\x2f\0"


def song(*tracks: bytes, division: int = 480) -> bytes:
    """A MIDI file of tracks' events."""
    head = struct.pack(">4sLHHH", b"MThd", 6, 1, len(tracks), division)
    return head + b"".join(struct.pack(">4sL", b"MTrk", len(track)) + track for track in tracks)


#: File, content, what the one line says after the path.
UNUSABLE: list[tuple[str, bytes, str]] = [
    ("a.abc", b"", "no tune in it; a tune needs a line K: and notes after it"),
    ("a.abc", b"\n\n\n", "no tune in it; a tune needs a line K: and notes after it"),
    ("a.abc", b"X:1\nM:4/4\nABcd|\n", "no tune in it; a tune needs a line K: and notes after it"),
    ("a.abc", b"X:1\nT:Only a head\nK:D\n", "no tune in it; a tune needs a line K: and notes after it"),
    ("a.abc", NOISE, "not UTF-8 text; is it ABC? Convert it first"),
    ("a.abc", GOOD.encode("utf-16"), "not UTF-8 text; is it ABC? Convert it first"),
    ("a.mid", song(END), "no notes in it; give a file with a melody"),
    ("a.mid", song(b"\0\x99\x26\x40\x60\x89\x26\x40" + END), "no notes in it; give a file with a melody"),
    ("a.mid", song(b"\0\x90\x3c\x40\0\x80\x3c\x40" + END), "no notes in it; give a file with a melody"),
    ("a.mid", song(*[NOTE + END] * 10_000), "10,000 tracks; a piece has at most 1,000"),
    ("a.mid", song(b"\0\xff\x51\x03\0\0\0" + NOTE + END), "a tempo of zero; set the file's tempo"),
    ("a.mid", song(NOTE * 20 + END)[:100], "cut short or damaged; expected a MIDI file"),
    ("a.mid", song(NOTE * 20 + END)[:9], "cut short or damaged; expected a MIDI file"),
    ("a.mid", song(NOTE + END, division=0), "its times are not in quarter notes"),
    ("a.mid", song(b"\0\x3c\x40" + END), "data without an event in a track; the file is damaged"),
    ("a.mid", song(b"\0\xff\x58\x04\x05\x06\x18\x08" + NOTE + END), "meter 5/64: its bars are not whole sixteenths"),
    ("a.mid", b"", "cut short or damaged; expected a MIDI file"),
    ("a.mid", NOISE, "no MIDI file; it must begin with MThd"),
    ("a.musicxml", b"", "expected a MusicXML score"),
    ("a.musicxml", b"<score-partwise><part>", "expected a MusicXML score"),
    ("a.musicxml", b"<score-timewise/>", "a score-timewise, not a score-partwise; export it as MusicXML by parts"),
    ("a.musicxml", b"<score-partwise/>", "neither four parts, nor soprano, alto, tenor and bass among them"),
    ("a.krn", b"", "no notes in it; give a file of **kern with some"),
    ("a.mxl", NOISE, "expected a MusicXML score"),
    ("a.pdf", NOISE, "the ending '.pdf' is not known; use one of .abc, .mid, "),
    ("a", NOISE, "the ending '' is not known; use one of .abc, .mid, "),
]


@pytest.mark.parametrize(("name", "content", "said"), UNUSABLE)
def test_a_file_that_cannot_be_used(cli: Cli, tiny: Path, name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.abc").write_text(GOOD)
    ran = cli("predict", "--checkpoint", tiny, "--bars", "3", name)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: {name}: ")
    assert said in ran.error
    # What comes before it is answered, and with --skip-errors what comes after.
    ran = cli("predict", "--checkpoint", tiny, "--bars", "3", "--skip-errors", "--json", "good.abc", name, "good.abc")
    assert (ran.code, [value["title"] for value in ran.values]) == (0, ["Good", "Good"])
    line, count = ran.err.splitlines()
    assert said in line
    assert line.endswith("(skipped)")
    assert count == "suite: 1 skipped"
    ran = cli("report", name)
    assert (ran.code, ran.out, said in ran.error) == (1, "", True)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("missing.abc", "missing.abc: no such file or folder; check the path"),
        ("folder", "folder: no pieces in it; expected files ending in .abc, .mid, .midi, .mxl, .musicxml, .xml, .krn"),
        ("", "an empty name where a file or folder is needed; is a variable not set?"),
    ],
)
def test_names_of_nothing(cli: Cli, tiny: Path, argument: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "README.txt").write_text("no music")
    ran = cli("predict", "--checkpoint", tiny, argument)
    assert (ran.code, ran.out, ran.error) == (1, "", f"suite: {said}")
    for verb in (
        ["report", argument],
        ["evaluate", "--checkpoint", tiny, "--data", argument],
        ["train", "--data", argument],
    ):
        ran = cli(*verb)
        assert (ran.code, ran.out) == (1, "")
        assert ran.error.startswith(f"suite: {argument}: " if argument else "suite: ")


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["generate", "stream", "predict"])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--key", "H"], "key 'H': not one that the model knows; known: "),
        (["--key", "Gm"], "key 'Gm': not one that the model knows; "),
        (["--meter", "7/13"], "meter '7/13': not one that the model knows; known: 2/4, 3/4, "),
        (["--meter", "often"], "meter 'often': not one that the model knows; known: "),
        (["--bars", "0"], "bars=0: expected a whole number of at least 1"),
        (["--bars", "-3"], "bars=-3: expected a whole number of at least 1"),
        (["--count", "0"], "count=0: expected a whole number of at least 1"),
        (["--temperature", "-1"], "temperature must be 0 or more, not -1"),
        (["--temperature", "nan"], "temperature=nan: expected a finite number"),
        (["--top-p", "0"], "top_p must be above 0 and at most 1, not 0"),
        (["--top-p", "2"], "top_p must be above 0 and at most 1, not 2"),
        (["--top-k", "-1"], "top_k must be 0 or more, not -1"),
        (["--no-repeat", "-1"], "no_repeat must be 0 or more, not -1"),
        (["--seed", "-1"], "seed=-1: expected a whole number from 0"),
        (["--tempo", "0"], "tempo=0.0: expected a number of at least 4"),
        (["--tempo", "-1"], "tempo=-1.0: expected a number of at least 4"),
        (["--tempo", "nan"], "tempo=nan: expected a finite number"),
        (["--tempo", "10001"], "tempo=10001.0: expected a number of at most 10000"),
        (["--style", "waltz"], "'waltz' is not one of 'tune', 'chorale'"),
    ],
)
def test_options_that_cannot_be(cli: Cli, tiny: Path, verb: str, option: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "good.abc").write_text(GOOD)
    known = {
        "generate": {
            "key",
            "meter",
            "bars",
            "count",
            "temperature",
            "top-p",
            "top-k",
            "no-repeat",
            "seed",
            "tempo",
            "style",
        },
        "stream": {"key", "meter", "temperature", "top-p", "top-k", "no-repeat", "seed", "tempo", "style"},
        "predict": {"bars", "temperature", "top-p", "top-k", "no-repeat", "seed"},
    }[verb]
    ran = cli(verb, "--checkpoint", tiny, *option, *(["good.abc"] if verb == "predict" else []))
    assert (ran.code, ran.out) == (2, "")
    assert (said if option[0][2:] in known else "No such option") in ran.error


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--key", "Ador"], "key 'Ador': a chorale is in major or minor, for example D, Bb or F#m"),
        (["--key", "X"], "key 'X': a chorale is in major or minor, for example D, Bb or F#m"),
        (["--meter", "7/8"], "meter '7/8': did you mean '9/8'?"),
        (["--bars", "0"], "bars=0: expected a whole number of at least 1"),
    ],
)
def test_chorales_that_cannot_be(cli: Cli, tiny_chorale: Path, option: list[str], said: str) -> None:
    ran = cli("generate", "--checkpoint", tiny_chorale, *option)
    assert (ran.code, ran.out, ran.error) == (2, "", f"suite: {said}")


def test_places_that_cannot_be_written(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in ("file", "file/below"):
        ran = cli("generate", "--checkpoint", tiny, "--bars", "1", "--out", place)
        assert (ran.code, ran.out) == (1, "")
        assert ran.error.startswith("suite: file")
        assert ran.error.endswith("; choose another place")
    ran = cli("generate", "--checkpoint", tiny, "--bars", "1", "--plot", "missing/a.png")
    assert (ran.code, ran.error) == (2, "suite: --plot missing/a.png: no such directory; make it first")
    ran = cli("generate", "--checkpoint", tiny, "--bars", "1", "--plot", "a.jpg")
    assert (ran.code, "give a name that ends in .png" in ran.error) == (2, True)


def test_a_sound_without_an_end(cli: Cli, tiny: Path) -> None:
    ran = cli("generate", "--checkpoint", tiny, "--bars", "200", "--tempo", "4", "--out", "out")
    assert (ran.code, ran.out) == (1, "")
    assert "minutes of sound; choose a faster tempo or fewer bars" in ran.error


# --- the wrong kind ---------------------------------------------------------------------------------------------


def test_a_tune_for_chorales_and_the_other_way_round(
    cli: Cli, tiny: Path, tiny_chorale: Path, chorale: Chorale, tmp_path: Path
) -> None:
    (tmp_path / "tune.abc").write_text(GOOD)
    (tmp_path / "song.mid").write_bytes(midi.midi_bytes([Note(60, 0, 4)]))
    (tmp_path / "four.musicxml").write_text(score_xml(chorale))
    for model, name, said in (
        (tiny, "four.musicxml", "expected ABC text, got a chorale; this is a model of tunes (see --checkpoint)"),
        (tiny_chorale, "tune.abc", "expected a chorale, got ABC text; this is a model of chorales (see --checkpoint)"),
        (tiny_chorale, "song.mid", "expected a chorale, got ABC text; this is a model of chorales (see --checkpoint)"),
    ):
        for verb in (["predict", name], ["evaluate", "--data", name]):
            ran = cli(verb[0], "--checkpoint", model, *verb[1:])
            assert (ran.code, ran.out, ran.error) == (1, "", f"suite: {name}: {said}")


def test_tunes_and_chorales_in_one_folder(cli: Cli, chorale: Chorale, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "tune.abc").write_text(GOOD)
    (tmp_path / "in" / "four.musicxml").write_text(score_xml(chorale))
    ran = cli("train", "--data", "in", "--dev", "in", "--out", "model")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == (
        "suite: in/tune.abc: some pieces are tunes and some chorales; train one model for each"
    )
    assert not (tmp_path / "model").exists()
    ran = cli("report", "in")
    assert (ran.code, ran.error) == (
        1, "suite: some pieces are tunes and some chorales; give pieces of one kind"
    )  # fmt: skip


# --- folders with damage in them --------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path: Path, tunes: list[str]) -> Path:
    """Seven good files and four bad ones."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, text in enumerate(tunes):
        (folder / f"{number}.abc").write_text(f"X:1\nT:Tune {number}\n{text}")
    (folder / "a.abc").write_bytes(NOISE)
    (folder / "b.mid").write_bytes(song(END))
    (folder / "c.mid").write_bytes(song(NOTE * 20 + END)[:100])
    (folder / "d.abc").write_text("")
    return folder


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
def test_damaged_files_are_named_skipped_and_counted(
    cli: Cli, tiny: Path, damaged: Path, small: list[str], verb: str
) -> None:
    arguments: list[Any] = {
        "train": ["--data", "in", "--dev", damaged / "0.abc", "--out", "model", *(f"--set={s}" for s in small)],
        "evaluate": ["--checkpoint", tiny, "--data", "in"],
        "predict": ["--checkpoint", tiny, "--bars", "1", "in"],
    }[verb]
    ran = cli(verb, *arguments)
    assert ran.code == 1
    assert ran.error == "suite: in/a.abc: not UTF-8 text; is it ABC? Convert it first"
    ran = cli(verb, *arguments, "--skip-errors")
    assert ran.code == 0
    skipped = [line for line in ran.err.splitlines() if line.endswith("(skipped)")]
    assert [line.split(": ")[1] for line in skipped] == ["in/a.abc", "in/b.mid", "in/c.mid", "in/d.abc"]
    if verb == "evaluate":
        assert "skipped           4" in ran.lines
    else:
        assert ran.err.splitlines()[-1] == "suite: 4 skipped"
    if verb == "train":
        assert "7 items to train on, 1 for dev" in ran.err


def test_a_folder_of_nothing_but_damage(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.abc").write_bytes(NOISE)
    ran = cli("train", "--data", "in", "--skip-errors")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "suite: in: no items to train on; give some")
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "in", "--skip-errors")
    assert (ran.code, ran.err.splitlines()[-1].startswith("suite: nothing to evaluate")) == (1, True)


def test_rows_that_are_no_pieces(cli: Cli, tiny: Path, tiny_chorale: Path, tmp_path: Path) -> None:
    for row, said in (
        ('{"text": "ABc def|"}', "no tune in it; a tune needs a line K: and notes after it"),
        ('{"text": 3}', "expected ABC text, a chorale or a file, got int"),
        ('{"txt": "K:D"}', "neither text (ABC) nor steps (a chorale); add one of these columns"),
        ('{"steps": [[60, 60, 60]], "bars": [0], "fifths": 0, "mode": "major", "meter": "4/4"}', "not a chorale: "),
        ('{"steps": 3}', "not a chorale: "),
    ):
        (tmp_path / "rows.jsonl").write_text(row + "\n")
        ran = cli("evaluate", "--checkpoint", tiny, "--data", "rows.jsonl")
        assert (ran.code, ran.out) == (1, "")
        assert ran.error.startswith(f"suite: rows.jsonl:1: {said}")
    for change, said in (
        ('"fifths": 9, "mode": "major", "meter": "4/4"', "+9 fifths major: no key; choose -7 to 7"),
        ('"fifths": 0, "mode": "dorian", "meter": "4/4"', "+0 fifths dorian: no key"),
        ('"fifths": 0, "mode": "major", "meter": "7/8"', "meter 7/8: did you mean '9/8'?"),
    ):
        (tmp_path / "rows.jsonl").write_text('{"steps": [[72, 67, 64, 48]], "bars": [0], ' + change + "}\n")
        ran = cli("evaluate", "--checkpoint", tiny_chorale, "--data", "rows.jsonl")
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.error
        assert "rows.jsonl:1" in ran.error


def test_reports_of_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.abc").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no pieces")
    assert cli("report").error == "suite: give the files or folders to describe"
    for against, said in (
        ("missing.jsonl", "missing.jsonl: No such file or directory; give pieces as .jsonl, .abc or a folder"),
        ("notes.txt", "notes.txt: not pieces as JSON lines; give pieces as .jsonl, .abc or a folder"),
    ):
        ran = cli("report", "good.abc", "--against", against)
        assert (ran.code, ran.out, ran.error) == (1, "", f"suite: {said}")
