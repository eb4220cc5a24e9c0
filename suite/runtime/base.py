"""The interface of a runtime: graphs over dicts of numpy arrays, whose state goes in as ``state.*`` and comes out as
``next.*``.
"""

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
    """One graph. ``inputs`` and ``outputs`` are the names it takes and gives, in order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Run the graph once. Safe to call from many threads."""
        ...

    def initial(self, batch: int) -> Arrays:
        """The first state, ``state.*`` arrays of ``batch`` rows."""
        ...


class Runtime(Protocol):
    """A checkpoint's graphs by name (``encoder``, ``decoder``, ``joiner``), each loaded when first used."""

    kind: Kind

    @property
    def names(self) -> tuple[str, ...]:
        """The graphs there are."""
        ...

    def graph(self, name: str) -> GraphRuntime: ...


def carried(outputs: Mapping[str, np.ndarray]) -> Arrays:
    """The next state, ``next.*`` of a graph's outputs, as the state that goes in, ``state.*``."""
    return {f"state.{name[5:]}": array for name, array in outputs.items() if name.startswith("next.")}


def threads() -> int:
    """How many threads one call may use: ``SUITE_THREADS``, else one, which small models are fastest on."""
    import os

    text = os.environ.get("SUITE_THREADS", "")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise UsageError(f"SUITE_THREADS={text!r}: expected a whole number from 1")
        return int(text)
    return 1


def graph_path(checkpoint: Checkpoint, name: str) -> Path:
    """The file of a graph. Raises UsageError where the checkpoint was not exported."""
    if f"{name}.onnx" not in checkpoint.manifest.files:
        raise UsageError(
            f"{checkpoint.path}: has no {name}.onnx; run suite {checkpoint.manifest.task} export "
            f"--checkpoint {checkpoint.path}, or use --runtime torch"
        )
    return checkpoint.path / f"{name}.onnx"
