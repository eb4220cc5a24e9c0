"""What tasks share whose model says what comes next: what it learns, the options of drawing, going on, the score.

Data flow: a piece → its tokens, which the input codec reads, and the next of each (`NextTokens`) → outputs, which are
scored (`nats`), or drawn from: `go_on` after beginnings to their ends, `endless` after one without an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from suite.config import from_options
from suite.decoding.constraints import Constraint
from suite.decoding.generate import TokenFeatures, generate
from suite.decoding.sampling import Sampling, check_seed, log_softmax
from suite.task import Option

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline


class AutoregressiveCodec(Protocol):
    """An input codec whose pieces a model foretells token by token."""

    @property
    def size(self) -> int:
        """How many tokens there are (V)."""
        ...

    def targets(self, piece: Any) -> np.ndarray:
        """The token that comes next at each step that ``encode`` gives, the end included, int64 ``[T]``."""
        ...

    def token_features(self) -> TokenFeatures:
        """What gives a model its inputs, token by token: the rows of ``encode``."""
        ...

    def files(self) -> dict[str, bytes]: ...


@dataclass(frozen=True)
class NextTokens:
    """A target codec: at each step the next token. Targets are the same pieces as the inputs, whose codec is ``codec``.

    A task says in a class of its own how that is read from a checkpoint's files (``read``).
    """

    codec: AutoregressiveCodec
    loss: ClassVar[str] = "cross_entropy"

    @staticmethod
    def read(files: Mapping[str, bytes]) -> AutoregressiveCodec:
        """The input codec, from a checkpoint's files."""
        raise NotImplementedError

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return cls(cls.read(files))

    @property
    def size(self) -> int:
        """How many outputs the model's head has (V)."""
        return int(self.codec.size)

    def encode(self, pieces: Sequence[Any]) -> list[np.ndarray]:
        """The next tokens of each piece, int64 ``[T]`` each."""
        return [self.codec.targets(piece) for piece in pieces]

    def files(self) -> dict[str, bytes]:
        return dict(self.codec.files())

    def nats(self, outputs: np.ndarray, piece: Any) -> tuple[float, int]:
        """How much of a surprise a piece is to a model with these outputs, logits ``[T, V]``: nats, and tokens."""
        tokens = self.codec.targets(piece)
        return -float(log_softmax(outputs.astype(np.float64))[np.arange(len(tokens)), tokens].sum()), len(tokens)


def drawing_options(*verbs: str, temperature: float = 1.0, top_p: float = 1.0) -> tuple[Option, ...]:
    """The options of verbs that draw tokens, with a task's own defaults."""
    return (
        Option(name="seed", type=int, verbs=verbs, default=0, help="where chance starts"),
        Option(name="temperature", type=float, verbs=verbs, default=temperature, help="below 1 surer, above 1 bolder"),
        Option(name="top_p", type=float, verbs=verbs, default=top_p, help="keep the likeliest that together have this"),
        Option(name="top_k", type=int, verbs=verbs, default=0, help="keep as many of the likeliest; 0: all"),
        Option(name="no_repeat", type=int, verbs=verbs, default=0, help="no run of so many tokens twice; 0: any"),
    )


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How tokens are drawn: what `drawing_options` ask for. Raises UsageError for what makes no sense."""

    seed: int
    temperature: float
    top_p: float
    top_k: int
    no_repeat: int

    def __post_init__(self) -> None:
        check_seed(self.seed)
        self.sampling  # noqa: B018 - made now, so that what makes no sense is said before anything is written

    @cached_property
    def sampling(self) -> Sampling:
        """How a token is drawn from logits."""
        return from_options(Sampling, self.temperature, self.top_k, self.top_p, self.no_repeat)

    def random(self, *more: int) -> np.random.Generator:
        """The chance of one piece: it depends on the seed and on what it is told apart by."""
        return np.random.default_rng([self.seed, *more])


def go_on(
    pipeline: Pipeline, prefixes: Sequence[Sequence[int]], randoms: Sequence[np.random.Generator], sampling: Sampling,
    *, rules: Sequence[Constraint] | None = None, stop: int, limit: int,
) -> list[list[int]]:  # fmt: skip
    """The tokens that a model writes after each beginning, until ``stop``, which is one of them, or ``limit``.

    The model is a decoder alone, its input codec `Foretold`.
    """
    found: list[list[int]] = [[] for _ in prefixes]
    for tokens in _steps(pipeline, prefixes, randoms, sampling, constraints=rules, stop=stop, limit=limit):
        for row, token in zip(found, tokens.tolist(), strict=True):
            if token >= 0:
                row.append(token)
    return found


def endless(
    pipeline: Pipeline, prefix: Sequence[int], random: np.random.Generator, sampling: Sampling,
    rules: Constraint | None = None,
) -> Iterator[int]:  # fmt: skip
    """The tokens that such a model writes after a beginning, one by one without end, in constant memory."""
    for tokens in _steps(pipeline, [prefix], [random], sampling, constraints=None if rules is None else [rules]):
        yield int(tokens[0])


def _steps(
    pipeline: Pipeline, prefixes: Sequence[Sequence[int]], randoms: Sequence[np.random.Generator], sampling: Sampling,
    **more: Any,
) -> Iterator[np.ndarray]:  # fmt: skip
    codec: Any = pipeline.codecs["input"]
    graph = pipeline.runtime.graph("decoder")
    yield from generate(graph, prefixes, randoms, sampling=sampling, features=codec.token_features, **more)
