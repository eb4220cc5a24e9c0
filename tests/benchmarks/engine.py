"""What the engine costs, each as a ratio against a named reference in the same run."""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import suite
from suite.datasets.recipes import find_prepared
from suite.inference.sessions import open_session
from suite.plugins import registry
from suite.task.reading import read_examples

BIN = Path(sys.executable).parent


def row(measure: str, value: float, floor: float | None, aim: float | None, **more: Any) -> dict[str, Any]:
    """A published figure: what was measured, and the floor and the aim it is held against."""
    return {"measure": measure, "value": float(value), "floor": floor, "aim": aim, **more}


def examples_of(task: str, path: Path, most: int | None = None) -> list[Any]:
    """The examples of a file, or the first so many of them."""
    return list(itertools.islice(read_examples(registry().task(task), [path]), most))


def folders(task: str, *further: str) -> list[Path]:
    """Where the data of a task's recipe and of some further ones lies. Raises SystemExit for what is not there."""
    found = registry().task(task)
    assert found.recipe is not None
    places = []
    extra = dict(found.extra_recipes)
    for name, recipe in {task: found.recipe, **{f"{task}-{name}": extra[name] for name in further}}.items():
        folder = find_prepared(name, recipe())
        if folder is None:
            raise SystemExit(f"figures: run suite data get {name} first")
        places.append(folder)
    return places


def used_mb() -> float:
    """What this process holds in memory, when nothing is left to collect."""
    gc.collect()
    return float(psutil.Process().memory_info().rss / 1e6)


def paired(ours: Callable[[], float], theirs: Callable[[], float], runs: int) -> dict[str, float]:
    """Medians of two measurements taken in turn, and the median of their ratio pair by pair."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return {
        "ours": statistics.median(a for a, _ in pairs),
        "reference": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
    }


def wall(*command: str) -> Callable[[], float]:
    """A command's wall time in seconds, from a cold start of its process."""

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return time.perf_counter() - started

    return run


def help_start(runs: int = 21) -> dict[str, Any]:
    """``suite --help`` over the imports it cannot do without."""
    reference = "import click, pluggy"
    return paired(wall(str(BIN / "suite"), "--help"), wall(sys.executable, "-c", reference), runs)


def predict_start(task: str, text: str, runs: int = 21) -> dict[str, Any]:
    """A cold ``suite TASK predict`` over the imports it cannot do without."""
    reference = "import click, pluggy, numpy, onnxruntime, tokenizers"
    return paired(wall(str(BIN / "suite"), task, "predict", text), wall(sys.executable, "-c", reference), runs)


def feed_cost(task: str, pieces: list[str], runs: int = 15) -> dict[str, Any]:
    """Seconds of one ``session.feed`` step over the bare onnxruntime call on the same graph and inputs."""
    pipeline = suite.pipeline(task)
    graph = pipeline.runtime.graph("encoder")
    assert hasattr(graph, "session")
    codec: Any = pipeline.codecs.input
    steps = [step for piece in pieces for _, step in codec.incremental().feed(piece)]
    assert len(steps) == len(pieces), "each piece has to be one step"

    def ours() -> float:
        session = open_session(pipeline.model)
        started = time.perf_counter()
        for piece in pieces:
            session.feed(piece)
        return (time.perf_counter() - started) / len(pieces)

    def bare() -> float:
        run, names = graph.session.run, list(graph.outputs)
        state = graph.initial(1)
        prepared = [{"inputs": s[None], "lengths": np.array([len(s)]), **state} for s in steps]
        started = time.perf_counter()
        for arrays in prepared:
            run(names, arrays)
        return (time.perf_counter() - started) / len(prepared)

    return paired(ours, bare, runs)


def training_speed(task: str, data: Path, options: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """Items/s of ``fit`` over those of a hand-written loop on the same model, loss, optimiser and batches."""
    import torch
    from torch import nn

    from suite import config as configs
    from suite.data.batching import batches_by_length, pad
    from suite.training.loop import fit, start
    from suite.training.losses import resolve_loss
    from suite.training.objectives import many_to_one

    found = registry().task(task)
    config = configs.override(found.config(), [*settings, "training.epochs=1"])
    examples = list(itertools.islice(read_examples(found, [data]), 6000))
    codecs: Any = found.fit_codecs(examples, config, **options)
    inputs = [codecs.input.encode(e.input) for e in examples]
    targets = codecs.target.encode([e.target for e in examples])
    row_loss = resolve_loss(codecs.target.loss)
    spec = config.training

    def ours() -> float:
        run = start(found.build_model(config, codecs), spec)
        started = time.perf_counter()
        fit(run, many_to_one(inputs, targets, row_loss), lambda: 0.0, spec, seed=0)
        return len(examples) / (time.perf_counter() - started)

    def bare() -> float:
        torch.manual_seed(0)
        model: Any = found.build_model(config, codecs).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
        wanted = torch.from_numpy(targets)
        started = time.perf_counter()
        for indices in batches_by_length([len(i) for i in inputs], spec.batch_size, 0, 0):
            padded, lengths = pad([inputs[i] for i in indices])
            optimizer.zero_grad()
            outputs, _ = model(torch.from_numpy(padded), torch.from_numpy(lengths), model.initial(len(indices)))
            value = row_loss(outputs, wanted[indices]).mean()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), spec.clip)
            optimizer.step()
        return len(examples) / (time.perf_counter() - started)

    return paired(ours, bare, 5)


def stream_memory(task: str, piece: str, steps: int = 1_000_000) -> dict[str, float]:
    """Growth of the process in MB between step 1,000 and step ``steps`` of one session."""
    pipeline = suite.pipeline(task)
    session = open_session(pipeline.model)
    before = 0.0
    block = piece * 100
    while session.steps < steps:
        session.feed(block)
        if not before and session.steps >= 1000:
            before = used_mb()
    return {"before_mb": before, "growth_mb": used_mb() - before, "steps": session.steps}


def many_sessions(task: str, pieces: list[str], count: int = 1000) -> dict[str, float]:
    """1,000 sessions fed in turn: MB each, and how far any one's answer is from the same input alone."""
    pipeline = suite.pipeline(task)
    before = used_mb()
    sessions = [open_session(pipeline.model) for _ in range(count)]

    def words(i: int) -> Iterator[str]:
        return itertools.islice(itertools.cycle(pieces), i % len(pieces), i % len(pieces) + 6)

    for turn in zip(*(words(i) for i in range(count)), strict=True):
        for session, piece in zip(sessions, turn, strict=True):
            session.feed(piece)
    grown = used_mb() - before
    worst = 0.0
    for i in range(0, count, 37):
        alone: Any = pipeline("".join(words(i)))
        together: Any = sessions[i].finish()
        worst = max(worst, *(abs(alone.probabilities[k] - together.probabilities[k]) for k in alone.probabilities))
    return {"mb_each": grown / count, "largest_difference": worst}


def in_process(function: str, *arguments: Any, module: str = "engine") -> dict[str, Any]:
    """Run one of these functions (or another module's) in a fresh process, so that memory is only its own."""
    import json

    code = (
        "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); module = importlib.import_module(sys.argv[4]); "
        "print(json.dumps(getattr(module, sys.argv[2])(*json.loads(sys.argv[3]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), function, json.dumps(arguments), module],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return values


def directory_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6
