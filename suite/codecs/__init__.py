"""Codecs: raw values to arrays and back, without torch.

A codec is fitted on training data only, lives in a checkpoint as JSON, and has two faces: ``encode`` for a
whole input, and ``incremental`` for one that arrives in pieces. Both give the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np


class Feeder(Protocol):
    """The incremental face of an input codec: pieces in, finished steps out."""

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        """The steps that ``piece`` completes, each as (raw step, array ``[T, …]``).

        The raw step is a JSON value: a session keeps the last one, and can be saved.
        """
        ...

    def flush(self) -> list[tuple[Any, np.ndarray]]:
        """The steps still held back at the end of the input."""
        ...

    @property
    def pending(self) -> Any:
        """What is held back, as JSON; with it a session can be saved."""
        ...


@runtime_checkable
class Codec(Protocol):
    """What every codec can do: live in a checkpoint."""

    def files(self) -> dict[str, bytes]:
        """The codec as files (name → bytes)."""
        ...

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """The codec from those files. Raises CheckpointError if they do not fit."""
        ...


class InputCodec(Codec, Protocol):
    """A codec of what goes into an encoder. What it is asked for beyond that, it is asked whether it has."""

    def encode(self, raw: Any) -> np.ndarray:
        """One input as an array ``[T, …]``. Raises DataError if it cannot be used."""
        ...


@runtime_checkable
class StreamedCodec(InputCodec, Protocol):
    """A codec of inputs that may come in pieces: its task streams step by step."""

    def incremental(self, pending: Any = None) -> Feeder:
        """A fresh feeder, or one that goes on from a saved ``pending``."""
        ...


class TargetCodec(Codec, Protocol):
    """A codec of what a model learns.

    Of an aligned task, and of one that writes, ``encode`` gives a list of arrays ``[T, …]``, one an item. A codec whose
    answers are written also has ``start``, the token before the first.
    """

    @property
    def size(self) -> int:
        """How many outputs the model's head has (K)."""
        ...

    @property
    def loss(self) -> str | Callable[..., Any]:
        """The loss: a name of ``suite.training.losses``, or a function.

        A function takes outputs ``[B, K]`` and targets and gives ``[B]``; ``suite.task.lazy`` names one without
        importing torch.
        """
        ...

    def encode(self, targets: Iterable[Any]) -> Any:
        """Targets as one array ``[N, …]``. Raises DataError for one that was never in training."""
        ...


class CalibratedCodec(TargetCodec, Protocol):
    """A codec of one answer an item, a label or a number (many-to-one)."""

    def calibrated(self, outputs: np.ndarray, targets: np.ndarray) -> Self:
        """The codec with its probabilities calibrated on held-out outputs ``[N, K]`` and encoded targets ``[N, …]``."""
        ...


@runtime_checkable
class SequenceTargetCodec(TargetCodec, Protocol):
    """A codec of targets that have a length of their own, for CTC and transducers."""

    def least(self, target: np.ndarray) -> int:
        """The fewest steps of input that an encoded target takes: for CTC one a letter, and one between twins."""
        ...
