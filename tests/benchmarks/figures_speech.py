"""The figures of the speech task: telephone prompts, numbers, and sentences in voices that nobody learnt from.

Both shipped models are measured in the same way: by the likeliest letters alone (greedy), and as they come, leaning on
the n-grams of their training's texts.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import engine
import numpy as np
from engine import row

from suite.data.audio import Samples, read_audio, split_samples
from suite.inference.evaluation import evaluate
from suite.inference.live_audio import PIECE, Clock, real_time_factor
from suite.inference.pipeline import Pipeline
from suite.inference.streaming import ReadingSession
from suite.plugins import registry
from suite.task import Example

TASK = "speech"
#: The models, the default one first.
NAMES = ("transducer", "ctc")
examples_of = partial(engine.examples_of, TASK)
#: The prompts' test part read by pocketsphinx with its large US English model, measured before: wer and cer, and the
#: real-time factor.
POCKETSPHINX, THEIR_FACTOR = {"wer": 0.625, "cer": 0.337}, 0.34
#: Floor and aim of the prompts.
PROMPTS: dict[str, dict[str, tuple[float, float]]] = {
    "transducer": {"wer": (0.50, 0.20), "cer": (0.20, 0.08)},
    "ctc": {"wer": (0.45, 0.20), "cer": (0.20, 0.08)},
}
#: Floor and aim of what voices say, and whether these are of texts alone that training has not read.
SPOKEN = {"numbers": (0.15, 0.03, True), "sentences": (0.40, 0.15, False), "prompts": (None, None, False)}
#: The same of what other people say.
SAID = {"commands": (None, 0.22, False), "book": (None, None, False)}
#: Pieces of a stream, in seconds; 0 is the whole.
PIECES = (0.001, 0.01, 0.037, PIECE, 1.0, 0.0)
#: How long a stream goes on whose memory is looked at.
HOURS = {"transducer": 2.0, "ctc": 10.0}


def measure(
    places: Mapping[str, Path] | None = None, hours: Mapping[str, float] = HOURS
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Every row of both models; of other checkpoints than those shipped, and with other long streams, if asked for.

    Raises SystemExit where a model is not there.
    """
    places = registry().task(TASK).shipped if places is None else places
    for name in NAMES:
        if name not in places:
            raise SystemExit(f"figures: no model {name}; train one (docs/tasks.md)")
        yield from rows(name, places[name], hours[name])


def rows(name: str, place: Path, hours: float) -> Iterator[dict[str, Any]]:
    prompts, voices, others = engine.folders(TASK, "voices", "others")
    pipeline = Pipeline.open(TASK, place)

    test = examples_of(prompts / "test.jsonl")
    greedy, usual = evaluate(pipeline, test, beam=1)[0], evaluate(pipeline, test)[0]
    for metric, bounds in PROMPTS[name].items():
        yield row(
            f"{name}: {metric}, prompts, test, {len(test)}, greedy", greedy[metric], *bounds,
            references={"pocketsphinx": POCKETSPHINX[metric]}, **_interval(metric, greedy),
        )  # fmt: skip
    measured = f"{name}: wer, prompts, test, n-gram model of the training text"
    yield row(measured, usual["wer"], 0.40, 0.15, cer=usual["cer"], **_interval("wer", usual))

    learnt = [example for folder in (prompts, voices) for example in examples_of(folder / "train.jsonl")]
    yield from by_source(pipeline, name, "in voices not learnt from", voices, learnt, SPOKEN)
    yield only_numbers(pipeline, name, voices, learnt)
    yield from by_source(pipeline, name, "real speech by others", others, learnt, SAID)

    sounds = [read_audio(example.input) for example in test]
    same, apart = chunked(pipeline, sounds)
    measured = f"{name}: recordings with the same text in pieces of {PIECES[0] * 1000:g} ms to the whole"
    yield row(measured, same, 1, 1)
    yield row(f"{name}: the most that outputs differ then", apart, 1e-4, 1e-4)
    cost = engine.in_process("factor", str(place), str(prompts / "test.jsonl"), module=f"figures_{TASK}")
    yield row(
        f"{name}: real-time factor of a stream, pieces of 100 ms, one core", cost["factor"], 0.10, 0.02,
        references={"pocketsphinx": THEIR_FACTOR},
    )  # fmt: skip
    late = lateness(pipeline, sounds)
    yield row(f"{name}: seconds from a word's end to its appearing, median", late, 0.5, 0.25)
    grown = engine.in_process("memory", str(place), str(prompts / "test.jsonl"), hours, module=f"figures_{TASK}")
    measured = f"{name}: memory after {hours:g} hours of a stream over a minute, MB"
    yield row(measured, grown.pop("growth_mb"), 5, 0.5, **grown)
    yield row(f"{name}: checkpoint directory, MB", engine.directory_mb(place), 12, 8)


def _interval(metric: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"wer_95": found["wer_95"]} if metric == "wer" else {}


def by_source(
    pipeline: Pipeline, name: str, what: str, folder: Path, learnt: Sequence[Example],
    bounds: Mapping[str, tuple[float | None, float | None, bool]],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """A row for some sources of a test part, beside it the figure of the likeliest letters alone.

    Where ``bounds`` say so, they are of the items alone whose text training has not read, in a row of their own.
    """
    examples = examples_of(folder / "test.jsonl")
    found, greedy = (evaluate(pipeline, examples, **how)[0]["per_source"] for how in ({}, {"beam": 1}))
    known = {str(example.target) for example in learnt}
    for source, (floor, aim, fresh) in bounds.items():
        own, likeliest = found[source], greedy[source]["wer"]
        within: tuple[float | None, float | None] = (None, None) if fresh else (floor, aim)
        measured = f"{name}: wer, {source}, {what}, {own['items']}"
        yield row(measured, own["wer"], *within, cer=own["cer"], greedy=likeliest)
        if fresh:
            unread = [e for e in examples if e.values.get("source") == source and str(e.target) not in known]
            own, likeliest = evaluate(pipeline, unread)[0], evaluate(pipeline, unread, beam=1)[0]["wer"]
            measured = f"{name}: wer, {source} not learnt from, {what}, {own['items']}"
            yield row(measured, own["wer"], floor, aim, cer=own["cer"], greedy=likeliest, wer_95=own["wer_95"])


def only_numbers(pipeline: Pipeline, name: str, voices: Path, learnt: Sequence[Example]) -> dict[str, Any]:
    """All numbers, where it is known that they are: the words of those that training has read, and no others."""
    numbers = [e for e in examples_of(voices / "test.jsonl") if e.values.get("source") == "numbers"]
    words = sorted({w for e in learnt if e.values.get("source") == "numbers" for w in str(e.target).split()})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "words.txt"
        file.write_text("\n".join(words), encoding="utf-8")
        found = evaluate(pipeline, numbers, vocabulary=file, only=True)[0]
    measured = f"{name}: wer, numbers in voices not learnt from, {len(numbers)}, only the words of numbers"
    return row(measured, found["wer"], None, None, cer=found["cer"], words=len(words))


# --- streams ----------------------------------------------------------------------------------------------------


def pieces_of(sound: tuple[Samples, int], seconds: float) -> Iterator[Samples]:
    samples, rate = sound
    return split_samples(samples, round(seconds * rate) or len(samples))


def chunked(pipeline: Pipeline, sounds: Sequence[tuple[Samples, int]]) -> tuple[float, float]:
    """The share of recordings whose text is the same in all ``PIECES``, and the most that outputs differ from whole."""
    same, apart = 0, 0.0
    for sound in sounds:
        texts, outputs = set(), []
        for seconds in PIECES:
            session = Kept(pipeline, sample_rate=sound[1])
            for piece in pieces_of(sound, seconds):
                session.feed(piece)
            texts.add(session.finish().text)  # type: ignore[attr-defined]
            outputs.append(np.concatenate(session.kept))
        same += len(texts) == 1
        apart = max(apart, *(float(np.abs(some - outputs[-1]).max()) for some in outputs))
    return same / len(sounds), apart


class Kept(ReadingSession):
    """A session that keeps what its model says of each step."""

    def __init__(self, pipeline: Pipeline, **options: Any) -> None:
        super().__init__(pipeline, **options)
        self.kept: list[np.ndarray] = []
        reading = self._reader.feed

        def feed(outputs: np.ndarray) -> Any:
            self.kept.append(np.array(outputs))
            return reading(outputs)

        self._reader.feed = feed  # type: ignore[method-assign]


def lateness(pipeline: Pipeline, sounds: Sequence[tuple[Samples, int]]) -> float:
    """How long after its end a word is shown, heard and computed together, in pieces of a tenth of a second."""
    late: list[float] = []
    for sound in sounds:
        session, clock = ReadingSession(pipeline, sample_rate=sound[1]), Clock(sound[1])
        for piece in pieces_of(sound, PIECE):
            list(clock.timed(session.updates(piece), len(piece), False))
        list(clock.timed(iter(session.flush()), 0, False))
        late += clock.late
    return statistics.median(late)


def factor(checkpoint: str, file: str) -> dict[str, float]:
    """Seconds computed per second of a stream, on one thread."""
    os.environ["SUITE_THREADS"] = "1"
    pipeline = Pipeline.open(TASK, checkpoint)
    sounds = [example.input for example in examples_of(Path(file))]
    real_time_factor(pipeline, sounds[:1])
    return {"factor": statistics.median(real_time_factor(pipeline, sounds) for _ in range(5))}


def memory(checkpoint: str, file: str, hours: float) -> dict[str, float]:
    """Growth of the process in MB between a minute and so many hours of one stream, of recordings over and over."""
    pipeline = Pipeline.open(TASK, checkpoint)
    sounds = [read_audio(example.input) for example in examples_of(Path(file))]
    session = ReadingSession(pipeline, sample_rate=sounds[0][1])
    heard = before = 0.0
    for samples, rate in itertools.cycle(sounds):
        for piece in pieces_of((samples, rate), 1.0):
            # As a program does that shows each update and keeps none.
            for _ in session.updates(piece):
                pass
            heard += len(piece) / rate
        if not before and heard >= 60:
            before = engine.used_mb()
        if heard >= hours * 3600:
            break
    return {"before_mb": before, "growth_mb": engine.used_mb() - before, "seconds": heard}
