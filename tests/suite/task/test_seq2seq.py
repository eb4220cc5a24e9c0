"""Sequence to sequence: the options of a search, the beam, scores, and generated texts."""

from __future__ import annotations

from typing import Any

import pytest

from suite.decoding.beam_search import Beam, Hypothesis
from suite.errors import UsageError
from suite.task.options import parse_options
from suite.task.seq2seq import (
    NEIGHBOURS,
    SEARCHING,
    GeneratedText,
    add_score,
    alternatives,
    last_text,
    make_beam,
    mean_score,
    ranked_lines,
    reranking_option,
    search_options,
    search_values,
)


def test_every_verb_that_searches_has_the_options_of_a_search() -> None:
    options = {option.name: option for option in search_options("caption")}
    assert set(options) == {"beam", "length_penalty", "n_best", "sample", "temperature", "top_p", "seed"}
    assert {name for name, option in options.items() if option.verbs == SEARCHING} == {"beam", "length_penalty"}
    assert "captions" in options["n_best"].help
    assert {o.name: o.default for o in search_options("caption", length_penalty=0.5)}["length_penalty"] == 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"beam": 0}, "beam=0: expected a whole number of at least 1"),
        ({"n_best": 0}, "n_best=0: expected a whole number of at least 1"),
        ({"length_penalty": -1}, "length_penalty=-1: expected a number of at least 0"),
        ({"temperature": -0.5}, "temperature=-0.5: expected a number of at least 0"),
        ({"top_p": 1.5}, "top_p=1.5: expected a number of at most 1"),
        ({"seed": -1}, "seed=-1: expected a whole number of at least 0"),
        ({"neighbours": -1}, "neighbours=-1: expected a whole number of at least 0"),
    ],
)
def test_options_have_bounds(wrong: dict[str, Any], message: str) -> None:
    options = (*search_options("caption"), reranking_option())
    with pytest.raises(UsageError, match=f"^{message}$"):
        parse_options("captioning", options, wrong)


def test_a_search_takes_its_own_options_of_all_that_a_verb_has() -> None:
    values = parse_options("captioning", (*search_options("caption"), reranking_option()), {"beam": 3})
    assert values["neighbours"] == NEIGHBOURS
    assert search_values(values) == {k: v for k, v in values.items() if k != "neighbours"}
    assert search_values({"beam": 3, "recursive": True}) == {"beam": 3}


def test_a_beam_is_at_least_as_wide_as_the_number_of_results() -> None:
    assert make_beam(3, 0.5) == Beam(3, 0.5)
    assert make_beam(2, 1.0, 7) == Beam(7, 1.0, 7)
    for wrong, message in (((0, 1.0), "beam=0"), ((1, -1.0), "length_penalty"), ((5, 1.0, 0), "n_best")):
        with pytest.raises(UsageError, match=message):
            make_beam(*wrong)


def test_the_score_of_a_stream_is_the_mean_over_all_its_tokens() -> None:
    sums: dict[str, Any] = {}
    assert mean_score(sums) == 0.0
    add_score(sums, Hypothesis((7, 8), -1.0))
    add_score(sums, Hypothesis((), -5.0))
    assert sums["tokens"] == 3 + 1
    assert mean_score(sums) == pytest.approx(-2.0)


def test_alternatives_are_there_if_several_results_were_asked_for() -> None:
    assert alternatives([("two", -1.25)], 2) == ({"text": "two", "score": -1.25},)
    assert alternatives([], 2) == ()
    assert alternatives([], 1) is None


def test_alternatives_are_printed_below_each_other_with_their_scores() -> None:
    assert ranked_lines(-0.5, "one", [{"score": -1.25, "text": "two"}]) == [" -0.500  one", " -1.250  two"]


def test_a_generated_text_shows_what_is_set() -> None:
    assert GeneratedText(input="a", text="b", score=-1.0).to_dict() == {"input": "a", "text": "b", "score": -1.0}
    update = GeneratedText(input="a", text="b", score=0.0, final=False, whole=False)
    assert update.to_dict() == {"input": "a", "final": False, "text": "b", "score": 0.0, "whole": False}
    several = GeneratedText(input="a", text="b", score=-1.0, alternatives=({"text": "c", "score": -2.0},))
    assert several.to_dict()["alternatives"] == ({"text": "c", "score": -2.0},)


def test_the_last_result_of_a_stream_is_what_was_held_back() -> None:
    updates = [GeneratedText(input=given, text=text, score=0.0, final=False) for given, text in ("xa", "xb", "yc")]
    last = last_text(updates, {"score": -6.0, "tokens": 4})
    assert last == GeneratedText(input="xy", text="abc", score=-1.5, final=True)
    assert last_text([], {}) == GeneratedText(input="", text="", score=0.0, final=True)
