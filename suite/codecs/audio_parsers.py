"""Parsers of audio streams: bytes of a WAV or of raw samples are pushed in, blocks of samples come out."""

from __future__ import annotations

from suite.codecs.parsing import StreamParser
from suite.data.audio import MAX_HEADER, SHORT_WAV, Layout, Samples, data_length, wav_layout
from suite.errors import DataError

_NOT_WAV = "a stream is plain WAV, or raw samples whose rate is given with --rate; convert it first"


class RawAudioParser:
    """Raw samples whose layout is known, such as those of ``arecord -t raw``.

    A piece is (samples ``[n]`` in −1 … 1, rate in Hz).
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[Samples, int]]:
        """The samples of the frames that ``data`` completes. Raises DataError for values that are not finite."""
        data = self._rest + data
        whole = len(data) - len(data) % self.layout.frame
        self._rest = data[whole:]
        return [(self.layout.samples(data[:whole]), self.layout.rate)] if whole else []

    def finish(self) -> list[tuple[Samples, int]]:
        """Nothing: part of a frame at the end is dropped."""
        return []


class WavParser:
    """A WAV that is still being written, or read from a pipe: its header first, then samples.

    A piece is (samples ``[n]`` in −1 … 1, rate in Hz). The length in the header is often a placeholder (see
    ``suite.data.audio.data_length``): then all that follows is samples. What follows a real length is ignored, and a
    stream that ends before it is taken as it is. Raises DataError for anything but a WAV of plain samples.
    """

    def __init__(self) -> None:
        self._held = b""
        self._skip = 0  # bytes left of a chunk that is not read
        self._started = self._is_wav = False
        self._layout: Layout | None = None
        self._samples: RawAudioParser | None = None
        self._left: int | None = None  # bytes left of the samples; None until the end of the stream

    def feed(self, data: bytes) -> list[tuple[Samples, int]]:
        """The samples that ``data`` completes."""
        self._started = self._started or bool(data)
        if self._samples is None:
            self._held += data
            self._samples = self._parse_header()
            if self._samples is None:
                return []
            data, self._held = self._held, b""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return self._samples.feed(data)

    def finish(self) -> list[tuple[Samples, int]]:
        """Nothing. Raises DataError if the stream ended before its samples."""
        if self._samples is None:
            problem = SHORT_WAV if self._is_wav else _NOT_WAV
            raise DataError(problem if self._started else "empty; is it the right input?")
        return []

    def _parse_header(self) -> RawAudioParser | None:
        """Read the chunks before the samples, and return the parser of the samples; None while bytes are missing."""
        if not self._is_wav:
            if len(self._held) < 12:
                return None
            if self._held[:4] not in (b"RIFF", b"RF64") or self._held[8:12] != b"WAVE":
                raise DataError(_NOT_WAV)
            self._held, self._is_wav = self._held[12:], True
        while True:
            # Skipped as they come: a chunk of megabytes in small blocks would otherwise be copied once for each block.
            skipped = min(self._skip, len(self._held))
            self._held, self._skip = self._held[skipped:], self._skip - skipped
            if self._skip or len(self._held) < 8:
                return None
            name, size = self._held[:4], int.from_bytes(self._held[4:8], "little")
            if name == b"data":
                if self._layout is None:
                    raise DataError("a WAV whose samples come before their format; write the file again")
                self._held, self._left = self._held[8:], data_length(size)
                return RawAudioParser(self._layout)
            if size > MAX_HEADER:
                raise DataError("a WAV with a damaged header; write the file again")
            if name == b"fmt ":
                # The fields that matter are in the first 26 bytes, of 16 to 40.
                if len(self._held) < 8 + min(size, 40):
                    return None
                self._layout = wav_layout(self._held[8 : 8 + min(size, 40)])
                if self._layout is None:
                    raise DataError("a WAV whose samples are compressed; convert it to 16-bit samples first")
            self._skip = 8 + size + size % 2


def audio_parser(rate: int | None = None, format: str = "s16", channels: int = 1) -> StreamParser:
    """The parser of a stream: of raw samples if ``rate`` (Hz) is given, else of a WAV.

    Raises UsageError for an unknown format, and DataError for a rate or channels that no audio has.
    """
    return WavParser() if rate is None else RawAudioParser(Layout(rate, format, channels))
