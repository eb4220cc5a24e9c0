"""Streams: any pieces, the offline answer, constant memory, and a state that can be kept."""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import suite
from suite.errors import DataError, UsageError
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.inference.sessions import open_session, stream

TEXT = "What a “lovely” café, naïve 😀 👩‍👩‍👧 I ADORE it!!! http://x.y/z … مرحبا you're soooo good"


@pytest.fixture(scope="module")
def pipeline(tiny_checkpoint: Path) -> Pipeline:
    return Pipeline.open("sentiment", tiny_checkpoint)


def cut(whole: Any, seed: int) -> Iterator[Any]:
    random_ = random.Random(seed)
    at = 0
    while at < len(whole):
        size = random_.randint(0, 5)
        yield whole[at : at + size]
        at += size


# --- what comes out -------------------------------------------------------------------------------------------


def test_an_update_a_word_and_a_last_result(pipeline: Pipeline) -> None:
    with stream(pipeline) as session:
        assert session.feed("What a lov") != []
        updates = session.feed("ely ")
        assert [(u.input, u.final) for u in updates] == [("lovely", False)]
        assert session.steps == 3
        assert not session.pending
        assert session.feed("film") == []
        assert session.pending
        last = session.finish()
    assert last.final is True
    assert last.input == "film"
    assert session.steps == 4
    assert last.polarity == pytest.approx(pipeline("What a lovely film").polarity, abs=1e-5)


def test_every_update_is_the_answer_to_what_was_read(pipeline: Pipeline) -> None:
    words = TEXT.split()
    updates = [u.polarity for u in open_session(pipeline.model).feed(f"{TEXT} ")]
    offline = [pipeline(" ".join(words[: i + 1])).polarity for i in range(len(words))]
    assert updates == pytest.approx(offline, abs=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "torch"])
@pytest.mark.parametrize("raw", [TEXT, TEXT.encode()], ids=["str", "bytes"])
def test_any_pieces_give_the_offline_answer(tiny_checkpoint: Path, raw: Any, kind: Any) -> None:
    opened = Pipeline.open("sentiment", tiny_checkpoint, runtime=kind)
    whole = open_session(opened.model)
    expected = [u.to_dict() for u in [*whole.feed(raw), whole.finish()]]
    assert expected[-1]["polarity"] == pytest.approx(opened(TEXT).polarity, abs=1e-4)
    cuts = [[raw[i : i + 1] for i in range(len(raw))], *(list(cut(raw, seed)) for seed in range(10))]
    for pieces in cuts:
        session = open_session(opened.model)
        found = [u.to_dict() for piece in pieces for u in session.feed(piece)] + [session.finish().to_dict()]
        found = [f for f in found if not f["final"]] + found[-1:]
        assert [f["input"] for f in found] == TEXT.split()[:-1] + TEXT.split()[-1:]
        assert found[-1] == expected[-1]


def test_pieces_of_both_kinds(pipeline: Pipeline) -> None:
    session = open_session(pipeline.model)
    for piece in ("a ca", "fé ".encode()[:1], "fé ".encode()[1:], " 😀".encode()[:3], " 😀".encode()[3:]):
        session.feed(piece)
    assert session.finish().polarity == pytest.approx(pipeline("a café 😀").polarity, abs=1e-5)


def test_the_last_word_is_not_lost(pipeline: Pipeline) -> None:
    session = open_session(pipeline.model)
    session.feed("awful")
    assert session.finish().polarity == pytest.approx(pipeline("awful").polarity, abs=1e-5)


# --- what cannot be -------------------------------------------------------------------------------------------


def test_nothing_to_finish(pipeline: Pipeline) -> None:
    for pieces in ([], [""], [" \n"], [b""]):
        session = open_session(pipeline.model)
        for piece in pieces:
            assert session.feed(piece) == []
        with pytest.raises(DataError, match="the stream ended before anything could be read"):
            session.finish()


def test_what_is_no_text(pipeline: Pipeline) -> None:
    for wrong, message in ((5, "expected text, got int"), (b"caf\xe9 ", r"not UTF-8 \(byte 0xe9\)")):
        session = open_session(pipeline.model)
        session.feed("a good ")
        with pytest.raises(DataError, match=message):
            session.feed(wrong)
    session = open_session(pipeline.model)
    session.feed("é".encode()[:1])
    with pytest.raises(DataError, match="ends in the middle of a UTF-8 character"):
        session.finish()


def test_a_bidirectional_model_does_not_stream(tmp_path: Path, ratings_file: Path, tiny_settings: list[str]) -> None:
    made = suite.train(
        "sentiment", data=ratings_file, out=tmp_path / "ck", epochs=1,
        settings=[*tiny_settings, "encoder.bidirectional=true"],
    )  # fmt: skip
    opened = Pipeline.open("sentiment", made.path)
    assert not opened.causal
    assert opened("good").label
    with pytest.raises(UsageError, match="needs the whole input and cannot stream; train one with"):
        stream(opened)
    with pytest.raises(UsageError, match="cannot stream"):
        suite.stream("sentiment", made.path)


# --- a state that is kept -------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [TEXT, TEXT.encode()], ids=["str", "bytes"])
def test_a_saved_session_continues_where_it_stood(pipeline: Pipeline, tiny_checkpoint: Path, raw: Any) -> None:
    """Saved anywhere, inside a word or a character too, and continued with the checkpoint opened again."""
    whole = open_session(pipeline.model)
    updates, last = whole.feed(raw), whole.finish()
    elsewhere = Pipeline.open("sentiment", tiny_checkpoint)
    for at in range(len(raw) + 1):
        first = open_session(pipeline.model)
        found = first.feed(raw[:at])
        second = stream(elsewhere, state=first.dumps() if at % 2 else first.state)
        assert second.steps == first.steps
        found += second.feed(raw[at:])
        assert found == updates
        assert second.finish() == last


def test_a_session_says_what_it_is(pipeline: Pipeline) -> None:
    session = open_session(pipeline.model)
    session.feed("word " * 1234)
    assert repr(session) == "<Session of 'sentiment' after 1,234 steps>"


def test_a_stream_is_opened_by_name_by_pipeline_or_by_model(pipeline: Pipeline, tiny_checkpoint: Path) -> None:
    found = []
    for session in (
        stream("sentiment", tiny_checkpoint), stream(pipeline.task, tiny_checkpoint), stream(pipeline),
        stream(pipeline.model), stream("sentiment", tiny_checkpoint, runtime="onnx"),
    ):  # fmt: skip
        session.feed("What a lovely film")
        found.append(session.finish())
    assert found == [found[0]] * 5
    with pytest.raises(UsageError, match=r"^sentiment: no option 'sure'"):
        stream(pipeline, sure=0.5)
    with pytest.raises(UsageError, match=r"^sentiment: on_error is for tasks that read whole segments; leave it out$"):
        stream(pipeline, on_error=lambda error: None)


def test_what_is_loaded_takes_the_place_of_what_was_read(pipeline: Pipeline) -> None:
    first, second = open_session(pipeline.model), open_session(pipeline.model)
    first.feed("an awful, awful da")
    second.feed("lovely lovely film")
    assert second.loads(first.dumps()) is second
    assert second.steps == first.steps == 3
    assert second.pending
    assert second.finish() == first.finish()


def test_a_state_is_a_copy(pipeline: Pipeline) -> None:
    session = open_session(pipeline.model)
    session.feed("good ")
    state = session.state
    before = {name: array.copy() for name, array in state["arrays"].items()}
    session.feed("bad bad bad ")
    for name, array in before.items():
        np.testing.assert_array_equal(state["arrays"][name], array)
    one, two = (open_session(pipeline.model, state) for _ in range(2))
    one.feed("awful ")
    assert two.feed("nice ")[-1] == open_session(pipeline.model, state).feed("nice ")[-1]


def test_a_state_of_another_model(pipeline: Pipeline) -> None:
    session = open_session(pipeline.model)
    state = session.state
    for arrays in (
        {},
        {**state["arrays"], "extra": np.zeros(1)},
        {name: np.zeros((1, 99), np.float32) for name in state["arrays"]},
    ):
        with pytest.raises(UsageError, match="of another model; use it with the checkpoint it came from"):
            open_session(pipeline.model, {**state, "arrays": arrays})
    for part in state:
        with pytest.raises(UsageError, match="of another model"):
            open_session(pipeline.model, {name: value for name, value in state.items() if name != part})
    for other in ({**state, "reader": None}, {}, 3):
        with pytest.raises(UsageError, match="of another model"):
            open_session(pipeline.model, other)  # type: ignore[arg-type]


def test_a_codec_that_takes_no_pieces(pipeline: Pipeline) -> None:
    class Plain:
        encode = pipeline.codecs.input.encode

    model = LoadedModel(pipeline.task, pipeline.codecs.replace(input=Plain()), pipeline.runtime)
    with pytest.raises(UsageError, match="its input codec takes no pieces"):
        open_session(model)


# --- many and long --------------------------------------------------------------------------------------------


def test_a_thousand_sessions_do_not_leak_into_each_other(pipeline: Pipeline) -> None:
    texts = [f"{'good' if i % 2 else 'bad'} {'very ' * (i % 5)}number {i} done" for i in range(1000)]
    sessions = [open_session(pipeline.model) for _ in texts]
    pieces = [[text[j : j + 7] for j in range(0, len(text), 7)] for text in texts]
    for round_ in itertools.zip_longest(*pieces):
        for session, piece in zip(sessions, round_, strict=True):
            if piece is not None:
                session.feed(piece)
    found = [session.finish().polarity for session in sessions]
    assert found == pytest.approx([r.polarity for r in pipeline(texts)], abs=1e-4)


def test_a_long_stream_needs_no_more_memory_than_a_short_one(pipeline: Pipeline) -> None:
    """Even if no word ever comes twice. What is kept grows in every stretch; what the process does besides, in some."""
    process = psutil.Process()
    session = open_session(pipeline.model)
    held: list[int] = []
    for i in range(50_000):
        session.feed(f"word{i} ")
        if i % 10_000 == 1000:
            gc.collect()
            held.append(process.memory_info().rss)
    assert session.steps == 50_000
    assert min(after - before for before, after in itertools.pairwise(held)) < 500_000
