"""The benchmarks as modules, and a small set of pairs in two languages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

THINGS = {
    "it": {"library": "libreria", "game": "gioco", "tool": "strumento", "server": "servente", "editor": "redattore"},
    "de": {"library": "Bibliothek", "game": "Spiel", "tool": "Werkzeug", "server": "Server", "editor": "Editor"},
}
PATTERNS = {
    "it": {"The {} is small.": "La {} è piccola.", "Is it {} 2.0?": "È {} 2.0?"},
    "de": {"The {} is small.": "Die {} ist klein.", "Is it {} 2.0?": "Ist es {} 2.0?"},
}


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the form that the recipe of translation makes: the same ten pairs a language in every part."""
    folder = tmp_path_factory.mktemp("pairs")
    for to, place in (("it", folder), ("de", folder / "de")):
        place.mkdir(exist_ok=True)
        sides = [(a.format(x), b.format(y)) for a, b in PATTERNS[to].items() for x, y in THINGS[to].items()]
        rows = [json.dumps({"key": a, "source": a, "target": b, "to": to}) for a, b in sides]
        for part in ("train", "dev", "test"):
            (place / f"{part}.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings of a translation model that learns a few pairs by heart in a second."""
    return (
        "subwords.vocabulary=512", "subwords.min_count=1", "embedding.features=24", "embedding.dropout=0",
        "encoder.hidden=32", "encoder.layers=1", "encoder.dropout=0", "decoder.hidden=48", "decoder.dropout=0",
        "attention.features=16", "attention.heads=2", "head.dropout=0", "training.epochs=60",
        "training.batch_tokens=100", "training.lr=0.01", "training.ema=0", "training.patience=0",
        "training.label_smoothing=0", "training.hold_out=0",
    )  # fmt: skip
