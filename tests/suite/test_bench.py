"""Every task with every cell: the same time for all, rows that are kept, and faults that are named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import bench
from suite.bench import Plan, _Enough, _Pace, data_of, read, run, streaming, summed
from suite.checkpoint import Checkpoint
from suite.errors import SuiteError
from suite.inference.pipeline import Pipeline
from suite.plugins import registry
from suite.task import AnyTask
from suite.training.loop import Progress


@pytest.fixture
def data(echo: AnyTask, echo_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task ``echo``, whose data is here."""
    monkeypatch.setattr(bench, "data_of", lambda task: [echo_file] if task.name == "echo" else None)


def test_rows_are_made_once_and_compared(data: None, tmp_path: Path) -> None:
    plan = Plan(["echo"], ["gru", "mingru"], minutes=0.02, seeds=2)
    rows = run(plan, tmp_path)
    assert [(row["cell"], row["seed"]) for row in rows] == [("gru", 0), ("mingru", 0), ("gru", 1), ("mingru", 1)]
    assert not [row for row in rows if "error" in row]
    for row in rows:
        assert (row["metric"], row["part"]) == ("accuracy", "dev")
        assert 0 <= row["quality"] <= 1
        assert row["step_us"] > 0
    assert rows[0]["steps"] == rows[2]["steps"]  # all seeds take as many
    made = Checkpoint.open(tmp_path / "runs" / "echo-gru-0").manifest
    items = made.data["items"][0]
    assert rows[0]["steps_an_epoch"] == math.ceil(items / made.config["training"]["batch_size"])
    assert rows[0]["items_per_second"] > 0
    assert rows[0]["state_bytes"] == 12 * 4
    assert rows[0]["parameters"] > rows[1]["parameters"]
    told: list[str] = []
    assert run(plan, tmp_path, say=told.append) == rows
    assert told == []  # nothing was left to do
    one, two = summed(rows)
    assert (one.cell, one.seeds, two.cell) == ("gru", 2, "mingru")
    assert one.quality == pytest.approx((rows[0]["quality"] + rows[2]["quality"]) / 2)


def test_an_epoch_s_end_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(100))
    monkeypatch.setattr("suite.bench.time.perf_counter", lambda: float(next(times)))
    pace = _Pace(limit=8.5)
    # Epochs of two steps, each of which ends with a report.
    for step in (1, 2, 2, 3, 4, 4, 5, 6, 6):
        pace(Progress(step=step, steps=50))
    with pytest.raises(_Enough):
        pace(Progress(step=7, steps=50))
    assert pace.total == 50
    assert pace.speed == pytest.approx(6 / 9)


def test_what_fails_is_a_row_and_the_rest_is_made(data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sometimes(key: dict[str, Any], *rest: Any) -> dict[str, Any]:
        if key["cell"] == "gru":
            raise RuntimeError("no luck")
        return {"metric": "accuracy", "quality": 0.5, "items_per_second": None, "parameters": 1, "step_us": 1.0,
                "state_bytes": 4}  # fmt: skip

    monkeypatch.setattr(bench, "_measured", sometimes)
    other = {"task": "other", "cell": "gru", "seed": 0, "minutes": 9.0, "match_params": False, "error": "no luck"}
    (tmp_path / bench.FILE).write_text(json.dumps([other]))
    rows = run(Plan(["echo"], ["gru", "mingru"], seeds=1), tmp_path)
    assert rows[0]["error"] == "RuntimeError: no luck"
    (summary,) = summed(rows)
    assert (summary.cell, summary.items_per_second, summary.spread) == ("mingru", None, 0.0)
    # The next time it is tried again, and what was made is not.
    monkeypatch.setattr(bench, "_measured", lambda key, *rest: {**sometimes({**key, "cell": ""}), "quality": 0.7})
    again = run(Plan(["echo"], ["gru", "mingru"], seeds=1), tmp_path)
    assert [row["quality"] for row in again] == [0.7, 0.5]
    assert "error" not in again[0]
    assert other in read(tmp_path), "of other plans nothing is lost"


def test_a_run_that_was_trained_but_not_measured_is_made_again(
    data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(["echo"], ["gru"], minutes=0.002, seeds=1)
    with monkeypatch.context() as patch:
        patch.setattr(bench, "streaming", lambda *given, **more: 1 / 0)
        (row,) = run(plan, tmp_path)
    assert row["error"] == "ZeroDivisionError: division by zero"
    assert (tmp_path / "runs" / "echo-gru-0" / "suite.json").exists()
    (row,) = run(plan, tmp_path)
    assert "error" not in row


def test_widths_that_match_the_parameters(data: None, echo: AnyTask, echo_file: Path) -> None:
    from suite import config as configs
    from suite.task.reading import read_examples

    codecs = echo.fit_codecs(list(read_examples(echo, [echo_file])), echo.config())

    def size(config: Any) -> int:
        return sum(p.numel() for p in echo.build_model(config, codecs).parameters())

    settings = bench._matching(echo, "mingru", [echo_file])
    found = configs.override(echo.config(), [*settings, "encoder.cell=mingru"])
    assert found.encoder.hidden > echo.config().encoder.hidden
    assert size(found) == pytest.approx(size(echo.config()), rel=0.06)


def test_a_step_of_each_kind_of_model(tiny_checkpoint: Path) -> None:
    pipeline = Pipeline.open("sentiment", tiny_checkpoint)
    cost, state = streaming(pipeline.runtime, pipeline.codecs.input.encode("a good day"), False, runs=5)
    assert cost > 0
    assert state == sum(v.nbytes for n, v in pipeline.runtime.graph("encoder").initial(1).items())
    assert isinstance(state, int)
    assert not isinstance(state, np.integer)


def test_a_task_whose_data_is_not_here() -> None:
    assert data_of(registry().task("sentiment")) is None


def test_a_file_that_is_no_benchmark(tmp_path: Path) -> None:
    for text in ("{", "[1]", "5"):
        (tmp_path / "bench.json").write_text(text)
        with pytest.raises(SuiteError, match=r"bench\.json: .*; move it away, or give another --out$"):
            read(tmp_path)
    (tmp_path / "bench.json").write_text(json.dumps([{"task": "x"}]))
    assert read(tmp_path) == [{"task": "x"}]
