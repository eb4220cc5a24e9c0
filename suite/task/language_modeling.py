"""Language modeling: a model of the next token, which scores sequences and generates them.

Data flow: a piece → its tokens, which the input codec encodes, and the next of each (`NextTokens`) → logits, which are
scored (`NextTokens.score`), or sampled from: `generate_until` continues prefixes to their ends, `generate_stream` one
without an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar

import numpy as np

from suite.codecs import InputCodec
from suite.config import from_options
from suite.decoding.constraints import Constraint
from suite.decoding.generate import TokenFeatures, generate
from suite.decoding.sampling import Sampling, check_seed, log_softmax
from suite.task.aligned import AlignedTask
from suite.task.base import Config, R
from suite.task.codecs import Codecs
from suite.task.options import Option
from suite.task.results import Result

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel


class AutoregressiveCodec(InputCodec, Protocol):
    """An input codec whose sequences a model predicts token by token."""

    @property
    def size(self) -> int:
        """The vocabulary size V."""
        ...

    def targets(self, piece: Any) -> np.ndarray:
        """The token that follows at each step that ``encode`` gives, the end token included, int64 ``[T]``."""
        ...

    def token_features(self) -> TokenFeatures:
        """What gives a model its inputs token by token: the rows of ``encode``."""
        ...


@dataclass(frozen=True)
class NextTokens:
    """The target codec of a language model: the next token at each step.

    Targets are the same pieces as inputs, and ``codec`` is the input codec, which encodes both.
    """

    codec: AutoregressiveCodec
    loss: ClassVar[str] = "cross_entropy"

    @property
    def size(self) -> int:
        """The vocabulary size V."""
        return self.codec.size

    def encode(self, targets: Iterable[Any]) -> list[np.ndarray]:
        """The next tokens of each piece, int64 ``[T]``."""
        return [self.codec.targets(piece) for piece in targets]

    def files(self) -> dict[str, bytes]:
        """The input codec's files."""
        return dict(self.codec.files())

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> NoReturn:
        """Not available: ``LanguageModelTask.load_codecs`` makes both codecs of a checkpoint from the same files."""
        raise NotImplementedError("NextTokens is made from the input codec; use LanguageModelTask.load_codecs")

    def score(self, outputs: np.ndarray, piece: Any) -> tuple[float, int]:
        """The negative log-likelihood of a piece in nats, and its number of tokens, from logits ``[T, V]``."""
        tokens = self.codec.targets(piece)
        return -float(log_softmax(outputs.astype(np.float64))[np.arange(len(tokens)), tokens].sum()), len(tokens)


Auto = TypeVar("Auto", bound=AutoregressiveCodec)


class LanguageModelTask(AlignedTask[Config, Auto, NextTokens, R]):
    """A task whose model predicts the next token: ``predict`` generates, and ``evaluate`` scores what is given.

    The target codec is `NextTokens` of the input codec: ``fit_codecs`` returns ``Codecs(codec, NextTokens(codec))``.
    """

    target_codec = NextTokens

    def load_codecs(self, files: Mapping[str, bytes]) -> Codecs[Auto, NextTokens]:
        """The input codec of a checkpoint, and the target codec made from it."""
        codec = self.input_codec.from_files(files)
        return Codecs(codec, NextTokens(codec))

    def predict_for_evaluation(
        self, model: LoadedModel[Auto, NextTokens], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> Sequence[Result]:
        """What ``decode`` makes of the logits of each piece."""
        outputs = model.outputs(list(arrays))
        return [self.decode(rows, model.codecs, piece) for piece, rows in zip(pieces, outputs, strict=True)]


def sampling_options(*verbs: str, temperature: float = 1.0, top_p: float = 1.0) -> tuple[Option, ...]:
    """The options of verbs that sample tokens, with a task's own defaults."""
    return (
        Option(name="seed", type=int, verbs=verbs, default=0, help="random seed"),
        Option(
            name="temperature", type=float, verbs=verbs, default=temperature, help="softmax temperature; 0 is greedy"
        ),
        Option(
            name="top_p", type=float, verbs=verbs, default=top_p,
            help="nucleus sampling: the probability mass of the tokens kept",
        ),
        Option(name="top_k", type=int, verbs=verbs, default=0, help="sample from the k most likely tokens; 0 for all"),
        Option(
            name="no_repeat", type=int, verbs=verbs, default=0,
            help="never repeat an n-gram of this many tokens; 0 allows it",
        ),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """The values of `sampling_options`. Raises UsageError for values that make no sense."""

    seed: int
    temperature: float
    top_p: float
    top_k: int
    no_repeat: int

    def __post_init__(self) -> None:
        check_seed(self.seed)
        self.sampling  # noqa: B018 - made now, so that wrong values are reported before anything is generated

    @cached_property
    def sampling(self) -> Sampling:
        """How a token is sampled from logits."""
        return from_options(Sampling, self.temperature, self.top_k, self.top_p, self.no_repeat)

    def random(self, *more: int) -> np.random.Generator:
        """The random generator of one piece, seeded with the seed and what tells the piece from others."""
        return np.random.default_rng([self.seed, *more])


def generate_until(
    model: LoadedModel[Any, Any], prefixes: Sequence[Sequence[int]], randoms: Sequence[np.random.Generator],
    sampling: Sampling, *, rules: Sequence[Constraint] | None = None, stop: int, limit: int,
) -> list[list[int]]:  # fmt: skip
    """The tokens generated after each prefix, until ``stop``, which is included, or ``limit`` tokens.

    The model is a decoder alone, its input codec an `AutoregressiveCodec`.
    """
    found: list[list[int]] = [[] for _ in prefixes]
    for tokens in _steps(model, prefixes, randoms, sampling, constraints=rules, stop=stop, limit=limit):
        for row, token in zip(found, tokens.tolist(), strict=True):
            if token >= 0:
                row.append(token)
    return found


def generate_stream(
    model: LoadedModel[Any, Any], prefix: Sequence[int], random: np.random.Generator, sampling: Sampling,
    rules: Constraint | None = None,
) -> Iterator[int]:  # fmt: skip
    """The tokens generated after a prefix, one by one without end, in constant memory."""
    for tokens in _steps(model, [prefix], [random], sampling, constraints=None if rules is None else [rules]):
        yield int(tokens[0])


def _steps(
    model: LoadedModel[Any, Any], prefixes: Sequence[Sequence[int]], randoms: Sequence[np.random.Generator],
    sampling: Sampling, **more: Any,
) -> Iterator[np.ndarray]:  # fmt: skip
    graph = model.runtime.graph("decoder")
    yield from generate(graph, prefixes, randoms, sampling=sampling, features=model.codecs.input.token_features, **more)
