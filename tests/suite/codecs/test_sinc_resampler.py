"""Audio from one sample rate to another."""

from __future__ import annotations

import json

import numpy as np
import pytest

from suite.codecs.sinc_resampler import SincResampler, resample_audio


def noise(count: int, size: float = 0.1) -> np.ndarray:
    return (size * np.random.default_rng(count).standard_normal(count)).astype(np.float32)


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000, 96000])
def test_what_both_rates_can_hold_stays_and_the_rest_goes(rate: int) -> None:
    for hertz in (200, 1000, 3300):
        found = resample_audio(tone(hertz, rate), rate, 8000)
        np.testing.assert_allclose(found[200:-200], tone(hertz, 8000)[200 : len(found) - 200], atol=2e-3)
    if rate > 11025:
        assert np.abs(resample_audio(tone(5000, rate), rate, 8000)[200:-200]).max() < 1e-3
    up = resample_audio(tone(440, 8000), 8000, rate)
    np.testing.assert_allclose(up[400:-400], tone(440, rate)[400 : len(up) - 400], atol=2e-3)


def test_it_is_what_torchaudio_makes() -> None:
    torch = pytest.importorskip("torch")
    audio = pytest.importorskip("torchaudio.functional")
    samples = np.convolve(noise(8000), np.hanning(24) / 12, "same").astype(np.float32)
    theirs = audio.resample(torch.from_numpy(samples), 16000, 8000, lowpass_filter_width=64).numpy()
    np.testing.assert_allclose(resample_audio(samples, 16000, 8000)[100:-100], theirs[100:-100], atol=1e-3)


@pytest.mark.parametrize(("rate_from", "rate_to"), [(44100, 8000), (8000, 11025), (8001, 8000), (16000, 8000)])
def test_pieces_give_the_same_bits_and_the_length_does_not_drift(rate_from: int, rate_to: int) -> None:
    samples = noise(5001)
    whole = resample_audio(samples, rate_from, rate_to)
    assert len(whole) == -(-5001 * rate_to // rate_from)
    for size in (1, 17, 1000):
        resampler, found = SincResampler(rate_from, rate_to), []
        for at in range(0, len(samples), size):
            found.append(resampler.feed(samples[at : at + size]))
            if at % 5 == 0:
                resampler = SincResampler(rate_from, rate_to, json.loads(json.dumps(resampler.pending)))
        found.append(resampler.flush())
        np.testing.assert_array_equal(np.concatenate(found), whole)
        assert len(resampler._held) < 10_000, "what is held back does not grow"


def test_silence_and_a_constant_stay_what_they_are() -> None:
    assert not resample_audio(np.zeros(1000, np.float32), 44100, 8000).any()
    np.testing.assert_allclose(resample_audio(np.ones(9000, np.float32), 44100, 8000)[100:-100], 1, atol=1e-6)
