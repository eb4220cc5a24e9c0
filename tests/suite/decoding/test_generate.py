"""Generation and scoring with a decoder, over a small recurrent graph in numpy."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

from suite.decoding.generate import PREFILL_CHUNK, Sampling, generate, score
from suite.errors import SuiteError, UsageError
from suite.inference.session_state import dump_state, load_state
from suite.runtime import Arrays

SIZE, HIDDEN = 5, 7
END = SIZE - 1


class Graph:
    """An Elman network over tokens; a row of several inputs is the sum of their embeddings."""

    inputs = ("inputs", "lengths", "state.h")
    outputs = ("outputs", "next.h")

    def __init__(self, seed: int = 0, size: int = SIZE) -> None:
        random = np.random.default_rng(seed)
        self.table, self.cell = random.normal(size=(size, HIDDEN)), random.normal(size=(HIDDEN, HIDDEN))
        self.head = random.normal(size=(HIDDEN, size))
        self.calls: list[tuple[int, ...]] = []

    def initial(self, batch: int) -> Arrays:
        return {"state.h": np.zeros((batch, HIDDEN))}

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        inputs, h = arrays["inputs"], arrays["state.h"].copy()
        self.calls.append(inputs.shape)
        outputs = np.zeros((*inputs.shape[:2], len(self.head[0])))
        for t in range(inputs.shape[1]):
            x = self.table[inputs[:, t]]
            new = np.tanh((x if x.ndim == 2 else x.sum(axis=1)) + h @ self.cell)
            alive = (t < arrays["lengths"])[:, None]
            h = np.where(alive, new, h)
            outputs[:, t] = np.where(alive, h @ self.head, 0)
        return {"outputs": outputs, "next.h": h}


class Alternating:
    """A rule: even and odd tokens take turns, and the end comes only after an odd one."""

    def start(self) -> int:
        return 0

    def mask(self, state: int) -> np.ndarray:
        allowed = np.arange(SIZE) % 2 == state % 2
        allowed[END] = state % 2 == 0 and state > 0
        return allowed

    def advance(self, state: int, token: int) -> int:
        return state + 1


class Nothing(Alternating):
    """A rule that allows two tokens and then none."""

    def mask(self, state: int) -> np.ndarray:
        return np.full(SIZE, state < 3)


class Pairs:
    """A reader that gives a token and the one before it."""

    def __init__(self, state: int = 0) -> None:
        self.last = state

    @property
    def state(self) -> int:
        return self.last

    def next(self, token: int) -> tuple[int, int]:
        row, self.last = (token, self.last), token
        return row


def randoms(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, row]) for row in range(count)]


def written(*arguments: Any, **options: Any) -> list[list[int]]:
    """Whole rows, without the −1 after their ends."""
    columns = list(generate(*arguments, **options))
    return [[int(t) for t in row if t >= 0] for row in np.stack(columns, axis=1)]


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


# --- generating ----------------------------------------------------------------------------------------------------


def test_the_prefix_is_read_in_one_call_and_each_token_in_one_more() -> None:
    graph = Graph()
    written(graph, [[0], [0, 1, 2]], randoms(2), limit=4)
    assert graph.calls == [(2, 3), (2, 1), (2, 1), (2, 1)]


@pytest.mark.parametrize("reader", [None, Pairs])
def test_long_prefixes_are_read_in_chunks(reader: Any) -> None:
    graph, random = Graph(3), np.random.default_rng(0)
    prefixes = [random.integers(0, SIZE, size).tolist() for size in (3, 2 * PREFILL_CHUNK + 5, PREFILL_CHUNK, 1)]
    together = written(graph, prefixes, randoms(4), features=reader, limit=6)
    assert [shape[:2] for shape in graph.calls[:4]] == [(4, PREFILL_CHUNK), (4, PREFILL_CHUNK), (4, 5), (4, 1)]
    for i, prefix in enumerate(prefixes):
        # Read token by token, with the state carried by hand.
        read = reader().next if reader else int
        arrays = graph.initial(1)
        chance, row = np.random.default_rng([0, i]), list(prefix)
        for place in range(len(prefix) + 5):
            inputs = np.array([[read(row[place])]])
            outputs = graph({**arrays, "inputs": inputs, "lengths": np.ones(1, dtype=np.int64)})
            arrays = {"state.h": outputs["next.h"]}
            if place >= len(prefix) - 1:
                row.append(Sampling().draw(outputs["outputs"][0, 0], chance))
        assert row[len(prefix) :] == together[i]


def test_steps_equal_one_forward_pass() -> None:
    graph, sampling = Graph(), Sampling(temperature=0.7)
    row = written(graph, [[0, 1]], randoms(1), sampling=sampling, limit=12)[0]
    tokens = np.array([[0, 1, *row]])
    outputs = graph({**graph.initial(1), "inputs": tokens, "lengths": np.array([tokens.size])})["outputs"][0]
    random = np.random.default_rng([0, 0])
    assert [sampling.draw(outputs[t], random) for t in range(1, tokens.size - 1)] == row


def test_rows_are_independent_of_the_batch() -> None:
    graph = Graph(1)
    prefixes = [[0], [1, 2], [3, 0, 1], [2]]
    rules = [Alternating()] * 4
    options: dict[str, Any] = {"stop": END, "limit": 30}
    together = written(graph, prefixes, randoms(4), constraints=rules, **options)
    assert len({len(row) for row in together}) > 1
    for i, prefix in enumerate(prefixes):
        alone = written(graph, [prefix], [np.random.default_rng([0, i])], constraints=rules[:1], **options)
        assert alone == [together[i]]


def test_a_row_ends_with_the_stop_token_and_leaves_the_batch() -> None:
    graph = Graph(1)
    rows = written(graph, [[0]] * 6, randoms(6), stop=END, limit=200)
    assert all(row[-1] == END and END not in row[:-1] for row in rows)
    assert graph.calls[-1][0] < 6
    assert len(graph.calls) == max(map(len, rows))
    assert list(generate(graph, [[0]], randoms(1), limit=0)) == []


def test_a_token_is_given_before_the_next_is_computed() -> None:
    graph = Graph()
    stream = generate(graph, [[0]], randoms(1))
    for calls in range(1, 5):
        assert next(stream).shape == (1,)
        assert len(graph.calls) == calls


def test_a_reader_says_what_the_graph_reads() -> None:
    graph = Graph()
    row = written(graph, [[1, 2]], randoms(1), features=Pairs, limit=5)[0]
    assert graph.calls[0] == (1, 2, 2)
    assert graph.calls[1] == (1, 1, 2)
    reader = Pairs()
    inputs = np.array([reader.next(t) for t in [1, 2, *row[:-1]]])
    found = score(graph, [inputs], [np.array([2, *row])])
    assert found[0].shape == (6,)


# --- rules ------------------------------------------------------------------------------------------------------


def test_sampling_under_a_constraint_equals_rejection_sampling() -> None:
    """Drawing until a token is allowed, step by step, gives whole sequences the same distribution."""
    graph, count, rules = Graph(2), 3000, Alternating()
    rows = written(graph, [[0]] * count, randoms(count), constraints=[rules] * count, stop=END, limit=4)
    random = np.random.default_rng(1)
    logits: dict[tuple[int, ...], np.ndarray] = {}
    expected: Counter[tuple[int, ...]] = Counter()
    for _ in range(count):
        row: list[int] = []
        state = rules.advance(rules.start(), 0)
        while len(row) < 4 and END not in row:
            if tuple(row) not in logits:
                tokens = np.array([[0, *row]])
                arrays = {**graph.initial(1), "inputs": tokens, "lengths": np.array([tokens.size])}
                logits[tuple(row)] = softmax(graph(arrays)["outputs"][0, -1])
            while True:
                token = int(random.choice(SIZE, p=logits[tuple(row)]))
                if rules.mask(state)[token]:
                    break
            row.append(token)
            state = rules.advance(state, token)
        expected[tuple(row)] += 1
    found = Counter(map(tuple, rows))
    kinds = {*found, *expected}
    assert len(kinds) > 10
    distance = sum(abs(found[kind] - expected[kind]) for kind in kinds) / (2 * count)
    # Two samples of this size from one distribution differ by about sqrt(kinds / (pi · count)).
    assert distance < 1.5 * (len(kinds) / (np.pi * count)) ** 0.5


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(temperature=0), Sampling(top_k=1), Sampling(top_p=0.3), Sampling(no_repeat=2)]
)
def test_rules_are_kept_whatever_the_sampling(sampling: Sampling) -> None:
    rules = [Alternating()] * 2
    for prefix, row in zip(
        ([0], [1, 2]), written(Graph(3), [[0], [1, 2]], randoms(2), sampling=sampling, constraints=rules, limit=20)
    ):
        state = len(prefix)
        for token in row:
            assert Alternating().mask(state)[token]
            state += 1


def test_a_constraint_that_leaves_no_token_is_an_error() -> None:
    with pytest.raises(SuiteError, match="leaves no token"):
        written(Graph(), [[0]], randoms(1), constraints=[Nothing()], limit=10)


def test_no_repeat_forbids_repeated_ngrams() -> None:
    row = written(Graph(4), [[0]], randoms(1), sampling=Sampling(temperature=0, no_repeat=3), limit=60)[0]
    ngrams = [tuple(row[i : i + 3]) for i in range(len(row) - 2)]
    assert len(set(ngrams)) == len(ngrams)
    free = written(Graph(4), [[0]], randoms(1), sampling=Sampling(temperature=0), limit=60)[0]
    assert len({tuple(free[i : i + 3]) for i in range(58)}) < 58


def test_an_ngram_is_repeated_where_there_is_no_other_token() -> None:
    row = written(Graph(size=2), [[0]], randoms(1), sampling=Sampling(no_repeat=1), limit=6)[0]
    assert len(row) == 6


# --- continuing from a saved state ------------------------------------------------------------------------------


class Counting(NamedTuple):
    """A state of named fields, one of them a tuple."""

    count: int = 0
    last: tuple[int, ...] = ()


class Balanced:
    """A rule with such a state: no token comes a third time in a row."""

    def start(self) -> Counting:
        return Counting()

    def mask(self, state: Counting) -> np.ndarray:
        allowed = np.ones(SIZE, dtype=bool)
        if len({*state.last}) == 1 and len(state.last) == 2:
            allowed[state.last[0]] = False
        return allowed

    def advance(self, state: Counting, token: int) -> Counting:
        return Counting(state.count + 1, (*state.last, token)[-2:])


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "features": {"features": Pairs},
    "constraint": {"constraints": [Alternating(), Alternating(), Alternating()]},
    "named state": {"constraints": [Balanced()] * 3},
    "no_repeat": {"sampling": Sampling(no_repeat=2)},
    "all": {"constraints": [Balanced()] * 3, "features": Pairs, "sampling": Sampling(temperature=1.5, no_repeat=3)},
}


def through_bytes(state: dict[str, Any]) -> dict[str, Any]:
    return load_state(dump_state(state, task="t", model="m"), task="t", model="m")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("first", [0, 1, 5, 30])
def test_two_halves_equal_the_whole(options: dict[str, Any], first: int) -> None:
    prefixes = [[0], [1, 2], [2, 1, 0]]
    whole = generate(Graph(1), prefixes, randoms(3), stop=END, limit=40, **options)
    before = generate(Graph(1), prefixes, randoms(3), stop=END, limit=first, **options)
    steps = [step.tolist() for step in before]
    after = generate(Graph(1), state=through_bytes(before.state), stop=END, limit=40 - first, **options)
    assert steps + [step.tolist() for step in after] == [step.tolist() for step in whole]


def test_looking_at_the_state_changes_nothing() -> None:
    options: dict[str, Any] = {**OPTIONS["all"], "stop": END, "limit": 40}
    plain = [step.tolist() for step in generate(Graph(2), [[0]] * 3, randoms(3), **options)]
    stream, steps = generate(Graph(2), [[0]] * 3, randoms(3), **options), []
    for step in stream:
        steps.append(step.tolist())
        assert stream.state.keys() == {"arrays", "logits", "rows"}
    assert steps == plain
    assert len({len([token for token in row if token >= 0]) for row in zip(*steps, strict=True)}) > 1


def test_a_state_is_continued_more_than_once() -> None:
    start = generate(Graph(), [[0, 1, 2]], randoms(1))
    state = start.state
    alone = [step.tolist() for step in itertools.islice(generate(Graph(), [[0, 1, 2]], randoms(1, 7)), 9)]
    for _ in range(2):
        graph = Graph()
        again = generate(graph, None, randoms(1, 7), state=state)
        assert [step.tolist() for step in itertools.islice(again, 9)] == alone
        assert graph.calls == [(1, 1)] * 8  # the prefix is not read again


def test_more_tokens_are_read_before_generation_continues() -> None:
    """A chat: the model's turn ends with the stop token, and the next turn of the user is all that is read."""
    rules = {"constraints": [Balanced()] * 2, "features": Pairs, "sampling": Sampling(no_repeat=4)}
    first = generate(Graph(1), [[0], [3]], randoms(2), stop=END, limit=200, **rules)
    turns = [[int(token) for token in row if token >= 0] for row in np.stack(list(first), axis=1)]
    assert all(turn[-1] == END for turn in turns)
    state = through_bytes(first.state)
    assert [row["ended"] for row in state["rows"]] == [True, True]
    assert list(generate(Graph(1), state=state, stop=END, **rules)) == []

    graph = Graph(1)
    second = generate(graph, [[2, 0, 1], []], state=state, stop=END, limit=10, **rules)
    answer = np.stack(list(second), axis=1)
    assert graph.calls[0][:2] == (2, 3)
    assert (answer[1] == -1).all()  # a row that has ended and gets no tokens stays so

    whole = generate(Graph(1), [[0, *turns[0], 2, 0, 1]], [np.random.default_rng(5)], stop=END, limit=10,
                     **{**rules, "constraints": [Balanced()]})  # fmt: skip
    again = generate(
        Graph(1), [[2, 0, 1], []], [np.random.default_rng(5)] * 2, state=state, stop=END, limit=10, **rules
    )
    assert [int(step[0]) for step in again] == [int(step[0]) for step in whole]


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("rows"), lambda state: state["rows"][0].pop("random"),
        lambda state: state["rows"][0].update(random=3), lambda state: state["rows"][0].pop("features"),
        lambda state: state["rows"][0].update(recent=["x"]), lambda state: state["rows"][0].update(constraint="x"),
        lambda state: state["rows"][0].update(constraint=[1]), lambda state: state["rows"][0].pop("constraint"),
        lambda state: state["arrays"].update({"state.h": np.zeros((1, 3))}), lambda state: state["arrays"].clear(),
        lambda state: state.update(logits=np.zeros(5)), lambda state: state["rows"].append(state["rows"][0]),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused(change: Any) -> None:
    options: dict[str, Any] = {"constraints": [Balanced()], "features": Pairs, "sampling": Sampling(no_repeat=2)}
    state = through_bytes(generate(Graph(), [[0]], randoms(1), **options).state)
    change(state)
    with pytest.raises(UsageError):
        generate(Graph(), state=state, **options)


def test_what_cannot_be_generated_from_is_refused() -> None:
    for arguments in ((), ([[0]],), ([[0], []], randoms(2))):
        with pytest.raises(UsageError, match="at least one token"):
            generate(Graph(), *arguments)
    state = generate(Graph(), [[0]] * 2, randoms(2)).state
    with pytest.raises(UsageError, match="has 2 rows"):
        generate(Graph(), [[0]], state=state)


# --- both runtimes ----------------------------------------------------------------------------------------------


def test_a_torch_graph_writes_the_same_tokens() -> None:
    torch = pytest.importorskip("torch")
    ours = Graph(5)

    class Torch(Graph):
        def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
            inputs, h = torch.from_numpy(arrays["inputs"]), torch.from_numpy(arrays["state.h"]).float()
            table, cell, head = (torch.from_numpy(a).float() for a in (self.table, self.cell, self.head))
            outputs = []
            for t in range(inputs.shape[1]):
                alive = torch.from_numpy(t < arrays["lengths"])[:, None]
                h = torch.where(alive, torch.tanh(table[inputs[:, t]] + h @ cell), h)
                outputs.append(h @ head)
            return {"outputs": torch.stack(outputs, 1).numpy(), "next.h": h.numpy()}

    options: dict[str, Any] = {"constraints": [Alternating()] * 3, "stop": END, "limit": 40}
    prefixes = [[0], [1, 2], [2]]
    assert written(ours, prefixes, randoms(3), **options) == written(Torch(5), prefixes, randoms(3), **options)


# --- scoring ----------------------------------------------------------------------------------------------------


def test_scores_are_log_probabilities_whatever_the_batch_and_the_chunk() -> None:
    graph, random = Graph(6), np.random.default_rng(0)
    inputs = [random.integers(0, SIZE, size=n) for n in (9, 1, 20, 0, 5)]
    targets = [random.integers(0, SIZE, size=len(row)) for row in inputs]
    whole = score(graph, inputs, targets)
    for i, (row, target) in enumerate(zip(inputs, targets, strict=True)):
        assert whole[i].shape == target.shape
        for t in range(len(row)):
            arrays = {**graph.initial(1), "inputs": row[None, : t + 1], "lengths": np.array([t + 1])}
            expected = np.log(softmax(graph(arrays)["outputs"][0, t]))[target[t]]
            assert whole[i][t] == pytest.approx(expected, abs=1e-9)
    for options in ({"batch_size": 1}, {"batch_size": 2, "chunk": 4}, {"chunk": 1}, {"chunk": 7}):
        for a, b in zip(whole, score(graph, inputs, targets, **options), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_long_sequences_are_scored_in_chunks() -> None:
    graph = Graph()
    score(graph, [np.zeros(10, dtype=np.int64)], [np.zeros(10, dtype=np.int64)], chunk=4)
    assert graph.calls == [(1, 4), (1, 4), (1, 2)]


def test_a_stream_keeps_nothing_of_what_it_has_written() -> None:
    class Quiet(Graph):
        def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
            found = super().__call__(arrays)
            self.calls.clear()
            return found

    stream = generate(Quiet(), [[0]], randoms(1), sampling=Sampling(no_repeat=40))
    tracemalloc.start()
    taken = []
    for _ in range(2):
        for _ in itertools.islice(stream, 2500):
            pass
        taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert taken[0] < 500_000
    assert abs(taken[1] - taken[0]) < 20_000
