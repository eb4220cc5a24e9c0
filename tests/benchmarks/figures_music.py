"""The figures of the music task: how well pieces are predicted, and statistics of generated pieces.

Generated tunes are parsed, and their keys found, by music21, which may live in an environment of its own:
``MUSIC21_PYTHON=…/bin/python make figures TASK=music``.
"""

from __future__ import annotations

import json
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
from engine import row
from ngram import NGram
from suite_music.notation import abc
from suite_music.notation.chorales import Chorale, ChoraleCodec
from suite_music.notation.notes import heard
from suite_music.notation.statistics import CopyCheck, full_bar_share
from suite_music.notation.tune_rules import TuneRules

import suite
from suite.errors import UsageError
from suite.plugins import registry

TUNES, CHORALES, SEED = 1000, 100, 2026
LONG = 24  # notes


def measure() -> Iterator[dict[str, Any]]:
    task = registry().task("music")
    (folder,) = engine.folders("music")

    figures = suite.evaluate("music", folder / "test.jsonl")
    yield row(
        "bits_per_char, 304 test tunes", figures["bits_per_char"], 1.95, 1.6, nats_per_token=figures["nats_per_token"]
    )
    figures = suite.evaluate("music", folder / "chorales" / "test.jsonl", checkpoint="chorale")
    reference = chorale_reference(folder / "chorales")
    ours = figures["nats_per_step"]
    below = 100 * (1 - ours / reference)
    name = "nats a step, test chorales, below an order-4 n-gram, %"
    yield row(name, below, 10, 30, higher=True, ours=ours, reference=reference)

    pipeline = suite.pipeline("music")
    real = [str(json.loads(line)["text"]) for line in (folder / "test.jsonl").open(encoding="utf-8")]
    asked = [heads(text) for text in real]
    asked = [head for head in asked if obtainable(pipeline, head)]
    asked = [asked[i % len(asked)] for i in range(TUNES)]
    texts = [result.abc for result in generated(pipeline, asked)]
    yield row("bars filled, 1,000 written tunes", full_bar_share(texts), full_bar_share(real), 1, higher=True,
              real=full_bar_share(real))  # fmt: skip
    obeyed = statistics.mean(heads(text) == head for text, head in zip(texts, asked, strict=True))
    yield row("key and meter stated as asked for", obeyed, 1, 1, higher=True)
    if (found := by_music21(texts)) is not None:
        theirs = by_music21(real)
        assert theirs is not None
        yield row("written tunes that music21 parses", found["parsed"], 0.99, 1, higher=True, real=theirs["parsed"])
        yield row("key found by music21 is the key stated", found["key"], theirs["key"] - 0.05, theirs["key"],
                  higher=True, real=theirs["key"])  # fmt: skip
    training = [str(json.loads(line)["text"]) for line in (folder / "train.jsonl").open(encoding="utf-8")]
    check = CopyCheck(map(heard, training))
    runs = [check.longest(heard(text)).notes for text in texts]
    theirs_too = [check.longest(heard(text)).notes for text in real]
    yield row(f"written tunes that share over {LONG} notes with training", over(runs), 0.05, 0.01,
              mean=statistics.mean(runs), real=over(theirs_too))  # fmt: skip
    rows = [json.loads(line) for line in (folder / "chorales" / "train.jsonl").open(encoding="utf-8")]
    check = CopyCheck(heard(Chorale.from_row(one)) for one in rows)
    chorales = [result.notes for result in suite.pipeline("music", "chorale").generate(count=CHORALES, seed=SEED)]
    runs = [check.longest(_notes(notes)).notes for notes in chorales]
    yield row(f"written chorales that share over {LONG} notes with training", over(runs), 0.05, 0.01,
              mean=statistics.mean(runs))  # fmt: skip

    speed = engine.in_process("streaming", 20_000, module="figures_music")
    yield row("notes a second, one stream", speed.pop("notes_per_second"), 500, 5000, higher=True, **speed)
    memory = engine.in_process("memory", 1_000_000, module="figures_music")
    yield row("memory after 1,000,000 tokens over 1,000, MB", memory.pop("growth_mb"), 5, 0.5, **memory)
    for name, place in task.shipped.items():
        yield row(f"checkpoint directory of {name}, MB", engine.directory_mb(place), 12, 5)


def over(runs: Sequence[int]) -> float:
    return statistics.mean(run > LONG for run in runs)


def _notes(values: Sequence[Any]) -> list[Any]:
    from suite_music.notation.notes import Note

    return [Note(**value) for value in values]


def heads(text: str) -> tuple[Any, Any]:
    """The first key and meter that a tune states."""
    stated: dict[str, Any] = {}
    for event in abc.events(text):
        stated.setdefault(event.kind, event.value)
    return stated.get("key"), stated.get("meter")


def as_path(head: tuple[Any, Any]) -> dict[str, str]:
    """A key and a meter as options of ``generate``."""
    key, meter = head
    name = "CDEFGAB"[key.letter] + {-1: "b", 0: "", 1: "#"}[key.alter] + ("" if key.mode == "maj" else key.mode)
    return {"key": name, "meter": f"{meter[0]}/{meter[1]}"}


def obtainable(pipeline: Any, head: tuple[Any, Any]) -> bool:
    """Whether the model knows a key and a meter; a rare one may have been too rare to learn."""
    if None in head:
        return False
    try:
        TuneRules(pipeline.codecs.input, **as_path(head))
    except UsageError:
        return False
    return True


def generated(pipeline: Any, asked: Sequence[tuple[Any, Any]]) -> Iterator[Any]:
    """A tune for each key and meter; default settings."""
    for number, head in enumerate(asked):
        yield from pipeline.generate(**as_path(head), seed=SEED + number)


def chorale_reference(folder: Path) -> float:
    """Nats a step of an order-4 n-gram over the same tokens, on the test part."""
    codec = ChoraleCodec()
    parts = {
        name: [Chorale.from_row(json.loads(line)) for line in (folder / f"{name}.jsonl").open(encoding="utf-8")]
        for name in ("train", "test")
    }
    model = NGram((codec.targets(piece).tolist() for piece in parts["train"]), 4, codec.size)
    nats = sum(model.nats(codec.targets(piece).tolist()) for piece in parts["test"])
    return nats / sum(len(piece.steps) for piece in parts["test"])


PARSING = """
import json, sys, warnings
warnings.filterwarnings("ignore")
from music21 import converter
parsed = keys = 0
texts = json.load(open(sys.argv[1]))
for text in texts:
    try:
        score = converter.parse("X:1\\n" + text, format="abc")
        notes = list(score.recurse().notes)
        stated = next(iter(score.recurse().getElementsByClass("Key")))
    except Exception:
        continue
    parsed += bool(notes)
    found = score.analyze("key")
    keys += (found.tonic.name, found.mode) == (stated.tonic.name, stated.mode)
print(json.dumps({"parsed": parsed / len(texts), "key": keys / len(texts)}))
"""


def by_music21(texts: Sequence[str]) -> dict[str, float] | None:
    """The share of tunes that music21 parses, and of those whose key it finds to be the one stated."""
    python = os.environ.get("MUSIC21_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import music21"], capture_output=True, check=False).returncode:
        print("music21 is not installed: parsing and keys not measured (set MUSIC21_PYTHON)", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "tunes.json"
        file.write_text(json.dumps(list(texts)), encoding="utf-8")
        done = subprocess.run([python, "-c", PARSING, str(file)], check=True, capture_output=True, text=True)
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def streaming(tokens: int) -> dict[str, float]:
    """Notes a second of one stream."""
    updates = suite.pipeline("music").stream(seed=SEED)
    next(updates)
    started, notes = time.perf_counter(), 0
    while notes < tokens // 2:
        notes += len(next(updates).notes)
    return {"notes_per_second": notes / (time.perf_counter() - started), "notes": notes}


def memory(tokens: int) -> dict[str, float]:
    """Growth of the process between token 1,000 and token ``tokens`` of one stream (two tokens an update, about)."""
    updates = suite.pipeline("music").stream(seed=SEED)
    before, characters = 0.0, 0
    for number in range(tokens // 2):
        characters += len(next(updates).text)
        if number == 1000:
            before = engine.used_mb()
    return {"before_mb": before, "growth_mb": engine.used_mb() - before, "characters": characters}
