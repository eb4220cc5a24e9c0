"""The recipes of speech, on made-up packages in the published layout."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_speech import data, voices
from suite_speech.voices import VOICES, Clip, Voice, check_commands, make, plan

from suite.codecs.characters import spoken_form
from suite.data.audio import read_audio, wav_bytes
from suite.data.splits import part
from suite.errors import DataError

TEXTS = {
    "one": "Press 1.", "two": "Hello, world!", "deep/three": "Good-bye", "four": "[beep]", "five": "Too long.",
    "six": "Never recorded", **{f"more-{i}": f"word {chr(97 + i)} again" for i in range(20)},
}  # fmt: skip


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    sounds = tmp_path / "wav" / "usr" / "share" / "asterisk" / "sounds" / "en_US_f_Somebody"
    for name in TEXTS:
        if name != "six":
            (sounds / name).parent.mkdir(parents=True, exist_ok=True)
            seconds = 16 if name == "five" else 1
            (sounds / f"{name}.wav").write_bytes(wav_bytes(np.full(8000 * seconds, 0.1, np.float32), 8000))
    texts = tmp_path / "texts" / "usr" / "share" / "doc" / "asterisk-core-sounds-en"
    texts.mkdir(parents=True)
    lines = ["; a comment: no", "", *(f"{name}: {text}" for name, text in TEXTS.items())]
    (texts / "core-sounds-en.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return {data.SOUNDS.purl: tmp_path / "wav", data.TRANSCRIPTS.purl: tmp_path / "texts"}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_prompts_are_split_by_transcript(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build(folders, out)
    found = {row["key"]: (name, row) for name in ("train", "dev", "test") for row in rows(out / f"{name}.jsonl")}
    assert len(found) == len(TEXTS) - 3, "what is in brackets, too long or not there is left out"
    assert found["press one"][1]["text"] == "press one"
    for key, (name, row) in found.items():
        assert part(key) == name
        assert row["source"] == "prompts"
        samples, rate = read_audio(out / row["audio"])
        assert (len(samples), rate) == (8000, 8000)
    first = (out / "train.zip").read_bytes()
    data.build(folders, out)
    assert (out / "train.zip").read_bytes() == first


def test_another_package_is_refused(folders: dict[str, Path]) -> None:
    (folders[data.SOUNDS.purl] / "usr" / "share" / "asterisk" / "sounds" / "another").mkdir()
    with pytest.raises(DataError, match="2 speakers where one is expected"):
        list(data.prompts(folders))


def test_the_recipes_name_their_sources_and_parts() -> None:
    assert data.recipe().parts["test"] == (45, "2cb8634d34fc9063")
    assert {source.licence for source in data.recipe().sources} == {"CC-BY-SA-3.0"}
    assert len(data.voices_recipe().sources) == 9
    assert all(source.licence for source in data.voices_recipe().sources)


# --- voices ---------------------------------------------------------------------------------------------------

FREE = [f"This is sentence {chr(97 + i)}{chr(97 + j)} of many." for i in range(10) for j in range(10)]
PROMPTS = [text for text in TEXTS.values() if spoken_form(text)]
SOME = tuple(Voice(f"v-{name}", "flite", ("slt", 1.0), 120, name) for name in ("train", "dev", "test"))


def test_a_text_and_a_voice_are_in_one_part_only() -> None:
    clips = plan(PROMPTS, FREE, SOME)
    assert [clip.key for clip in clips] == [clip.key for clip in plan(PROMPTS, FREE, SOME)]
    assert [clip.key for clip in clips] != [clip.key for clip in plan(PROMPTS, FREE, SOME, seed=1)]
    for clip in clips:
        assert clip.text == spoken_form(clip.spoken)
        assert part(clip.text) == clip.voice.part or " " not in clip.text
    kinds = Counter(clip.kind for clip in clips if clip.voice.part == "test")
    assert set(kinds) <= {"numbers", "sentences", "prompts"}
    assert kinds["numbers"] > 40
    assert "free" in {clip.kind for clip in clips if clip.voice.part == "train"}


def test_no_voice_is_in_two_parts() -> None:
    assert len({voice.name for voice in VOICES}) == len(VOICES)
    named = {name: {voice.settings for voice in VOICES if voice.part == name} for name in ("train", "dev", "test")}
    assert not named["train"] & (named["dev"] | named["test"])
    assert not named["dev"] & named["test"]
    assert sum(voice.clips for voice in VOICES if voice.part == "train") > 10_000


def test_recordings_of_other_people_have_their_transcripts(tmp_path: Path) -> None:
    given, out = tmp_path / "usr/share/pocketsphinx/test/data", tmp_path / "out"
    for folder in ("cards", "librivox", "tidigits"):
        (given / folder).mkdir(parents=True)
    tone = np.sin(np.arange(8000) / 3).astype(np.float32) / 2
    for place, name, text in (("cards", "001", "ten of clubs "), ("librivox", "a-1", "he was ill-disposed")):
        file = given / place / ("cards.transcription" if place == "cards" else "transcription")
        file.write_text(f"<s> {text} </s> ({name})\n")
        (given / place / f"{name}.wav").write_bytes(wav_bytes(tone, 16000))
    for place in ("goforward.raw", "tidigits/dhd.2934z.raw"):
        (given / place).write_bytes((tone * 32768).astype("<i2").tobytes())
    out.mkdir()
    data.build_others({data.OTHERS.purl: tmp_path}, out)
    rows = [json.loads(line) for line in (out / "test.jsonl").read_text().splitlines()]
    assert [(row["text"], row["source"]) for row in rows] == [
        ("ten of clubs", "commands"), ("he was ill disposed", "book"), ("go forward ten meters", "commands"),
        ("two nine three four zero", "commands"),
    ]  # fmt: skip
    for row in rows:
        samples, rate = read_audio(out / row["audio"])
        assert rate == 16000
        assert np.abs(samples - tone).max() < 1e-4
    assert not (out / "train.jsonl").read_text()
    assert not (out / "dev.jsonl").read_text()


class FakeSynthesizer:
    """A tone for every text, or silence for one it cannot read."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, engines: Any, settings: Any, text: str, random: np.random.Generator) -> tuple[np.ndarray, int]:
        self.calls.append(text)
        count = 0 if text.startswith("mute") else 8000
        return np.sin(np.arange(count) / 3).astype(np.float32) * float(random.uniform(0.5, 1)), 16000


@pytest.fixture
def synthesizer(monkeypatch: pytest.MonkeyPatch) -> FakeSynthesizer:
    tone = FakeSynthesizer()
    monkeypatch.setattr(voices.Engines, "_flite", lambda *arguments: tone(*arguments))
    return tone


def clips(*texts: str) -> list[Clip]:
    voice = Voice("v", "flite", ("slt", 1.0), len(texts))
    return [Clip(voice, text, spoken_form(text), "numbers", i) for i, text in enumerate(texts)]


def test_clips_are_made_once(synthesizer: FakeSynthesizer, tmp_path: Path) -> None:
    given = clips(*(f"number {chr(97 + i)}" for i in range(26)))
    made = list(make(given, {}, tmp_path / "kept"))
    assert [clip for clip, _ in made] == given
    assert len(synthesizer.calls) == 26
    again = list(make(given, {}, tmp_path / "kept"))
    assert again == made
    assert len(synthesizer.calls) == 26
    samples, rate = read_audio(__import__("io").BytesIO(made[0][1]))
    assert (rate, len(samples)) == (8000, 4000)
    assert 0.2 < np.abs(samples).max() <= 0.6
    list(make(given[:3], {}, tmp_path / "kept"))
    assert len(synthesizer.calls) == 29, "other clips are another file"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_several_processes_give_the_same_clips(tmp_path: Path) -> None:
    voice = Voice("v", "espeak", ("en-us+f1",), 60)
    given = [Clip(voice, f"number {i}", spoken_form("number"), "numbers", i) for i in range(60)]
    alone, together = (list(make(given, {}, tmp_path / f"{n}", processes=n)) for n in (1, 2))
    assert [clip for clip, _ in together] == given
    assert together == alone


def test_a_text_that_a_voice_cannot_read_is_left_out(synthesizer: FakeSynthesizer, tmp_path: Path) -> None:
    made = list(make(clips("one", "mute a", "two"), {}, tmp_path))
    assert [clip.text for clip, _ in made] == ["one", "two"]
    with pytest.raises(DataError, match="v:mute b: no audio; is the voice installed"):
        list(make(clips("mute b"), {}, tmp_path))


def test_a_missing_command_is_reported_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "text2wave" else name)
    with pytest.raises(DataError, match="the voices need text2wave: apt-get install festival festvox-us-slt-hts"):
        check_commands()


def test_the_output_of_a_command_and_its_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(command: list[str], **options: Any) -> Any:
        if "fails" in command:
            return subprocess.CompletedProcess(command, 1, "", "no such voice\n")
        Path(command[-1]).write_bytes(wav_bytes(np.full(8000, 0.5, np.float32), 16000))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("subprocess.run", run)
    engines = voices.Engines({}, tmp_path)
    for engine, settings in (("flite", ("slt", 1.0)), ("espeak", ("en+f1",)), ("festival", ("kal_diphone",))):
        clip = Clip(Voice("v", engine, settings, 1), "one two", "one two", "numbers", 0)
        assert len(engines.speak(clip)) == 4000
    with pytest.raises(DataError, match="espeak-ng failed: no such voice"):
        engines._command(["espeak-ng", "fails"])
