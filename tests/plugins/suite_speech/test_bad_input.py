"""The commands of speech with odd recordings and bad files: one clear line each."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from suite.data.audio import wav_bytes

Cli = Callable[..., Any]
Speak = Callable[..., np.ndarray]
RATE = 8000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


def saved(samples: np.ndarray, rate: int = RATE, **how: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **how)
    return file.getvalue()


#: File, content, what the one line says after the path.
UNUSABLE = [
    ("a.wav", b"", "empty; is it the right file?"),
    ("a.wav", b"this is a text\n", "text, not sound; give a .wav, .flac, .ogg or .mp3"),
    ("a.wav", wav_bytes(NOISE, RATE)[:5000], "cut short: 11,044 of 16,000 bytes of sound are missing; get it again"),
    ("a.wav", wav_bytes(NOISE[:0], RATE), "no samples in it; is it the right file?"),
    (
        "a.wav",
        saved(np.full(9, np.nan), format="WAV", subtype="FLOAT"),
        "sample 1 is not a number; write the file again",
    ),
    ("a.flac", saved(NOISE, format="FLAC")[:4000], "damaged"),
    (
        "a.wav",
        wav_bytes(NOISE, RATE).replace(struct.pack("<I", RATE), struct.pack("<I", 50), 1),
        "50 samples a second; give",
    ),
    ("a.mp3", bytes(range(256)) * 4, "not sound that can be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), UNUSABLE)
def test_a_file_that_cannot_be_read_is_one_line(
    cli: Cli, checkpoint: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    ran = cli("speech", "predict", name, "--checkpoint", checkpoint)
    assert ran.code == 1
    assert ran.error.startswith(f"suite: {name}: {message}")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (wav_bytes(np.zeros(RATE, np.float32), RATE), "silence: there is nothing to hear"),
        (wav_bytes(np.clip(NOISE * 100, -1, 1), RATE), "clipped: "),
        (saved(NOISE, format="WAV", subtype="PCM_U8"), None), (saved(np.repeat(NOISE, 12), 96000, format="WAV"), None),
        (saved(np.stack([NOISE] * 24, axis=1), format="WAV"), None),
    ],
)  # fmt: skip
def test_odd_recordings_are_transcribed_with_a_note(
    cli: Cli, checkpoint: Path, tmp_path: Path, content: bytes, note: str | None
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    ran = cli("speech", "predict", "a.wav", "--json", "--checkpoint", checkpoint)
    assert ran.code == 0
    assert ran.err == ""
    if note is not None:
        assert ran.values[0]["note"].startswith(note)


def test_a_folder_gives_its_recordings_in_order(cli: Cli, checkpoint: Path, recordings: Path, tmp_path: Path) -> None:
    ran = cli("speech", "predict", recordings, "--json", "--checkpoint", checkpoint)
    assert [Path(value["input"]).name for value in ran.values] == sorted(p.name for p in recordings.glob("*.wav"))
    (tmp_path / "empty" / "in").mkdir(parents=True)
    (tmp_path / "empty" / "in" / "a.wav").write_bytes(wav_bytes(NOISE, RATE))
    ran = cli("speech", "predict", "empty", "--checkpoint", checkpoint)
    assert ran.error.startswith("suite: empty: no recording in it (.wav")
    assert "--recursive" in ran.error
    assert cli("speech", "predict", "empty", "--recursive", "--checkpoint", checkpoint).code == 0
    assert "is a variable not set" in cli("speech", "predict", "", "--checkpoint", checkpoint).error


def test_a_manifest_with_broken_rows(cli: Cli, checkpoint: Path, recordings: Path) -> None:
    good = (recordings / "said.jsonl").read_text().splitlines()[0]
    rows = [good, '{"audio": "nowhere.wav", "text": "go"}', '{"audio": "go.wav", "text": "äöü ж"}', '{"text": "go"}']
    (recordings / "mixed.jsonl").write_text("\n".join(rows))
    given = ("speech", "evaluate", "--data", recordings / "mixed.jsonl", "--checkpoint", checkpoint)
    ran = cli(*given)
    assert ran.code == 1
    assert "mixed.jsonl:" in ran.error
    ran = cli(*given, "--skip-errors", "--json")
    assert ran.code == 0
    assert (ran.values[0]["items"], ran.values[0]["skipped"]) == (1, 3)
    assert all("(skipped)" in line for line in ran.err.splitlines())


# --- other commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
def test_a_stream_shows_partial_text(cli: Cli, checkpoint: Path, speak: Speak, raw: bool) -> None:
    samples = np.concatenate([speak("go on"), np.zeros(RATE, np.float32), speak("ten")])
    data = wav_bytes(samples, RATE)[44 * raw :]
    options = ("--rate", str(RATE)) if raw else ()
    pieces = [data[i : i + 501] for i in range(0, len(data), 501)]
    ran = cli("speech", "stream", *options, "--checkpoint", checkpoint, stdin=pieces)
    assert ran.code == 0
    assert [line for line in ran.lines if not line.startswith("…")] == ["go on", "ten"]
    assert "… go" in ran.lines
    # Also where a file comes as one block.
    assert "… go" in cli("speech", "stream", *options, "--checkpoint", checkpoint, stdin=data).lines
    ran = cli("speech", "stream", *options, "--json", "--timing", "--checkpoint", checkpoint, stdin=pieces)
    assert ran.values[-1]["final"] is True
    assert ran.values[-1]["text"] == "ten"
    assert ran.values[-1]["seconds"] > 0
    assert "real-time factor" in ran.said
    assert "median latency of words" in ran.said


@pytest.mark.parametrize(
    ("options", "stdin", "message"),
    [
        ((), b"no wav at all, but some text", "standard input: a stream is plain WAV, or raw samples whose rate"),
        ((), b"", "standard input: empty; is it the right input?"),
        ((), wav_bytes(NOISE, RATE)[:30], "standard input: a WAV that is cut short: there are no samples in it"),
        (("--rate", "8000"), b"", "standard input: no samples in it"),
    ],
)  # fmt: skip
def test_standard_input_that_is_no_audio(
    cli: Cli, checkpoint: Path, options: tuple[str, ...], stdin: bytes, message: str
) -> None:
    ran = cli("speech", "stream", *options, "--checkpoint", checkpoint, stdin=stdin)
    assert ran.code == 1
    assert ran.error.startswith(f"suite: {message}")


def test_options_out_of_bounds(cli: Cli, checkpoint: Path) -> None:
    for name, value in (("rate", 10), ("rate", 10**6), ("channels", 0)):
        ran = cli("speech", "stream", f"--{name}", str(value), "--checkpoint", checkpoint)
        assert ran.code == 2
        assert f"{name}={value}: expected a whole number of at " in ran.error


def test_a_microphone_needs_its_extra(cli: Cli, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    ran = cli("speech", "stream", "--microphone", "--checkpoint", checkpoint)
    assert "a microphone needs the [microphone] extra" in ran.error


def test_a_language_model_is_trained_and_bad_files_are_reported(
    cli: Cli, checkpoint: Path, recordings: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("Go on!\nno 1\n")
    ran = cli("speech", "train-lm", "text.txt", "--order", "2", "--json")
    assert ran.code == 0
    assert ran.values[0]["file"] == "lm.arpa"
    ran = cli("speech", "predict", recordings / "go.wav", "--lm", "lm.arpa", "--checkpoint", checkpoint)
    assert ran.code == 0
    ran = cli("speech", "predict", recordings / "go.wav", "--lm", "text.txt", "--checkpoint", checkpoint)
    assert "text.txt: no \\end\\ in it" in ran.err
    ran = cli("speech", "predict", recordings / "go.wav", "--lm", "nowhere", "--checkpoint", checkpoint)
    assert "nowhere: No such file or directory" in ran.err
    assert "give files of text" in cli("speech", "train-lm").error
    assert "order=0" in cli("speech", "train-lm", "text.txt", "--order", "0").error
    (tmp_path / "rows.jsonl").write_text(json.dumps({"audio": "a.wav"}))
    assert "rows.jsonl:1: no column 'text'" in cli("speech", "train-lm", "rows.jsonl").error


def test_predict_draws_a_plot(cli: Cli, checkpoint: Path, recordings: Path, tmp_path: Path) -> None:
    given = [recordings / f"{name}.wav" for name in ("go", "no-on")]
    ran = cli("speech", "predict", *given, "--plot", "out.png", "--checkpoint", checkpoint)
    assert ran.code == 0
    assert ran.err.splitlines()[-1] == "drawn: out.png"
    with Image.open(tmp_path / "out.png") as image:
        assert image.width > 1000
