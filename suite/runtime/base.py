"""The interface of a runtime: graphs over dicts of numpy arrays, with ``state.*`` inputs and ``next.*`` outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from suite.errors import UsageError

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint

Arrays = dict[str, np.ndarray]
Kind = Literal["onnx", "torch"]


class GraphRuntime(Protocol):
    """One graph. ``inputs`` and ``outputs`` are the names of its arrays, in order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Run the graph once. Safe to call from many threads."""
        ...

    def initial(self, batch: int) -> Arrays:
        """The first state: the ``state.*`` arrays, zeros, with ``batch`` rows."""
        ...


class Runtime(Protocol):
    """A checkpoint's graphs by name (``encoder``, ``decoder``, ``joiner``), each loaded when first used."""

    kind: Kind

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the graphs."""
        ...

    def graph(self, name: str) -> GraphRuntime:
        """The graph of that name. Raises CheckpointError if it cannot be loaded."""
        ...


def carried(outputs: Mapping[str, np.ndarray]) -> Arrays:
    """The state for the next call: the ``next.*`` arrays of a graph's outputs, renamed ``state.*``."""
    return {f"state.{name[5:]}": array for name, array in outputs.items() if name.startswith("next.")}


def threads() -> int:
    """The number of threads of one call: ``SUITE_THREADS``, by default 1, which is fastest for small models.

    Raises UsageError if the variable is not a positive integer.
    """
    import os

    text = os.environ.get("SUITE_THREADS", "")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise UsageError(f"SUITE_THREADS={text!r}: expected a whole number from 1")
        return int(text)
    return 1


def graph_path(checkpoint: Checkpoint, name: str) -> Path:
    """The file of a graph. Raises UsageError if the checkpoint has no such graph."""
    if f"{name}.onnx" not in checkpoint.manifest.files:
        raise UsageError(
            f"{checkpoint.path}: has no {name}.onnx; run suite {checkpoint.manifest.task} export "
            f"--checkpoint {checkpoint.path}, or use --runtime torch"
        )
    return checkpoint.path / f"{name}.onnx"
