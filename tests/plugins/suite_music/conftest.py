"""Small checkpoints, and the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation.chorales import Chorale

SAMPLES = Path(__file__).parents[3] / "assets" / "music" / "samples" / "labelled.abc"


#: Settings of a model that trains in about a second.
SMALL = (
    "encoder.hidden=8", "encoder.layers=1", "encoder.dropout=0", "embedding.features=8", "embedding.dropout=0",
    "tunes.min_count=1", "tunes.min_layout=1", "training.batch_size=4", "training.epochs=2", "training.patience=0",
)  # fmt: skip


@pytest.fixture
def cli(cli: Callable[..., Any]) -> Callable[..., Any]:
    """``cli("predict", …, stdin=b"…")``: a verb of the task, run in an empty folder."""
    return partial(cli, "music")


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Settings for ``train(…, settings=…)``."""
    return list(SMALL)


@pytest.fixture(scope="session")
def chorale_rows(chorale: Chorale) -> list[dict[str, Any]]:
    """The chorale in five keys, as rows of the data."""
    rows = []
    for by, fifths in ((0, -2), (2, 0), (-2, -4), (1, 5), (3, 1)):
        steps = [[pitch + by if pitch > 0 else pitch for pitch in step] for step in chorale.steps]
        row = {"key": f"{fifths}.mxl", "fifths": fifths, "mode": "minor", "meter": "4/4", "bars": [0, 4, 20]}
        rows.append({**row, "steps": steps})
    return rows


@pytest.fixture(scope="session")
def chorales_file(tmp_path_factory: pytest.TempPathFactory, chorale_rows: list[dict[str, Any]]) -> Path:
    """The same as JSON lines."""
    path = tmp_path_factory.mktemp("chorales") / "chorales.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in chorale_rows))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint that generates tunes, though no good ones. Read it; do not change it."""
    return _trained(SAMPLES, tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_chorale(tmp_path_factory: pytest.TempPathFactory, chorales_file: Path) -> Path:
    """A small checkpoint that generates chorales, though no good ones."""
    return _trained(chorales_file, tmp_path_factory.mktemp("tiny-chorale") / "model")


def _trained(data: Path, out: Path) -> Path:
    from suite.training.train import train

    return train("music", data=data, dev=data, out=out, settings=SMALL).path
