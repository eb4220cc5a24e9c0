"""Language modeling: a model of the next token, which scores sequences and generates them.

Data flow: a piece → its tokens, which the input codec encodes, and the next of each (`NextTokens`) → logits, which are
scored (`NextTokens.score`), or sampled from: `generate_until` continues prefixes to their ends, `generate_stream` one
without an end. Both can be saved after any token and continued, without reading the past again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar

import numpy as np

from suite.codecs import InputCodec
from suite.config import from_options
from suite.decoding.constraints import Constraint, TokenFeatures
from suite.decoding.generate import Generation, generate
from suite.decoding.sampling import Sampling, check_seed, log_softmax
from suite.errors import UsageError
from suite.task.aligned import AlignedTask
from suite.task.base import Config, R
from suite.task.codecs import Codecs
from suite.task.options import Option
from suite.task.results import Result

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel


#: A saved generation, as ``state`` or ``dumps()`` gives it.
SavedState = Mapping[str, Any] | bytes


class AutoregressiveCodec(InputCodec, Protocol):
    """An input codec whose sequences a model predicts token by token."""

    @property
    def size(self) -> int:
        """The vocabulary size V."""
        ...

    def targets(self, piece: Any) -> np.ndarray:
        """The token that follows at each step that ``encode`` gives, the end token included, int64 ``[T]``."""
        ...

    def token_features(self, state: Any = None) -> TokenFeatures:
        """What gives a model its inputs token by token, the rows of ``encode``; ``state`` continues a saved one."""
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


class _Resumable:
    """A generation of a model that can be saved after the tokens given so far."""

    def __init__(self, model: LoadedModel[Any, Any], generation: Generation) -> None:
        self._model, self._generation = model, generation

    @property
    def state(self) -> dict[str, Any]:
        """Everything that generation continues from: see ``Generation.state``."""
        return self._generation.state

    def dumps(self) -> bytes:
        """The state as bytes: JSON with a digest and the identity of the checkpoint."""
        return self._model.dump_state(self.state)


class Generated(_Resumable):
    """What `generate_until` generated.

    Attributes:
        tokens: The tokens after each prefix, the stop token included.
    """

    def __init__(self, model: LoadedModel[Any, Any], generation: Generation) -> None:
        super().__init__(model, generation)
        self.tokens: list[list[int]] = [[] for _ in range(generation.batch)]
        for step in generation:
            for row, token in zip(self.tokens, step.tolist(), strict=True):
                if token >= 0:
                    row.append(token)


class TokenStream(_Resumable, Iterator[int]):
    """The tokens of `generate_stream`, each generated when it is asked for."""

    def __next__(self) -> int:
        return int(next(self._generation)[0])


def generate_until(
    model: LoadedModel[Any, Any], prefixes: Sequence[Sequence[int]] | None,
    randoms: Sequence[np.random.Generator] | None, sampling: Sampling, *, rules: Sequence[Constraint] | None = None,
    stop: int, limit: int, state: SavedState | None = None,
) -> Generated:  # fmt: skip
    """Generate after each prefix until ``stop``, which is included, or ``limit`` tokens.

    The model is a decoder alone, its input codec an `AutoregressiveCodec`. With ``state`` (``Generated.state`` or
    ``dumps()``) generation continues from there: ``prefixes`` are what is read first, such as the next turn of a chat,
    and both they and ``randoms`` may be None.

    Raises:
        UsageError: For a state that is altered, or of another model or other options.
    """
    return Generated(model, _generation(model, prefixes, randoms, sampling, rules, state, stop=stop, limit=limit))


def generate_stream(
    model: LoadedModel[Any, Any], prefix: Sequence[int] | None, random: np.random.Generator | None, sampling: Sampling,
    rules: Constraint | None = None, *, state: SavedState | None = None,
) -> TokenStream:  # fmt: skip
    """Generate after a prefix, token by token without end, in constant memory.

    With ``state`` (``TokenStream.state`` or ``dumps()``) the stream continues from there; ``prefix`` is what is read
    first, and both it and ``random`` may be None.

    Raises:
        UsageError: For a state that is altered, or of another model or other options.
    """
    prefixes, randoms = None if prefix is None else [prefix], None if random is None else [random]
    generation = _generation(model, prefixes, randoms, sampling, None if rules is None else [rules], state)
    if generation.batch != 1:
        raise UsageError(f"the saved state has {generation.batch} sequences; a stream continues one")
    return TokenStream(model, generation)


def _generation(
    model: LoadedModel[Any, Any], prefixes: Sequence[Sequence[int]] | None,
    randoms: Sequence[np.random.Generator] | None, sampling: Sampling, constraints: Sequence[Constraint] | None,
    state: SavedState | None, **ends: int,
) -> Generation:  # fmt: skip
    saved = model.load_state(bytes(state)) if isinstance(state, bytes | bytearray) else state
    return generate(
        model.runtime.graph("decoder"), prefixes, randoms, sampling=sampling, constraints=constraints,
        features=model.codecs.input.token_features, state=saved, **ends,
    )  # fmt: skip
