"""Tunes as tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from suite_music.notation.notes import Player, notes
from suite_music.notation.piece_codec import END, START
from suite_music.notation.transpose import transpose
from suite_music.notation.tunes import BYTES, FILE, SPECIAL, Reader, TuneCodec, TuneSpec, Writer

from suite.codecs import Codec
from suite.errors import CheckpointError, DataError

SMALL = TuneCodec.fit(["M:4/4\nL:1/8\nK:D\nABcd e2f2 |\n"] * 5, TuneSpec(min_layout=1))


def test_every_text_comes_back(tunes: list[str], codec: TuneCodec) -> None:
    for text in tunes:
        assert codec.decode(codec.tokens(text)) == text
        assert SMALL.decode(SMALL.tokens(text)) == text
        assert not any(BYTES <= token < len(SPECIAL) for token in codec.tokens(text))


@given(st.text(max_size=50) | st.text(alphabet="KML:GDFb#m_^=cdeA,'2/|[]() \n\"%*♪@+1", max_size=60))
@example("᭐")  # a digit of another script is no layout
def test_any_text_comes_back(text: str) -> None:
    assert SMALL.decode(SMALL.tokens(text)) == text


def test_a_tune_has_the_same_tokens_in_every_key() -> None:
    texts = ["K:D\nD2 ^G A=c", "K:G\nG2 ^c d=f", "K:Bb\nB2 =e f_a"]
    codec = TuneCodec.fit(texts, TuneSpec(min_count=1))
    rows = [codec.tokens(text) for text in texts]
    assert rows[0][1:] == rows[1][1:] == rows[2][1:]
    assert len({row[0] for row in rows}) == 3
    assert codec.decode([rows[1][0], *rows[0][1:]]) == texts[1]


def test_a_header_line_is_one_token(codec: TuneCodec) -> None:
    assert len(codec.tokens("M:6/8\nL:1/8\nK:D\n")) == 3


def test_the_longest_run_of_bar_signs_is_one_token() -> None:
    codec = TuneCodec.fit(["K:C\nA :|\n|: B || c :|\n"] * 3, TuneSpec(min_count=1, min_layout=1))
    assert len(codec.tokens(" :|\n|: ")) == 1
    assert [codec.vocabulary[i] for i in codec.tokens(" :|\n")] == [" :|\n"]
    assert [codec.vocabulary[i] for i in codec.tokens("||:|")] == ["|", "|", ":", "|"]


def test_inputs_and_targets_are_one_step_apart(tunes: list[str], codec: TuneCodec) -> None:
    inputs, targets = codec.encode(tunes[0]), codec.targets(tunes[0])
    assert inputs.shape == (len(targets), 5)
    assert inputs.dtype == targets.dtype == np.int64
    assert (inputs[0, 0], targets[-1]) == (START, END)
    np.testing.assert_array_equal(inputs[1:, 0], targets[:-1])
    for text in tunes:
        rows = codec.encode(text)
        assert (rows >= 0).all()
        assert (rows < np.array(codec.columns)).all()


def test_columns_say_what_the_tokens_before_say(tunes: list[str], codec: TuneCodec) -> None:
    reader, tokens = Reader(codec), [START, *codec.tokens(tunes[1])]
    np.testing.assert_array_equal([reader.next(token) for token in tokens], codec.encode(tunes[1]))
    text = "M:4/4\nL:1/8\nK:D\nABcd e2f2 |\nABcd e"
    rows = SMALL.encode(text)
    names = [SMALL.vocabulary[token] for token in rows[:, 0]]
    assert names[4:8] == ["♪4", "♪5", "♪6", "♪7"]
    assert rows[4:8, 3].tolist() == [4, 8, 12, 16]  # 32nds
    bar = names.index(" |\n")
    assert rows[bar].tolist()[1:] == [0, 0, 0, 1]
    # The second time, the bar before says what comes.
    assert [SMALL.vocabulary[hint] for hint in rows[-4:, 1]] == ["♪7", " ", "♪8", "*2"]
    assert rows[-4:, 2].tolist() == [2, 3, 4, 5]


def test_ids_are_written_as_they_come() -> None:
    writer = Writer(SMALL)
    pieces = [writer.write(token) for token in SMALL.tokens("K:F#m\n~é\nC")]
    assert "".join(pieces) == "K:F#m\n~é\nC"
    assert all(len(piece) <= 1 for piece in pieces)
    assert writer.flush() == ""
    # Half a character is held back, and replaced at the end.
    writer = Writer(SMALL)
    assert writer.write(BYTES + 0xC3) == ""
    assert writer.flush() == "\ufffd"
    assert SMALL.decode([START, *SMALL.tokens("K:D\nA"), BYTES + 0xFF, END]) == "K:D\nA\ufffd"


def test_events_of_tokens_are_those_of_the_text(tunes: list[str], codec: TuneCodec) -> None:
    for text in tunes:
        player = Player()
        found = [note for event in codec.events_of(codec.tokens(text)) for note in player.take(event)]
        assert sorted([*found, *player.finish()], key=lambda note: (note.start, note.pitch)) == notes(text)


def test_a_transposed_tune_differs_in_its_key_only(tunes: list[str]) -> None:
    text = tunes[0]
    other = transpose(text, "E")
    codec = TuneCodec.fit([text, other], TuneSpec(min_count=1, min_layout=1))
    first, second = codec.tokens(text), codec.tokens(other)
    assert [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b] == [2]


def test_files_come_back(codec: TuneCodec) -> None:
    assert isinstance(codec, Codec)
    again = TuneCodec.from_files(codec.files())
    assert again.vocabulary == codec.vocabulary
    assert again.spec == codec.spec
    assert again.files() == codec.files()


def test_columns_continue_from_a_saved_state(codec: TuneCodec, tunes: list[str]) -> None:
    tokens = [START, *codec.tokens(tunes[0])]
    for count in range(0, len(tokens), 5):
        first = codec.token_features()
        found = [first.next(token) for token in tokens[:count]]
        second = codec.token_features(json.loads(json.dumps(first.state)))
        found += [second.next(token) for token in tokens[count:]]
        np.testing.assert_array_equal(found, codec.encode(tunes[0]))


def test_signs_that_mean_nothing_are_no_hindrance() -> None:
    text = "M:4/4\nL:1/8\nK:D\n*A2B2 c2*d2|*e2f2 g2a2||\n"
    codec = TuneCodec.fit([text], TuneSpec(min_count=1, min_layout=1))
    assert "*" in codec.vocabulary
    assert codec.decode(codec.tokens(text)) == text


def test_the_vocabulary_does_not_depend_on_the_order(tunes: list[str]) -> None:
    first = TuneCodec.fit(tunes, TuneSpec())
    assert TuneCodec.fit(tunes[::-1], TuneSpec()).vocabulary == first.vocabulary


@pytest.mark.parametrize(
    "content",
    [
        {}, {"tunes": {}, "tokens": "x"}, {"tunes": {}, "tokens": ["a", "a"]},
        {"tunes": {}, "tokens": ["a"], "more": 1},
        {"tunes": {"min_count": 0}, "tokens": list(" \n\\|:[]0123456789")}, [],
    ],
)  # fmt: skip
def test_other_files_are_refused(content: object) -> None:
    with pytest.raises(CheckpointError, match=FILE):
        TuneCodec.from_files({FILE: json.dumps(content).encode()})
    with pytest.raises(CheckpointError, match="missing"):
        TuneCodec.from_files({})


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="expected ABC text"):
        SMALL.encode(3)
    with pytest.raises(DataError, match="UTF-8"):
        SMALL.tokens("K:G\n\ud800")
    with pytest.raises(DataError, match="empty"):
        TuneCodec.fit([], TuneSpec())
