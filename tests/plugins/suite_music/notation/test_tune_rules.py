"""Tunes written under rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from suite_music.notation import abc
from suite_music.notation.chorale_rules import ChoraleRules
from suite_music.notation.notes import played
from suite_music.notation.piece_codec import END, START
from suite_music.notation.statistics import full_bars
from suite_music.notation.tune_rules import MAX_CACHED_MASKS, MAX_RESTS, TuneRules
from suite_music.notation.tunes import COLUMNS, Reader, TuneCodec, TuneSpec

from suite.decoding.generate import generate
from suite.errors import UsageError


@pytest.mark.parametrize(
    ("meter", "key", "bars"),
    [("6/8", "D", 16), ("C|", "A", 8), ("9/8", "G", 9), ("2/4", "Bb", 1), ("3/4", "Ador", 3), (None, None, 12)],
)
def test_tunes_fill_their_bars_and_end_after_so_many(
    codec: TuneCodec, meter: str | None, key: str | None, bars: int, walk: Callable[..., list[int]]
) -> None:
    rules = TuneRules(codec, key=key, meter=meter, bars=bars)
    for seed in range(12):
        tokens = walk(rules, np.random.default_rng(seed), [])
        text = codec.decode(tokens)
        assert tokens[-1] == END
        assert full_bars(text) == (bars, bars), text
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "^^" not in text
        assert "__" not in text
        assert text.count("(") - text.count("(3") == text.count(")")
        stated = {event.kind: event.value for event in abc.events(text) if event.kind in ("meter", "key")}
        assert meter is None or stated["meter"] == abc.field("M", meter).value
        assert key is None or stated["key"] == abc.key(key)
        assert codec.tokens(text)[:3] == tokens[:3]


FEW = {
    "of which nothing is frequent": ["M:6/8\nL:1/8\nK:D\nABc d2e|f3 d3|]\n"],
    "without a header": ["ABcd efga|b8|\n"],
    "whose bars its lengths cannot fill": ["M:3/8\nL:1/4\nK:G\nG|A|\n"],
    "with graces and slurs that stay open": ["M:C\nL:1/8\nK:C\n" + 6 * "(c{d" + "c8||\n"],
    "in a key of double sharps": ["M:C\nL:1/8\nK:C#\n" + 6 * "^^c" + "|\n"],
    "that only rest": ["M:C\nL:1/8\nK:C\nz8|\n"],
}


@pytest.mark.parametrize("tunes", FEW.values(), ids=FEW)
def test_with_a_vocabulary_of_few_tunes_something_may_always_follow(
    tunes: list[str], walk: Callable[..., list[int]]
) -> None:
    codec = TuneCodec.fit(tunes, TuneSpec())
    for options in ({"bars": 8}, {"bars": 1}, {"endless": True}, {}):
        for seed in range(4):
            walk(TuneRules(codec, **options), np.random.default_rng(seed), [], limit=400)


def test_few_tunes_are_enough_to_write_full_bars(tunes: list[str], walk: Callable[..., list[int]]) -> None:
    codec = TuneCodec.fit(tunes[:1], TuneSpec())
    for seed in range(6):
        tokens = walk(TuneRules(codec, bars=8), np.random.default_rng(seed), [])
        assert tokens[-1] == END
        assert full_bars(codec.decode(tokens)) == (8, 8)


class Noise:
    """A graph that finds every token equally likely, and counts what it has read."""

    inputs, outputs = ("inputs", "lengths", "state.n"), ("outputs", "next.n")

    def __init__(self, size: int) -> None:
        self.size = size

    def initial(self, batch: int) -> dict[str, np.ndarray]:
        return {"state.n": np.zeros((batch, 1))}

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert arrays["inputs"].shape[2] == len(COLUMNS)
        outputs = np.zeros((*arrays["inputs"].shape[:2], self.size))
        return {"outputs": outputs, "next.n": arrays["state.n"] + arrays["lengths"][:, None]}


def test_the_search_of_the_core_writes_under_the_rules(codec: TuneCodec) -> None:
    rules = [TuneRules(codec, meter=meter, bars=8) for meter in ("6/8", "3/4", "C|")]
    randoms = [np.random.default_rng(seed) for seed in range(3)]
    stream = generate(
        Noise(codec.size), [[START]] * 3, randoms, constraints=rules, features=lambda: Reader(codec), stop=END
    )
    for tokens in np.stack(list(stream), axis=1):
        text = codec.decode(token for token in tokens if token >= 0)
        assert full_bars(text) == (8, 8)


@pytest.mark.parametrize("options", [{"bars": 12}, {"endless": True}])
def test_no_tune_falls_silent(codec: TuneCodec, options: dict[str, Any]) -> None:
    """What a model does that likes rests best: so many of them come in a row, and no more."""
    rules = TuneRules(codec, **options)
    random, state, tokens = np.random.default_rng(0), rules.start(), [START]
    while tokens[-1] != END and len(tokens) < 600:
        allowed = np.flatnonzero(rules.mask(state))
        rests = [token for token in allowed if codec.events[token].kind == "rest"]
        tokens.append(int(random.choice(rests or allowed)))
        state = rules.advance(state, tokens[-1])
    kinds = [event.kind for event in codec.events_of(tokens) if event.kind in ("note", "rest")]
    runs = [len(list(run)) for kind, run in itertools.groupby(kinds) if kind == "rest"]
    assert max(runs) == MAX_RESTS
    assert runs.count(MAX_RESTS) > 3
    # After a beginning that is silent for longer, too, a note comes.
    silent = codec.tokens("M:6/8\nL:1/8\nK:D\nzzz zzz|zzz ")
    state = rules.start()
    for token in silent:
        state = rules.advance(state, token)
    assert {codec.events[token].kind for token in np.flatnonzero(rules.mask(state))} & {"note", "rest"} == {"note"}


def test_repeats_close(codec: TuneCodec, walk: Callable[..., list[int]]) -> None:
    rules = TuneRules(codec, bars=24)
    seen = set()
    for seed in range(40):
        opened, ending = False, 0
        for event in abc.events(codec.decode(walk(rules, np.random.default_rng(seed), []))):
            if event.kind != "bar":
                continue
            bar = event.value
            seen |= {name for name in ("closes", "opens", "ending") if getattr(bar, name)}
            if bar.ending == 1:
                assert not ending
                ending = 1
            elif ending == 1 and bar.double:
                assert bar.closes
                assert bar.ending == 2
                opened, ending = False, 2
            elif bar.double:
                assert not (opened and ending != 2) or bar.closes
                opened, ending = bar.opens, 0
        assert not opened
        assert ending != 1
    assert seen == {"closes", "opens", "ending"}


def test_a_tune_without_an_end_goes_on_and_its_rules_stay_small(
    codec: TuneCodec, walk: Callable[..., list[int]]
) -> None:
    rules = TuneRules(codec, endless=True)
    tokens = walk(rules, np.random.default_rng(0), [], limit=6000)
    assert END not in tokens
    assert len(rules._masks) <= MAX_CACHED_MASKS
    assert full_bars(codec.decode(tokens))[1] > 100


def test_without_a_number_of_bars_the_model_may_end_where_a_section_does(
    codec: TuneCodec, walk: Callable[..., list[int]]
) -> None:
    rules = TuneRules(codec)
    for seed in range(6):
        tokens = walk(rules, np.random.default_rng(seed), [], limit=20_000, eager=True)
        assert tokens[-1] == END
        full, bars = full_bars(codec.decode(tokens))
        assert full == bars >= 8


def test_any_beginning_can_be_gone_on_from(codec: TuneCodec, tunes: list[str], walk: Callable[..., list[int]]) -> None:
    random = np.random.default_rng(0)
    for text in tunes:
        tokens = codec.tokens(text)
        for options in ({"bars": 32}, {"bars": 4}, {"endless": True}):
            cut = int(random.integers(3, len(tokens)))
            found = walk(TuneRules(codec, **options), random, tokens[:cut], limit=cut + 1500)
            assert ("bars" in options) == (found[-1] == END)
            assert list(played(abc.events(codec.decode(found))))


def test_real_tunes_mostly_keep_the_rules(codec: TuneCodec, tunes: list[str]) -> None:
    """The rules are narrower than what people write, but not by much."""
    kept = total = 0
    rules = TuneRules(codec)
    for text in tunes:
        state = rules.start()
        for token in codec.tokens(text):
            kept += bool(rules.mask(state)[token])
            total += 1
            state = rules.advance(state, token)
    assert kept / total > 0.97


def test_what_a_length_may_be_depends_on_the_rest_of_the_bar(codec: TuneCodec) -> None:
    rules = TuneRules(codec, meter="6/8", bars=4)
    state = rules.start()
    for token in codec.tokens("M:6/8\nL:1/8\nK:D\nABc de"):
        state = rules.advance(state, token)
    names = {codec.vocabulary[token] for token in np.flatnonzero(rules.mask(state))}
    assert {" ", ">", "*/", "*2"} <= names
    assert not names & {"*3", "*4", "|", " | "}


def test_what_is_not_known_is_refused(codec: TuneCodec) -> None:
    with pytest.raises(UsageError, match="key 'H'"):
        TuneRules(codec, key="H")
    with pytest.raises(UsageError, match=r"key 'Bm'.*not one that the model knows"):
        TuneRules(codec, key="Bm")
    with pytest.raises(UsageError, match="meter '6/9'"):
        TuneRules(codec, meter="6/9")
    for rules in (TuneRules, ChoraleRules):
        with pytest.raises(UsageError, match="bars 0"):
            rules(*[codec] * (rules is TuneRules), bars=0)  # type: ignore[arg-type]
