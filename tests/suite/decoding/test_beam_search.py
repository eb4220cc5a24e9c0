"""Beam search against brute force, on a decoder whose every probability is known."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from suite.decoding.beam_search import (
    Beam,
    EncoderOutput,
    Hypothesis,
    _best,
    decode_steps,
    encode,
    sample,
    search,
    stream_search,
)
from suite.decoding.sampling import Sampling
from suite.errors import SuiteError

V, END, START = 4, 0, 1
WIDE = Beam(size=V**5)


class Decoder:
    """Logits that are a function of the row's own number and of all tokens so far, which are its state."""

    inputs = ("token", "state.past", "memory.row")
    outputs = ("logits", "weights", "next.past")

    def __init__(self, seed: int = 0, sharp: float = 1.5) -> None:
        self.random = np.random.default_rng(seed)
        self.tables = self.random.standard_normal((1000, V)).astype(np.float32) * sharp
        self.rows: list[int] = []

    def initial(self, batch: int) -> dict[str, np.ndarray]:
        return {"state.past": np.zeros(batch, np.int64)}

    def logits(self, row: int, past: int) -> np.ndarray:
        return self.tables[(row * 131 + past * 17) % 1000]

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        past = arrays["state.past"] * (V + 1) + arrays["token"] + 1
        rows = arrays["memory.row"]
        self.rows.append(len(rows))
        logits = np.stack([self.logits(int(r), int(p)) for r, p in zip(rows, past, strict=True)])
        weights = np.stack([rows, arrays["token"]], axis=1).astype(np.float32)
        return {"logits": logits, "weights": weights, "next.past": past}


def given(*rows: int) -> EncoderOutput:
    return EncoderOutput({"state.past": np.zeros(len(rows), np.int64)}, {"memory.row": np.asarray(rows)})


def likelihood(decoder: Decoder, row: int, tokens: tuple[int, ...]) -> float:
    """The log-probability of tokens and the end after them."""
    total, past = 0.0, START + 1
    for token in (*tokens, END):
        logits = decoder.logits(row, past).astype(np.float64)
        total += float(logits[token] - np.log(np.exp(logits).sum()))
        past = past * (V + 1) + token + 1
    return total


def all_answers(decoder: Decoder, row: int, limit: int, penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    """Every answer of at most ``limit`` tokens, best first."""
    found = []
    for length in range(limit + 1):
        for tokens in itertools.product(range(1, V), repeat=length):
            found.append((likelihood(decoder, row, tokens) / (length + 1) ** penalty, tokens))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_is_brute_force(seed: int, penalty: float) -> None:
    decoder = Decoder(seed)
    beam = Beam(WIDE.size, penalty, n_best=7)
    limits = [3, 4, 1]
    found = search(decoder, given(0, 1, 2), start=START, end=END, limits=limits, beam=beam)
    for row, limit in enumerate(limits):
        wanted = all_answers(decoder, row, limit, penalty)[:7]
        assert [answer.tokens for answer in found[row]] == [tokens for _, tokens in wanted][: len(found[row])]
        assert len(found[row]) == min(7, len(wanted))
        for answer in found[row]:
            mean = likelihood(decoder, row, answer.tokens) / (len(answer.tokens) + 1)
            assert answer.score == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    decoder = Decoder(seed)
    limits = [6, 2, 9, 0]
    greedy = np.stack(list(decode_steps(decoder, given(0, 1, 2, 3), start=START, end=END, limits=limits)), axis=1)
    found = search(decoder, given(0, 1, 2, 3), start=START, end=END, limits=limits, beam=Beam(1))
    for row, (best,) in enumerate(found):
        own = greedy[row][greedy[row] >= 0].tolist()
        if own[-1:] == [END]:
            own.pop()
        assert list(best.tokens) == own


def test_inputs_are_independent_and_leave_when_they_are_done() -> None:
    decoder = Decoder(3)
    together = search(decoder, given(5, 6, 7), start=START, end=END, limits=[8, 2, 5], beam=Beam(3, n_best=3))
    assert decoder.rows[0] == 3
    assert decoder.rows[-1] < max(decoder.rows) <= 9
    for row, limit, answers in zip((5, 6, 7), (8, 2, 5), together, strict=True):
        (alone,) = search(decoder, given(row), start=START, end=END, limits=[limit], beam=Beam(3, n_best=3))
        assert alone == answers


def test_search_stops_before_the_limit_when_nothing_better_is_left() -> None:
    decoder = Decoder(1, sharp=4)
    search(decoder, given(0), start=START, end=END, limits=[500], beam=Beam(2))
    assert len(decoder.rows) < 100


def test_a_wider_beam_is_no_worse_at_what_it_ranks_by() -> None:
    decoder = Decoder(2)
    scores = []
    for size in (1, 3, WIDE.size):
        (best,), *_ = search(decoder, given(0), start=START, end=END, limits=[4], beam=Beam(size))
        scores.append(best.score)
    assert scores[0] <= scores[2]
    assert scores[1] <= scores[2]


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_told_on_the_way_is_never_taken_back_and_ends_as_the_answer(seed: int, size: int) -> None:
    decoder, beam = Decoder(seed, sharp=3), Beam(size)
    for limit in (0, 3, 12):
        ((best,),) = search(decoder, given(seed), start=START, end=END, limits=[limit], beam=beam)
        told = list(stream_search(decoder, given(seed), start=START, end=END, limit=limit, beam=beam))
        assert [answer for _, answer in told] == [None] * (len(told) - 1) + [best]
        assert sum((tokens for tokens, _ in told), ()) == best.tokens


def test_a_greedy_answer_is_told_token_by_token() -> None:
    for seed in range(20):
        told = list(stream_search(Decoder(seed), given(0), start=START, end=END, limit=9, beam=Beam(1)))
        assert all(len(tokens) == 1 for tokens, _ in told[:-1])
        assert told[-1][0] == ()


class NoRepeat:
    """Tokens may not come twice in a row; the state is the last token."""

    def start(self) -> Any:
        return -1

    def mask(self, state: Any) -> np.ndarray:
        return np.arange(V) != state

    def advance(self, state: Any, token: int) -> Any:
        return token


def test_constraints_leave_the_best_that_is_allowed() -> None:
    decoder = Decoder(5)
    found = search(
        decoder, given(0, 1), start=START, end=END, limits=[4, 4], beam=WIDE, constraints=[NoRepeat(), NoRepeat()]
    )
    # A constrained likelihood is that of the tokens as they are: what is forbidden keeps its share.
    for row in range(2):
        allowed = [a for a in all_answers(decoder, row, 4, 1.0) if all(x != y for x, y in itertools.pairwise(a[1]))]
        assert found[row][0].tokens == allowed[0][1]


def test_rules_that_leave_no_answer() -> None:
    class Never(NoRepeat):
        def mask(self, state: Any) -> np.ndarray:
            return np.arange(V) != END

    with pytest.raises(SuiteError, match="allows no hypothesis within the length limit"):
        search(Decoder(), given(0), start=START, end=END, limits=[3], constraints=[Never()])


def test_attention_follows_the_tokens_of_the_answer() -> None:
    decoder = Decoder(4)
    ((best,),) = search(decoder, given(9), start=START, end=END, limits=[4], beam=Beam(3), attention=True)
    assert best.weights is not None
    assert best.weights.tolist() == [[9, token] for token in (START, *best.tokens)]
    ((plain,),) = search(decoder, given(9), start=START, end=END, limits=[4], beam=Beam(3))
    assert plain == Hypothesis(best.tokens, best.score)


def test_what_is_drawn_is_told_which_row_it_is_for() -> None:
    asked: list[int] = []

    def draw(row: int, logits: np.ndarray) -> int:
        asked.append(row)
        return END if row == 1 else 2

    tokens = list(decode_steps(Decoder(), given(0, 1, 2), start=START, end=END, limits=[3, 3, 1], draw=draw))
    assert np.stack(tokens).tolist() == [[2, END, 2], [2, -1, -1], [2, -1, -1]]
    assert asked == [0, 1, 2, 0, 0]


def test_drawn_answers_have_the_mean_of_what_their_tokens_were_likely_and_depend_on_their_own_chance() -> None:
    decoder = Decoder(2)

    def answers(*rows: int, seeds: tuple[int, ...]) -> list[Hypothesis]:
        randoms = [np.random.default_rng(seed) for seed in seeds]
        limits = [30] * len(rows)
        return sample(
            decoder, given(*rows), start=START, end=END, limits=limits, sampling=Sampling(2.0), randoms=randoms
        )  # fmt: skip

    found = answers(3, 4, 3, seeds=(1, 2, 5))
    for row, one in zip((3, 4, 3), found, strict=True):
        assert one.score == pytest.approx(likelihood(decoder, row, one.tokens) / (len(one.tokens) + 1), abs=1e-5)
        assert END not in one.tokens
    assert answers(4, seeds=(2,))[0].tokens == found[1].tokens
    assert len({answers(3, seeds=(seed,))[0].tokens for seed in range(20)}) > 5
    careful = sample(
        decoder, given(3), start=START, end=END, limits=[30], sampling=Sampling(0), randoms=[np.random.default_rng(0)]
    )  # fmt: skip
    greedy = [int(t[0]) for t in decode_steps(decoder, given(3), start=START, end=END, limits=[30])]
    assert [*careful[0].tokens, END] == greedy


def test_where_a_drawn_answer_looked() -> None:
    rows, limits = (3, 4), [30, 2]
    randoms = [np.random.default_rng(seed) for seed in (1, 2)]
    plain, seen = (
        sample(
            Decoder(2), given(*rows), start=START, end=END, limits=limits, sampling=Sampling(0), randoms=randoms,
            attention=attention,
        )
        for attention in (False, True)
    )  # fmt: skip
    assert [one.tokens for one in plain] == [one.tokens for one in seen]
    assert all(one.weights is None for one in plain)
    for row, one, limit in zip(rows, seen, limits, strict=True):
        assert one.weights is not None
        assert one.weights.tolist() == [[row, token] for token in [START, *one.tokens][:limit]]


@pytest.mark.parametrize("lengths", [True, False])
def test_read_takes_what_the_decoder_needs_from_the_encoder(lengths: bool) -> None:
    class Graph:
        inputs, outputs = ("inputs", "lengths") if lengths else ("inputs",), ()

        def initial(self, batch: int) -> dict[str, np.ndarray]:
            return {}

        def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            assert arrays["inputs"].tolist() == [[1, 2, 3], [4, 0, 0]]
            assert tuple(arrays) == self.inputs
            steps = arrays.get("lengths", np.array([3, 1]))
            return {"memory.mask": np.arange(3) < steps[:, None], "start.h": steps}

    class Runtime:
        kind, names = "onnx", ("encoder",)

        def graph(self, name: str) -> Any:
            return Graph()

    made = encode(Runtime(), [np.array([1, 2, 3]), np.array([4])])  # type: ignore[arg-type]
    assert (list(made.state), list(made.memory), len(made)) == (["state.h"], ["memory.mask"], 2)
    assert made.select(np.array([1, 1])).state["state.h"].tolist() == [1, 1]


def test_beams_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="raise beam"):
        Beam(size=2, n_best=3)
    with pytest.raises(ValueError, match="size must be 1 or more"):
        Beam(size=0)


@pytest.mark.parametrize("size", [3, 64, 700, 8000])
@pytest.mark.parametrize("count", [1, 2, 10, 64])
def test_the_highest_of_many_scores_are_those_of_a_whole_sort(size: int, count: int) -> None:
    random = np.random.default_rng(size + count)
    for scores in (random.normal(size=size), random.integers(0, 5, size), np.full(size, -np.inf), -np.arange(size)):
        wanted = np.argsort(-scores.astype(float), kind="stable")[:count]
        assert _best(scores.astype(np.float32), count).tolist() == wanted.tolist()
