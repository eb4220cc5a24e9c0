"""How a task streams: what parses a byte stream, what cuts it into segments, and what decodes outputs as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from suite.codecs.parsing import StreamParser
from suite.task.results import Result


class Segmenter(Protocol):
    """Cuts a stream into segments, each read as a whole, and keeps what lies between them."""

    def feed(self, piece: Any) -> Iterator[tuple[Any, Any]]:
        """Pairs of (separator before it, segment) for the segments that ``piece`` completes."""
        ...

    def flush(self) -> Iterator[tuple[Any, Any]]:
        """The segments still held back at the end of the input."""
        ...

    @property
    def pending(self) -> Any:
        """What is held back, as JSON."""
        ...


class StreamDecoder(Protocol):
    """Decodes the per-step outputs of an aligned model as they come."""

    def feed(self, outputs: np.ndarray) -> Sequence[Result]:
        """The updates (``final=False``) for the outputs ``[T, K]`` of the next T steps."""
        ...

    def finish(self, updates: Sequence[Result]) -> Result:
        """The last result (``final=True``), given the updates that the end of the input brought."""
        ...

    @property
    def pending(self) -> Any:
        """The decoder's whole state, as JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """How a task's sessions work.

    Attributes:
        kind: ``"steps"``: the state is carried from step to step and every step gives an update. ``"decoder"``: the
            same, and ``Task.stream_decoder`` turns per-step outputs into updates. ``"segments"``: bounded segments
            are read whole, one after the other (``Task.segmenter``, ``Task.stream_segment``).
        parser: Makes the parser of a byte stream; None if ``Task.stream_parser`` needs options to make one. Without
            it the command line has no generic ``stream`` verb.
        help: A paragraph for ``suite TASK stream --help``.
    """

    kind: Literal["steps", "decoder", "segments"] = "steps"
    parser: Callable[[], StreamParser] | None = None
    help: str = ""

    @property
    def unit(self) -> Literal["step", "segment"]:
        """What the state is carried over."""
        return "segment" if self.kind == "segments" else "step"
