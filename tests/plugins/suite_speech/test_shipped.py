"""The shipped checkpoints: small, complete, and accurate on their samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_speech import Speech, SpeechConfig

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.data.audio import read_audio
from suite.inference.pipeline import Pipeline

Cli = Callable[..., Any]

TASK = Speech()
NAMES = tuple(TASK.shipped) or ("transducer",)
FILES = {"README.md", "model.safetensors", "encoder.onnx", "audio.json", "letters.json", "ngrams.npz", "curves.png"}
#: Further files of a transducer.
OF_TRANSDUCER = {"decoder.onnx", "joiner.onnx"}

pytestmark = pytest.mark.skipif(not TASK.ships, reason="no shipped checkpoint")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def hear(name: str) -> Pipeline:
    return Pipeline.open("speech", name)


@pytest.fixture(scope="module")
def opened(name: str) -> Checkpoint:
    return Checkpoint.open(TASK.shipped[name], task="speech")


def sample(name: str) -> Path:
    assert TASK.assets is not None
    return TASK.assets / "samples" / name


def said() -> dict[str, str]:
    rows = [json.loads(line) for line in sample("labelled.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["audio"]: row["text"] for row in rows}


def test_one_of_each_criterion_ships_and_the_transducer_is_the_default() -> None:
    assert set(TASK.shipped) == {"ctc", "transducer"}
    assert TASK.checkpoint == TASK.shipped["transducer"]


def test_it_is_small_and_whole(name: str, opened: Checkpoint) -> None:
    assert opened.size < 8_000_000
    assert opened.manifest.streams
    files = FILES | OF_TRANSDUCER if name == "transducer" else FILES
    assert set(opened.manifest.files) == files
    assert {path.name for path in opened.path.iterdir()} == {*files, "suite.json"}
    made: SpeechConfig = config.from_dict(TASK.config, opened.manifest.config)
    usual = SpeechConfig()
    assert (made.audio, made.encoder, made.augment) == (usual.audio, usual.encoder, usual.augment)
    assert made.expects == usual.expects


def test_its_card_says_what_it_is_for_and_how_well_it_does(opened: Checkpoint) -> None:
    card = (opened.path / "README.md").read_text(encoding="utf-8")
    assert opened.manifest.data["note"] in card
    assert "not" in opened.manifest.data["note"]
    assert f"| dev | wer | {opened.manifest.metrics['dev']['wer']:.4f} |" in card


def test_the_samples_are_transcribed(name: str) -> None:
    figures = suite.evaluate("speech", sample("labelled.jsonl"), name)
    assert figures["items"] == len(said())
    assert figures["cer"] < 0.1


def test_its_language_model_knows_the_prompts(hear: Pipeline) -> None:
    letters: Any = hear.codecs.target
    before = ["please", "enter"]
    assert letters.expects.score("your", before) > letters.expects.score("press", before)
    assert letters.expects.score("pound", ["press"]) > letters.expects.score("pound", ["pound"])


def test_words_have_times_in_their_order(hear: Pipeline) -> None:
    for said_in in said():
        samples, rate = read_audio(sample(said_in))
        words = hear(sample(said_in)).words
        times = [time for word in words for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= len(samples) / rate + 0.1


def test_a_stream_in_any_pieces_equals_predict(hear: Pipeline) -> None:
    first = sample(next(iter(said())))
    samples, rate = read_audio(first)
    for size in (7, 160, 4000, len(samples)):
        session = suite.stream(hear, sample_rate=rate)
        for at in range(0, len(samples), size):
            session.feed(samples[at : at + size])
        assert session.finish().text == hear(first).text


def test_a_quieter_recording_gives_the_same_text(hear: Pipeline) -> None:
    first = sample(next(iter(said())))
    samples, rate = read_audio(first)
    assert hear((samples * 0.3).astype(np.float32), sample_rate=rate).text == hear(first).text


def test_noise_has_a_low_confidence_or_no_text(hear: Pipeline) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    result: Any = hear(noise, sample_rate=16000)
    assert not result.text or "low confidence" in result.note


def test_the_demo(cli: Cli, tmp_path: Path) -> None:
    ran = cli("speech", "demo", "--plot", "x.png")
    assert ran.code == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_sources_are_named() -> None:
    assert TASK.assets is not None
    sources = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    assert all(f"`checkpoint/{name}/`" in sources for name in TASK.shipped)
