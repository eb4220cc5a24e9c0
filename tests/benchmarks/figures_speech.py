"""The figures of the speech task: telephone prompts, numbers, and sentences in voices that nobody learnt from.

Both shipped models are measured in the same way; a language model leans on CTC alone.
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

from suite.data.audio import Samples, read
from suite.evaluation import evaluate
from suite.listening import PIECE, Clock, real_time_factor
from suite.ngrams import learn, write
from suite.pipelines import Pipeline
from suite.plugins import registry
from suite.streaming import ReadingSession

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
#: What a language model may weigh, and a word add: chosen on dev.
WEIGHTS, BONUSES, BEAM, ORDER = (0.2, 0.4, 0.7), (0.0, 1.0, 2.0), 32, 3
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
    if any(usual[metric] != greedy[metric] for metric in PROMPTS[name]):
        for metric in PROMPTS[name]:
            measured = f"{name}: {metric}, prompts, test, {len(test)}, as it comes"
            yield row(measured, usual[metric], None, None, **_interval(metric, usual))
    yield leaning(name, pipeline, prompts, voices)

    measured = f"{name}: wer, {{source}} in voices not learnt from, test, {{items}}"
    bounds = {"numbers": (0.15, 0.03), "sentences": (0.40, 0.15), "prompts": (None, None)}
    yield from by_source(pipeline, voices, measured, bounds)
    measured = f"{name}: wer, real speech by others, {{source}}, {{items}} recordings"
    yield from by_source(pipeline, others, measured, {"commands": (None, 0.22), "book": (None, None)})

    sounds = [read(example.input) for example in test]
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
    pipeline: Pipeline, folder: Path, measured: str, bounds: Mapping[str, tuple[float | None, float | None]]
) -> Iterator[dict[str, Any]]:
    """A row for some sources of a test part; ``measured`` has a place for the source and for how many items it has."""
    found = evaluate(pipeline, examples_of(folder / "test.jsonl"))[0]["per_source"]
    for source, (floor, aim) in bounds.items():
        own = found[source]
        yield row(measured.format(source=source, items=own["items"]), own["wer"], floor, aim, cer=own["cer"])


def leaning(name: str, pipeline: Pipeline, prompts: Path, voices: Path) -> dict[str, Any]:
    """The prompts with an n-gram model of what training has read, nothing else; how much it counts is chosen on dev."""
    texts = [str(example.target) for folder in (prompts, voices) for example in examples_of(folder / "train.jsonl")]
    dev, test = (examples_of(prompts / f"{part}.jsonl") for part in ("dev", "test"))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "lm.arpa"
        write(learn(texts, ORDER), model)
        options: Any = {"beam": BEAM, "lm": model}
        tried = {
            (weight, bonus): evaluate(pipeline, dev, lm_weight=weight, word_bonus=bonus, **options)[0]["wer"]
            for weight, bonus in itertools.product(WEIGHTS, BONUSES)
        }
        weight, bonus = min(tried, key=lambda chosen: tried[chosen])
        found = evaluate(pipeline, test, lm_weight=weight, word_bonus=bonus, **options)[0]
    chosen = {"lm_weight": weight, "word_bonus": bonus, "dev": tried[weight, bonus]}
    return row(
        f"{name}: wer, prompts, test, n-gram model of the training text", found["wer"], 0.40, 0.15,
        wer_95=found["wer_95"], cer=found["cer"], beam=BEAM, order=ORDER, texts=len(texts), **chosen,
    )  # fmt: skip


# --- streams ----------------------------------------------------------------------------------------------------


def pieces_of(sound: tuple[Samples, int], seconds: float) -> Iterator[Samples]:
    samples, rate = sound
    size = round(seconds * rate) or len(samples)
    return (samples[at : at + size] for at in range(0, len(samples), size))


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
    sounds = [read(example.input) for example in examples_of(Path(file))]
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
