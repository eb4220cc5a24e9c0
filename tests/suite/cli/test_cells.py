"""``suite cells``: the list, ``show`` and ``compare``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from suite.plugins import Registry
from suite.plugins.entry_points import CELLS, EntryPoint

Cli = Callable[..., Any]
SHIPPED = ["gru", "lstm", "mingru", "rglru", "rnn"]

LEAKY = '''"""A leaky integrator."""
import torch
from suite.hooks import hookimpl
from suite.nn.cells.base import Cell


class Leaky(Cell):
    equation = "h' = a h + (1 - a) tanh(W x)"
    source = "somebody"

    def __init__(self, inputs, hidden):
        super().__init__(inputs, hidden)
        self.weight = torch.nn.Linear(inputs, hidden)

    def step(self, x, state):
        h = 0.9 * state["h"] + 0.1 * torch.tanh(self.weight(x))
        return h, {"h": h}


class Faulty(Leaky):
    def step(self, x, state):
        raise ValueError("no such\\nluck")


@hookimpl
def suite_cells():
    return {"leaky": Leaky, "faulty": Faulty}
'''


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three training steps a delay: enough for what is printed, not for what is learnt."""
    from suite.nn import inspect

    few = partial(_few, inspect.learn_recall)
    monkeypatch.setattr(inspect, "learn_recall", few)


def _few(learn: Any, cell_class: Any, delay: int, *, steps: int, **others: Any) -> Any:
    return learn(cell_class, delay, steps=3, **others)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two cells of somebody else's, one of which fails, beside rnn and one that does not load."""
    (tmp_path / "leaky_cells.py").write_text(LEAKY)
    (tmp_path / "absent_cells.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "leaky_cells", raising=False)
    offers = [
        EntryPoint(CELLS, name, module, "leaky-cells", "1.0")
        for name, module in (
            ("leaky", "leaky_cells"), ("faulty", "leaky_cells"), ("absent", "absent_cells"),
            ("rnn", "suite.nn.cells.rnn"),
        )
    ]  # fmt: skip
    found = Registry(offers)
    monkeypatch.setattr("suite.cli.cells.registry", lambda: found)


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list(cli: Cli) -> None:
    ran = cli("cells")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].split() == ["cell", "what", "it", "is"]
    assert [line.split()[0] for line in ran.lines if not line.startswith(" ")][1:] == SHIPPED


def test_the_list_as_json(cli: Cli) -> None:
    found = [json.loads(line) for line in cli("cells", "--json").lines]
    assert [one["name"] for one in found] == SHIPPED
    assert all(one["summary"] for one in found)


def test_the_list_has_a_name_too(cli: Cli) -> None:
    assert cli("cells", "list").out == cli("cells").out
    for asked in (("cells", "list", "--json"), ("cells", "--json", "list")):
        assert cli(*asked).out == cli("cells", "--json").out


def test_without_torch() -> None:
    """The list and help work; what measures says in one line what is missing."""
    code = "import sys; sys.modules['torch'] = None; from suite.cli import run; sys.exit(run(sys.argv[1:]))"

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)

    assert call("cells").returncode == call("cells", "show", "--help").returncode == 0
    ran = call("cells", "show", "lstm")
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("suite: measuring a cell needs the [train] extra")
    assert "did you mean 'lstm'?" in call("cells", "show", "lstmm").stderr


# --- show ----------------------------------------------------------------------------------------------------------


def test_show(cli: Cli, tmp_path: Path) -> None:
    began = time.perf_counter()
    ran = cli("cells", "show", "lstm", "--plot", "lstm.png")
    assert time.perf_counter() - began < 15
    assert ran.code == 0
    assert ran.lines[0].startswith("lstm: Long short-term memory")
    assert "  c' = " in ran.out
    assert "parameters   6,400 (16 inputs → 32 hidden)" in ran.lines
    assert "state        h [32], c [32]: 64 numbers, 256 bytes a sequence" in ran.lines
    at = next(i for i, line in enumerate(ran.lines) if line.startswith("steps back"))
    rows = [line.split() for line in ran.lines[at + 1 : at + 8]]
    assert [row[0] for row in rows] == ["1", "2", "5", "10", "20", "50", "100"]
    start = [float(row[1]) for row in rows]
    assert start == sorted(start, reverse=True)
    assert int(rows[3][3].rstrip("%")) > 90
    assert "exploding" not in ran.err
    assert ran.err.splitlines()[-1] == "drawn: lstm.png"
    assert (tmp_path / "lstm.png").read_bytes().startswith(b"\x89PNG")


def test_show_as_json(cli: Cli, quick: None) -> None:
    ran = cli("cells", "show", "rnn", "--json", "--inputs", "3", "--hidden", "5")
    (found,) = map(json.loads, ran.lines)
    assert list(found)[:4] == ["name", "equation", "source", "inputs"]
    assert (found["name"], found["inputs"], found["hidden"]) == ("rnn", 3, 5)
    assert found["state"]["arrays"] == {"h": [5]}
    assert found["recall"]["chance"] == 0.25
    assert found["cost_us"]["step_ratio"] == found["cost_us"]["scan_ratio"] == 1
    assert found["exploding"]["gain"] == 3
    assert max(found["exploding"]["clipping"]["after"]) <= 1.001 < max(found["exploding"]["clipping"]["before"])
    before = cli("cells", "--json", "show", "rnn", "--inputs", "3", "--hidden", "5")
    again = json.loads(before.out)
    assert again | {"cost_us": 0} == found | {"cost_us": 0}


def test_a_cell_of_somebody_elses(cli: Cli, quick: None, others: None) -> None:
    ran = cli("cells", "show", "leaky")
    assert ran.code == 0
    assert ran.lines[0] == "leaky: A leaky integrator."
    assert "  h' = a h + (1 - a) tanh(W x)" in ran.lines
    assert any(line.split() == ["source", "somebody"] for line in ran.lines)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "lstmm"], 2, "no cell named 'lstmm'; did you mean 'lstm'?"),
        (["show"], 2, "Missing argument 'NAME'"),
        (["show", "lstm", "--hidden", "0"], 2, "--hidden"),
        (["show", "lstm", "--plot", "nowhere/a.png"], 2, "no such directory"),
        (["show", "lstm", "--plot", "a.jpg"], 2, "a name that ends in .png"),
        (["compare", "rnn", "grru"], 2, "no cell named 'grru'; did you mean 'gru'?"),
        (["lstm"], 2, "try suite cells show lstm"),
        (["comparre"], 2, "did you mean 'compare'?"),
    ],
)
def test_bad_usage(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    ran = cli("cells", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.error


def test_a_cell_that_fails(cli: Cli, others: None) -> None:
    ran = cli("cells", "show", "faulty")
    assert (ran.code, ran.out) == (1, "")
    assert "cell 'faulty' failed at 16 → 32: ValueError: no such luck; suite.testing.check_cell says" in ran.error
    ran = cli("cells", "show", "absent")
    assert ran.code == 1
    assert "no_such_module" in ran.error


# --- compare -------------------------------------------------------------------------------------------------------


def test_compare(cli: Cli, quick: None, tmp_path: Path) -> None:
    ran = cli("cells", "compare", "--plot", "all.png", "--hidden", "8")
    assert ran.code == 0
    assert ran.lines[0].split()[:3] == ["cell", "params", "state"]
    assert [line.split()[0] for line in ran.lines[1:6]] == SHIPPED
    assert all(len(line) <= 80 for line in ran.lines)
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_compare_some_as_json(cli: Cli, quick: None) -> None:
    found = [json.loads(line) for line in cli("cells", "compare", "rglru", "rnn", "rglru", "--json").lines]
    assert [one["name"] for one in found] == ["rglru", "rnn"]
    assert found[0]["gradient"]["initial"][-1] > found[1]["gradient"]["initial"][-1]


def test_one_that_fails_does_not_lose_the_others(cli: Cli, quick: None, others: None) -> None:
    ran = cli("cells", "compare")
    assert ran.code == 1
    assert [line.split()[0] for line in ran.lines[1:3]] == ["leaky", "rnn"]
    errors = [line for line in ran.err.splitlines() if line.startswith("suite:")]
    assert len(errors) == 3
    assert "no_such_module" in errors[0]
    assert "'faulty' failed" in errors[1]
    assert "2 of 4 cells could not be measured" in errors[2]


# --- progress ------------------------------------------------------------------------------------------------------


def test_progress_after_two_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.cli.cells import _Progress

    with _Progress(2) as progress:
        progress.next("rnn")
        progress.say("gradients")
        assert capsys.readouterr().err == ""
        progress.began -= 3
        progress.say("cost")
        progress.next("lstm")
        progress.say("gradients")
        progress.say("cost")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("rnn (1 of 2): measuring")
    assert second.startswith("lstm (2 of 2): measuring")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with _Progress(1) as progress:
        progress.began -= 3
        progress.next("rnn")
        progress.say("cost")
    assert capsys.readouterr().err == "\r\x1b[Krnn: cost …\r\x1b[K"
