"""Audio that is pushed in as bytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from suite.codecs.audio_parsers import RawAudioParser, WavParser, audio_parser
from suite.codecs.parsing import StreamParser
from suite.data.audio import FORMATS, MAX_HEADER, WAV_CODES, Layout, read_audio, wav_bytes
from suite.errors import DataError, UsageError

RATE = 8000
SAMPLES = np.random.default_rng(0).uniform(-0.5, 0.5, 60).astype(np.float32)
WAV = wav_bytes(SAMPLES, RATE)
#: What a 16-bit WAV of the samples holds.
WANTED = read_audio(io.BytesIO(WAV))[0]
LIST = b"LIST" + struct.pack("<I", 5) + b"hello\0"


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav_of(code: int, bits: int, data: bytes, *, channels: int = 1, extensible: bool = False) -> bytes:
    """A WAV of samples in any form."""
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, RATE, RATE * frame, frame, bits)
    if extensible:
        head += struct.pack("<HHIH", 22, bits, 0, code) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    return b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", head) + chunk(b"data", data)


def with_length(length: int) -> bytes:
    return WAV[:40] + struct.pack("<I", length) + WAV[44:]


def parsed(parser: StreamParser, pieces: list[bytes]) -> np.ndarray:
    """The samples of a stream that comes in pieces."""
    found = [piece for data in pieces for piece in parser.feed(data)] + parser.finish()
    assert all(rate == RATE for _, rate in found)
    return np.concatenate([samples for samples, _ in found]) if found else np.zeros(0, np.float32)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """A stream in two pieces, cut anywhere, and in pieces of some sizes."""
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]
    for size in (1, 2, 3, 7, 44):
        yield [data[at : at + size] for at in range(0, len(data), size)]


# --- WAV ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [WAV, WAV + LIST, WAV[:12] + LIST + WAV[12:36] + LIST + WAV[36:] + LIST, b"RF64" + WAV[4:]],
    ids=["plain", "chunk after", "chunks around", "RF64"],
)
def test_every_chunking_gives_the_same_samples(data: bytes) -> None:
    for pieces in cuts(data):
        np.testing.assert_array_equal(parsed(WavParser(), pieces), WANTED)


@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF - 36, 0x80000000])
def test_a_placeholder_length_means_until_the_end(length: int) -> None:
    data = with_length(length)
    for pieces in ([data], [data[:44], data[44:]], [data[i : i + 5] for i in range(0, len(data), 5)]):
        np.testing.assert_array_equal(parsed(WavParser(), pieces), WANTED)
    np.testing.assert_array_equal(read_audio(io.BytesIO(data))[0], WANTED)


def test_a_chunk_after_the_samples_is_not_audio() -> None:
    parser = WavParser()
    assert len(parsed(parser, [WAV, LIST])) == len(WANTED)
    assert parser.feed(WAV) == []


def test_a_stream_that_ends_before_its_length_is_what_came() -> None:
    np.testing.assert_array_equal(parsed(WavParser(), [WAV[:-7]]), WANTED[:-4])


def test_samples_come_as_soon_as_they_are_complete() -> None:
    parser = WavParser()
    assert parser.feed(WAV[:45]) == []
    ((first, _),) = parser.feed(WAV[45:47])
    np.testing.assert_array_equal(first, WANTED[:1])


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("code", "bits"), list(WAV_CODES))
def test_a_wav_of_every_format(code: int, bits: int, extensible: bool) -> None:
    kind = WAV_CODES[code, bits]
    data = in_format(kind, frames=12, channels=2)
    whole = wav_of(code, bits, data, channels=2, extensible=extensible)
    wanted = Layout(RATE, kind, 2).samples(data)
    for size in (1, 5, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        np.testing.assert_array_equal(parsed(WavParser(), pieces), wanted)


def test_a_large_chunk_is_skipped_as_it_comes() -> None:
    parser = WavParser()
    block = bytes(2**16)
    parser.feed(WAV[:12] + b"JUNK" + struct.pack("<I", 2**25))
    for _ in range(2**25 // len(block)):
        assert parser.feed(block) == []
        assert len(parser._held) <= len(block)
    np.testing.assert_array_equal(parsed(parser, [WAV[12:]]), WANTED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no audio at all, but some text", "a stream is plain WAV, or raw samples whose rate is given"),
        (b"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0", "a stream is plain WAV"),
        (b"RIFX" + WAV[4:], "a stream is plain WAV"),
        (b"RIFF\0\0\0\0AVI LIST", "a stream is plain WAV"),
        (b"RIF", "a stream is plain WAV"),
        (b"", "empty; is it the right input"),
        (WAV[:12], "a WAV that is cut short: there are no samples in it"),
        (WAV[:30], "a WAV that is cut short"),
        (WAV[:36], "a WAV that is cut short"),
        (WAV[:12] + chunk(b"fmt ", b"\1\0") + WAV[36:], "a WAV that is cut short"),
        (WAV[:12] + WAV[36:], "samples come before their format"),
        (WAV[:12] + b"JUNK" + struct.pack("<I", MAX_HEADER + 1), "a WAV with a damaged header"),
        (wav_of(2, 4, bytes(40)), "samples are compressed; convert it to 16-bit"),
        (wav_of(1, 16, bytes(40), channels=0), "0 channels; give 1 to"),
        (WAV.replace(struct.pack("<I", RATE), struct.pack("<I", 100), 1), "100 samples a second; give"),
        (wav_of(3, 32, struct.pack("<f", float("nan"))), "sample 1 is not a number"),
    ],
)
def test_what_is_not_a_wav(data: bytes, message: str) -> None:
    for size in (max(1, len(data)), 1):
        with pytest.raises(DataError, match=message):
            parsed(WavParser(), [data[at : at + size] for at in range(0, len(data), size)])


# --- raw samples ----------------------------------------------------------------------------------------------


def in_format(kind: str, frames: int, channels: int) -> bytes:
    """Random samples in a format."""
    size = FORMATS[kind][0]
    if kind[0] == "f":
        return np.random.default_rng(0).uniform(-1, 1, frames * channels).astype(f"<f{size}").tobytes()
    return np.random.default_rng(0).integers(0, 256, frames * channels * size, np.uint8).tobytes()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", list(FORMATS))
def test_raw_samples_of_every_format(kind: str, channels: int) -> None:
    layout = Layout(RATE, kind, channels)
    data = in_format(kind, 10, channels)
    wanted = layout.samples(data)
    for pieces in cuts(data):
        np.testing.assert_array_equal(parsed(RawAudioParser(layout), pieces), wanted)
    np.testing.assert_array_equal(parsed(RawAudioParser(layout), [data, b"\0" * (layout.frame - 1)]), wanted)


def test_no_samples_at_all() -> None:
    assert parsed(RawAudioParser(Layout(RATE)), [b""]).size == 0


def test_the_parser_of_a_stream() -> None:
    assert isinstance(audio_parser(), WavParser)
    raw = audio_parser(RATE, "s24", 2)
    assert isinstance(raw, RawAudioParser)
    assert raw.layout == Layout(RATE, "s24", 2)
    with pytest.raises(UsageError, match="format 's17': did you mean 's16'"):
        audio_parser(RATE, "s17")
    with pytest.raises(DataError, match="10 samples a second"):
        audio_parser(10)
