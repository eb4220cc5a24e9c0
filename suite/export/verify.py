"""Verification of exported graphs: ONNX Runtime against torch, at sizes that were not traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suite.checkpoint import Checkpoint
from suite.checkpoint.arrays import row_scale
from suite.errors import SuiteError, one_line
from suite.nn.models import Model
from suite.runtime.onnx import OnnxRuntime
from suite.runtime.torch import TorchRuntime

TOLERANCE = 1e-4
#: The (batch, steps) compared: none is the traced (2, 2), and one is a single step, as in a stream.
SIZES = ((1, 1), (1, 37), (3, 5), (5, 64))


def verify(model: Model, checkpoint: Checkpoint, inputs: Sequence[Any] = ()) -> float:
    """Compare outputs and next states of a checkpoint's graphs with those of torch.

    From random states, with padded rows and a row of length 0.

    Args:
        model: The torch model.
        checkpoint: The checkpoint with the exported graphs.
        inputs: Encoded inputs; by default random ones of the traced type.

    Returns:
        The largest difference (see ``max_difference``).

    Raises:
        SuiteError: If a graph cannot be run, or a difference exceeds ``TOLERANCE``.
    """
    ours, theirs = TorchRuntime.of(model), OnnxRuntime(checkpoint)
    random = np.random.default_rng(0)
    worst = 0.0
    for name, graph in model.graphs().items():
        for batch, steps in SIZES:
            arrays = {}
            for label, value in graph.example.items():
                shape = [batch if axis == "batch" else steps if axis == "time" else value.shape[i]
                         for i, axis in _axes(graph.axes.get(label, {}), value.ndim)]  # fmt: skip
                if label == "lengths":
                    arrays[label] = np.asarray([0, *random.integers(1, steps + 1, batch - 1)][::-1], np.int64)
                elif label == "inputs" and inputs:
                    arrays[label] = _real(inputs, shape, value.numpy().dtype, random)
                elif value.is_floating_point():
                    # Some states are counts and weights, which are never negative.
                    arrays[label] = np.abs(random.standard_normal(shape)).astype(np.float32)
                else:
                    arrays[label] = random.integers(0, 2, shape).astype(value.numpy().dtype)
            if batch == 1 and "lengths" in arrays:
                arrays["lengths"][:] = steps
            ours_found = ours.graph(name)(arrays)
            try:
                theirs_found = theirs.graph(name)(arrays)
            except SuiteError:
                raise
            except Exception as failure:  # onnxruntime's own classes share no public base
                where = f"{checkpoint.path}/{name}.onnx: cannot be run at batch {batch}, {steps} steps"
                raise SuiteError(f"{where}: {one_line(failure):.300}") from failure
            for label, right in ours_found.items():
                error = max_difference(theirs_found[label], right)
                worst = max(worst, error)
                if not error <= TOLERANCE:
                    raise SuiteError(
                        f"{checkpoint.path}/{name}.onnx: {label} differs from torch by {error:.1e} at batch {batch}, "
                        f"{steps} steps; do not use it, and report the cell and versions"
                    )
    return worst


def max_difference(found: np.ndarray, right: np.ndarray) -> float:
    """The largest difference of two arrays, relative to ``suite.checkpoint.arrays.row_scale(right)``."""
    return float(np.max(np.abs(right.astype(np.float64) - found) / row_scale(right), initial=0))


def _axes(moving: dict[int, str], ndim: int) -> list[tuple[int, str]]:
    return [(i, moving.get(i, "")) for i in range(ndim)]


def _real(inputs: Sequence[Any], shape: list[int], dtype: Any, random: np.random.Generator) -> np.ndarray:
    """Inputs of a shape, each row a concatenation of random real inputs, cut to length."""
    rows = []
    for _ in range(shape[0]):
        pieces, steps = [], 0
        while steps < shape[1]:
            pieces.append(inputs[int(random.integers(len(inputs)))])
            steps += len(pieces[-1])
        rows.append(np.concatenate(pieces)[: shape[1]])
    return np.stack(rows).astype(dtype)
