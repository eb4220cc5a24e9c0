"""What tasks share whose model says what comes next, over a small recurrent graph in numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest

from suite.decoding.generate import score
from suite.errors import UsageError
from suite.runtime import Arrays
from suite.task.language_modeling import Drawing, NextTokens, drawing_options, endless, go_on

LETTERS = "ab."
END = LETTERS.index(".")
PLAIN = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "no_repeat": 0}


class Counting:
    """Beside each letter, how many came before it."""

    def __init__(self) -> None:
        self.count = -1

    def next(self, token: int) -> tuple[int, int]:
        self.count += 1
        return token, self.count


class Letters:
    """Letters as numbers, and how many came before; a full stop ends a text, and begins it."""

    size = len(LETTERS)

    def __init__(self, name: str = "letters.json") -> None:
        self.name = name

    def encode(self, text: str) -> np.ndarray:
        return np.array([[END, 0], *([LETTERS.index(letter), i] for i, letter in enumerate(text, 1))])

    def token_features(self) -> Counting:
        return Counting()

    def targets(self, text: str) -> np.ndarray:
        return np.array([*map(LETTERS.index, text), END])

    def files(self) -> dict[str, bytes]:
        return {self.name: b"{}"}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return cls(*files)


class Next(NextTokens):
    read = staticmethod(Letters.from_files)


class Graph:
    """An Elman network over the letters and their numbers, of which the last bit is read."""

    inputs, outputs = ("inputs", "lengths", "state.h"), ("outputs", "next.h")

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.table, self.cell, self.head = (random.normal(size=size) for size in ((3, 5), (5, 5), (5, 3)))

    def initial(self, batch: int) -> Arrays:
        return {"state.h": np.zeros((batch, 5))}

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        h, found = arrays["state.h"], []
        for t in range(arrays["inputs"].shape[1]):
            alive = (t < arrays["lengths"])[:, None]
            letters, counts = arrays["inputs"][:, t].T
            h = np.where(alive, np.tanh(self.table[letters] + 3 * (counts[:, None] % 2) + h @ self.cell), h)
            found.append(h @ self.head)
        return {"outputs": np.stack(found, axis=1), "next.h": h}


class OneLetter:
    """A rule: nothing but one letter, and after three of it the end."""

    def __init__(self, letter: str) -> None:
        self.token = LETTERS.index(letter)

    def start(self) -> int:
        return -1  # the start token is yet to be read

    def mask(self, state: int) -> np.ndarray:
        return np.arange(3) == (END if state == 3 else self.token)

    def advance(self, state: int, token: int) -> int:
        return state + 1


@pytest.fixture
def pipeline() -> Any:
    graph = Graph()
    runtime = SimpleNamespace(names=("decoder",), graph=lambda name: {"decoder": graph}[name])
    return SimpleNamespace(codecs={"input": Letters()}, runtime=runtime)


def test_what_is_learnt_is_the_next_token() -> None:
    target = Next(Letters())
    assert (target.size, target.loss) == (3, "cross_entropy")
    assert [array.tolist() for array in target.encode(["ab", ""])] == [[0, 1, 2], [2]]
    again = Next.from_files(target.files())
    assert isinstance(again.codec, Letters)
    assert again.files() == {"letters.json": b"{}"}


def test_a_piece_is_as_surprising_as_its_tokens(pipeline: Any) -> None:
    codec, graph = Letters(), pipeline.runtime.graph("decoder")
    given = codec.encode("abba")
    outputs = graph({**graph.initial(1), "inputs": given[None], "lengths": np.array([5])})["outputs"][0]
    nats, tokens = Next(codec).nats(outputs, "abba")
    (found,) = score(graph, [given], [codec.targets("abba")])
    assert tokens == 5
    assert nats == pytest.approx(-found.sum())
    assert Next(codec).nats(np.zeros((3, 3)), "ab") == (pytest.approx(3 * math.log(3)), 3)


def test_beginnings_are_gone_on_with_to_their_ends(pipeline: Any) -> None:
    drawing = Drawing(seed=1, **PLAIN)  # type: ignore[arg-type]
    prefixes = [[END], [END, 0, 1], [END, 1]]

    def written(rows: list[int]) -> list[list[int]]:
        randoms = [drawing.random(row) for row in rows]
        return go_on(pipeline, [prefixes[row] for row in rows], randoms, drawing.sampling, stop=END, limit=12)

    together = written([0, 1, 2])
    assert [written([row]) for row in (0, 1, 2)] == [[tokens] for tokens in together]
    assert written([2, 0]) == [together[2], together[0]]
    for tokens in together:
        assert tokens[-1] == END or len(tokens) == 12
        assert END not in tokens[:-1]


def test_a_model_reads_what_its_codec_encodes(pipeline: Any) -> None:
    drawing = Drawing(seed=0, **{**PLAIN, "temperature": 0.0})  # type: ignore[arg-type]
    codec, graph = Letters(), pipeline.runtime.graph("decoder")
    (tokens,) = go_on(pipeline, [[END, 0]], [drawing.random()], drawing.sampling, stop=-1, limit=9)
    text = "".join(LETTERS[token] for token in [0, *tokens])
    given = {**graph.initial(1), "inputs": codec.encode(text[:-1])[None], "lengths": np.array([10])}
    assert graph(given)["outputs"][0, 1:].argmax(1).tolist() == tokens


def test_rules_hold(pipeline: Any) -> None:
    drawing = Drawing(seed=1, **PLAIN)  # type: ignore[arg-type]
    randoms = [drawing.random(row) for row in (0, 1)]
    rules = [OneLetter("a"), OneLetter("b")]
    assert go_on(pipeline, [[END], [END]], randoms, drawing.sampling, rules=rules, stop=END, limit=12) == [
        [0, 0, 0, END], [1, 1, 1, END],
    ]  # fmt: skip


def test_without_an_end_it_is_the_same_each_time(pipeline: Any) -> None:
    drawing = Drawing(seed=4, **PLAIN)  # type: ignore[arg-type]
    first, second = (
        list(itertools.islice(endless(pipeline, [END], drawing.random(), drawing.sampling), 200)) for _ in range(2)
    )
    assert first == second
    assert {*first} == {0, 1, 2}
    other = Drawing(seed=5, **PLAIN)  # type: ignore[arg-type]
    assert list(itertools.islice(endless(pipeline, [END], other.random(), other.sampling), 200)) != first
    empty = type("Empty", (OneLetter,), {"__len__": lambda self: 0})("b")  # a rule is one, whatever its length
    fixed = endless(pipeline, [END], drawing.random(), drawing.sampling, empty)
    assert list(itertools.islice(fixed, 3)) == [1, 1, 1]


def test_the_options_say_how_tokens_are_drawn() -> None:
    options = drawing_options("predict", "generate", temperature=0.9)
    assert all(option.verbs == ("predict", "generate") for option in options)
    drawing = Drawing(**{option.name: option.default for option in options})
    assert (drawing.sampling.temperature, drawing.sampling.top_p) == (0.9, 1.0)
    assert drawing.random(3).random() == np.random.default_rng([0, 3]).random()
    assert drawing.random().random() == np.random.default_rng([0]).random()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seed": -1}, "seed=-1: expected a whole number from 0"),
        ({"temperature": -1.0}, "temperature must be 0 or more, not -1.0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"top_k": -1}, "top_k must be 0 or more, not -1"),
    ],
)
def test_what_makes_no_sense_is_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        Drawing(**{"seed": 0, **PLAIN, **wrong})
    assert str(error.value) == said
