"""Sound out of files and pipes."""

from __future__ import annotations

import io
import struct
import sys
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data.audio import FORMATS, Layout, open_audio, read_audio, to_mono, wav_bytes, whole_frames
from suite.errors import DataError, MissingExtra, UsageError

soundfile = pytest.importorskip("soundfile")


def noise(count: int = 3000, channels: int = 1) -> np.ndarray:
    found = np.random.default_rng(0).uniform(-0.5, 0.5, (count, channels)).astype(np.float32)
    return found[:, 0] if channels == 1 else found


def file(samples: np.ndarray, rate: int = 16000, **how: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **how)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """Bytes that come a few at a time, and once."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def read(self, count: int = -1) -> bytes:
        found = b""
        while len(found) < count and (some := self._data.read(min(self._size, count - len(found)))):
            found += some
        return found

    def read1(self, count: int = -1) -> bytes:
        return self._data.read(min(self._size, count))

    def seekable(self) -> bool:
        return False


# --- WAV ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_a_wav_of_any_kind_is_what_libsndfile_reads(kind: str, form: str) -> None:
    data = file(noise(channels=3), format=form, subtype=kind)
    wanted, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    found, rate = read_audio(io.BytesIO(data))
    assert rate == 16000
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.mean(axis=1), atol=1e-7)


def test_what_is_written_is_read_again() -> None:
    samples = noise()
    found, rate = read_audio(io.BytesIO(wav_bytes(samples, 8000)))
    assert rate == 8000
    np.testing.assert_allclose(found, samples, atol=1 / 32768)
    assert read_audio(io.BytesIO(wav_bytes(np.array([2.0, -2.0], np.float32), 8000)))[0].tolist() == [
        32767 / 32768,
        -1.0,
    ]


def test_channels_are_written_side_by_side() -> None:
    samples = np.array([[0.5, -0.5], [1.5, -1.5], [0, 0.25]], np.float32)
    with wave.open(io.BytesIO(wav_bytes(samples, 44_100))) as file:
        assert file.getparams()[:4] == (2, 2, 44_100, 3)
        found = np.frombuffer(file.readframes(3), "<i2").reshape(-1, 2)
    np.testing.assert_array_equal(found, [[16384, -16384], [32767, -32768], [0, 8192]])


def test_a_path_may_lead_into_a_zip_and_says_how_long_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("one.wav", wav_bytes(noise(4000), 8000))
    with open_audio(tmp_path / "all.zip" / "one.wav") as sound:
        assert (sound.rate, sound.channels, sound.frames, sound.seconds) == (8000, 1, 4000, 0.5)
    assert len(read_audio(tmp_path / "all.zip" / "one.wav")[0]) == 4000


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_wav_may_come_through_a_pipe(size: int, length: str) -> None:
    samples = noise(900)
    data = bytearray(wav_bytes(samples, 8000))
    if length == "unknown":
        data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    with open_audio(Pipe(bytes(data), size)) as sound:  # type: ignore[arg-type]
        found = np.concatenate(list(sound.blocks))
    np.testing.assert_array_equal(found, read_audio(io.BytesIO(wav_bytes(samples, 8000)))[0])


def test_chunks_before_the_samples_are_passed_over() -> None:
    data = wav_bytes(noise(100), 8000)
    with_list = data[:36] + b"LIST" + struct.pack("<I", 5) + b"hello\0" + data[36:]
    np.testing.assert_array_equal(read_audio(io.BytesIO(with_list))[0], read_audio(io.BytesIO(data))[0])


# --- others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["FLAC", "OGG", "AIFF"])
def test_other_files_are_read_through_libsndfile(form: str, tmp_path: Path) -> None:
    (tmp_path / "a.sound").write_bytes(file(noise(20000, 2), format=form))
    samples, rate = read_audio(tmp_path / "a.sound")
    assert (len(samples), rate) == (20000, 16000)


def test_without_soundfile_only_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file(noise(), format="FLAC")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtra, match=r"sound other than plain WAV needs the \[audio\] extra"):
        read_audio(io.BytesIO(data))
    assert len(read_audio(io.BytesIO(wav_bytes(noise(), 8000)))[0]) == 3000


# --- what is none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty; is it the right file"), (b"just a text, no sound at all\n", "text, not sound; give a .wav"),
        (bytes(range(200, 256)) * 9, "not sound that can be read"),
        (wav_bytes(noise(), 8000)[:3000], "cut short: 3,044 of"),
        (wav_bytes(noise(), 8000)[:30], "a WAV that is cut short: there are no samples"),
        (file(noise(), format="FLAC")[:-900], "damaged|cut short"),
        (wav_bytes(noise(), 8000).replace(struct.pack("<I", 8000), struct.pack("<I", 100), 1), "100 samples a second"),
        (wav_bytes(noise(), 8000).replace(b"RIFF", b"RIFX"), "big-endian"),
        (file(np.array([0.1, np.nan], np.float32), format="WAV", subtype="FLOAT"), "sample 2 is not a number"),
        (b"RIFF\x24\x00\x00\x00WAVEdata\x04\x00\x00\x00\x00\x00\x00\x00", "before their format"),
    ],
    # Libsndfile writes the time into a file: a name made of the bytes would be another one a second later.
    ids=lambda given: given if isinstance(given, str) else "bytes",
)  # fmt: skip
def test_what_is_no_sound(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_audio(io.BytesIO(data))


def test_a_stream_is_plain_wav() -> None:
    with pytest.raises(DataError, match="a stream is plain WAV, or raw samples"):
        read_audio(Pipe(file(noise(), format="FLAC"), 100))  # type: ignore[arg-type]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; check the path"):
        read_audio(tmp_path / "nowhere.wav")


# --- raw samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_raw_samples_of_every_format_lie_between_minus_one_and_one(kind: str) -> None:
    layout = Layout(8000, kind, 2)
    assert layout.frame == 2 * FORMATS[kind][0]
    if kind[0] == "f":
        data = np.linspace(-1, 1, 100).astype(f"<{kind[0]}{FORMATS[kind][0]}").tobytes()
    else:
        data = np.random.default_rng(0).integers(0, 256, 100 * layout.frame, np.uint8).tobytes()
    found = layout.samples(data)
    assert found.dtype == np.float32
    assert np.abs(found).max() <= 1


def test_frames_stay_whole_however_they_come() -> None:
    layout = Layout(8000, "s24", 2)
    pieces = list(whole_frames(Pipe(bytes(6 * 11), 5), layout))  # type: ignore[arg-type]
    assert all(len(piece) % 6 == 0 for piece in pieces)
    assert sum(map(len, pieces)) == 66


def test_a_layout_that_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="format 's17': did you mean 's16'"):
        Layout(8000, "s17")
    with pytest.raises(DataError, match="0 channels; give 1 to"):
        Layout(8000, "s16", 0)
    with pytest.raises(DataError, match="100 samples a second"):
        Layout(100)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.array([16384, -32768], np.int16), [0.5, -1.0]), (np.array([[0.5, 0.1]]), [0.3]),
        (np.array([0, 128, 255], np.uint8), [-1.0, 0.0, 127 / 128]), (np.zeros(0), []),
    ],
)  # fmt: skip
def test_whole_numbers_are_shares_of_full_scale_and_channels_are_averaged(given: np.ndarray, wanted: Any) -> None:
    np.testing.assert_allclose(to_mono(given), wanted, atol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 2)), np.array(["a"]), np.array([np.inf]), np.zeros((3, 0))])
def test_arrays_that_are_no_sound(bad: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"samples|not a number"):
        to_mono(bad)


def test_a_wav_file_has_the_samples_of_all_channels() -> None:
    samples = np.array([[0.5, -0.5], [1.5, -1.5], [0, 1]], dtype=np.float32)
    with wave.open(io.BytesIO(wav_bytes(samples, 44_100))) as opened:
        assert opened.getparams()[:4] == (2, 2, 44_100, 3)
        found = np.frombuffer(opened.readframes(3), "<i2").reshape(-1, 2)
    np.testing.assert_array_equal(found, [[16384, -16384], [32767, -32768], [0, 32767]])
