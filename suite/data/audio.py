"""Sound out of files and pipes, a block at a time, mixed to one channel.

Data flow: bytes → a header that says rate, channels and sample format (or the user does) → blocks of frames →
float32 in −1 … 1 → the mean of the channels. WAV is read here; FLAC, OGG, MP3 and what else libsndfile knows need
soundfile, of the extra ``[audio]``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from suite.data.zip_paths import open_file
from suite.errors import DataError, MissingExtra, UsageError, nearest, one_line

Samples = npt.NDArray[np.float32]

#: What is looked for in a folder.
ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
#: Frames a block: some seconds of sound, whatever the file's length.
BLOCK_FRAMES = 65536
MIN_RATE, MAX_RATE, MAX_CHANNELS = 4000, 768_000, 256
#: Nothing is heard below this peak; a peak is clipped from the second on; more than this share of clipped is too much.
SILENT, FULL, CLIPPED = 1e-4, 0.999, 1e-3
_WAV = (b"RIFF", b"RF64", b"RIFX")
#: Lengths from here on are placeholders in the header of a WAV written to a pipe: programs put 0x7FFFFFFF, 0xFFFFFFFF,
#: or either less a header or rounded to whole frames.
PLACEHOLDER_LENGTH = 2**31 - 2**20
#: Nothing that stands before the samples is longer than this, bytes.
MAX_HEADER = 2**26
#: Formats whose length is counted, not guessed.
_COUNTED = ("FLAC", "AIFF", "AU", "WAV", "WAVEX", "CAF")


@dataclass(frozen=True)
class Layout:
    """How samples lie in bytes: frames a second, channels, and a format, one of ``FORMATS``."""

    rate: int
    format: str = "s16"
    channels: int = 1

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UsageError(f"format {self.format!r}: {nearest(self.format, FORMATS)}")
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise DataError(f"{self.rate:,} samples a second; give sound of {MIN_RATE:,} to {MAX_RATE:,}")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise DataError(f"{self.channels} channels; give 1 to {MAX_CHANNELS}")

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return FORMATS[self.format][0] * self.channels

    def samples(self, data: bytes) -> Samples:
        """Whole frames of bytes as samples ``[n]``. Raises DataError for numbers that are none."""
        values = FORMATS[self.format][1](data)
        return to_mono(values.reshape(-1, self.channels))


@dataclass(frozen=True)
class Sound:
    """An opened recording: its rate, channels, number of frames (None: not known), and its blocks, read once."""

    rate: int
    channels: int
    frames: int | None
    blocks: Iterator[Samples]

    @property
    def seconds(self) -> float | None:
        """How long it is, where that is known."""
        return None if self.frames is None else self.frames / self.rate


@contextmanager
def open_audio(source: str | Path | IO[bytes]) -> Iterator[Sound]:
    """A recording by its path (which may lead into a ZIP), or in an open file, which may be a pipe if it is WAV.

    Raises DataError, there or while it is read, for what is no sound, is cut short, or holds numbers that are none.
    """
    if not isinstance(source, str | Path):
        yield _opened(source)
        return
    with open_file(Path(source), "recording") as file:
        yield _opened(file)


def read_audio(source: str | Path | IO[bytes]) -> tuple[Samples, int]:
    """A whole recording ``[n]``, and its rate. Raises DataError."""
    with open_audio(source) as sound:
        blocks = list(sound.blocks)
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), sound.rate


def find_fault(samples: Any) -> str | None:
    """What is wrong with a recording that can be read all the same, in a line."""
    sizes = np.abs(to_mono(np.asarray(samples)))
    if sizes.max() < SILENT:
        return "silence: there is nothing to hear"
    if (share := float((sizes >= FULL).mean())) > CLIPPED:
        return f"clipped: {share:.1%} of the samples are at full scale; record it more quietly"
    return None


def to_mono(values: npt.NDArray[Any]) -> Samples:
    """Samples ``[n]`` or ``[n, C]``, whole numbers or not, as float32 ``[n]`` in −1 … 1, channels averaged.

    Raises DataError for what is no sound: other axes or types, NaN and infinite values.
    """
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiu" or (values.ndim == 2 and not values.shape[1]):
        raise DataError(f"an array {list(values.shape)} of {values.dtype}; give samples [n] or [n, channels]")
    if values.dtype.kind == "i":
        values = values.astype(np.float32) / np.float32(-float(np.iinfo(values.dtype).min))
    elif values.dtype.kind == "u":
        half = np.float32((np.iinfo(values.dtype).max + 1) / 2)
        values = values.astype(np.float32) / half - 1
    found: Samples = values.astype(np.float32, copy=False)
    if found.ndim == 2:
        found = found[:, 0] if found.shape[1] == 1 else found.mean(axis=1, dtype=np.float32)
    if not np.isfinite(found).all():
        at = int(np.flatnonzero(~np.isfinite(found))[0])
        raise DataError(f"sample {at + 1:,} is not a number; write the file again")
    return found


# --- sample formats -------------------------------------------------------------------------------------------


def _whole(kind: str) -> Callable[[bytes], npt.NDArray[Any]]:
    return lambda data: np.frombuffer(data, kind)


def _of_three(data: bytes) -> npt.NDArray[Any]:
    """Whole numbers of 24 bits, as the upper three bytes of 32."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0]


def _mu_law(data: bytes) -> npt.NDArray[Any]:
    """ITU-T G.711, µ-law: the sign, three bits of exponent and four of mantissa, all inverted."""
    code = ~np.frombuffer(data, np.uint8)
    size = (((code & 15).astype(np.int32) << 3) + 132 << (code >> 4 & 7)) - 132
    return np.where(code & 128, -size, size).astype(np.float32) / 32768


def _a_law(data: bytes) -> npt.NDArray[Any]:
    """ITU-T G.711, A-law: as µ-law, but every second bit inverted, and the smallest steps even."""
    code = np.frombuffer(data, np.uint8) ^ 0x55
    exponent, size = code >> 4 & 7, ((code & 15).astype(np.int32) << 4) + 8
    size = np.where(exponent > 0, size + 256 << np.maximum(exponent, 1) - 1, size)
    return np.where(code & 128, size, -size).astype(np.float32) / 32768


#: By name: bytes a sample, and what makes numbers of them.
FORMATS: dict[str, tuple[int, Callable[[bytes], npt.NDArray[Any]]]] = {
    "s16": (2, _whole("<i2")),
    "s24": (3, _of_three),
    "s32": (4, _whole("<i4")),
    "u8": (1, _whole("u1")),
    "f32": (4, _whole("<f4")),
    "f64": (8, _whole("<f8")),
    "mulaw": (1, _mu_law),
    "alaw": (1, _a_law),
}
#: The same by a WAV's format code and bits.
WAV_CODES = {
    (1, 8): "u8", (1, 16): "s16", (1, 24): "s24", (1, 32): "s32", (3, 32): "f32", (3, 64): "f64", (7, 8): "mulaw",
    (6, 8): "alaw",
}  # fmt: skip


# --- WAV ------------------------------------------------------------------------------------------------------

SHORT_WAV = "a WAV that is cut short: there are no samples in it; get it again"


def _opened(file: IO[bytes]) -> Sound:
    start = file.read(12)
    if len(start) == 12 and start[:4] in _WAV and start[8:] == b"WAVE":
        if start[:4] == b"RIFX":
            raise DataError("a WAV of big-endian numbers; convert it first")
        found = _wav(file)
        if found is not None:
            return found
    if not start:
        raise DataError("empty; is it the right file?")
    return _by_soundfile(file, start)


def _wav(file: IO[bytes]) -> Sound | None:
    """A WAV after its first twelve bytes; None for one whose samples are packed in a way not read here."""
    layout: Layout | None = None
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if layout is None:
                raise DataError("a WAV whose samples come before their format; write the file again")
            known = data_length(size)
            frames = None if known is None else known // layout.frame
            return Sound(layout.rate, layout.channels, frames, _blocks(file, layout, known))
        if size > MAX_HEADER:
            break
        body = file.read(size + size % 2)
        if name == b"fmt ":
            layout = wav_layout(body)
            if layout is None:
                return None
    raise DataError(SHORT_WAV)


def wav_layout(body: bytes) -> Layout | None:
    """The layout in a WAV's ``fmt`` chunk; None for samples packed in a way that is not read here."""
    if len(body) < 16:
        raise DataError(SHORT_WAV)
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == 0xFFFE and len(body) >= 26:
        code = int.from_bytes(body[24:26], "little")
    kind = WAV_CODES.get((code, bits))
    return None if kind is None else Layout(rate, kind, channels)


def data_length(size: int) -> int | None:
    """The bytes of samples by the size in a WAV's header; None where that is 0 or a placeholder."""
    return size if 0 < size < PLACEHOLDER_LENGTH else None


def _blocks(file: IO[bytes], layout: Layout, size: int | None) -> Iterator[Samples]:
    for data in whole_frames(file, layout, size):
        yield layout.samples(data)


def split_samples(samples: Samples, size: int) -> Iterator[Samples]:
    """Samples in pieces of so many, the last as long as what is left."""
    return (samples[at : at + size] for at in range(0, len(samples), size))


def whole_frames(file: IO[bytes], layout: Layout, size: int | None = None) -> Iterator[bytes]:
    """The bytes of a file or pipe as they come, in whole frames; ``size`` is how many there must be, where known."""
    # A pipe may give little and keep the rest for later: read what is there, never wait for a full block.
    take = getattr(file, "read1", file.read)
    rest, left = b"", size
    while left is None or left > 0:
        data = take(BLOCK_FRAMES * layout.frame if left is None else min(BLOCK_FRAMES * layout.frame, left))
        if not data:
            if left is not None:
                raise DataError(f"cut short: {left:,} of {size:,} bytes of sound are missing; get it again")
            return
        left = None if left is None else left - len(data)
        rest += data
        whole = len(rest) - len(rest) % layout.frame
        if whole:
            yield rest[:whole]
            rest = rest[whole:]


# --- others ---------------------------------------------------------------------------------------------------


def _by_soundfile(file: IO[bytes], start: bytes) -> Sound:
    """A file that is no plain WAV, through libsndfile."""
    if b"\0" not in start and start.isascii() and start[:4] not in (b"fLaC", b"OggS", b"FORM", b".snd"):
        raise DataError("text, not sound; give a .wav, .flac, .ogg or .mp3")
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtra("sound other than plain WAV", "audio", error) from error
    except OSError as error:
        raise DataError(f"libsndfile cannot be loaded ({one_line(error)}); install it, or give plain WAV") from error
    if not file.seekable():
        raise DataError("a stream is plain WAV, or raw samples whose rate is given; convert it first")
    file.seek(0)
    try:
        sound = soundfile.SoundFile(file)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise DataError(f"not sound that can be read ({one_line(error)}); convert it to WAV first") from error
    layout = Layout(sound.samplerate, "f32", sound.channels)
    return Sound(layout.rate, layout.channels, sound.frames, _packed(sound, soundfile.LibsndfileError))


def _packed(sound: Any, failure: type[Exception]) -> Iterator[Samples]:
    done = 0
    try:
        while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            done += len(block)
            yield to_mono(block)
    except failure as error:
        raise DataError(f"damaged ({one_line(error)}); get it again") from error
    if done < sound.frames and sound.format in _COUNTED:
        raise DataError(f"cut short: {sound.frames - done:,} of {sound.frames:,} samples are missing; get it again")


def wav_bytes(samples: Samples, rate: int) -> bytes:
    """Encode samples as a 16-bit PCM WAV file.

    Args:
        samples: ``[n]`` or ``[n, C]`` in −1 … 1; what lies beyond is clipped.
        rate: Samples a second.
    """
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    frame = 2 * channels
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate,
                       frame * rate, frame, 16, b"data", len(data))  # fmt: skip
    return head + data
