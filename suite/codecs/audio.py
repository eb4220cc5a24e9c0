"""Sound as feature vectors: a log-mel spectrogram without a look ahead, in numpy, the same in training and at use.

Data flow: samples → the model's rate → frames of a window, none of them centred → power of each frequency → energy of
each mel band → its log, less the mean of the training data, over its spread → a few frames side by side, one step.

Nothing is taken over a whole recording, and every frame and every step is computed by itself, so that sound in any
pieces gives the same bits. After the end comes a little silence: a model that hears no future says its last word then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from suite.codecs.mel import mel_bank
from suite.codecs.serialization import json_file, read_json_file
from suite.codecs.sinc_resampler import SincResampler, resample_audio
from suite.config import check_ranges, from_dict, to_dict
from suite.data.audio import MAX_RATE, MIN_RATE, Samples, read_audio, to_mono
from suite.errors import CheckpointError, DataError, UsageError

FILE = "audio.json"
#: Steps that are computed together.
STEPS_PER_BLOCK = 4096


@dataclass(frozen=True)
class AudioSpec:
    """How sound becomes steps.

    ``rate`` is the model's samples a second. A frame is ``window`` seconds long and ``hop`` after the one before;
    its ``mels`` bands lie between ``low`` and ``high`` Hz (0: nearly half the rate); ``stack`` frames are one step.
    ``floor`` is added to a band's power, of full scale 1. ``tail`` seconds of silence come after the end.
    """

    rate: int = 8000
    window: float = 0.025
    hop: float = 0.01
    mels: int = 40
    low: float = 80.0
    high: float = 0.0
    stack: int = 3
    floor: float = 1e-7
    tail: float = 0.3

    def __post_init__(self) -> None:
        check_ranges(self, least={"rate": MIN_RATE, "mels": 1, "low": 0, "high": 0, "stack": 1, "tail": 0})
        if not 0 < self.hop <= self.window or self.window > 1 or not self.floor > 0:
            raise ValueError("hop must be above 0 and at most window, window at most 1 s, floor above 0")
        if not self.low < self.top <= self.rate / 2:
            raise ValueError(f"high must be above low and at most half the rate, {self.rate // 2}")

    @property
    def top(self) -> float:
        """The upper edge of the highest band, Hz."""
        return self.high or 0.475 * self.rate

    @property
    def frame(self) -> tuple[int, int]:
        """Samples of a window and of a hop."""
        return round(self.window * self.rate), round(self.hop * self.rate)

    @property
    def step(self) -> float:
        """Seconds from one step to the next."""
        return self.stack * self.frame[1] / self.rate


@dataclass(frozen=True)
class AudioCodec:
    """Sound → ``[T, mels · stack]`` float32, a step every ``spec.step`` seconds.

    ``mean`` and ``spread`` are of each band's log in the training data. ``given`` is the rate of samples that do not
    say theirs (see ``at``).
    """

    spec: AudioSpec
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    given: int | None = None

    @classmethod
    def fit(cls, sounds: Iterable[Any], spec: AudioSpec | None = None) -> Self:
        """Fit on what ``encode`` takes. Raises DataError if there is none."""
        spec = spec or AudioSpec()
        bare = cls(spec, (0.0,) * spec.mels, (1.0,) * spec.mels)
        count, total, squares = 0, np.zeros(spec.mels), np.zeros(spec.mels)
        for sound in sounds:
            bands = bare.encode(sound).reshape(-1, spec.mels).astype(np.float64)
            count, total, squares = count + len(bands), total + bands.sum(0), squares + (bands**2).sum(0)
        if not count:
            raise DataError("no recordings to fit on; give at least one")
        mean = total / count
        spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
        # What never changes (silence alone) is left as it is.
        spread = np.where(spread > 1e-3, spread, 1.0)
        return cls(spec, tuple(mean.round(5).tolist()), tuple(spread.round(5).tolist()))

    @property
    def size(self) -> int:
        """How many features a step has (D)."""
        return self.spec.mels * self.spec.stack

    @property
    def step_seconds(self) -> float:
        """Seconds from one step to the next."""
        return self.spec.step

    def at(self, rate: int) -> AudioCodec:
        """This codec for samples that come at another rate (Hz) and do not say so. Raises UsageError."""
        if not MIN_RATE <= rate <= MAX_RATE:
            raise UsageError(f"sample_rate={rate}: give samples a second, {MIN_RATE:,} to {MAX_RATE:,}")
        return replace(self, given=rate)

    def encode(self, raw: Any) -> np.ndarray:
        """One recording: a path, an opened file, samples ``[n]`` or ``[n, C]``, or ``(samples, rate)``.

        Raises DataError for what is no sound, or has none in it.
        """
        samples, rate = _as_samples(raw, self.given or self.spec.rate)
        if not len(samples):
            raise DataError("no samples in it; is it the right file?")
        feeder = AudioFeeder(self)
        steps = [array for _, array in (*feeder.feed((samples, rate)), *feeder.flush())]
        return np.concatenate(steps)

    def incremental(self, pending: Any = None) -> AudioFeeder:
        """A feeder that takes samples in any pieces and gives the steps that they complete."""
        return AudioFeeder(self, pending)

    @cached_property
    def _bank(self) -> tuple[Samples, Samples, int, Samples, Samples]:
        """Window, weights of the bands, size of the transform, and the figures of the bands."""
        width, _ = self.spec.frame
        window = np.hanning(width + 1)[:-1]
        # So that noise of power p has power p in every frequency.
        window = (window / np.sqrt((window**2).sum())).astype(np.float32)
        size = 1 << (width - 1).bit_length()
        bank = mel_bank(self.spec.mels, size, self.spec.rate, self.spec.low, self.spec.top)
        return window, bank, size, np.asarray(self.mean, np.float32), np.asarray(self.spread, np.float32)

    def _steps(self, samples: Samples) -> Samples:
        """Steps ``[T, D]`` of samples that hold exactly as many."""
        window, bank, size, mean, spread = self._bank
        width, hop = self.spec.frame
        frames = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
        stack = self.spec.stack
        found = np.empty((len(frames) // stack, self.size), np.float32)
        for start in range(0, len(found), STEPS_PER_BLOCK):
            some = frames[start * stack : (start + STEPS_PER_BLOCK) * stack] * window
            waves = np.fft.rfft(some, size)
            power = (waves.real**2 + waves.imag**2).astype(np.float32, copy=False)
            # One product a step, of one shape whatever comes with it: so the bits are the same.
            bands = power.reshape(-1, stack, power.shape[1]) @ bank
            logs = (np.log(bands + np.float32(self.spec.floor)) - mean) / spread
            found[start : start + STEPS_PER_BLOCK] = logs.reshape(-1, self.size)
        return found

    def files(self) -> dict[str, bytes]:
        values = {"audio": to_dict(self.spec), "mean": list(self.mean), "spread": list(self.spread)}
        return json_file(FILE, values)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = read_json_file(files, FILE, "audio", "mean", "spread")
        spec = from_dict(AudioSpec, values["audio"], where=FILE, error=CheckpointError)
        try:
            mean, spread = (tuple(map(float, values[name])) for name in ("mean", "spread"))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{FILE}: not numbers where numbers belong; copy the checkpoint again") from error
        if not (len(mean) == len(spread) == spec.mels and all(0 < value < math.inf for value in spread)):
            raise CheckpointError(f"{FILE}: not figures for {spec.mels} bands; copy the checkpoint again")
        return cls(spec, mean, spread)


class AudioFeeder:
    """The incremental face: samples ``[n]`` or ``[n, C]`` in any pieces, or ``(samples, rate)``, all of one rate.

    What is held back is less than a step, and what the filter of the resampler reaches over.
    """

    def __init__(self, codec: AudioCodec, pending: Any = None) -> None:
        self._codec, spec = codec, codec.spec
        pending = pending or {"samples": [], "steps": 0, "rate": None, "resampler": None, "over": False}
        self._held = np.asarray(pending["samples"], np.float32)
        self._count: int = pending["steps"]
        self._rate: int | None = pending["rate"]
        self._over: bool = pending["over"]
        self._resampler = self._resampling(pending["resampler"])
        width, hop = spec.frame
        self._step, self._beyond = spec.stack * hop, max(0, width - hop)

    def _resampling(self, pending: Any = None) -> SincResampler | None:
        rate = self._codec.spec.rate
        return SincResampler(self._rate, rate, pending) if self._rate not in (None, rate) else None

    @property
    def pending(self) -> Any:
        resampler = self._resampler.pending if self._resampler is not None else None
        samples = self._held.tolist()
        return {
            "samples": samples, "steps": self._count, "rate": self._rate, "resampler": resampler, "over": self._over,
        }  # fmt: skip

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        """The steps that are complete now, together: (number of the first, ``[n, D]``); nothing where none is."""
        samples, rate = _as_samples(piece, self._codec.given or self._codec.spec.rate, file=False)
        if self._over:
            raise DataError("the recording is over; open another stream for the next one")
        if self._rate is None:
            self._rate = rate
            self._resampler = self._resampling()
        if rate != self._rate:
            raise DataError(f"samples at {rate:,} a second after some at {self._rate:,}; open another stream for them")
        return self._taken(samples if self._resampler is None else self._resampler.feed(samples))

    def flush(self) -> list[tuple[Any, np.ndarray]]:
        spec = self._codec.spec
        last = np.zeros(0, np.float32) if self._resampler is None else self._resampler.flush()
        if self._over or not (len(last) or len(self._held) or self._count):
            return []
        self._over = True
        silence = np.zeros(round(spec.tail * spec.rate), np.float32)
        found = self._taken(np.concatenate([last, silence]))
        if not self._count:
            # Of less than a step, and no silence after it, one step is made.
            found = self._taken(np.zeros(self._step + self._beyond - len(self._held), np.float32))
        return found

    def _taken(self, samples: Samples) -> list[tuple[Any, np.ndarray]]:
        self._held = np.concatenate([self._held, samples])
        count = max(0, len(self._held) - self._beyond) // self._step
        if not count:
            return []
        steps = self._codec._steps(self._held[: count * self._step + self._beyond])
        self._held = self._held[count * self._step :]
        first, self._count = self._count, self._count + count
        return [(first, steps)]


# --- rates ----------------------------------------------------------------------------------------------------


def _as_samples(raw: Any, rate: int, *, file: bool = True) -> tuple[Samples, int]:
    """What ``encode`` takes, as samples and their rate; without ``file`` only what is samples already."""
    if file and (isinstance(raw, str | Path) or hasattr(raw, "read")):
        return read_audio(raw)
    if isinstance(raw, tuple) and len(raw) == 2:
        raw, rate = raw
        if not isinstance(rate, int | np.integer) or not MIN_RATE <= rate <= MAX_RATE:
            raise DataError(f"a rate of {rate!r}; give whole samples a second, {MIN_RATE:,} to {MAX_RATE:,}")
    if not isinstance(raw, np.ndarray | list):
        raise DataError(f"expected sound, got {type(raw).__name__}; give samples [n]{', or a path' * file}")
    return to_mono(np.asarray(raw)), int(rate)


def load_samples(raw: Any, rate: int) -> Samples:
    """What ``AudioCodec.encode`` takes, as samples ``[n]`` at ``rate``, which is its own where it does not say."""
    samples, own = _as_samples(raw, rate)
    return resample_audio(samples, own, rate)
