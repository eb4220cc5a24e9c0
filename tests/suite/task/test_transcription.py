"""What tasks share that write down what is said; the reader itself is tested with the tasks that have one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from suite.codecs.characters import CharacterCodec, CharacterSpec
from suite.task import Example
from suite.task.transcription import Transcript, calibrate, joined, metrics, options, render, render_update


def result(text: str, **more: Any) -> Transcript:
    return Transcript(input="a.wav", text=text, words=(), **{"confidence": 0.9, **more})


def test_figures_by_source_are_there_where_there_are_several() -> None:
    rows = [Example(input="", target="a b", values={"source": source}) for source in ("x", "y")]
    figures = metrics([result("a b"), result("a")], rows)
    assert figures["wer"] == 0.25
    assert figures["per_source"]["y"]["wer"] == 0.5
    assert "per_source" not in metrics([result("a b")], rows[:1])


def test_what_is_shown_of_a_stream() -> None:
    assert render_update(result("")) is None
    assert render_update(result("press o", final=False, whole=False)) == "… press o"
    assert render_update(result("press one", final=False, whole=True)) == "press one"
    assert render_update(result("hm", final=True, note="in doubt")) == "hm\n  in doubt"


def test_what_is_shown_of_a_recording() -> None:
    assert render(result("press one")) == "press one  [a.wav]"
    shown = render(result("hm", note="in doubt", files=("a.srt",)))
    assert shown == "hm  [a.wav]\n  in doubt\n  saved: a.srt"


def test_utterances_that_are_over_are_one_answer() -> None:
    def over(word: str, confidence: float, **more: Any) -> Transcript:
        words = ({"word": word, "start": 0.0, "end": 1.0, "confidence": confidence},)
        return Transcript(input=None, text=word, confidence=confidence, words=words, **more)

    codecs: Any = {"target": CharacterCodec(CharacterSpec(), doubt=0.8)}
    grown = over("pre", 0.1, whole=False)
    both = joined([grown, over("press", 0.5, whole=True), over("one", 0.9, final=True)], codecs)
    assert both.text == "press one"
    # Each letter counts the same.
    assert both.confidence == round(math.exp((5 * math.log(0.5) + 3 * math.log(0.9)) / 8), 4)
    assert both.note is not None
    assert both.note.startswith("in doubt")


def test_options_are_of_the_verbs_that_search() -> None:
    assert {option.verbs for option in options("predict", "stream")} == {("predict", "stream")}
    assert [option.name for option in options()] == [option.name for option in options("predict")]
    assert {option.name: option.type for option in options()}["lm"] is Path


def test_what_is_understood_of_dev_is_not_in_doubt() -> None:
    sure = [result("press one", confidence=0.5 + i / 100) for i in range(40)]
    unsure = [result("mess gone", confidence=0.1)] * 20
    silent = [result("", confidence=0.0)] * 20
    rows = [Example(input="", target="press one")] * 80
    codecs: Any = {"target": CharacterCodec(CharacterSpec(), doubt=0.9)}
    found: Any = calibrate([*sure, *unsure, *silent], rows, codecs)["target"]
    assert sum(answer.confidence < found.doubt for answer in sure) == 2
    assert calibrate(unsure, rows[:20], codecs) == codecs
