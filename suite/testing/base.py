"""What all laws share: how one is broken, and when two ways to the same numbers, or the same result, agree."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.checkpoint.arrays import row_scale
from suite.errors import SuiteError, one_line

if TYPE_CHECKING:
    from suite.nn.models import Model

#: The largest difference between two ways to the same number, relative to max(1, |value|), by precision.
DOUBLE, SINGLE = 1e-9, 1e-4


class LawBroken(AssertionError):
    """A law does not hold; the message says which, where and by how much."""


def same(
    law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float, *, rows: bool = False
) -> None:  # fmt: skip
    """Raise LawBroken unless two arrays agree to ``tolerance · max(1, |wanted|)`` everywhere.

    For a model's outputs, ``rows``, |wanted| is the largest of a row (`suite.checkpoint.arrays.row_scale`).
    """
    if found.shape != wanted.shape:
        raise LawBroken(f"{law}: {where} has shape {found.shape}, expected {wanted.shape}")
    if not found.size:
        return
    scale = row_scale(wanted) if rows else np.maximum(1, np.abs(wanted))
    error = np.abs(found.astype(np.float64) - wanted) / scale
    error = np.where(np.isfinite(error), error, np.inf)
    if float(error.max()) > tolerance:
        at = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
        raise LawBroken(
            f"{law}: {where} differs by {float(error.max()):.1e} at {list(at)}: {float(found[at]):.6g} where "
            f"{float(wanted[at]):.6g} is expected (allowed: {tolerance:.0e})"
        )


def same_output(law: str, where: str, found: np.ndarray, wanted: np.ndarray, tolerance: float = SINGLE) -> None:
    """Raise LawBroken unless a model's outputs agree."""
    same(law, f"the output {where}", found, wanted, tolerance, rows=True)


def verified_export(model: Model, what: str) -> None:
    """Export a model and run it with ONNX Runtime. Raises LawBroken if it cannot be, or does not give what torch gives.

    ``what`` the model is made to test, with its article, is for the message.
    """
    from suite.checkpoint import Checkpoint, Manifest
    from suite.checkpoint.weights import WEIGHTS, round_weights, save_weights
    from suite.export.onnx import export
    from suite.export.verify import verify

    round_weights(model)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_weights(model, folder / WEIGHTS)
        try:
            graphs = export(model, folder, WEIGHTS)
            manifest = Manifest(task="", mapping="", config={}, files=dict.fromkeys(graphs, ""))
            verify(model, Checkpoint(folder, manifest))
        except SuiteError as error:
            raise LawBroken(f"the exported graph agrees with torch: {one_line(error)}") from error
        except (RuntimeError, ValueError, TypeError) as error:
            raise LawBroken(f"{what} exports to ONNX: this one does not: {one_line(error):.500}") from error


def comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    """A result's fields without those that differ in a stream, where ``input`` is the last step."""
    return {name: value for name, value in values.items() if name not in ("input", "final", "seconds")}


def difference(found: Any, wanted: Any, path: str = "") -> str:
    """Where two plain values differ, numbers by more than rounding, in words; empty if they agree."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping) and found.keys() == wanted.keys():
        places = (difference(found[name], wanted[name], f"{path}.{name}" if path else str(name)) for name in wanted)
        return next((place for place in places if place), "")
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple) and len(found) == len(wanted):
        places = (difference(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(found, wanted, strict=True)))
        return next((place for place in places if place), "")
    if isinstance(found, float) and isinstance(wanted, float):
        agree = abs(found - wanted) <= 1e-3 * max(1.0, abs(wanted))
    else:
        agree = found == wanted
    return "" if agree else f"{path}: {found!r} instead of {wanted!r}"
