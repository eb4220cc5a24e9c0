"""Parsers of audio streams: bytes of a WAV or of raw samples are pushed in, blocks of samples come out."""

from __future__ import annotations

import struct
from typing import Any

from suite.data.audio import MAX_HEADER, PLACEHOLDER_SIZES, WAV_CODES, Layout, Samples
from suite.errors import DataError


class RawAudioParser:
    """Raw samples whose layout is known, such as those of ``arecord -t raw``.

    A piece is (samples ``[n]`` in −1 … 1, rate in Hz).
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """The whole frames so far."""
        data = self._rest + data
        whole = len(data) - len(data) % self.layout.frame
        self._rest = data[whole:]
        return [(self.layout.samples(data[:whole]), self.layout.rate)] if whole else []

    def finish(self) -> list[Any]:
        """Nothing: part of a frame at the end is dropped."""
        return []


class WavParser:
    """A WAV that is still being written, or read from a pipe: its header first, then samples.

    The header's length is a placeholder in such streams (0, 0x7FFFFFFF or anything else that is too long), so the end
    of the stream is the end of the sound; only what follows a length that was reached is left out. A piece is
    (samples ``[n]`` in −1 … 1, rate in Hz). Raises DataError for what is no WAV of plain samples.
    """

    def __init__(self) -> None:
        self._held = b""
        self._layout: Layout | None = None
        self._samples: RawAudioParser | None = None
        self._begun = False
        self._left: int | None = None

    def feed(self, data: bytes) -> list[tuple[Samples, int]]:
        """The samples that ``data`` completes."""
        samples = self._samples
        if samples is None:
            self._held += data
            samples = self._parse_header()
            if samples is None:
                return []
            self._samples, data, self._held = samples, self._held, b""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return samples.feed(data)

    def finish(self) -> list[tuple[Samples, int]]:
        """Nothing; raises DataError if the stream ended before its samples."""
        if self._samples is None:
            what = "a WAV that is cut short: there are no samples in it; get it again" if self._held else "empty"
            raise DataError(what if self._begun or not self._held else _NO_WAV)
        return []

    def _parse_header(self) -> RawAudioParser | None:
        """Read chunks up to the samples, and return their parser; None while more bytes are needed."""
        if not self._begun:
            if len(self._held) < 12:
                return None
            if self._held[:4] not in (b"RIFF", b"RF64") or self._held[8:12] != b"WAVE":
                raise DataError(_NO_WAV)
            self._held, self._begun = self._held[12:], True
        while len(self._held) >= 8:
            name, size = self._held[:4], int.from_bytes(self._held[4:8], "little")
            if name == b"data":
                if self._layout is None:
                    raise DataError("a WAV whose samples come before their format; write the file again")
                self._held = self._held[8:]
                self._left = None if size in PLACEHOLDER_SIZES or size >= 2**31 - 2**20 else size
                return RawAudioParser(self._layout)
            if size > MAX_HEADER:
                raise DataError("a WAV with a damaged header; write the file again")
            end = 8 + size + size % 2
            if len(self._held) < end:
                return None
            if name == b"fmt ":
                self._layout = wav_layout(self._held[8:end])
                if self._layout is None:
                    raise DataError("a WAV whose samples are compressed; convert it to 16-bit samples first")
            self._held = self._held[end:]
        return None


_NO_WAV = "a stream is plain WAV, or raw samples whose rate is given with --rate; convert it first"


def wav_layout(body: bytes) -> Layout | None:
    """The layout in a WAV's ``fmt`` chunk; None for samples packed in a way that is not read here."""
    if len(body) < 16:
        raise DataError("a WAV that is cut short: there are no samples in it; get it again")
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == 0xFFFE and len(body) >= 26:
        code = int.from_bytes(body[24:26], "little")
    kind = WAV_CODES.get((code, bits))
    return None if kind is None else Layout(rate, kind, channels)
