"""Recordings changed a little, as another speaker, room, microphone or line would change them. For training.

Data flow: samples → faster or slower → the echo of a room → another microphone → noise → what a telephone passes →
louder or quieter → silence around. Filters and speeds are torchaudio's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from suite.data.audio import Samples
from suite.errors import MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

    from suite.augment.specs import SoundChanges

#: Speeds are multiples of this share: each has a filter, and those of simple ratios are short.
STEP = 0.04
#: Reverberation times (RT60) in seconds, and the lower and upper cut-off of a telephone band in Hz.
ECHOES, BEGINS, ENDS = (0.08, 0.5), (150.0, 400.0), (2800.0, 3700.0)


def augment_audio(samples: Samples, rate: int, spec: SoundChanges, random: np.random.Generator) -> Samples:
    """Samples ``[n]``, randomly augmented: ``[m]``."""
    try:
        import torch
        import torchaudio.functional as audio
    except ImportError as error:
        raise MissingExtra("changing recordings in training", "train", error) from error

    x = torch.from_numpy(np.ascontiguousarray(samples))
    if steps := math.floor(spec.speed / STEP):
        faster = int(random.integers(-steps, steps + 1))
        if faster:
            x = audio.resample(x, round(100 * (1 + faster * STEP)), 100, lowpass_filter_width=6)
    if random.random() < spec.reverb:
        x = _echoed(x, rate, random)
    if random.random() < spec.tone:
        for _ in range(2):
            centre = math.exp(random.uniform(math.log(150), math.log(0.45 * rate)))
            x = audio.equalizer_biquad(x, rate, centre, float(random.uniform(-8, 8)), float(random.uniform(0.4, 1.5)))
    if random.random() < spec.noise:
        x = x + _noise(x, spec, random)
    if random.random() < spec.band:
        x = audio.highpass_biquad(x, rate, float(random.uniform(*BEGINS)))
        x = audio.lowpass_biquad(x, rate, min(float(random.uniform(*ENDS)), 0.49 * rate))
    found = x.numpy() * 10 ** (float(random.uniform(-spec.gain, spec.gain)) / 20)
    before, after = (int(random.integers(0, round(spec.silence * rate) + 1)) for _ in range(2))
    changed: Samples = np.clip(np.pad(found, (before, after)), -1, 1).astype(np.float32)
    return changed


def _echoed(x: Tensor, rate: int, random: np.random.Generator) -> Tensor:
    """In a room: the direct sound, and noise that dies away, from 0 to 20 dB under it."""
    import torch
    from torch.nn.functional import pad
    from torchaudio.functional import fftconvolve

    length = float(random.uniform(*ECHOES))
    count = max(2, round(length * rate))
    tail = random.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    tail *= 10 ** (float(random.uniform(-20, 0)) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    whole = len(x) + count - 1
    longer = pad(x, (0, _quick(whole) - whole))
    found: Tensor = fftconvolve(longer, torch.from_numpy(tail.astype(np.float32)))[: len(x)]
    return found / math.sqrt(float((tail**2).sum()))


def _noise(x: Tensor, spec: SoundChanges, random: np.random.Generator) -> Tensor:
    """Noise whose power falls with frequency as much as chance says: from white to a rumble."""
    import torch

    size = _quick(len(x))
    waves = np.fft.rfft(random.standard_normal(size, np.float32))
    waves *= np.maximum(np.arange(len(waves)), max(1, size // 400)) ** -float(random.uniform(0, 1))
    noise = np.fft.irfft(waves, size)[: len(x)]
    power = float((x**2).mean())
    under = 10 ** (-float(random.uniform(spec.loudest, spec.quietest)) / 20)
    return torch.from_numpy((noise / max(1e-9, noise.std()) * math.sqrt(power) * under).astype(np.float32))


def _quick(count: int) -> int:
    """A length, ``count`` or a little more, whose Fourier transform is quick: 5 to 8 times a power of two."""
    unit = 1 << max(0, (count - 1).bit_length() - 3)
    return -(-count // unit) * unit
