"""Live audio, from standard input or a microphone, with the latency of its words.

Data flow: bytes → samples → a session → transcripts. A word's latency is how much audio was read after the word's end
before it was shown, plus the time that was computed on it then.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from suite.codecs.audio import AudioCodec
from suite.codecs.audio_parsers import audio_parser
from suite.data.audio import BLOCK_FRAMES, Samples, open_audio, read_audio, split_samples
from suite.errors import DataError, MissingExtra, UsageError
from suite.inference.byte_streams import parsed_pieces
from suite.inference.model import LoadedModel
from suite.inference.sessions import open_session
from suite.progress import progress
from suite.task import Result

#: Seconds of audio that are fed at a time.
PIECE_SECONDS = 0.1
#: Seconds of audio that the real-time factor is measured over.
MEASURED_SECONDS = 60.0


def listen(
    model: LoadedModel[AudioCodec, Any], *, rate: int | None, format: str, channels: int, microphone: bool,
    timing: bool, stdin: IO[bytes] | None = None, **options: Any,
) -> Iterator[Result]:  # fmt: skip
    """The updates of a stream and its last result; with ``timing`` a line of figures on standard error at the end.

    Audio comes from the microphone, or from ``stdin``: raw samples if ``rate`` (Hz) is given, else a WAV.
    """
    if microphone:
        pieces = _microphone(model)
    else:
        parser = audio_parser(rate, format, channels)
        pieces = parsed_pieces(sys.stdin.buffer if stdin is None else stdin, parser)
    first = next(pieces, None)
    if first is None:
        raise DataError("standard input: no samples in it; is it the right file?")
    rate = first[1]
    session = open_session(model, sample_rate=rate, **options)
    meter = LatencyMeter(rate)
    for samples in _samples(first, pieces):
        # A file comes in large blocks, and words are to be shown when they are spoken all the same.
        for piece in split_samples(samples, round(PIECE_SECONDS * rate)):
            yield from meter.timed(session.updates(piece), len(piece), timing)
    yield from meter.timed(session.remaining_updates(), 0, timing)
    last = session.finish()
    yield dataclasses.replace(last, seconds=meter.seconds if timing else None)
    if timing:
        print(meter.report(), file=sys.stderr)


def _samples(first: tuple[Samples, int], rest: Iterator[tuple[Samples, int]]) -> Iterator[Samples]:
    yield first[0]
    for samples, _ in rest:
        yield samples


def blocks_of(path: str | Path) -> Iterator[tuple[Samples, int]]:
    """The blocks of a long recording and their rate, one at a time, with a progress bar on a terminal."""
    with open_audio(path) as sound:
        size = sound.frames
        pairs = ((block, sound.rate) for block in sound.blocks)
        any_block = False
        for pair in progress(pairs, lambda: None if size is None else -(-size // BLOCK_FRAMES), Path(path).name):
            any_block = True
            yield pair
    if not any_block:
        raise DataError("no samples in it; is it the right file?")


def _microphone(model: LoadedModel[AudioCodec, Any]) -> Iterator[tuple[Samples, int]]:
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        failed = error if isinstance(error, ImportError) else None
        raise MissingExtra("a microphone", "microphone", failed) from error
    rate = model.codecs.input.spec.rate
    try:
        with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as device:
            while True:
                yield device.read(round(PIECE_SECONDS * rate))[0][:, 0].copy(), rate
    except sounddevice.PortAudioError as error:
        raise UsageError(f"the microphone cannot be opened: {error}; is there one?") from error


class LatencyMeter:
    """How much audio was read, how long was computed, and the latency of words."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.audio_seconds, self.seconds = 0.0, 0.0
        self.latencies: list[float] = []
        self._known = 0.0  # the end of the last word that was shown

    def timed(self, updates: Iterator[Any], samples: int, timing: bool) -> Iterator[Result]:
        """The updates of the next ``samples`` samples, with the seconds they took if ``timing``."""
        self.audio_seconds += samples / self._rate
        begun = time.perf_counter()
        for update in updates:
            took = time.perf_counter() - begun
            for word in update.words:
                if word["end"] > self._known:
                    self.latencies.append(self.audio_seconds - word["end"] + took)
                    self._known = word["end"]
            # Half a day of words says no more than the last thousand.
            del self.latencies[:-1000]
            self.seconds += took
            yield dataclasses.replace(update, seconds=took) if timing else update
            begun = time.perf_counter()
        self.seconds += time.perf_counter() - begun

    def report(self) -> str:
        """The figures in one line."""
        factor = self.seconds / self.audio_seconds if self.audio_seconds else 0.0
        line = f"{self.audio_seconds:.1f} s of audio in {self.seconds:.2f} s: real-time factor {factor:.3f}"
        if self.latencies:
            line += f"; median latency of words {statistics.median(self.latencies):.2f} s"
        return line


def real_time_factor(model: LoadedModel[AudioCodec, Any], recordings: Sequence[Any], **options: Any) -> float:
    """Seconds computed per second of audio, over the first minute, fed in pieces of a tenth of a second."""
    audio = spent = 0.0
    for recording in recordings:
        samples, rate = read_audio(recording) if isinstance(recording, str | Path) else (np.asarray(recording), None)
        rate = rate or model.codecs.input.spec.rate
        session = open_session(model, sample_rate=rate, **options)
        begun = time.perf_counter()
        for piece in split_samples(samples, round(PIECE_SECONDS * rate)):
            session.feed(piece)
        session.finish()
        audio, spent = audio + len(samples) / rate, spent + time.perf_counter() - begun
        if audio >= MEASURED_SECONDS:
            break
    return round(spent / audio, 5) if audio else float("nan")
