"""What the codecs of tunes and of chorales have in common: a piece as token ids, and what a model reads of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from suite.decoding.constraints import TokenFeatures
from suite.errors import CheckpointError

if TYPE_CHECKING:
    from suite_music.notation.chorales import Chorale

#: The first ids of every vocabulary.
PAD, START, END = range(3)


class PieceCodec:
    """A piece ↔ token ids: a `TuneCodec` or a `ChoraleCodec`, as a checkpoint says.

    ``encode`` gives what a model reads, ``targets`` what it predicts.
    """

    #: The kind of piece: ``"tune"`` or ``"chorale"``.
    kind: ClassVar[str]
    #: The names of the tokens, by id.
    vocabulary: tuple[str, ...]

    @property
    def size(self) -> int:
        """The vocabulary size V."""
        return len(self.vocabulary)

    @property
    def columns(self) -> tuple[int, ...]:
        """The number of values of each of the F columns that a model reads."""
        raise NotImplementedError

    def tokens(self, piece: Any) -> list[int]:
        """The ids of a piece, without start and end. Raises DataError for a piece that has none."""
        raise NotImplementedError

    def token_features(self, state: Any = None) -> TokenFeatures:
        """What gives a model its columns token by token, from the start or continued from its saved ``state``."""
        raise NotImplementedError

    def encode(self, raw: Any) -> np.ndarray:
        """What a model reads of a piece, int64 ``[T, F]``: the start token and every token, with their columns."""
        return self.read([START, *self.tokens(raw)])

    def targets(self, piece: Any) -> np.ndarray:
        """What a model predicts at each of these steps, int64 ``[T]``: every token and the end token."""
        return np.asarray([*self.tokens(piece), END], dtype=np.int64)

    def read(self, tokens: Iterable[int]) -> np.ndarray:
        """Tokens with their columns, int64 ``[T, F]``."""
        reader = self.token_features()
        return np.asarray([reader.next(token) for token in tokens], dtype=np.int64).reshape(-1, len(self.columns))

    def decode(self, tokens: Iterable[int]) -> str | Chorale:
        """The piece of ids: a tune's text, or a chorale."""
        raise NotImplementedError

    def files(self) -> dict[str, bytes]:
        """The codec as a checkpoint's file."""
        raise NotImplementedError

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """The codec of a checkpoint, of either kind. Raises CheckpointError if it is damaged."""
        from suite_music.notation import chorales, tunes

        found: type[PieceCodec] = chorales.ChoraleCodec if chorales.FILE in files else tunes.TuneCodec
        if not issubclass(found, cls):
            raise CheckpointError(f"this is a model of {found.kind}s; use another checkpoint")
        return found.from_files(files)
