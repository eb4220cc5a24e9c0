"""Every task with every cell, trained for the same minutes: ``suite bench``.

Data flow: (task, cell, seed) → a few steps, timed → as many as the minutes hold, with a schedule that ends there →
a checkpoint → quality on dev, parameters, speed, what a streaming step costs, the bytes of its state → a row of a JSON
file, which is what a run that was interrupted goes on from. Importing this module imports no torch.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite import config as configs
from suite.data.examples import Example
from suite.errors import DataError, MissingExtra, SuiteError, one_line
from suite.plugins import registry
from suite.runtime import Arrays, Runtime
from suite.task import AnyTask
from suite.task.seq2seq import Seq2SeqTask

FILE = "bench.json"
#: Speed is measured over so many seconds at most, and a tenth of the time there is.
PROBE = 20.0
#: Epochs of the run by which it is measured: some, so that of a small set it is not over at once, and few, since all of
#: them are planned before the first step.
SOME = 4
#: The narrowest and the widest layer that is tried to match a number of parameters.
NARROW, WIDE = 4, 4096


@dataclass(frozen=True)
class Plan:
    """What is to be compared: every task with every cell, each ``seeds`` times, ``minutes`` of training a run."""

    tasks: Sequence[str]
    cells: Sequence[str]
    minutes: float = 5.0
    seeds: int = 3
    match_params: bool = False

    def runs(self) -> list[dict[str, Any]]:
        """What names each run, in order: one seed of everything comes before the next."""
        return [
            {"task": task, "cell": cell, "seed": seed, "minutes": self.minutes, "match_params": self.match_params}
            for seed in range(self.seeds)
            for task in self.tasks
            for cell in self.cells
        ]


def data_of(task: AnyTask) -> list[str | Path] | None:
    """The files a task learns from here: its labelled samples where it has no recipe, none (``[]``) for the recipe's.

    None where there is nothing to learn from.
    """
    if task.recipe is None:
        return list(task.labelled_samples) or None
    from suite.datasets.recipes import find_prepared

    return None if find_prepared(task.name, task.recipe()) is None else []


def run(plan: Plan, folder: Path, *, say: Callable[[str], None] = lambda line: None) -> list[dict[str, Any]]:
    """Make the rows that ``folder`` does not have yet; gives all rows of the plan.

    One that fails is a row too, with its ``error``, and is tried again the next time.

    Raises MissingExtra without torch, and SuiteError for a file that is not a benchmark's.
    """
    try:
        import suite.training.loop  # noqa: F401 - before any work is done
    except ImportError as error:
        raise MissingExtra("training", "train", error) from error
    folder.mkdir(parents=True, exist_ok=True)
    keys = plan.runs()
    # What failed is tried again.
    rows = [row for row in read(folder) if "error" not in row or not any(row.items() >= key.items() for key in keys)]
    for number, key in enumerate(keys, 1):
        if any(row.items() >= key.items() for row in rows):
            continue
        say(f"{number} of {len(keys)}: {key['task']}, {key['cell']}, seed {key['seed']}")
        try:
            made = _measured(key, _steps_of(rows, key), folder)
        except Exception as error:  # one that fails does not lose the others
            made = {"error": one_line(error)}
            say(f"{key['task']}, {key['cell']}: {made['error']}")
        rows.append({**key, **made})
        _write(folder / FILE, rows)
    return [row for key in keys for row in rows if row.items() >= key.items()]


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows that are there. Raises SuiteError for a file that is not a benchmark's."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("not a list of objects")
    except (ValueError, TypeError) as error:
        raise SuiteError(f"{path}: {one_line(error)}; move it away, or give another --out") from error
    return list(rows)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(list(rows), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def _steps_of(rows: Sequence[dict[str, Any]], key: dict[str, Any]) -> tuple[int, int] | None:
    """How many steps another seed of the same took, and how many an epoch has: all seeds take as many."""
    same = {name: value for name, value in key.items() if name != "seed"}
    found = (row for row in rows if row.items() >= same.items() and "steps" in row)
    return next(((row["steps"], row["steps_an_epoch"]) for row in found), None)


# -- one run -------------------------------------------------------------------------------------------------


class _Enough(Exception):
    """The speed is known."""


class _Pace:
    """Steps a second, the judging between epochs included, from what training reports; enough after ``limit`` seconds.

    The first step makes what later ones find there: time counts from its end.
    """

    def __init__(self, limit: float = math.inf) -> None:
        self._limit, self._first, self._begun = limit, -1, 0.0
        self.total, self.speed = 0, 0.0

    def __call__(self, progress: Any) -> None:
        now = time.perf_counter()
        if self._first < 0:
            self._first, self._begun, self.total = progress.step, now, progress.steps
        if now > self._begun:
            # An epoch's end is reported too, and is no step.
            self.speed = (progress.step - self._first) / (now - self._begun)
        if now - self._begun >= self._limit:
            raise _Enough


def _measured(key: dict[str, Any], known: tuple[int, int] | None, folder: Path) -> dict[str, Any]:
    """Train one model and measure it."""
    from suite.inference.pipeline import Pipeline
    from suite.training.train import train

    task = registry().task(key["task"])
    files = data_of(task)
    if files is None:
        raise DataError("its data is not here")
    out = folder / "runs" / f"{key['task']}-{key['cell']}-{key['seed']}"
    given: dict[str, Any] = {"data": files or None, "cell": key["cell"], "seed": key["seed"]}
    settings = _matching(task, key["cell"], files) if key["match_params"] else []
    closed = task.config().training.method == "readout"
    counts: dict[str, Any] = {}
    if not closed:
        steps, each = known or _affordable(task.name, {**given, "settings": settings}, key["minutes"] * 60, out)
        counts = {"steps": steps, "steps_an_epoch": each}
        settings = [
            *settings, f"training.steps={steps}", f"training.epochs={math.ceil(steps / each)}", "training.patience=0",
        ]  # fmt: skip
    began = time.perf_counter()
    pace = _Pace()
    made = train(task.name, out=out, overwrite=True, settings=settings, report=pace, **given)
    seconds = time.perf_counter() - began
    part, figures = next(iter(made.manifest.metrics.items()))
    metric, score = task.score(figures)
    pipeline = Pipeline.open(task.name, made.path)
    item = next(_examples(task, files)).input
    cost, state = streaming(pipeline.runtime, pipeline.codecs.input.encode(item), isinstance(task, Seq2SeqTask))
    fast = None if closed or not pace.speed else pace.speed * made.manifest.data["items"][0] / each
    shutil.rmtree(out.with_name(f"{out.name}.run"), ignore_errors=True)
    return {
        "metric": metric, "part": part, "quality": -score if task.lower_is_better(metric) else score,
        "parameters": made.manifest.parameters, "items_per_second": fast,
        "step_us": cost, "state_bytes": state, "seconds": round(seconds, 1), **counts,
    }  # fmt: skip


def _affordable(name: str, given: dict[str, Any], seconds: float, out: Path) -> tuple[int, int]:
    """How many steps ``seconds`` hold, at the speed of the first ones, and how many an epoch has."""
    from suite.training.train import train

    pace = _Pace(min(PROBE, seconds / 10))
    place = out.with_name(f"{out.name}-speed")
    settings = [*given["settings"], f"training.epochs={SOME}", "training.patience=0"]
    try:
        train(name, out=place, overwrite=True, report=pace, **{**given, "settings": settings})
    except _Enough:
        pass
    finally:
        for path in (place, place.with_name(f"{place.name}.run")):
            shutil.rmtree(path, ignore_errors=True)
    return max(1, round((pace.speed or 1.0) * seconds)), max(1, round(pace.total / SOME))


def _examples(task: AnyTask, files: Sequence[str | Path]) -> Iterator[Example]:
    """What a task learns from: some files, or with none the recipe's."""
    from suite.task.reading import read_examples, recipe_folder

    if not files and task.recipe is not None:
        recipe = task.recipe()
        folder = recipe_folder(task, recipe)
        files = [folder / name for name in recipe.train]
    return read_examples(task, files)


def _matching(task: AnyTask, cell: str, files: Sequence[str | Path]) -> list[str]:
    """Settings of the widths at which this cell has as many parameters as the task's own, as nearly as can be."""
    plain = task.config()
    codecs = task.fit_codecs(list(_examples(task, files)), plain, **task.parse_options("train", {}))
    parts = configs.stacks(plain)

    def sized(scale: float) -> tuple[int, list[str]]:
        settings = [f"{p}.hidden={max(NARROW, round(getattr(plain, p).hidden * scale))}" for p in parts]
        config = configs.override(plain, [*settings, *(f"{part}.cell={cell}" for part in parts)])
        return sum(p.numel() for p in task.build_model(config, codecs).parameters()), settings

    wanted = sum(p.numel() for p in task.build_model(plain, codecs).parameters())
    low, high = 1 / 16, 16.0
    for _ in range(12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if sized(middle)[0] < wanted else (low, middle)
    return min((sized(low), sized(high)), key=lambda one: abs(one[0] - wanted))[1]


def streaming(runtime: Runtime, array: np.ndarray, attends: bool, runs: int = 200) -> tuple[float, int]:
    """Microseconds of one step of one row, the median of ``runs``, and the bytes of the state that is carried."""
    if attends:
        from suite.decoding.beam_search import encode

        given = encode(runtime, [array])
        graph = runtime.graph("decoder")
        arrays: Arrays = {**given.state, **given.memory, "token": np.zeros(1, np.int64)}
    else:
        graph = runtime.graph("encoder" if "encoder" in runtime.names else "decoder")
        arrays = {**graph.initial(1), "inputs": array[None, :1], "lengths": np.ones(1, np.int64)}
    state = sum(value.nbytes for name, value in arrays.items() if name.startswith("state."))
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        graph(arrays)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e6, 1), int(state)


# -- all of them ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """All seeds of a task and a cell together: ``quality`` is their mean, ``spread`` their standard deviation."""

    task: str
    cell: str
    metric: str
    quality: float
    spread: float
    seeds: int
    parameters: int
    items_per_second: float | None
    step_us: float
    state_bytes: int


def summed(rows: Iterable[dict[str, Any]]) -> list[Summary]:
    """One summary for each task and cell that has a row without an error, in order."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if "error" not in row:
            groups.setdefault((row["task"], row["cell"]), []).append(row)
    found = []
    for (task, cell), own in groups.items():
        values = [row["quality"] for row in own]
        speeds = [row["items_per_second"] for row in own if row["items_per_second"]]
        found.append(
            Summary(
                task=task, cell=cell, metric=own[0]["metric"], quality=statistics.fmean(values),
                spread=statistics.stdev(values) if len(values) > 1 else 0.0, seeds=len(own),
                parameters=own[0]["parameters"], items_per_second=statistics.fmean(speeds) if speeds else None,
                step_us=statistics.median(row["step_us"] for row in own), state_bytes=own[0]["state_bytes"],
            )
        )  # fmt: skip
    return found
