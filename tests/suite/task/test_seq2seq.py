"""The options and scores of tasks that write."""

from __future__ import annotations

from typing import Any

import pytest

from suite.decoding.beam_search import Beam, Hypothesis
from suite.errors import UsageError
from suite.task.seq2seq import SEARCHING, alternatives, beam_of, count, mean, options, ranked


def test_every_verb_that_searches_has_the_options_of_a_search() -> None:
    made = {option.name: option for option in options("caption")}
    assert set(made) == {"beam", "length_penalty", "n_best", "sample", "temperature", "top_p", "seed"}
    assert {name for name, option in made.items() if option.verbs == SEARCHING} == {"beam", "length_penalty"}
    assert "captions" in made["n_best"].help


def test_a_beam_is_as_wide_as_the_answers_that_are_asked_for() -> None:
    assert beam_of(3, 0.5) == Beam(3, 0.5)
    assert beam_of(2, 1.0, 7) == Beam(7, 1.0, 7)
    for wrong, said in (((0, 1.0), "beam=0"), ((1, -1.0), "length_penalty"), ((5, 1.0, 0), "n_best")):
        with pytest.raises(UsageError, match=said):
            beam_of(*wrong)


def test_the_score_of_a_stream_is_the_mean_over_all_its_tokens() -> None:
    carried: dict[str, Any] = {}
    assert mean(carried) == 0.0
    assert count(carried, Hypothesis((7, 8), -1.0)) == 3
    assert count(carried, Hypothesis((), -5.0)) == 1
    assert mean(carried) == pytest.approx(-2.0)


def test_alternatives_are_there_where_several_answers_were_asked_for() -> None:
    assert alternatives([("two", -1.25)], 2) == ({"text": "two", "score": -1.25},)
    assert alternatives([], 2) == ()
    assert alternatives([], 1) is None


def test_answers_stand_below_each_other_with_their_scores() -> None:
    assert ranked(-0.5, "one", [{"score": -1.25, "text": "two"}]) == [" -0.500  one", " -1.250  two"]
