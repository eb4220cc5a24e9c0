"""Sound as log-mel steps, and resampling."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from suite.codecs.audio import FILE, AudioCodec, AudioSpec
from suite.errors import CheckpointError, DataError, UsageError
from suite.testing import check_codec


def noise(count: int, size: float = 0.1) -> np.ndarray:
    return (size * np.random.default_rng(count).standard_normal(count)).astype(np.float32)


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.fixture(scope="module")
def codec() -> AudioCodec:
    return AudioCodec.fit([noise(8000), noise(5000, 0.01)], AudioSpec(mels=24))


# --- steps ----------------------------------------------------------------------------------------------------


def cuts(raw: Any) -> Iterator[Sequence[np.ndarray]]:
    samples = np.asarray(raw)
    for size in (8, 100, 241, len(samples)):  # of 8 kHz, from a millisecond on
        yield [samples[i : i + size] for i in range(0, len(samples), size)]


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_any_pieces_give_the_same_bits_at_any_rate(codec: AudioCodec, rate: int) -> None:
    raws = [noise(count) for count in (1, 359, 361, 2000)]
    at, given = codec.at(rate), codec
    check_codec(given, raws, pieces=cuts)
    for raw in raws:
        for pieces in cuts(raw):
            feeder, steps = at.incremental(), []
            for piece in pieces:
                steps += feeder.feed(piece)
                feeder = at.incremental(json.loads(json.dumps(feeder.pending)))
            steps += feeder.flush()
            np.testing.assert_array_equal(np.concatenate([array for _, array in steps]), at.encode(raw))


def test_a_step_looks_at_nothing_to_come(codec: AudioCodec) -> None:
    samples = noise(4000)
    other = samples.copy()
    other[2000:] = 0
    step = codec.spec.stack * codec.spec.frame[1]
    same = (2000 - codec.spec.frame[0]) // step
    np.testing.assert_array_equal(codec.encode(samples)[:same], codec.encode(other)[:same])
    assert (codec.encode(samples)[same + 2] != codec.encode(other)[same + 2]).any()


def test_there_is_a_step_for_every_so_many_samples_and_for_the_silence_after_them(codec: AudioCodec) -> None:
    spec = codec.spec
    assert spec.step == pytest.approx(0.03)
    for count in (1, 240, 8000):
        wanted = (count + 2400 - (spec.frame[0] - spec.frame[1])) // 240
        assert codec.encode(noise(count)).shape == (wanted, codec.size)
    short = AudioCodec(AudioSpec(mels=24, tail=0), codec.mean, codec.spread)
    assert len(short.encode(noise(1))) == 1, "even of next to nothing there is a step"


def test_the_features_of_training_have_mean_zero_and_spread_one() -> None:
    codec = AudioCodec.fit([noise(80_000)], AudioSpec(tail=0))
    bands = codec.encode(noise(80_000)).reshape(-1, codec.spec.mels)
    np.testing.assert_allclose(bands.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(bands.std(0), 1, atol=1e-3)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    codec = AudioCodec(AudioSpec(mels=40, tail=0), (0.0,) * 40, (1.0,) * 40)
    for hertz in (300, 1000, 3000):
        bands = codec.encode(tone(hertz, 8000)).reshape(-1, 40).mean(0)
        mels = 2595 * np.log10(1 + np.array([hertz, 80.0, 3800.0]) / 700)
        place = (mels[0] - mels[1]) / (mels[2] - mels[1]) * 41 - 1
        assert abs(bands.argmax() - place) <= 1


@pytest.mark.parametrize("raw", [(noise(4000), 8000), noise(4000).tolist(), np.stack([noise(4000)] * 3, axis=1)])
def test_sound_comes_in_several_ways(codec: AudioCodec, raw: Any) -> None:
    np.testing.assert_allclose(codec.encode(raw), codec.encode(noise(4000)), atol=1e-4)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.zeros(0, np.float32), "no samples in it"), ("nowhere.wav", "no such file"), (3, "expected sound, got int"),
        ((noise(9), 10), "a rate of 10; give"), ((noise(9), 8000.5), "a rate of 8000.5; give"),
        (np.array([np.nan]), "sample 1 is not a number"), (np.array(["a"]), "give samples"),
    ],
)  # fmt: skip
def test_what_is_no_sound(codec: AudioCodec, raw: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        codec.encode(raw)


def test_a_stream_has_one_rate_and_one_end(codec: AudioCodec) -> None:
    feeder = codec.incremental()
    assert feeder.flush() == []
    feeder.feed((noise(1000), 16000))
    with pytest.raises(DataError, match="samples at 8,000 a second after some at 16,000"):
        feeder.feed((noise(9), 8000))
    with pytest.raises(DataError, match="expected sound, got str"):
        feeder.feed("a.wav")
    assert feeder.flush()
    assert feeder.flush() == []
    with pytest.raises(DataError, match="the recording is over"):
        feeder.feed((noise(9), 16000))


def test_an_impossible_rate(codec: AudioCodec) -> None:
    with pytest.raises(UsageError, match="sample_rate=10: give samples a second"):
        codec.at(10)


def test_nothing_to_fit_on() -> None:
    with pytest.raises(DataError, match="no recordings to fit on"):
        AudioCodec.fit([])
    still = AudioCodec.fit([np.zeros(1000, np.float32)])
    assert set(still.spread) == {1.0}


@pytest.mark.parametrize(
    "settings", [{"hop": 0.0}, {"hop": 0.03}, {"low": 5000.0}, {"high": 4001.0}, {"floor": 0.0}, {"rate": 100}]
)
def test_settings_that_make_no_sense(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        AudioSpec(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"audio": {}, "mean": [], "spread": []}', b'{"audio": {"mels": 1}, "mean": ["x"], "spread": [1]}',
     b'{"audio": {"mels": 1}, "mean": [0], "spread": [0]}'],
)  # fmt: skip
def test_files_that_do_not_fit(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=FILE):
        AudioCodec.from_files({FILE: content})
