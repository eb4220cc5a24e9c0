"""What transcription tasks share; the decoder itself is tested with the tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.codecs.audio import AudioCodec, AudioSpec
from suite.codecs.characters import CharacterCodec, CharacterSpec
from suite.errors import UsageError
from suite.inference.model import LoadedModel
from suite.runtime import Kind
from suite.task import Codecs, Column, DataSpec, Example
from suite.task.options import parse_options
from suite.task.transcription import Transcript, TranscriptionTask, joined, render_transcript, search_options


class Dictation(TranscriptionTask[Any, AudioCodec]):
    """The smallest transcription task."""

    name = "dictation"
    input_codec = AudioCodec
    data = DataSpec(columns=(Column(name="audio", help="a recording"),))

    def fit_codecs(
        self, examples: Sequence[Example], config: Any, **options: Any
    ) -> Codecs[AudioCodec, CharacterCodec]:
        return codecs()

    def build_model(self, config: Any, codecs: Codecs[AudioCodec, CharacterCodec]) -> Any:
        raise NotImplementedError


class NoGraphs:
    """A runtime without graphs, for what needs none."""

    kind: Kind = "onnx"
    names: tuple[str, ...] = ()

    def graph(self, name: str) -> Any:
        raise NotImplementedError


TASK = Dictation()


def codecs(doubt: float = 0.5) -> Codecs[AudioCodec, CharacterCodec]:
    spec = AudioSpec()
    audio = AudioCodec(spec, (0.0,) * spec.mels, (1.0,) * spec.mels)
    return Codecs(audio, CharacterCodec(CharacterSpec(), doubt=doubt))


def result(text: str, **more: Any) -> Transcript:
    return Transcript(input="a.wav", text=text, words=(), **{"confidence": 0.9, **more})


def test_metrics_per_source_if_there_are_several() -> None:
    rows = [Example(input="", target="a b", values={"source": source}) for source in ("x", "y")]
    metrics = TASK.metrics([result("a b"), result("a")], rows)
    assert metrics["wer"] == 0.25
    assert metrics["per_source"]["y"]["wer"] == 0.5
    assert "per_source" not in TASK.metrics([result("a b")], rows[:1])


def test_rendering_of_a_stream() -> None:
    assert render_transcript(result("")) is None
    assert render_transcript(result("press o", final=False, whole=False)) == "… press o"
    assert TASK.render_update(result("press one", final=False, whole=True), None) == "press one"
    assert TASK.render_update(result("hm", final=True, note="low confidence"), None) == "hm\n  low confidence"


def test_rendering_of_a_recording() -> None:
    assert TASK.render(result("press one")) == "press one  [a.wav]"
    shown = TASK.render(result("hm", note="low confidence", files=("a.srt",)))
    assert shown == "hm  [a.wav]\n  low confidence\n  saved: a.srt"


def test_finished_utterances_are_joined() -> None:
    def utterance(word: str, confidence: float, **more: Any) -> Transcript:
        words = ({"word": word, "start": 0.0, "end": 1.0, "confidence": confidence},)
        return Transcript(input=None, text=word, confidence=confidence, words=words, **more)

    partial = utterance("pre", 0.1, whole=False)
    both = joined([partial, utterance("press", 0.5, whole=True), utterance("one", 0.9, final=True)], codecs(0.8).target)
    assert both.text == "press one"
    # Each letter counts the same.
    assert both.confidence == round(math.exp((5 * math.log(0.5) + 3 * math.log(0.9)) / 8), 4)
    assert both.note is not None
    assert both.note.startswith("low confidence (")


def test_search_options_of_verbs_and_of_a_command() -> None:
    assert {option.verbs for option in search_options("predict", "stream")} == {("predict", "stream")}
    assert [option.name for option in search_options()] == [option.name for option in search_options("predict")]
    assert {option.name: option.type for option in search_options()}["lm"] is Path


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    return parse_options("dictation", search_options(), options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam=0: expected a whole number of at least 1"),
        ({"lm_weight": -1}, "lm_weight=-1: expected a number of at least 0"),
        ({"pause": math.inf}, "pause=inf: expected a finite number"),
        ({"word_bonus": math.nan}, "word_bonus=nan: expected a finite number"),
        ({"only": True}, "only needs vocabulary: give the file of words too"),
        ({"beam": 1, "lm": "lm.arpa"}, "beam=1 is greedy decoding, without lm or vocabulary: leave out one of them"),
    ],
)
def test_search_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    model: LoadedModel[AudioCodec, CharacterCodec] = LoadedModel(TASK, codecs(), NoGraphs())
    with pytest.raises(UsageError, match=message):
        TASK.stream_decoder(model, None, **given(options))


def test_a_decoder_has_the_time_of_its_codec_and_a_state_that_is_json() -> None:
    model: LoadedModel[AudioCodec, CharacterCodec] = LoadedModel(TASK, codecs(), NoGraphs())
    decoder = TASK.stream_decoder(model, None, **given({}))
    outputs = _spelled(model.codecs.target, "go on")
    updates = decoder.feed(outputs[:5])
    again = TASK.stream_decoder(model, json.loads(json.dumps(decoder.pending)), **given({}))
    updates = [*updates, *again.feed(outputs[5:])]
    last = again.finish([])
    assert [update.text for update in updates] == ["go", "go on"]
    assert (last.text, last.final) == ("go on", True)
    step = model.codecs.input.step_seconds
    assert [(word["start"], word["end"]) for word in last.words] == [_times(0, 3, step), _times(6, 9, step)]


def _times(start: int, end: int, step: float) -> tuple[float, float]:
    return round(start * step, 3), round(end * step, 3)


def _spelled(letters: CharacterCodec, text: str) -> np.ndarray:
    """Outputs ``[T, K]`` that are certain of each letter, with a blank after it."""
    (numbers,) = letters.encode([text])
    rows = np.full((2 * len(numbers), letters.size), -20.0, np.float32)
    rows[::2][np.arange(len(numbers)), numbers] = 0
    rows[1::2, 0] = 0
    return rows


def test_the_confidence_threshold_is_met_by_most_understood_examples() -> None:
    confident = [result("press one", confidence=0.5 + i / 100) for i in range(40)]
    wrong = [result("mess gone", confidence=0.1)] * 20
    silent = [result("", confidence=0.0)] * 20
    rows = [Example(input="", target="press one")] * 80
    model: LoadedModel[AudioCodec, CharacterCodec] = LoadedModel(TASK, codecs(0.9), NoGraphs())
    found = TASK.calibrate(model, rows, lambda: [*confident, *wrong, *silent]).target
    assert sum(answer.confidence < found.doubt for answer in confident) == 2
    assert TASK.calibrate(model, rows[:20], lambda: wrong) == model.codecs
