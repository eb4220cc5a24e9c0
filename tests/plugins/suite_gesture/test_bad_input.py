"""What cannot be used: one line that says what, where and what to do; and nothing else is lost."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Made = Callable[..., list[tuple[str, np.ndarray]]]
Cli = Callable[..., Any]

NOISE = np.random.default_rng(0).bytes(3000)
ROWS = np.arange(12.0).reshape(6, 2)


def changed(step: int, channel: int, value: float) -> np.ndarray:
    array = ROWS.copy()
    array[step, channel] = value
    return array


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


#: File, content, what the one line says after the path.
UNUSABLE: list[tuple[str, bytes, str]] = [
    ("a.csv", b"", "empty; is it the right file?"),
    ("a.csv", b"\n\n", "empty; is it the right file?"),
    ("a.csv", b"a,b\n", "no samples after the first line; is it the right file?"),
    ("a.npy", npy(np.zeros((0, 2))), "the recording is empty; give at least one sample"),
    ("a.npz", npz(x=np.zeros((0, 2))), "the recording is empty; give at least one sample"),
    ("a.npy", npy(np.full((5, 2), np.nan)), "every value of the recording is missing; give one with values"),
    ("a.csv", b"?,NaN\n,\n", "every value of the recording is missing; give one with values"),
    ("a.npy", npy(changed(2, 1, np.inf)), "sample 3 of channel 2 is infinite; leave it empty if missing"),
    ("a.csv", b"1,2\n3,-inf\n", ":2: '-inf' in column 2 is infinite; leave it empty if it is missing"),
    ("a.csv", b"1,2\n?,1e300\n", ":2: '1e300' in column 2 is too large; leave it empty if it is missing"),
    ("a.npy", npy(changed(2, 1, -3e38)), "sample 3 of channel 2 is -3e+38, too large; leave it empty if missing"),
    ("a.csv", b"1,2,3\n" * 5, "3 channels where 2 are expected (a, b); give those alone"),
    ("a.npy", npy(ROWS.T), "6 channels where 2 are expected (a, b); give samples as rows, [T, C]"),
    ("a.npy", npy(np.zeros(5)), "1 channel where 2 are expected (a, b); give those alone"),
    ("a.npy", npy(np.zeros((2, 3, 4))), "an array of 3 axes where [T, C] is needed, time first"),
    ("a.npy", npy(np.zeros((5, 2), complex)), "complex128 values where real numbers are needed"),
    ("a.npz", npz(y=ROWS), "no array 'x' [T, C] in it (found: y); save it as x"),
    ("a.npz", npz(x=ROWS, rate=-2), "rate -2.0 is not a number of samples a second; correct it"),
    ("a.npz", npz(x=ROWS, rate=[1, 2]), "rate [1.0, 2.0] is not a number of samples a second; correct it"),
    ("a.npz", npz(x=ROWS, rate=np.nan), "rate nan is not a number of samples a second; correct it"),
    ("a.npz", npz(x=ROWS, channels=["a"]), "channels: 1 name for 2; name every one, or leave channels out"),
    ("a.csv", b"1,2\n3,four\n", ":2: 'four' in column 2 is not a number; fix it there"),
    ("a.csv", b"a,b\n1,2\n3,four\n", ":3: 'four' in column b is not a number; fix it there"),
    ("a.tsv", b"1\t2\n3\t4,5\n", ":2: '4,5' in column 2 is not a number; write decimals with a point"),
    ("a.csv", b"1,2\n3\n", ":2: 1 fields where the first line has 2; fix the line"),
    ("a.csv", b"1;2\n3;4\n", ":1: the columns are separated by semicolons; save it with commas, decimals with a point"),
    ("a.csv", b"1,5;2,5\n", ":1: the columns are separated by semicolons; save it with commas, decimals with a point"),
    (
        "a.csv",
        b'"1,5";"2"\n',
        ":1: the columns are separated by semicolons; save it with commas, decimals with a point",
    ),
    ("a.csv", b"1 2\n3 4\n", ":1: the columns are separated by spaces; save it with commas"),
    ("a.csv", b"a,a\n1,2\n", ":1: the column 'a' is there twice; rename one"),
    ("a.csv", b"time,a,b\n0,1,2\nnan,1,2\n1,1,2\n", "a time is missing; fill it in, or leave the time column out"),
    ("a.csv", b"time,a,b\n0,1,2\n2,1,2\n1,1,2\n", "time does not grow after 2; sort the samples by time"),
    ("a.csv", NOISE, "not UTF-8 text but binary data or UTF-16; is it the right file?"),
    ("a.ts", NOISE, "not UTF-8 text but binary data or UTF-16; is it the right file?"),
    ("a.jsonl", NOISE, "not UTF-8 text but binary data or UTF-16; is it the right file?"),
    ("a.npy", NOISE, "not an array of numbers: "),
    ("a.npz", NOISE, "not an array of numbers: "),
    ("a.npy", npy(np.array([{"a": 1}])), "objects (a pickle), which are not read; save x as numbers with numpy.savez"),
    ("a.npy", pickle.dumps([1]), "objects (a pickle), which are not read; save x as numbers with numpy.savez"),
    ("a.npz", npz(x=np.array([{"a": 1}])), "objects (a pickle), which are not read; save x as numbers"),
    ("a.bin", b"1,2\n", "the ending '.bin' is not known; use one of .csv, "),
    ("a", b"1,2\n", "a name without an ending; use one of .csv, "),
    ("a.jsonl", b"{\n", ":1: not JSON: "),
    ("a.jsonl", b'{"y": [1]}\n', ":1: no 'x' with the samples, [T, C]; known: y"),
    ("a.ts", b"@univariate true\n", "no @data line; is it a .ts file?"),
]


@pytest.mark.parametrize(("name", "content", "said"), UNUSABLE)
def test_a_file_that_cannot_be_used(cli: Cli, tiny: Path, name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "good.npy", ROWS)
    ran = cli("predict", "--checkpoint", tiny, name)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: {name}:")
    assert said in ran.error
    # What comes before it is answered, and with --skip-errors what comes after.
    ran = cli("predict", "--checkpoint", tiny, "good.npy", name, "good.npy")
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert said in ran.error
    ran = cli("predict", "--checkpoint", tiny, "--skip-errors", "good.npy", name, "good.npy")
    assert (ran.code, len(ran.lines)) == (0, 2)
    line, count = ran.err.splitlines()
    assert said in line
    assert line.endswith("(skipped)")
    assert count == "suite: 1 skipped"


HEADER = "@univariate false\n@dimensions 2\n@equalLength true\n@seriesLength 3\n@classLabel true x y\n@data\n"
GOOD = "1,2,3:4,5,6:x\n"


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        (
            HEADER.replace("Length 3", "Length 4"),
            GOOD,
            "the header says series of equal length 4, this one has 3 samples",
        ),
        (HEADER.replace("dimensions 2", "dimensions 3"), GOOD, "the header says 3 dimensions, this series has 2"),
        (HEADER.replace("univariate false", "univariate true"), GOOD, "the header says univariate, this series has 2"),
        (
            HEADER.replace("true x y", "true y z"),
            GOOD,
            "the label 'x' is not in the header's @classLabel; add it there",
        ),
        (HEADER.replace("true x y", "true"), GOOD, "@classLabel true names no labels; list them after it"),
        (HEADER, "1,2,3:4,5,6\n", "no label at the end of the line, as @classLabel true in the header says"),
        (HEADER, "1,2,3:4,5:x\n", "channels of 2 and of 3 samples in one series; write ? where a value is missing"),
        (
            HEADER.replace("@data", "@missing false\n@data"),
            "1,?,3:4,5,6:x\n",
            "the header says that nothing is missing",
        ),
        (HEADER.replace("@data", "@timeStamps true\n@data"), GOOD, "series with time stamps are not read"),
        (HEADER.replace("@data\n", ""), GOOD, "values before the @data line; is it a .ts file?"),
    ],
)
def test_a_header_that_lies(cli: Cli, tiny: Path, header: str, line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(header + line)
    for verb in (["predict", "a.ts"], ["evaluate", "--data", "a.ts"], ["train", "--data", "a.ts", "--out", "model"]):
        ran = cli(verb[0], *verb[1:], *(["--checkpoint", tiny] if verb[0] != "train" else []))
        assert (ran.code, ran.out) == (1, "")
        assert ran.error.startswith("suite: a.ts:")
        assert said in ran.error


def test_a_bad_line_of_a_good_ts_costs_itself_alone(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(HEADER + GOOD + GOOD.replace("3:", "3,4:") + GOOD.replace(":x", ":q") + GOOD)
    ran = cli("predict", "--checkpoint", tiny, "--skip-errors", "a.ts", "--json")
    assert [value["input"] for value in ran.values] == ["a.ts:7", "a.ts:10"]
    first, second, count = ran.err.splitlines()
    assert first.startswith("suite: a.ts:8: channels of 3 and of 4 samples")
    assert second.startswith("suite: a.ts:9: the label 'q' is not in the header's")
    assert count == "suite: 2 skipped"


# --- what looks odd and is no mistake -------------------------------------------------------------------------


@pytest.mark.parametrize("array", [np.ones((40, 2)), ROWS[:1], changed(1, 0, np.nan), np.full((9, 2), 1e30)])
def test_odd_recordings_have_an_answer(cli: Cli, tiny: Path, array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    ran = cli("predict", "--checkpoint", tiny, "--json", "a.npy")
    assert (ran.code, ran.err) == (0, "")
    assert sum(ran.values[0]["probabilities"].values()) == pytest.approx(1)


def test_a_channel_that_is_missing_altogether(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    array = ROWS.copy()
    array[:, 0] = np.nan
    np.save(tmp_path / "a.npy", array)
    assert cli("predict", "--checkpoint", tiny, "a.npy").code == 0


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("missing.csv", "missing.csv: no such file; check the path"),
        ("folder.csv", "folder.csv: there are no series in it; is it the right file?"),
        ("", "an empty name where a file or folder is needed; is a variable not set?"),
    ],
)
def test_names_of_nothing(cli: Cli, tiny: Path, argument: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    np.save(tmp_path / "good.npy", ROWS)
    ran = cli("predict", "--checkpoint", tiny, argument)
    assert (ran.code, ran.out, ran.error) == (1, "", f"suite: {said}")
    ran = cli("predict", "--checkpoint", tiny, "--skip-errors", argument, "good.npy")
    assert (ran.code, len(ran.lines)) == (0, 1)


def test_a_list_of_files_with_a_wrong_one(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", ROWS)
    np.save(tmp_path / "wide.npy", np.zeros((9, 3)))
    listed = b"good.npy\nmissing.csv\nwide.npy\ngood.npy\n"
    ran = cli("predict", "--checkpoint", tiny, stdin=listed)
    assert (ran.code, len(ran.lines), ran.error) == (1, 1, "suite: missing.csv: no such file; check the path")
    ran = cli("predict", "--checkpoint", tiny, "--skip-errors", stdin=listed)
    assert (ran.code, len(ran.lines)) == (0, 2)
    assert [line.split(": ")[1] for line in ran.err.splitlines()[:2]] == ["missing.csv", "wide.npy"]
    (tmp_path / "list.txt").write_bytes(listed)
    assert cli("predict", "--checkpoint", tiny, "--skip-errors", "--input", "list.txt").out == ran.out
    assert cli("predict", "--checkpoint", tiny, "--input", "nothing.txt").code == 1
    assert cli("predict", "--checkpoint", tiny, stdin=b"").error.startswith("suite: stdin: empty")


# --- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ("0", "rate 0: give samples a second, above 0"), ("-20", "rate -20: give samples a second, above 0"),
        ("nan", "rate=nan: expected a finite number"), ("inf", "rate=inf: expected a finite number"),
    ],
)  # fmt: skip
def test_a_rate_that_is_none(cli: Cli, tiny: Path, data: Path, rate: str, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", ROWS)
    for ran in (
        cli("predict", "--checkpoint", tiny, "--rate", rate, "good.npy"),
        cli("stream", "--checkpoint", tiny, "--rate", rate, stdin=b"1,2\n"),
        cli("evaluate", "--checkpoint", tiny, "--rate", rate, "--data", data),
        cli("train", "--rate", rate, "--data", data),
    ):
        assert (ran.code, ran.out) == (2, "")
        assert ran.error == f"suite: {said}"


def test_a_rate_where_the_model_has_none(cli: Cli, bare: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", ROWS[:, :1])
    for ran in (
        cli("predict", "--checkpoint", bare, "--rate", "20", "good.npy"),
        cli("stream", "--checkpoint", bare, "--rate", "20", stdin=b"1\n"),
    ):
        assert (ran.code, ran.out) == (2, "")
        assert "the model does not know the rate it was trained at" in ran.error
        assert "leave it out" in ran.error


@pytest.mark.parametrize(
    ("sure", "said"),
    [
        ("-0.01", "sure -0.01: give a probability, from 0 to 1"),
        ("1.01", "sure 1.01: give a probability, from 0 to 1"),
        ("nan", "sure=nan: expected a finite number"), ("inf", "sure=inf: expected a finite number"),
    ],
)  # fmt: skip
def test_no_probability(cli: Cli, tiny: Path, sure: str, said: str) -> None:
    ran = cli("stream", "--checkpoint", tiny, "--sure", sure, stdin=b"1,2\n3,4\n")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error == f"suite: {said}"


# --- standard input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "steps", "said"),
    [
        (b"1,2\n3\n5,6\n", 1, "standard input: line 2: 1 values where the line before has 2; fix the line"),
        (b"1,2\n3,4\n5,6,7\n", 2, "standard input: line 3: 3 values where the line before has 2; fix the line"),
        (b"1,2\n3,x\n", 1, "standard input: line 2: 'x' in column 2 is not a number; fix it there"),
        (b"1,2\n3,inf\n", 1, "standard input: line 2: 'inf' in column 2 is infinite; leave it empty if it is missing"),
        (
            b"1,2\n-1e39,4\n",
            1,
            "standard input: line 2: '-1e39' in column 1 is too large; leave it empty if it is missing",
        ),
        (b"1,2\n\xff,4\n", 1, "standard input: line 2: not UTF-8 text; convert it first"),
        (b"1,2\n3,4", 2, ""),
        (b"1,2\n3,", 2, ""),
        (b"1,2\n3", 1, "standard input: line 2: 1 values where the line before has 2; fix the line"),
        (b"1,2\n?,nan\n", 2, ""),
        (b"1,2,3\n", 0, "standard input: line 1: 3 channels where 2 are expected (a, b); give those alone"),
        (b"a,b\n1,2\n\n\n1\n2\n", -1, "standard input: line 5: 1 channel where 2 are expected (a, b)"),
        (b"1\n2\n3\n", 0, "1 channel where 2 are expected (a, b); give those alone"),
        (NOISE, 0, "standard input: line 1: "),
        (b"", 0, ""),
        (b"\n\n", 0, ""),
    ],
)
def test_standard_input(cli: Cli, tiny: Path, text: bytes, steps: int, said: str) -> None:
    ran = cli("stream", "--checkpoint", tiny, "--json", stdin=text)
    if steps >= 0:
        assert [value["final"] for value in ran.values] == [False] * steps + [True] * (not said and steps > 0)
    if said:
        assert (ran.code, said in ran.error) == (1, True)
    else:
        assert (ran.code, ran.err) == (0, "")


# --- labelled data --------------------------------------------------------------------------------------------


def train(cli: Cli, text: str, *options: Any) -> Any:
    Path("train.jsonl").write_text(text)
    settings = ("encoder.hidden=8", "training.copies=1", "training.cuts=1")
    return cli("train", "--data", "train.jsonl", "--out", "model", *(f"--set={s}" for s in settings), *options)


def rows(recordings: list[tuple[str, Any]], **more: Any) -> list[str]:
    return [json.dumps({"x": np.asarray(x).tolist(), "label": label, **more}) for label, x in recordings]


def test_a_single_label(cli: Cli, gestures: Made, as_lines: Any, tmp_path: Path) -> None:
    ran = train(cli, as_lines([("wave", x) for _, x in gestures(6, 0)]))
    assert ran.code == 1
    assert ran.error == (
        "suite: training needs at least two different labels, the data has only 'wave'; add items of another"
    )
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("number", "row", "said"),
    [
        (5, {"x": [[1, 2]]}, "a recording without a label; labels come from"),
        (5, {"x": [[1, 2, 3]], "label": "wave"}, "3 channels where the first recording has 2; give all the same"),
        (5, {"x": [[None, None]], "label": "wave"}, "every value of the recording is missing; give one with values"),
        (5, {"x": [], "label": "wave"}, "the recording is empty; give at least one sample"),
        (5, {"x": [[1, "two"]], "label": "wave"}, "'two' is not a number"),
        (5, {"x": [[1, 2]], "label": "wave", "rate": 0}, "rate 0 is not a number of samples a second; correct it"),
        (5, {"x": [[1, 2]], "label": "wave", "channels": "a"}, "channels: 1 name for 2; name every one"),
    ],
)
def test_a_bad_recording_among_good_ones(
    cli: Cli, tiny: Path, gestures: Made, number: int, row: dict[str, Any], said: str, tmp_path: Path
) -> None:
    good = rows(gestures(8, 0))
    text = "\n".join([*good[: number - 1], json.dumps(row), *good[number - 1 :]])
    ran = train(cli, text)
    assert (ran.code, ran.out) == (1, "")
    last = ran.err.splitlines()[-1]  # after notes on the data
    assert last.startswith(f"suite: train.jsonl:{number}: ")
    assert said in last
    ran = train(cli, text, "--skip-errors")
    assert ran.code == 0
    assert "8 items to train on" in ran.err
    assert ran.err.splitlines()[-1] == "suite: 1 skipped"
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "train.jsonl")
    assert (ran.code, said in ran.error) == (1, True)
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "train.jsonl", "--skip-errors", "--json")
    assert (ran.values[0]["items"], ran.values[0]["skipped"]) == (8, 1)
    assert said in ran.error


def test_a_label_that_training_never_had(cli: Cli, tiny: Path, gestures: Made, as_lines: Any, tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(as_lines([*gestures(3, 0), ("stamp", gestures(1, 1)[0][1])]))
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "test.jsonl")
    assert ran.code == 1
    assert ran.error == "suite: test.jsonl:4: unknown label 'stamp'; did you mean 'step'?"
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "test.jsonl", "--skip-errors", "--json")
    assert (ran.values[0]["items"], ran.values[0]["skipped"]) == (3, 1)
    ran = train(cli, as_lines(gestures(8, 0)), "--dev", "test.jsonl")
    assert (ran.code, ran.error) == (1, "suite: test.jsonl:4: unknown label 'stamp'; did you mean 'step'?")


def test_data_without_labels(cli: Cli, gestures: Made, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    np.save(tmp_path / "plain" / "a.npy", ROWS)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "a.jsonl").write_text('{"x": [1, 2]}\n{"x": [3]}\n')
    for name, said in (
        ("plain", "no sub-folders; make one a label, with its recordings in it"),
        ("a.csv", "a recording without a label; labels come from a .ts, a table with a label column, or a folder"),
        ("a.jsonl", "a recording without a label"),
        ("missing.ts", "no such file; check the path"),
    ):
        for more in ([], ["--skip-errors"]):
            ran = cli("train", "--data", name, *more)
            assert (ran.code, ran.out) == (1, "")
            assert ran.error.startswith(f"suite: {name}")
            assert said in ran.error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{oops", "not JSON ("),
        ("", "not JSON ("),
        ('["wave"]', 'not names by label; write {"1": "circle", "2": "square"}'),
        ('{"wave": 1}', "not names by label; write"),
        ('{"wave": ""}', "not names by label; write"),
        ('{"wave": {"a": "b"}}', "not names by label; write"),
        ('{"wav": "Winken"}', "no recording has the label 'wav'; did you mean 'wave'?"),
        ('{"wave": "x", "step": "x"}', "two labels would be shown as 'x'; give them different names"),
        ('{"wave": "step"}', "two labels would be shown as 'step'; give them different names"),
        ('{"wave": "x", "wave": "y"}', "the label 'wave' is named twice; leave one out"),
    ],
)
def test_names_that_cannot_be_used(
    cli: Cli, gestures: Made, as_lines: Any, text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "names.json").write_text(text)
    ran = train(cli, as_lines(gestures(8, 0)), "--names", "names.json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: names.json: {said}")


def test_names_of_no_file(cli: Cli, gestures: Made, as_lines: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, said in (("nothing.json", "No such file or directory"), ("folder", "Is a directory")):
        ran = train(cli, as_lines(gestures(8, 0)), "--names", name)
        assert ran.error == f"suite: {name}: {said}; give a JSON file of names by label"


def test_a_table_with_wrong_columns(cli: Cli, tmp_path: Path) -> None:
    for text, said in (
        ("series,series,label,a\n1,1,x,2\n", ":1: the column 'series' is there twice; rename one"),
        ("series,time,a\n1,0,2\n", ":1: no column 'label'; known: a, series, time"),
        ("time,label,a\n0,x,2\n", ":1: a label column but no column 'series' that says which rows go together"),
        ("series,label\n1,x\n", ":1: no channels beside series, time and label; is it the right file?"),
        ("series,time,label,a\n1,0,x,2\n1,0,x,3\n", ":2: time does not grow after 0; sort the samples by time"),
        ("series,label,a\n1,x,2\n1,y,2\n", ":3: labels 'x' and 'y' in one series ('1'); a series has one label"),
        ("label,0,1\nx,1,2\n,1,2\n", ":3: no label; it is the first field of a line"),
    ):
        (tmp_path / "a.csv").write_text(text)
        ran = cli("train", "--data", "a.csv")
        assert (ran.code, ran.out) == (1, "")
        assert ran.error.startswith(f"suite: a.csv{said}")


# --- size -----------------------------------------------------------------------------------------------------


def test_a_million_samples(bare: Path, tmp_path: Path) -> None:
    """In a process of its own, so that its memory is known."""
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=1_000_000).astype(np.float32))
    code = (
        "import sys\nfrom pathlib import Path\nfrom suite.cli import run\ncode = run(sys.argv[1:])\n"
        "status = Path('/proc/self/status')\n"
        "peak = status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else 0\n"
        "print(peak, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "gesture", "predict", "--checkpoint", str(bare), "a.npy", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (found,) = map(json.loads, done.stdout.splitlines())
    assert found["segments"][0]["start"] == 0
    assert found["segments"][-1]["end"] == 1_000_000
    assert int(done.stderr) < 600 * 1024


def test_options_that_mean_nothing_here(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", ROWS)
    for more in (["--columns", "a=b"], ["--format", "csv"]):
        ran = cli("predict", "--checkpoint", tiny, "good.npy", *more)
        assert (ran.code, ran.out) == (2, "")
        assert f"No such option '{more[0]}'" in ran.error
    shown = cli("predict", "--help").out
    assert not [name for name in ("--columns", "--format") if name in shown]
