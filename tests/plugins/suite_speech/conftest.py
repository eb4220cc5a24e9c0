"""Shared by the tests of speech: synthetic speech with a tone for each letter, and models overfitted to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import suite
from suite.data.audio import wav_bytes
from suite.inference.pipeline import Pipeline

RATE = 8000
#: A tone for each letter, Hz; a space is a hiss.
TONES = {"g": 300, "o": 700, "n": 1300, "e": 2100, "t": 3000}
WORDS = ("go", "on", "no", "one", "ten", "net")


def spoken(text: str, rate: int = RATE) -> np.ndarray:
    """A text as audio: a tone of 90 ms for each letter, with short silences between and around them."""
    random = np.random.default_rng(len(text))
    parts = [np.zeros(round(0.06 * rate))]
    for letter in text:
        times = np.arange(round(0.09 * rate)) / rate
        sound = random.normal(0, 0.3, len(times)) if letter == " " else np.sin(2 * np.pi * TONES[letter] * times)
        parts += [0.3 * sound * np.hanning(len(times)), np.zeros(round(0.06 * rate))]
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture(scope="session")
def speak() -> Callable[..., np.ndarray]:
    """``speak("go on", rate=8000)``: samples."""
    return spoken


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings of a model that overfits a few recordings in seconds."""
    return (
        "audio.mels=16", "audio.stack=3", "letters.alphabet=e gnot", "letters.digits=", "encoder.hidden=32",
        "encoder.layers=1",
        "encoder.dropout=0", "encoder.norm=none", "head.dropout=0", "prediction.hidden=12", "prediction.dropout=0",
        "joint=24", "masks.bands=0", "masks.times=0", "augment.speed=0", "augment.noise=0", "augment.reverb=0",
        "augment.band=0", "augment.tone=0", "augment.gain=3", "augment.silence=0.1", "training.epochs=60",
        "training.batch_size=4", "training.lr=0.02", "training.ema=0", "training.hold_out=0",
        "training.weights=float16",
    )  # fmt: skip


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings of words and of two at a time, with ``said.jsonl`` beside them."""
    folder = tmp_path_factory.mktemp("recordings")
    lines = []
    for i, word in enumerate(WORDS):
        for text in (word, f"{word} {WORDS[i - 1]}"):
            name = f"{text.replace(' ', '-')}.wav"
            (folder / name).write_bytes(wav_bytes(spoken(text), RATE))
            lines.append({"audio": name, "text": text, "source": "pairs" if " " in text else "words"})
    (folder / "said.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, recordings: Path) -> Path:
    out = tmp_path_factory.mktemp("speech") / "made"
    return suite.train("speech", data=recordings / "said.jsonl", out=out, settings=tiny).path


@pytest.fixture(scope="session")
def transducer(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, recordings: Path) -> Path:
    out = tmp_path_factory.mktemp("speech") / "transducer"
    data = recordings / "said.jsonl"
    settings = [
        *tiny,
        "training.epochs=150",
        "training.lr=0.02",
        "prediction.hidden=16",
        "encoder.hidden=48",
        "joint=48",
    ]
    return suite.train("speech", data=data, out=out, settings=settings, criterion="rnnt").path


@pytest.fixture(scope="session")
def hear(checkpoint: Path) -> Pipeline:
    return Pipeline.open("speech", checkpoint)
