"""The figures of the speech task: telephone prompts, numbers, and sentences in voices held out of training.

Both shipped models are measured in the same way: with greedy decoding, and with their defaults, a beam search with the
n-gram language model of the training texts.
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
from suite_speech import Speech

from suite.data.audio import Samples, read_audio, split_samples
from suite.inference.evaluation import evaluate
from suite.inference.live_audio import PIECE_SECONDS, LatencyMeter, real_time_factor
from suite.inference.model import LoadedModel
from suite.inference.sessions import open_session
from suite.plugins import registry
from suite.task import Example
from suite.task.transcription import Transcript, TranscriptDecoder

TASK = "speech"
#: The models, the default one first.
NAMES = ("transducer", "ctc")
examples_of = partial(engine.examples_of, TASK)
AnyModel = LoadedModel[Any, Any]
#: The prompts' test part read by pocketsphinx with its large US English model, measured before: wer and cer, and the
#: real-time factor.
POCKETSPHINX, THEIR_FACTOR = {"wer": 0.625, "cer": 0.337}, 0.34
#: Floor and aim of the prompts.
PROMPTS: dict[str, dict[str, tuple[float, float]]] = {
    "transducer": {"wer": (0.50, 0.20), "cer": (0.20, 0.08)},
    "ctc": {"wer": (0.45, 0.20), "cer": (0.20, 0.08)},
}
#: Floor and aim of each kind of text in synthesized voices, and whether they are of texts that are not in training.
SPOKEN = {"numbers": (0.15, 0.03, True), "sentences": (0.40, 0.15, False), "prompts": (None, None, False)}
#: The same for real speech by other people.
SAID = {"commands": (None, 0.22, False), "book": (None, None, False)}
#: Pieces of a stream, in seconds; 0 is the whole.
PIECES = (0.001, 0.01, 0.037, PIECE_SECONDS, 1.0, 0.0)
#: Length of the stream whose memory is measured.
HOURS = {"transducer": 2.0, "ctc": 10.0}


def measure(
    places: Mapping[str, Path] | None = None, hours: Mapping[str, float] = HOURS
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Every row of both models: the shipped ones, or the checkpoints in ``places``.

    Raises SystemExit if a model is missing.
    """
    places = registry().task(TASK).shipped if places is None else places
    for name in NAMES:
        if name not in places:
            raise SystemExit(f"figures: no model {name}; train one (docs/tasks.md)")
        yield from rows(name, places[name], hours[name])


def rows(name: str, place: Path, hours: float) -> Iterator[dict[str, Any]]:
    prompts, voices, others = engine.folders(TASK, "voices", "others")
    model = LoadedModel.open(TASK, place)

    test = examples_of(prompts / "test.jsonl")
    greedy, usual = evaluate(model, test, beam=1)[0], evaluate(model, test)[0]
    for metric, bounds in PROMPTS[name].items():
        yield row(
            f"{name}: {metric}, prompts, test, {len(test)}, greedy", greedy[metric], *bounds,
            references={"pocketsphinx": POCKETSPHINX[metric]}, **_interval(metric, greedy),
        )  # fmt: skip
    measured = f"{name}: wer, prompts, test, n-gram model of the training text"
    yield row(measured, usual["wer"], 0.40, 0.15, cer=usual["cer"], **_interval("wer", usual))

    learnt = [example for folder in (prompts, voices) for example in examples_of(folder / "train.jsonl")]
    yield from by_source(model, name, "in voices not learnt from", voices, learnt, SPOKEN)
    yield only_numbers(model, name, voices, learnt)
    yield from by_source(model, name, "real speech by others", others, learnt, SAID)

    sounds = [read_audio(example.input) for example in test]
    same, apart = chunked(model, sounds)
    measured = f"{name}: recordings with the same text in pieces of {PIECES[0] * 1000:g} ms to the whole"
    yield row(measured, same, 1, 1)
    yield row(f"{name}: the most that outputs differ then", apart, 1e-4, 1e-4)
    cost = engine.in_process("factor", str(place), str(prompts / "test.jsonl"), module=f"figures_{TASK}")
    yield row(
        f"{name}: real-time factor of a stream, pieces of 100 ms, one core", cost["factor"], 0.10, 0.02,
        references={"pocketsphinx": THEIR_FACTOR},
    )  # fmt: skip
    late = latency(model, sounds)
    yield row(f"{name}: seconds from a word's end to its appearing, median", late, 0.5, 0.25)
    grown = engine.in_process("memory", str(place), str(prompts / "test.jsonl"), hours, module=f"figures_{TASK}")
    measured = f"{name}: memory after {hours:g} hours of a stream over a minute, MB"
    yield row(measured, grown.pop("growth_mb"), 5, 0.5, **grown)
    yield row(f"{name}: checkpoint directory, MB", engine.directory_mb(place), 12, 8)


def _interval(metric: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"wer_95": found["wer_95"]} if metric == "wer" else {}


def by_source(
    model: AnyModel, name: str, what: str, folder: Path, learnt: Sequence[Example],
    bounds: Mapping[str, tuple[float | None, float | None, bool]],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """A row for some sources of a test part, with the figure of greedy decoding beside it.

    Where ``bounds`` say so, they apply to the items whose text is not in training, in a row of their own.
    """
    examples = examples_of(folder / "test.jsonl")
    found, greedy = (evaluate(model, examples, **how)[0]["per_source"] for how in ({}, {"beam": 1}))
    known = {str(example.target) for example in learnt}
    for source, (floor, aim, fresh) in bounds.items():
        own, likeliest = found[source], greedy[source]["wer"]
        within: tuple[float | None, float | None] = (None, None) if fresh else (floor, aim)
        measured = f"{name}: wer, {source}, {what}, {own['items']}"
        yield row(measured, own["wer"], *within, cer=own["cer"], greedy=likeliest)
        if fresh:
            unread = [e for e in examples if e.values.get("source") == source and str(e.target) not in known]
            own, likeliest = evaluate(model, unread)[0], evaluate(model, unread, beam=1)[0]["wer"]
            measured = f"{name}: wer, {source} not learnt from, {what}, {own['items']}"
            yield row(measured, own["wer"], floor, aim, cer=own["cer"], greedy=likeliest, wer_95=own["wer_95"])


def only_numbers(model: AnyModel, name: str, voices: Path, learnt: Sequence[Example]) -> dict[str, Any]:
    """All numbers, with the output restricted to the words of the numbers in training."""
    numbers = [e for e in examples_of(voices / "test.jsonl") if e.values.get("source") == "numbers"]
    words = sorted({w for e in learnt if e.values.get("source") == "numbers" for w in str(e.target).split()})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "words.txt"
        file.write_text("\n".join(words), encoding="utf-8")
        found = evaluate(model, numbers, vocabulary=file, only=True)[0]
    measured = f"{name}: wer, numbers in voices not learnt from, {len(numbers)}, only the words of numbers"
    return row(measured, found["wer"], None, None, cer=found["cer"], words=len(words))


# --- streams ----------------------------------------------------------------------------------------------------


def pieces_of(sound: tuple[Samples, int], seconds: float) -> Iterator[Samples]:
    samples, rate = sound
    return split_samples(samples, round(seconds * rate) or len(samples))


def chunked(model: AnyModel, sounds: Sequence[tuple[Samples, int]]) -> tuple[float, float]:
    """The share of recordings whose text is the same in all ``PIECES``, and the most that outputs differ from whole."""
    same, apart, recorder = 0, 0.0, Recorder()
    recorded = LoadedModel(recorder, model.codecs, model.runtime)
    for sound in sounds:
        texts, outputs = set(), []
        for seconds in PIECES:
            session, kept = open_session(recorded, sample_rate=sound[1]), recorder.start()
            for piece in pieces_of(sound, seconds):
                session.feed(piece)
            texts.add(text_of(session.finish()))
            outputs.append(np.concatenate(kept))
        same += len(texts) == 1
        apart = max(apart, *(float(np.abs(some - outputs[-1]).max()) for some in outputs))
    return same / len(sounds), apart


class Recorder(Speech):
    """Speech that keeps the outputs of its model, as its decoders get them."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    def start(self) -> list[np.ndarray]:
        """A fresh list for the outputs from here on."""
        self.kept = []
        return self.kept

    def stream_decoder(self, model: AnyModel, pending: Any, **options: Any) -> TranscriptDecoder:
        return RecordingDecoder(self, model, pending, **options)


class RecordingDecoder(TranscriptDecoder):
    """A decoder that gives a ``Recorder`` its outputs."""

    def __init__(self, recorder: Recorder, model: AnyModel, pending: Any, **options: Any) -> None:
        super().__init__(model, pending, **options)
        self._recorder = recorder

    def feed(self, outputs: np.ndarray) -> list[Transcript]:
        self._recorder.kept.append(np.array(outputs))
        return super().feed(outputs)


def text_of(result: Any) -> str:
    return str(result.text)


def latency(model: AnyModel, sounds: Sequence[tuple[Samples, int]]) -> float:
    """The median seconds from a word's end to its appearing, audio and computing, in pieces of a tenth of a second."""
    latencies: list[float] = []
    for sound in sounds:
        session, meter = open_session(model, sample_rate=sound[1]), LatencyMeter(sound[1])
        for piece in pieces_of(sound, PIECE_SECONDS):
            list(meter.timed(session.updates(piece), len(piece), False))
        list(meter.timed(session.remaining_updates(), 0, False))
        latencies += meter.latencies
    return statistics.median(latencies)


def factor(checkpoint: str, file: str) -> dict[str, float]:
    """Seconds computed per second of a stream, on one thread."""
    os.environ["SUITE_THREADS"] = "1"
    model = LoadedModel.open(TASK, checkpoint)
    sounds = [example.input for example in examples_of(Path(file))]
    real_time_factor(model, sounds[:1])
    return {"factor": statistics.median(real_time_factor(model, sounds) for _ in range(5))}


def memory(checkpoint: str, file: str, hours: float) -> dict[str, float]:
    """Growth of the process in MB between a minute and so many hours of one stream, of recordings in a loop."""
    model = LoadedModel.open(TASK, checkpoint)
    sounds = [read_audio(example.input) for example in examples_of(Path(file))]
    session = open_session(model, sample_rate=sounds[0][1])
    seconds = before = 0.0
    for samples, rate in itertools.cycle(sounds):
        for piece in pieces_of((samples, rate), 1.0):
            # As in a program that shows each update and keeps none.
            for _ in session.updates(piece):
                pass
            seconds += len(piece) / rate
        if not before and seconds >= 60:
            before = engine.used_mb()
        if seconds >= hours * 3600:
            break
    return {"before_mb": before, "growth_mb": engine.used_mb() - before, "seconds": seconds}
