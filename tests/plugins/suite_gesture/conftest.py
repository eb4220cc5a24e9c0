"""Made-up gestures, small checkpoints trained on them once, and the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

#: Settings of a model that trains in a fraction of a second.
SMALL = ("encoder.hidden=16", "training.copies=1", "training.cuts=2")
LABELS = ("wave", "chirp", "step", "ramp")
RATE = 20.0

#: A label and its recording ``[T, C]``.
Gesture = tuple[str, np.ndarray]


@pytest.fixture
def cli(cli: Callable[..., Any]) -> Callable[..., Any]:
    """``cli("predict", …, stdin=b"…")``: a verb of the task, run in an empty folder."""
    return partial(cli, "gesture")


def made(count: int, seed: int, channels: int = 2) -> list[Gesture]:
    """Noisy recordings of four labels in turn, 30 to 59 samples long, at 20 samples a second."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = LABELS[number % len(LABELS)]
        time = np.linspace(0, 1, int(random.integers(30, 60)))
        phase = 0.3 * random.random()
        shape = {
            "wave": np.sin(2 * np.pi * (3 * time + phase)),
            "chirp": np.sin(2 * np.pi * (time + 4 * time**2 + phase)),
            "step": np.where(time > 0.3 + phase, 1.0, -1.0),
            "ramp": 2 * time - 1,
        }[label]
        both = np.stack([shape * random.uniform(0.8, 1.2), 3 * np.gradient(shape)], axis=1)
        array = both[:, :channels] + 0.15 * random.normal(size=(len(time), channels))
        found.append((label, array.round(3).astype(np.float32)))
    return found


def lines(recordings: Sequence[Gesture], **more: Any) -> str:
    """The recordings as JSON lines, NaN as null."""
    rows = (
        {"x": [[None if v != v else round(v, 3) for v in row] for row in x.tolist()], "label": label, **more}
        for label, x in recordings
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Settings for ``train(…, settings=…)``."""
    return list(SMALL)


@pytest.fixture(scope="session")
def gestures() -> Callable[..., list[Gesture]]:
    """``gestures(count, seed, channels=2)``: made-up recordings with their labels."""
    return made


@pytest.fixture(scope="session")
def as_lines() -> Callable[..., str]:
    """``as_lines(recordings, rate=20)``: JSON lines with more fields in each."""
    return lines


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four recordings with rate and channels, as JSON lines."""
    path = tmp_path_factory.mktemp("gestures") / "data.jsonl"
    path.write_text(lines(made(24, 0), rate=RATE, channels=["a", "b"]))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A small checkpoint: channels a and b, 20 samples a second, wave shown as Winken. Read it; do not change it."""
    from suite.training.train import train

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "names.json").write_text('{"wave": "Winken"}')
    return train("gesture", data=data, out=folder / "model", settings=SMALL, names=folder / "names.json").path


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint of one channel that knows no rate."""
    from suite.training.train import train

    folder = tmp_path_factory.mktemp("bare")
    (folder / "data.jsonl").write_text(lines(made(24, 0, channels=1)))
    return train("gesture", data=folder / "data.jsonl", out=folder / "model", settings=SMALL).path
