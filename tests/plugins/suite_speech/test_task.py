"""The speech task, on small models overfitted to a few recordings."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_speech import Speech, SpeechConfig

import suite
from suite.codecs.audio_parsers import RawAudioParser, WavParser
from suite.codecs.characters import CharacterCodec
from suite.data.audio import read_audio, wav_bytes
from suite.decoding.ngram_lm import train_ngram, write_arpa
from suite.errors import DataError, UsageError
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.inference.sessions import Session
from suite.task import Codecs, Example
from suite.task.transcription import BEAM, Transcript, TranscriptDecoder
from suite.testing import check_light, check_resume, check_task

Speak = Callable[..., np.ndarray]
RATE = 8000
WORDS = ("go", "on", "no", "one", "ten", "net")
TASK = Speech()


def said(folder: Path) -> dict[str, str]:
    """What is said in each recording."""
    rows = map(json.loads, (folder / "said.jsonl").read_text().splitlines())
    return {str(folder / row["audio"]): row["text"] for row in rows}


def cuts(path: Any) -> Iterator[Sequence[np.ndarray]]:
    samples, _ = read_audio(path)
    for size in (61, 800, len(samples)):
        yield [samples[i : i + size] for i in range(0, len(samples), size)]


def streamed(session: Session, pieces: Sequence[Any]) -> list[Any]:
    """The finished utterances, the last result among them."""
    updates = [update for piece in pieces for update in session.feed(piece)]
    return [*(update for update in updates if update.whole), session.finish()]


# --- prediction -----------------------------------------------------------------------------------------------


def test_the_model_overfits_its_recordings(checkpoint: Path, recordings: Path) -> None:
    figures = suite.evaluate("speech", recordings / "said.jsonl", checkpoint)
    assert figures["items"] == 12
    assert figures["wer"] == figures["cer"] == 0
    assert figures["wer_95"] == [0, 0]
    assert 0 < figures["rtf"] < 2
    assert figures["per_source"]["pairs"] == {"items": 6, "wer": 0.0, "cer": 0.0}


def test_a_result_has_words_with_times_and_confidences(hear: Pipeline, recordings: Path) -> None:
    path = recordings / "no-on.wav"
    result = hear(path)
    assert isinstance(result, Transcript)
    assert list(result.to_dict()) == ["input", "text", "confidence", "words"]
    assert (result.input, result.text) == (str(path), "no on")
    assert [word["word"] for word in result.words] == ["no", "on"]
    first, second = result.words
    # Of the letters, 150 ms each, the first two are one word, and the last two another.
    assert first["start"] < first["end"] < second["start"] < second["end"] < 1.2
    assert abs(second["start"] - 0.51) < 0.25
    assert all(0.5 < word["confidence"] <= 1 for word in result.words)
    assert 0.5 < result.confidence <= 1
    assert TASK.render(result) == f"no on  [{path}]"


def test_an_input_may_be_a_path_or_samples(hear: Pipeline, recordings: Path, speak: Speak) -> None:
    path = recordings / "one.wav"
    samples, _ = read_audio(path)
    both = np.stack([samples, samples], axis=1)
    ways: list[Any] = [path, str(path), samples, (samples, RATE), both, (samples * 32767).astype(np.int16)]
    results = hear(ways)
    assert {result.text for result in results} == {"one"}
    assert results[2].input == f"{len(samples):,} samples"
    for rate in (16000, 44100, 11025):
        assert hear(speak("one", rate), sample_rate=rate).text == "one"
        assert hear([(speak("one", rate), rate)])[0].text == "one"


def test_a_batch_equals_its_members(hear: Pipeline, recordings: Path) -> None:
    paths = list(said(recordings))
    alone = [hear(path) for path in paths]
    assert [result.text for result in alone] == list(said(recordings).values())
    for size in (5, 64):
        for one, other in zip(hear(paths, batch_size=size), alone, strict=True):
            assert one.text == other.text
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_beam_search_and_a_vocabulary(hear: Pipeline, recordings: Path, tmp_path: Path) -> None:
    for path, text in said(recordings).items():
        assert hear(path, beam=8).text == text
    (tmp_path / "words.txt").write_text("ten\nnet on\n")
    only = {"vocabulary": tmp_path / "words.txt", "only": True}
    assert hear(recordings / "ten-one.wav", **only).text.split()[0] == "ten"
    (tmp_path / "words.txt").write_text("one\n")  # a changed file is read again
    os.utime(tmp_path / "words.txt", (1, 1))
    assert set(hear(recordings / "ten-one.wav", **only).text.split()) <= {"one"}
    (tmp_path / "words.txt").write_text("ten\nnet on\n")
    for path in said(recordings):
        assert set(hear(path, **only).text.split()) <= {"ten", "net", "on"}


def test_a_language_model_is_trained_and_used_in_shallow_fusion(
    hear: Pipeline, recordings: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("go net go\nnet go\n")
    figures = hear.train_lm(str(tmp_path / "text.txt"), out=tmp_path / "lm.arpa", order=2)
    assert (figures["texts"], figures["1-grams"]) == (2, 5)
    path = recordings / "no.wav"
    assert hear(path, lm=tmp_path / "lm.arpa", lm_weight=0.1).text == "no"
    (tmp_path / "words.txt").write_text("net\n")
    both = {"lm": tmp_path / "lm.arpa", "vocabulary": tmp_path / "words.txt", "only": True}
    assert hear(recordings / "net.wav", **both).text == "net"
    assert hear(path, **both).text in ("", "net")


def test_the_default_search_uses_the_language_model_of_the_checkpoint(checkpoint: Path, transducer: Path) -> None:
    """The language model and the beam size for each set of options."""
    asked: dict[str, tuple[dict[str, Any], bool, int]] = {
        "no options": ({}, True, BEAM), "a beam": ({"beam": 4}, True, 4), "greedy": ({"beam": 1}, False, 1),
        "no weight": ({"lm_weight": 0}, False, 0), "a vocabulary": ({"vocabulary": "words"}, True, BEAM),
        "only a vocabulary": ({"vocabulary": "words", "only": True}, False, BEAM),
    }  # fmt: skip
    words = checkpoint.parent / "words.txt"
    words.write_text("ten\n")
    for place, without in ((checkpoint, 1), (transducer, BEAM)):
        pipeline = Pipeline.open("speech", place)
        letters = pipeline.codecs.target
        assert letters.expects is not None
        assert letters.expects.score("net", ["go"]) > letters.expects.score("ten", ["go"])
        for how, (options, uses_lm, beam) in asked.items():
            given = {k: words if v == "words" else v for k, v in options.items()}
            search: Any = TranscriptDecoder(pipeline.model, None, **given)._listener._search
            size = getattr(search, "_size", 1)
            assert size == (beam or without), how
            model = search._fusion.lm if size > 1 else None
            assert model is (letters.expects if uses_lm else None), how


def test_training_without_a_language_model(
    tiny: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:  # fmt: skip
    made = suite.train(
        "speech", data=recordings / "said.jsonl", out=tmp_path / "m", settings=[*tiny, "expects.order=0"], epochs=1
    )  # fmt: skip
    assert "ngrams.npz" not in made.manifest.files
    assert Pipeline.open("speech", made.path)(next(iter(said(recordings)))).text is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam=0: expected a whole number of at least 1"),
        ({"pause": -1.0}, r"pause=-1.0: expected a number of at least 0"),
        ({"pause": float("inf")}, "pause=inf: expected a finite number"),
        ({"only": True}, "only needs vocabulary"),
        ({"lm_weight": -1.0}, r"lm_weight=-1.0: expected a number of at least 0"),
        ({"lm_weight": float("inf")}, "lm_weight=inf: expected a finite number"),
        ({"word_bonus": float("nan")}, "word_bonus=nan: expected a finite number"),
        ({"favour": float("inf")}, "favour=inf: expected a finite number"),
        ({"beam": 1, "lm": Path("lm.arpa")}, "beam=1 is greedy decoding, without lm or vocabulary"),
        ({"beam": 1, "vocabulary": Path("words.txt")}, "beam=1 is greedy decoding, without lm or vocabulary"),
        ({"sample_rate": 10}, "sample_rate=10: expected a whole number of at least 4000"),
        ({"srt": True}, "subtitles are written beside a file"),
    ],
)  # fmt: skip
def test_invalid_options(hear: Pipeline, speak: Speak, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hear(speak("go"), **options)


def test_subtitles_are_written_beside_the_recording(hear: Pipeline, speak: Speak, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(speak("go on"), RATE))
    result = hear(tmp_path / "a.wav", srt=True, vtt=True)
    assert result.files == (str(tmp_path / "a.srt"), str(tmp_path / "a.vtt"))
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:00,")
    assert (tmp_path / "a.vtt").read_text().splitlines()[-1] == "go on"
    assert "  saved: " in TASK.render(result)


class Short(Speech):
    """Speech that streams every recording longer than a second."""

    long_seconds = 1.0


def test_a_long_recording_is_read_as_a_stream_with_the_same_result(
    hear: Pipeline, speak: Speak, tmp_path: Path
) -> None:  # fmt: skip
    texts = [f"{word} {WORDS[i - 2]}" for i, word in enumerate(WORDS)]
    pause = np.zeros(RATE, np.float32)
    samples = np.concatenate([part for text in texts for part in (speak(text), pause)])
    (tmp_path / "long.wav").write_bytes(wav_bytes(samples, RATE))
    whole = hear(tmp_path / "long.wav")
    in_chunks = Pipeline(LoadedModel(Short(), hear.codecs, hear.runtime))
    for way in (tmp_path / "long.wav", samples):
        result = in_chunks(way)
        assert result.text == whole.text
        assert [word["start"] for word in result.words] == [word["start"] for word in whole.words]
        assert result.confidence == pytest.approx(whole.confidence, abs=2e-3)
        assert (result.final, result.whole) == (None, None)


# --- laws -----------------------------------------------------------------------------------------------------


def test_the_laws_of_a_task(checkpoint: Path, recordings: Path) -> None:
    notes = check_task(TASK, checkpoint=checkpoint, inputs=list(said(recordings))[:4])
    assert all(note.startswith("law 7 does not apply") for note in notes)


def test_the_plugin_is_light() -> None:
    check_light("suite_speech", "speech")


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_stream_in_any_pieces_equals_the_offline_result(hear: Pipeline, speak: Speak, rate: int) -> None:
    samples = np.concatenate([speak("go on", rate), np.zeros(rate, np.float32), speak("ten", rate)])
    wanted = hear(samples, sample_rate=rate)
    for size in (rate // 1000, rate // 10 + 1, len(samples)):
        pieces = [samples[i : i + size] for i in range(0, len(samples), size)]
        results = streamed(suite.stream(hear, sample_rate=rate), pieces)
        assert [result.text for result in results] == ["go on", "ten"]
        words = [word for result in results for word in result.words]
        assert [word["word"] for word in words] == [word["word"] for word in wanted.words]
        for ours, theirs in zip(words, wanted.words, strict=True):
            assert (ours["start"], ours["end"]) == (theirs["start"], theirs["end"])
            assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-3)
        assert results[-1].final is True


@pytest.mark.parametrize("beam", [1, 4])
def test_a_session_may_be_saved_at_any_moment(hear: Pipeline, speak: Speak, beam: int) -> None:
    samples = speak("one go", 11025)
    session, found = suite.stream(hear, sample_rate=11025, beam=beam), []
    for at in range(0, len(samples), 700):
        found += session.feed(samples[at : at + 700])
        session = suite.stream(hear, sample_rate=11025, beam=beam, state=session.dumps())
    assert session.finish().text == "one go"
    texts = [update.text for update in found]
    assert len(texts) == len(set(texts)) > 2, "an update says something new"
    assert all(update.final is False for update in found)


def test_the_last_word_is_not_lost_when_the_stream_ends_in_a_pause(hear: Pipeline, speak: Speak) -> None:
    samples = np.concatenate([speak("net"), np.zeros(round(0.6 * RATE), np.float32)])
    session = suite.stream(hear)
    updates = session.feed(samples)
    assert not [update for update in updates if update.whole]
    assert session.finish().text == "net"
    with pytest.raises(DataError, match="before anything could be read"):
        suite.stream(hear).finish()


def test_a_saved_state_of_another_model(hear: Pipeline) -> None:
    state = suite.stream(hear).state
    state["arrays"] = {name: array[:, :3] for name, array in state["arrays"].items()}
    of_another_task = {"pending": None, "carried": {}, "steps": 0}
    for other in (state, of_another_task, {}, 3):
        with pytest.raises(UsageError, match="the saved state is of another model"):
            suite.stream(hear, state=other)


def test_the_state_of_a_session_does_not_grow(hear: Pipeline, speak: Speak) -> None:
    samples = np.concatenate([speak("go on"), np.zeros(RATE, np.float32)])
    session = suite.stream(hear)
    sizes = []
    for _ in range(12):
        session.feed(samples)
        state = session.state
        sizes.append(len(json.dumps({k: v for k, v in state.items() if k != "arrays"})))
    assert max(sizes[6:]) <= max(sizes[:6]) + 50


# --- transducers ----------------------------------------------------------------------------------------------


def test_a_transducer_trains_and_streams(transducer: Path, recordings: Path) -> None:
    pipeline = Pipeline.open("speech", transducer)
    assert {"encoder.onnx", "decoder.onnx", "joiner.onnx"} <= {path.name for path in transducer.iterdir()}
    figures = suite.evaluate("speech", recordings / "said.jsonl", transducer)
    assert figures["wer"] <= 0.1
    check_task(TASK, checkpoint=transducer, inputs=list(said(recordings))[:2])
    path = recordings / "go-net.wav"
    for pieces in cuts(path):
        session = suite.stream(pipeline)
        for piece in pieces:
            session.feed(piece)
            session = suite.stream(pipeline, state=session.dumps())
        assert session.finish().text == pipeline(path).text
    assert pipeline(path, beam=1).text == pipeline(path, beam=4).text == pipeline(path).text


def test_a_transducer_with_a_vocabulary_and_a_language_model(
    transducer: Path, recordings: Path, tmp_path: Path
) -> None:  # fmt: skip
    pipeline = Pipeline.open("speech", transducer)
    path = recordings / "go-net.wav"
    words, model = tmp_path / "words.txt", tmp_path / "lm.arpa"
    words.write_text("net\n")
    assert set(pipeline(path, vocabulary=words, only=True).text.split()) == {"net"}
    write_arpa(train_ngram([*said(recordings).values()], 2), model)
    assert pipeline(path, lm=model).text == pipeline(path).text


def test_both_runtimes_give_the_same_result(checkpoint: Path, transducer: Path, recordings: Path) -> None:
    for place in (checkpoint, transducer):
        ours, theirs = (Pipeline.open("speech", place, runtime=kind) for kind in ("onnx", "torch"))
        for one, other in zip(ours(list(said(recordings))[:4]), theirs(list(said(recordings))[:4]), strict=True):
            assert one.text == other.text
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


# --- training -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    ["encoder.cell=mingru"], ["encoder.cell=gru", "encoder.norm=layer", "training.weights=int8"],
])  # fmt: skip
def test_any_causal_cell_trains_and_streams(
    tiny: tuple[str, ...], recordings: Path, tmp_path: Path, settings: list[str]
) -> None:
    data = recordings / "said.jsonl"
    made = suite.train("speech", data=data, out=tmp_path / "m", settings=[*tiny, *settings], epochs=1)
    pipeline = Pipeline.open("speech", made.path)
    path = next(iter(said(recordings)))
    assert streamed(suite.stream(pipeline), [read_audio(path)[0]])[-1].text == pipeline(path).text


def test_training_resumes_bit_for_bit_with_augmentation(
    tiny: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:
    settings = [*tiny, "augment.noise=1", "augment.reverb=1", "augment.band=1", "augment.tone=1", "masks.times=2"]
    check_resume(TASK, recordings / "said.jsonl", tmp_path, settings=settings, stops=[2], epochs=1)


def test_a_recording_too_short_for_its_text_is_left_out(
    tiny: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:  # fmt: skip
    rows = [*(recordings / "said.jsonl").read_text().splitlines(), json.dumps({"audio": "go.wav", "text": "go" * 40})]
    data = recordings / "short.jsonl"
    data.write_text("\n".join(rows))
    lines: list[str] = []
    suite.train("speech", data=data, out=tmp_path / "m", settings=tiny, epochs=1, say=lines.append)
    assert any("short.jsonl:13: left out:" in line and "which takes 80" in line for line in lines)
    assert "12 items to train on" in lines


def test_broken_rows_are_reported_and_left_out(tiny: tuple[str, ...], recordings: Path, tmp_path: Path) -> None:
    rows = (recordings / "said.jsonl").read_text()
    bad = [{"audio": "nowhere.wav", "text": "go"}, {"audio": "go.wav", "text": "жук"}, {"audio": "go.wav", "text": ""}]
    data = recordings / "broken.jsonl"
    data.write_text(rows + "".join(json.dumps(row) + "\n" for row in bad))
    errors: list[str] = []
    suite.train(
        "speech", data=data, out=tmp_path / "m", settings=tiny, epochs=1, on_error=lambda e: errors.append(str(e))
    )  # fmt: skip
    assert [error.partition("broken.jsonl")[2][:4] for error in errors] == [":13:", ":14:", ":15:"]
    assert "no such file" in errors[0]
    assert "not in the alphabet" in errors[1]
    assert "no text" in errors[2]


# --- evaluation and input -------------------------------------------------------------------------------------


def test_targets_are_normalized_as_in_training(hear: Pipeline) -> None:
    codecs = Codecs(hear.codecs.input, CharacterCodec(SpeechConfig().letters))
    assert TASK.check_example(Example(input="", target="Press 1!"), codecs).target == "press one"
    with pytest.raises(DataError, match="no text; write the transcript"):
        TASK.check_example(Example(input="", target="…"), codecs)


def test_speech_unlike_the_training_data_gets_a_note(hear: Pipeline) -> None:
    def with_threshold(doubt: float) -> Pipeline:
        codecs = hear.codecs.replace(target=dataclasses.replace(hear.codecs.target, doubt=doubt))
        return Pipeline(LoadedModel(hear.task, codecs, hear.runtime))

    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    found = with_threshold(0.9999)(samples)
    if found.text:
        assert found.note is not None
        assert found.note.startswith("low confidence (")
        assert found.note in TASK.render(found)
    assert with_threshold(0.0)(samples).note is None


def test_an_argument_is_a_recording_or_a_folder(tmp_path: Path) -> None:
    for name in ("b.FLAC", "a.wav", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "c.ogg").write_bytes(b"")
    assert [Path(path).name for path, _ in TASK.expand_inputs(str(tmp_path))] == ["a.wav", "b.FLAC"]
    assert [Path(path).name for path, _ in TASK.expand_inputs(str(tmp_path), recursive=True)] == [
        "a.wav",
        "b.FLAC",
        "c.ogg",
    ]
    assert list(TASK.expand_inputs("x.wav")) == [("x.wav", "x.wav")]


def test_a_stream_of_bytes_has_a_parser(hear: Pipeline, recordings: Path) -> None:
    data = (recordings / "go.wav").read_bytes()
    for parser, given in ((TASK.stream_parser(), data), (TASK.stream_parser(rate=RATE), data[44:])):
        assert isinstance(parser, WavParser | RawAudioParser)
        session = suite.stream(hear)
        for piece in [*parser.feed(given), *parser.finish()]:
            session.feed(piece)
        assert session.finish().text == "go"
