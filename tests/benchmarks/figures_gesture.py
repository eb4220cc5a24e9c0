"""The figures of the gesture task: official train and test parts, default settings.

MiniRocket's accuracies are figures measured before on the same parts (aeon 1.6, unequal lengths filled up); its time
is measured here, ours being from a cold start to a checkpoint on disk. aeon may live in an
environment of its own: ``AEON_PYTHON=…/bin/python make figures TASK=gesture``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import engine
import numpy as np
from engine import row

import suite
from suite.data.series import read_labelled
from suite.inference.pipeline import Pipeline
from suite.inference.sessions import open_session
from suite.plugins import registry
from suite.training.train import train

SEEDS = range(5)
#: By set: its folder, the floor, and MiniRocket's accuracy.
SETS = {
    "PickupGestureWiimoteZ": ("", 0.80, 0.88),
    "GunPoint": ("gunpoint", 0.97, 0.993),
    "BasicMotions": ("activity", 0.97, 1.0),
    "JapaneseVowels": ("vowels", 0.96, 0.986),
}
SAMPLES = [np.sin(np.arange(12, dtype=np.float32) * 0.3)[i : i + 1] for i in range(12)]


def measure() -> Iterator[dict[str, Any]]:
    task = registry().task("gesture")
    archives, watch = engine.folders("gesture", "watch")

    for name, (folder, floor, aim) in SETS.items():
        found = [trained(archives / folder, seed) for seed in SEEDS]
        mean, spread = over_seeds([figures["accuracy"] for figures in found])
        yield row(f"accuracy, {name}, mean of five seeds", mean, floor, aim, higher=True, spread=spread)
        if not folder:
            for share in ("25", "50", "75"):
                mean, spread = over_seeds([figures["accuracy_at"][share] for figures in found])
                aim_at = 0.75 if share == "50" else None
                measured = f"accuracy after {share} % of a Wiimote gesture"
                yield row(measured, mean, None, aim_at, higher=True, spread=spread)
    shipped = suite.evaluate("gesture", archives / "test.jsonl")
    yield row("accuracy, the shipped wiimote", shipped["accuracy"], 0.80, 0.88, higher=True)
    shipped = suite.evaluate("gesture", archives / "activity" / "test.jsonl", checkpoint="activity")
    yield row("accuracy, the shipped activity", shipped["accuracy"], 0.97, 1.0, higher=True)
    yield row("accuracy, watch, persons 9 and 10", trained(watch, 0)["accuracy"], 0.84, 0.92, higher=True)

    worst = max(apart(archives, cell) for cell in registry().cell_names())
    yield row("a sample at a time and all at once, any cell: largest difference", worst, 1e-4, 1e-4)
    for name, cost, aim_of in training_time(archives / "vowels"):
        yield row(name, cost.pop("ratio"), None, aim_of, **cost)
    cost = engine.feed_cost("gesture", SAMPLES * 20)
    yield row("session.feed of one sample over bare onnxruntime", cost.pop("ratio"), 2, 1.3, **cost)
    cost = engine.predict_start("gesture", str(task.samples[-1]))
    yield row("cold predict over its imports", cost.pop("ratio"), 2, 1.3, **cost)
    for name, place in task.shipped.items():
        yield row(f"checkpoint directory of {name}, MB", engine.directory_mb(place), 12, 5)


def parts(folder: Path) -> list[Path]:
    """The official train part: what the recipe calls train and dev."""
    return [folder / "train.jsonl", folder / "dev.jsonl"]


def trained(folder: Path, seed: int, cell: str = "lstm", settings: Sequence[str] = ()) -> dict[str, Any]:
    """The test figures of a model that was trained with no option but its data."""
    with tempfile.TemporaryDirectory() as place:
        made = train("gesture", data=parts(folder), out=Path(place) / "it", seed=seed, cell=cell, settings=settings)
        return suite.evaluate("gesture", folder / "test.jsonl", checkpoint=made.path)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    return statistics.mean(values), statistics.stdev(values)


def apart(folder: Path, cell: str) -> float:
    """The largest difference of any probability between a stream fed a sample at a time and one reading at once."""
    with tempfile.TemporaryDirectory() as place:
        made = train("gesture", data=parts(folder), out=Path(place) / "it", cell=cell)
        pipeline = Pipeline.open("gesture", made.path)
        worst = 0.0
        for series in list(read_labelled(folder / "test.jsonl"))[:10]:
            session = open_session(pipeline.model)
            for sample in series.array:
                session.feed(sample[None])
            streamed: Any = session.finish()
            whole: Any = pipeline(series)
            worst = max(worst, *(abs(streamed.probabilities[k] - p) for k, p in whole.probabilities.items()))
        return worst


MINIROCKET = """
import json, sys, time, numpy as np
from aeon.classification.convolution_based import MiniRocketClassifier
series = [json.loads(line) for path in sys.argv[1:] for line in open(path)]
longest = max(len(s["x"]) for s in series)
x = np.zeros((len(series), len(series[0]["channels"]), longest))
for row, s in zip(x, series):
    row[:, : len(s["x"])] = np.array(s["x"]).T
started = time.perf_counter()
MiniRocketClassifier(random_state=0, n_jobs=1).fit(x, np.array([s["label"] for s in series]))
print(time.perf_counter() - started)
"""


def training_time(folder: Path) -> list[tuple[str, dict[str, Any], float | None]]:
    """Seconds of ours over those of MiniRocket: its fit alone, and from a cold start. Nothing without aeon."""
    python = os.environ.get("AEON_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import aeon"], capture_output=True, check=False).returncode:
        print("aeon is not installed: training time not compared (set AEON_PYTHON)", file=sys.stderr)
        return []
    files = [str(path) for path in parts(folder)]

    def ours() -> float:
        with tempfile.TemporaryDirectory() as place:
            data = [argument for file in files for argument in ("--data", file)]
            command = [str(engine.BIN / "suite"), "gesture", "train", *data, "--out", f"{place}/it"]
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - started

    def theirs(cold: bool) -> float:
        command = [python, "-W", "ignore", "-c", MINIROCKET, *files]
        started = time.perf_counter()
        fit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return time.perf_counter() - started if cold else float(fit)

    name = "training on JapaneseVowels, cold, over MiniRocket's"
    return [
        (f"{name} fit", engine.paired(ours, lambda: theirs(False), 3), 5.0),
        (f"{name} fit from a cold start", engine.paired(ours, lambda: theirs(True), 3), None),
    ]
