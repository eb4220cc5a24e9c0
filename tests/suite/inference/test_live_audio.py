"""Live audio: latency, the real-time factor, and standard input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data.audio import wav_bytes
from suite.errors import DataError
from suite.inference.live_audio import LatencyMeter, blocks_of
from suite.task import Result


@dataclass(frozen=True, kw_only=True)
class Words(Result):
    words: tuple[dict[str, Any], ...]


def update(*ends: float) -> Iterator[Words]:
    yield Words(input=None, words=tuple({"word": "w", "end": end} for end in ends))


def test_the_latency_of_a_word_is_counted_once() -> None:
    meter = LatencyMeter(8000)
    (plain,) = meter.timed(update(0.5), 8000, False)
    (timed,) = meter.timed(update(0.5, 1.25), 8000, True)
    assert plain.seconds is None
    assert timed.seconds is not None
    assert meter.audio_seconds == 2
    assert meter.latencies == [pytest.approx(0.5, abs=0.1), pytest.approx(0.75, abs=0.1)]
    assert meter.report().startswith("2.0 s of audio in 0.0")
    assert "median latency of words" in meter.report()


def test_the_report_without_audio() -> None:
    assert LatencyMeter(8000).report() == "0.0 s of audio in 0.00 s: real-time factor 0.000"


def test_the_blocks_of_a_file(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 70_000).astype(np.float32)
    (tmp_path / "a.wav").write_bytes(wav_bytes(samples, 8000))
    blocks = list(blocks_of(tmp_path / "a.wav"))
    assert {rate for _, rate in blocks} == {8000}
    np.testing.assert_allclose(np.concatenate([block for block, _ in blocks]), samples, atol=1 / 32768)
    (tmp_path / "none.wav").write_bytes(wav_bytes(samples[:0], 8000))
    with pytest.raises(DataError, match="no samples in it"):
        list(blocks_of(tmp_path / "none.wav"))
