"""Third-party packages, built and installed into an environment of their own, never imported by path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "assets"
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(UV is None, reason="uv is not installed")]

#: What `suite plugins doctor` says of each broken module.
FAULTS = {
    "broken_import": "ModuleNotFoundError: No module named 'a_package_that_nobody_has'",
    "broken_syntax": "SyntaxError in ",
    "broken_hook": "unknown hook 'suite_task'; did you mean 'suite_tasks'?",
    "broken_argument": "hook suite_tasks has no argument 'config'; write def suite_tasks()",
    "broken_duplicate": "'sentiment' is also provided by suite_sentiment",
    "broken_exits": "it called sys.exit(7) while loading",
    "broken_process": "it ends the process while it loads (exit code 9)",
    "broken_newer": "written for plugin interface 3, this suite has 2: upgrade sequence-suite",
    "broken_old": "written for plugin interface 1, this suite has 2, where a task is a class: see docs/plugins.md",
    "broken_older": "it imports suite.task.later, which does not exist: it was probably written for plugin interface 1",
    "broken_instance": "it calls Task(…), and a task is a class now: it was probably written for plugin interface 1",
    "broken_unfinished": "Unfinished must override build_model, fit_codecs",
}
NOTES = {
    "broken_prints": "it prints while it loads: 'thank you for installing me'",
    "broken_slow": "slow: it takes ",
    "broken_torch": "it imports torch while it loads",
}
_WRITES = (
    "decoder.hidden=8", "decoder.layers=1", "embedding.features=8", "attention.features=8", "attention.heads=1",
    "subwords.vocabulary=512", "subwords.min_count=1",
)  # fmt: skip
#: Of each shipped task: a file of its own to learn from, small settings, and what is streamed (``@``: a file).
SHIPPED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "sentiment": ("labelled.csv", ("encoder.hidden=8", "words.vocabulary=200", "words.pieces=60"), "a good day\n"),
    "gesture": ("labelled.ts", ("encoder.hidden=8", "training.method=gradient"), "1\n1.1\n1.5\n"),
    "music": ("labelled.abc", ("encoder.hidden=8", "encoder.layers=1", "embedding.features=8"), ""),
    "translation": ("labelled.tsv", ("encoder.hidden=8", "encoder.layers=1", *_WRITES), "a small tool\n"),
    "captioning": (
        "labelled.jsonl", ("images.size=16", "encoder.width=4", "encoder.depths=1,1", *_WRITES),
        f"{ASSETS}/captioning/samples/rose.png\n",
    ),
    "speech": (
        "labelled.jsonl", ("encoder.hidden=8", "encoder.layers=1", "audio.mels=8"),
        f"@{ASSETS}/speech/samples/agent-pass.wav",
    ),
}  # fmt: skip
#: Shown at most, of a stream that has no end.
LINES = 3


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an environment with what this one has and the three packages, built from copies of them."""
    place = tmp_path_factory.mktemp("strangers")
    assert UV is not None
    python = place / "env" / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(place / "env")], check=True)
    site = next((place / "env" / "lib").glob("python*")) / "site-packages"
    here = next(Path(path) for path in sys.path if Path(path).name == "site-packages")
    (site / "of_the_project.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")
    for name in ("forecast", "papercell", "broken"):
        source = place / name
        shutil.copytree(HERE / name, source, ignore=shutil.ignore_patterns("__pycache__"))
        command = [UV, "pip", "install", "--quiet", "--python", str(python), "--no-deps", str(source)]
        subprocess.run(command, check=True)
    return python


@pytest.fixture
def suite(environment: Path, tmp_path: Path) -> Callable[..., Any]:
    """``suite(…)`` in that environment, in an empty folder; what it did."""

    def call(*arguments: str | Path, stdin: bytes = b"", code: int = 0) -> Any:
        done = subprocess.run(
            [environment, "-m", "suite", *map(str, arguments)], cwd=tmp_path, input=stdin, capture_output=True,
            check=False, env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, f"{arguments}\n{done.stdout}{done.stderr}"
        return done

    return call


# --- the broken one -------------------------------------------------------------------------------------------


def test_each_fault_is_named_and_everything_else_works(suite: Any) -> None:
    doctor = suite("plugins", "doctor", "--json", "--timeout", "300", code=1)
    found = json.loads(doctor.stdout)
    plugins = {one["module"]: one for one in found["plugins"]}
    for module, reason in FAULTS.items():
        assert reason in plugins[module]["error"], module
        assert any(fault.startswith(f"{module} (suite-broken 0.0.1): ") for fault in found["faults"]), module
    for module, reason in NOTES.items():
        assert any(note.startswith(reason) for note in plugins[module]["notes"]), module
    for module in ("suite_sentiment", "suite_forecast", "suite_cornn"):
        assert (plugins[module]["status"], plugins[module]["error"]) == ("loaded", "")
    listed = suite("plugins", "list")
    assert "Traceback" not in listed.stdout + listed.stderr
    assert "sentiment" in suite("tasks").stdout
    assert "positive" in suite("sentiment", "predict", "What a lovely day").stdout
    assert "Usage" in suite("--help").stdout


BROKEN = (
    "import-error", "syntax-error", "wrong-hook", "wrong-argument", "exits", "newer", "old", "older", "instance",
    "unfinished",
)  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_using_a_broken_one_is_one_line(suite: Any, name: str) -> None:
    said = suite(name, "predict", "x", code=1).stderr
    assert said.startswith(f"suite: task {name!r}: broken_")
    assert said.count("\n") == 1


def test_what_fails_at_work_is_located(suite: Any, tmp_path: Path) -> None:
    rows = "".join(f"{word} {n}\t{word}\n" for n in range(8) for word in ("red", "green", "blue"))
    (tmp_path / "data.tsv").write_text(f"text\tlabel\n{rows}")
    said = suite("raises", "train", "--data", "data.tsv", code=1).stderr.splitlines()[-1]
    assert said.startswith("suite: plugin broken_raises (suite-broken 0.0.1) failed: KeyError: 'text' (")
    assert "broken_raises.py:12, in example)" in said
    said = suite("wrong-shapes", "train", "--data", "data.tsv", code=1).stderr.splitlines()[-1]
    assert said.startswith("suite: task 'wrong-shapes' of broken_shapes (suite-broken 0.0.1) failed: ")
    assert said.endswith("suite plugins check wrong-shapes says where")


def test_the_laws_say_which_is_broken(suite: Any) -> None:
    done = suite("plugins", "check", "leaky-rows", "wrong-state", "loads-torch", "--json", code=1)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    broken = {(one["of"], one["law"]): one["message"] for one in found if one["verdict"] == "broken"}
    assert ("cell leaky-rows", "rows are independent") in broken
    assert (
        "step gives y of shape (3, 8), expected (3, 7)"
        in broken["cell wrong-state", "its state is a flat dict of the declared arrays"]
    )
    assert "loads ['torch'" in broken["task loads-torch", "importing it, and --help, load no torch"]


# --- the cell ---------------------------------------------------------------------------------------------------


def test_the_cell_keeps_the_laws(suite: Any) -> None:
    assert "✗" not in suite("plugins", "check", "cornn").stdout


@pytest.fixture(scope="module")
def worked(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Of every shipped task what its command lines did: train, info, export and a stream, all in one process."""
    place = tmp_path_factory.mktemp("cell")
    commands = [(command, stdin) for task in SHIPPED for command, stdin in commands_of(task, place)]
    done = subprocess.run(
        [environment, HERE / "commands.py"], cwd=place, input=json.dumps(commands), capture_output=True, check=False,
        text=True, env={**os.environ, "ACCELERATE_USE_CPU": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {task: [one for one in found if one["arguments"][0] == task] for task in SHIPPED}


def commands_of(task: str, place: Path) -> list[tuple[list[str], str]]:
    """What is tried with a task: command lines, each with its standard input."""
    file, settings, streamed = SHIPPED[task]
    data, made, again = ASSETS / task / "samples" / file, place / f"{task}-made", place / f"{task}-again"
    options = [part for setting in (*settings, "training.steps=1") for part in ("--set", setting)]
    commands = [
        (["train", "--data", data, "--cell", "cornn", "--epochs", "1", "--out", made, *options], ""),
        (["info", "--checkpoint", made, "--json"], ""),
        (["export", "--checkpoint", made, "--out", again], ""),
        (["generate" if task == "music" else "stream", "--checkpoint", again, "--json"], streamed),
    ]
    return [([task, *map(str, command)], stdin) for command, stdin in commands]


@pytest.mark.parametrize("task", SHIPPED)
def test_the_cell_works_in_every_task(worked: Any, task: str) -> None:
    """A training step, an export, and a stream."""
    for one in worked[task]:
        assert one["code"] == 0, f"{one['arguments']}\n{one['stdout']}{one['stderr']}"
    _, info, _, streamed = worked[task]
    assert json.loads(info["stdout"])["cells"] == ["cornn"]
    assert all(json.loads(line) for line in streamed["stdout"].splitlines())
    assert streamed["stdout"]


def test_a_stream_without_end_is_written_with_the_cell_too(worked: Any, environment: Path) -> None:
    again = worked["music"][3]["arguments"][3]
    command = [environment, "-m", "suite", "music", "stream", "--checkpoint", again, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        shown = [json.loads(process.stdout.readline()) for _ in range(LINES)]
        process.stdout.close()  # it ends when nobody reads on
        assert process.stderr.read() == ""
    assert [one["input"] for one in shown] == list(range(LINES))


# --- the task ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_forecasts_beside_two_baselines(suite: Any, tmp_path: Path) -> None:
    suite("forecast", "train", "--epochs", "10")
    figures = json.loads(suite("forecast", "evaluate", "--json").stdout)
    means = figures["mase"]
    assert means.keys() == {"ours", "seasonal_naive", "ets"}
    assert 0 < means["ours"] < 2 * means["seasonal_naive"]
    assert 0 < means["ets"] < means["seasonal_naive"]  # what a fitted baseline is for
    series = (HERE / "forecast/suite_forecast/assets/samples/airline.csv").read_text().split()[1:]
    answer = json.loads(
        suite("forecast", "predict", " ".join(series), "--period", "12", "--horizon", "6", "--json").stdout
    )
    assert len(answer["forecast"]) == 6
    assert all(
        low < value < high for low, value, high in zip(answer["low"], answer["forecast"], answer["high"], strict=True)
    )
    stream = suite("forecast", "stream", "--period", "12", stdin="\n".join(series[:30]).encode())
    assert len(stream.stdout.splitlines()) == 30
    assert "✗" not in suite("plugins", "check", "forecast").stdout
    assert "airline.csv" in suite("demo", "forecast").stdout
