"""Language modeling: next tokens, scores and generation, over a small recurrent graph in numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pytest

from suite.decoding.generate import score
from suite.errors import UsageError
from suite.inference.model import LoadedModel
from suite.runtime import Arrays, GraphRuntime, Kind
from suite.task import Codecs, Column, DataSpec, Example, Monitor, Result
from suite.task.language_modeling import (
    Generated,
    LanguageModelTask,
    NextTokens,
    SamplingOptions,
    generate_stream,
    generate_until,
    sampling_options,
)

LETTERS = "ab."
END = LETTERS.index(".")


class Counting:
    """With each letter, how many came before it."""

    def __init__(self, state: int | None = None) -> None:
        self.count = -1 if state is None else state

    @property
    def state(self) -> int:
        return self.count

    def next(self, token: int) -> tuple[int, int]:
        self.count += 1
        return token, self.count


class Letters:
    """Letters as numbers, and how many came before; a full stop ends a text, and begins it."""

    size = len(LETTERS)

    def __init__(self, name: str = "letters.json") -> None:
        self.name = name

    def encode(self, raw: Any) -> np.ndarray:
        return np.array([[END, 0], *([LETTERS.index(letter), i] for i, letter in enumerate(raw, 1))])

    def token_features(self, state: Any = None) -> Counting:
        return Counting(state)

    def targets(self, piece: Any) -> np.ndarray:
        return np.array([*map(LETTERS.index, piece), END])

    def files(self) -> dict[str, bytes]:
        return {self.name: b"{}"}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return cls(*files)


@dataclass(frozen=True)
class NoConfig:
    pass


@dataclass(frozen=True, kw_only=True)
class Nats(Result):
    nats: float


class LettersTask(LanguageModelTask[NoConfig, Letters, Nats]):
    """Texts of two letters."""

    name = "letters"
    config = NoConfig
    result = Nats
    input_codec = Letters
    data = DataSpec(columns=(Column(name="text", help="letters"),))
    monitor = (Monitor(metric="nats", mode="min"),)

    def fit_codecs(
        self, examples: Sequence[Example], config: NoConfig, **options: Any
    ) -> Codecs[Letters, NextTokens]:  # fmt: skip
        codec = Letters()
        return Codecs(codec, NextTokens(codec))

    def build_model(self, config: NoConfig, codecs: Codecs[Letters, NextTokens]) -> Any:
        raise NotImplementedError

    def decode(
        self, outputs: np.ndarray, codecs: Codecs[Letters, NextTokens], item: Any, *, final: bool | None = None,
        **options: Any,
    ) -> Nats:  # fmt: skip
        return Nats(input=item, final=final, nats=codecs.target.score(outputs, item)[0])

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        return {"nats": sum(result.nats for result in results)}

    def render(self, result: Any) -> str:
        return str(result)


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


class NumpyRuntime:
    """A runtime of one graph."""

    kind: Kind = "onnx"
    names = ("decoder",)

    def __init__(self) -> None:
        self.graphs: dict[str, GraphRuntime] = {"decoder": Graph()}

    def graph(self, name: str) -> GraphRuntime:
        return self.graphs[name]


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


def options(**changes: Any) -> SamplingOptions:
    return SamplingOptions(**{"seed": 1, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "no_repeat": 0, **changes})


@pytest.fixture
def model() -> LoadedModel[Letters, NextTokens]:
    task = LettersTask()
    return LoadedModel(task, task.fit_codecs([], NoConfig()), NumpyRuntime())


def test_the_targets_are_the_next_tokens() -> None:
    target = NextTokens(Letters())
    assert (target.size, target.loss) == (3, "cross_entropy")
    assert [array.tolist() for array in target.encode(["ab", ""])] == [[0, 1, 2], [2]]


def test_both_codecs_are_loaded_from_the_same_files() -> None:
    task = LettersTask()
    codecs = task.load_codecs(NextTokens(Letters("others.json")).files())
    assert codecs.input.name == "others.json"
    assert codecs.target.codec is codecs.input
    assert codecs.files() == {"others.json": b"{}"}
    with pytest.raises(NotImplementedError, match=r"use LanguageModelTask\.load_codecs"):
        NextTokens.from_files({})


def test_scores_are_log_likelihoods(model: LoadedModel[Letters, NextTokens]) -> None:
    codec, graph = model.codecs.input, model.runtime.graph("decoder")
    given = codec.encode("abba")
    outputs = graph({**graph.initial(1), "inputs": given[None], "lengths": np.array([5])})["outputs"][0]
    nats, tokens = model.codecs.target.score(outputs, "abba")
    (found,) = score(graph, [given], [codec.targets("abba")])
    assert tokens == 5
    assert nats == pytest.approx(-found.sum())
    assert model.codecs.target.score(np.zeros((3, 3)), "ab") == (pytest.approx(3 * math.log(3)), 3)
    (result,) = model.task.predict_for_evaluation(model, ["abba"], [given])
    assert isinstance(result, Nats)
    assert result.nats == pytest.approx(nats)


def test_prefixes_are_continued_to_their_ends(model: LoadedModel[Letters, NextTokens]) -> None:
    sampling = options()
    prefixes = [[END], [END, 0, 1], [END, 1]]

    def generated(rows: list[int]) -> list[list[int]]:
        randoms = [sampling.random(row) for row in rows]
        chosen = [prefixes[row] for row in rows]
        return generate_until(model, chosen, randoms, sampling.sampling, stop=END, limit=12).tokens

    together = generated([0, 1, 2])
    assert [generated([row]) for row in (0, 1, 2)] == [[tokens] for tokens in together]
    assert generated([2, 0]) == [together[2], together[0]]
    for tokens in together:
        assert tokens[-1] == END or len(tokens) == 12
        assert END not in tokens[:-1]


def test_a_model_reads_what_its_codec_encodes(model: LoadedModel[Letters, NextTokens]) -> None:
    sampling = options(temperature=0.0)
    codec, graph = model.codecs.input, model.runtime.graph("decoder")
    (tokens,) = generate_until(model, [[END, 0]], [sampling.random()], sampling.sampling, stop=-1, limit=9).tokens
    text = "".join(LETTERS[token] for token in [0, *tokens])
    given = {**graph.initial(1), "inputs": codec.encode(text[:-1])[None], "lengths": np.array([10])}
    assert graph(given)["outputs"][0, 1:].argmax(1).tolist() == tokens


def test_rules_hold(model: LoadedModel[Letters, NextTokens]) -> None:
    sampling = options()
    randoms = [sampling.random(row) for row in (0, 1)]
    rules = [OneLetter("a"), OneLetter("b")]
    found = generate_until(model, [[END], [END]], randoms, sampling.sampling, rules=rules, stop=END, limit=12)
    assert found.tokens == [[0, 0, 0, END], [1, 1, 1, END]]
    none = generate_until(model, [[END], [END]], randoms, sampling.sampling, rules=rules, stop=END, limit=0)
    assert none.tokens == [[], []]


def test_a_stream_without_an_end_is_the_same_each_time(model: LoadedModel[Letters, NextTokens]) -> None:
    def first(count: int, sampling: SamplingOptions, rules: Any = None) -> list[int]:
        stream = generate_stream(model, [END], sampling.random(), sampling.sampling, rules)
        return list(itertools.islice(stream, count))

    tokens = first(200, options(seed=4))
    assert first(200, options(seed=4)) == tokens
    assert {*tokens} == {0, 1, 2}
    assert first(200, options(seed=5)) != tokens
    empty = type("Empty", (OneLetter,), {"__len__": lambda self: 0})("b")  # a rule is one, whatever its length
    assert first(3, options(), empty) == [1, 1, 1]


# --- saved and continued ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("no_repeat", [0, 2])
@pytest.mark.parametrize("rules", [None, [OneLetter("a"), OneLetter("b")]])
def test_two_halves_equal_the_whole(
    model: LoadedModel[Letters, NextTokens], rules: list[OneLetter] | None, no_repeat: int
) -> None:
    sampling = options(no_repeat=no_repeat)

    def generated(limit: int, state: Any = None) -> Generated:
        more: dict[str, Any] = {"rules": rules, "stop": END, "limit": limit}
        if state is not None:
            return generate_until(model, None, None, sampling.sampling, state=state, **more)
        return generate_until(
            model, [[END], [END, 1]], [sampling.random(0), sampling.random(1)], sampling.sampling, **more
        )

    whole = generated(12)
    for limit in range(6):
        before = generated(limit)
        after = generated(12 - limit, before.dumps())
        assert [a + b for a, b in zip(before.tokens, after.tokens, strict=True)] == whole.tokens
        assert generated(12 - limit, before.state).tokens == after.tokens


def test_a_chat_reads_only_what_is_new(model: LoadedModel[Letters, NextTokens]) -> None:
    sampling = options(temperature=0.0)
    first = generate_until(model, [[END, 0]], [sampling.random()], sampling.sampling, stop=END, limit=5)
    past = [END, 0, *first.tokens[0]]
    again = generate_until(model, [[1, 1]], None, sampling.sampling, stop=END, limit=5, state=first.dumps())
    whole = generate_until(model, [[*past, 1, 1]], [sampling.random()], sampling.sampling, stop=END, limit=5)
    assert again.tokens == whole.tokens


def test_a_stream_is_continued(model: LoadedModel[Letters, NextTokens]) -> None:
    sampling = options(seed=3, no_repeat=4)
    whole = list(itertools.islice(generate_stream(model, [END], sampling.random(), sampling.sampling), 60))
    stream = generate_stream(model, [END], sampling.random(), sampling.sampling)
    found: list[int] = []
    for count in (1, 20, 39):
        found += itertools.islice(stream, count)
        stream = generate_stream(model, None, None, sampling.sampling, state=stream.dumps())
    assert found == whole
    two = generate_until(model, [[END]] * 2, [sampling.random()] * 2, sampling.sampling, stop=END, limit=1)
    with pytest.raises(UsageError, match="has 2 sequences"):
        generate_stream(model, None, None, sampling.sampling, state=two.state)


def test_a_saved_generation_that_is_altered_or_another_models_is_refused(
    model: LoadedModel[Letters, NextTokens],
) -> None:
    sampling = options()
    saved = generate_stream(model, [END], sampling.random(), sampling.sampling).dumps()
    other = LoadedModel(model.task, model.codecs, model.runtime, fingerprint="another")
    for which, data, message in (
        (model, saved[:-1], "altered"),
        (model, b"x", "not a saved session"),
        (other, saved, "of another checkpoint"),
        (model, model.dump_state({"pending": None}), "of another model"),
    ):
        with pytest.raises(UsageError, match=message):
            generate_stream(which, None, None, sampling.sampling, state=data)


# --- options ----------------------------------------------------------------------------------------------------


def test_the_options_set_the_sampling() -> None:
    given = sampling_options("predict", "generate", temperature=0.9)
    assert all(option.verbs == ("predict", "generate") for option in given)
    sampling = SamplingOptions(**{option.name: option.default for option in given})
    assert (sampling.sampling.temperature, sampling.sampling.top_p) == (0.9, 1.0)
    assert sampling.random(3).random() == np.random.default_rng([0, 3]).random()
    assert sampling.random().random() == np.random.default_rng([0]).random()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed=-1: expected a whole number from 0"),
        ({"temperature": -1.0}, "temperature must be 0 or more, not -1.0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"top_k": -1}, "top_k must be 0 or more, not -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        options(**wrong)
    assert str(error.value) == message
