"""Sound as it comes, from standard input or a microphone, and how late its words are.

Data flow: bytes → samples → a session → what is being said. A word is late by what was heard after its end before it
was shown, and by the time that was computed on then.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from suite.codecs.audio import AudioCodec
from suite.data.audio import BLOCK_FRAMES, Layout, Samples, open_audio, read_audio, split_samples, whole_frames
from suite.errors import DataError, MissingExtra, UsageError
from suite.inference.pipeline import Pipeline
from suite.inference.streaming import ReadingSession
from suite.progress import progress
from suite.task import Result

#: Seconds of a microphone's pieces, and of those that the real-time factor is measured with; and of how much.
PIECE, MEASURED = 0.1, 60.0


def listen(
    pipeline: Pipeline, *, rate: int | None, format: str, channels: int, microphone: bool, timing: bool, **options: Any
) -> Iterator[Result]:  # fmt: skip
    """The updates of a stream, and its last result; with ``timing`` figures on standard error at the end."""
    if microphone:
        rate, pieces = _microphone(pipeline)
    elif rate is not None:
        layout = Layout(rate, format, channels)
        pieces = (layout.samples(data) for data in whole_frames(sys.stdin.buffer, layout))
    else:
        rate, pieces = _wav(sys.stdin.buffer)
    session = ReadingSession(pipeline, sample_rate=rate, **options)
    clock = Clock(rate)
    for block in pieces:
        # A file comes in large blocks, and words are to be shown when they are heard all the same.
        for piece in split_samples(block, round(PIECE * rate)):
            yield from clock.timed(session.updates(piece), len(piece), timing)
    yield from clock.timed(session.rest(), 0, timing)
    last = session.finish()
    yield dataclasses.replace(last, seconds=clock.seconds if timing else None)
    if timing:
        click.echo(clock.report(), err=True)


def stretches(path: str | Path) -> Iterator[tuple[Samples, int]]:
    """The blocks of a long recording, and their rate, one at a time; on a terminal with what is done of it."""
    with open_audio(path) as sound:
        size = sound.frames
        pairs = ((block, sound.rate) for block in sound.blocks)
        heard = False
        for pair in progress(pairs, lambda: None if size is None else -(-size // BLOCK_FRAMES), Path(path).name):
            heard = True
            yield pair
    if not heard:
        raise DataError("no samples in it; is it the right file?")


def _wav(stdin: IO[bytes]) -> tuple[int, Iterator[Samples]]:
    """The rate and the pieces of a WAV on standard input."""
    context = open_audio(stdin)
    try:
        sound = context.__enter__()  # it is read to the end of the process
    except (DataError, MissingExtra) as error:
        raise DataError(f"standard input: {error}; of raw samples give --rate") from error
    return sound.rate, sound.blocks


def _microphone(pipeline: Pipeline) -> tuple[int, Iterator[Samples]]:
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        failed = error if isinstance(error, ImportError) else None
        raise MissingExtra("a microphone", "microphone", failed) from error
    codec = pipeline.codecs["input"]
    assert isinstance(codec, AudioCodec)
    rate = codec.spec.rate

    def pieces() -> Iterator[Samples]:
        try:
            with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as device:
                while True:
                    yield device.read(round(PIECE * rate))[0][:, 0].copy()
        except sounddevice.PortAudioError as error:
            raise UsageError(f"the microphone cannot be opened: {error}; is there one?") from error

    return rate, pieces()


class Clock:
    """How much was heard, how long was computed, and how late words came."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.heard, self.seconds = 0.0, 0.0
        self.late: list[float] = []
        self._known = 0.0  # the end of the last word that was shown

    def timed(self, updates: Iterator[Any], samples: int, timing: bool) -> Iterator[Result]:
        """The updates of a piece of so many samples, with the seconds they took."""
        self.heard += samples / self._rate
        begun = time.perf_counter()
        for update in updates:
            took = time.perf_counter() - begun
            for word in update.words:
                if word["end"] > self._known:
                    self.late.append(self.heard - word["end"] + took)
                    self._known = word["end"]
            # Half a day of words says no more than the last thousand.
            del self.late[:-1000]
            self.seconds += took
            yield dataclasses.replace(update, seconds=took) if timing else update
            begun = time.perf_counter()
        self.seconds += time.perf_counter() - begun

    def report(self) -> str:
        """In a line."""
        factor = self.seconds / self.heard if self.heard else 0.0
        line = f"{self.heard:.1f} s of sound in {self.seconds:.2f} s: real-time factor {factor:.3f}"
        if self.late:
            line += f"; words are shown {statistics.median(self.late):.2f} s after their end (median)"
        return line


def real_time_factor(pipeline: Pipeline, recordings: Sequence[Any], **options: Any) -> float:
    """Seconds computed per second of sound, of the first minute, in pieces of a tenth of a second."""
    heard = spent = 0.0
    for recording in recordings:
        samples, rate = read_audio(recording) if isinstance(recording, str | Path) else (np.asarray(recording), None)
        rate = rate or pipeline.codecs["input"].spec.rate  # type: ignore[attr-defined]
        session = ReadingSession(pipeline, sample_rate=rate, **options)
        begun = time.perf_counter()
        for piece in split_samples(samples, round(PIECE * rate)):
            session.feed(piece)
        session.finish()
        heard, spent = heard + len(samples) / rate, spent + time.perf_counter() - begun
        if heard >= MEASURED:
            break
    return round(spent / heard, 5) if heard else float("nan")
