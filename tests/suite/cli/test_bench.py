"""``suite bench``: one table, a file, a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite import bench
from suite.task import AnyTask

Cli = Callable[..., Any]


@pytest.fixture
def made(echo: AnyTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task ``echo`` has data, and a run takes no time."""
    monkeypatch.setattr(bench, "data_of", lambda task: [] if task.name == "echo" else None)

    def measured(key: dict[str, Any], *rest: Any) -> dict[str, Any]:
        if key["cell"] == "rnn":
            raise ValueError("it does not learn")
        quality = 0.5 + 0.1 * key["seed"] + (0.2 if key["cell"] == "lstm" else 0)
        return {"metric": "accuracy", "part": "dev", "quality": quality, "parameters": 1234, "items_per_second": 2000.0,
                "step_us": 12.3, "state_bytes": 96, "steps": 10, "steps_an_epoch": 5}  # fmt: skip

    monkeypatch.setattr(bench, "_measured", measured)


def test_a_table_a_file_and_a_figure(cli: Cli, made: None) -> None:
    ran = cli("bench", "--cell", "lstm,gru", "--seeds", "2", "--plot", "bench.png")
    assert ran.code == 0
    assert ran.lines[0].split() == [
        "task",
        "cell",
        "metric",
        "quality",
        "params",
        "items/s",
        "step",
        "µs",
        "state",
        "B",
    ]
    assert ran.lines[1].split() == ["echo", "lstm", "accuracy", "0.7500", "±", "0.0707", "1,234", "2,000", "12", "96"]
    assert "suite: sentiment: its data is not here (suite data get sentiment); left out" in ran.err
    assert "4 runs of 5 min of training: 0.3 h, and reading and judging besides" in ran.err
    assert Path("bench.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(Path("bench/bench.json").read_text())) == 4
    again = cli("bench", "--cell", "lstm,gru", "--seeds", "2", "--json")
    assert len(again.values) == 4
    assert "1 of 4" not in again.err  # they were there


def test_one_that_fails_is_counted(cli: Cli, made: None) -> None:
    ran = cli("bench", "--task", "echo", "--cell", "gru,rnn", "--seeds", "1")
    assert ran.code == 1
    assert "echo, rnn: ValueError: it does not learn" in ran.err
    assert ran.err.splitlines()[-1] == "suite: 1 of 2 runs failed; bench/bench.json says why"
    assert len(ran.lines) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--cell", "lsmt"], "no cell named 'lsmt'; did you mean 'lstm'?"),
        (["--task", "ecko"], "no task named 'ecko'; did you mean 'echo'?"),
        (["--task", "sentiment"], "no task whose data is here; suite data list says what can be fetched"),
        (["--minutes", "0"], "Invalid value for '--minutes'"),
    ],
)
def test_what_cannot_be_compared(cli: Cli, made: None, arguments: list[str], error: str) -> None:
    ran = cli("bench", *arguments)
    assert ran.code == 2
    assert error in ran.err
