"""Tracing a cell's recurrence as one node, which export replaces by an ONNX ``Scan`` over the cell's own step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from suite.errors import SuiteError
from suite.nn.cells.state import State

#: The ONNX domain of the placeholder; no exported file contains it.
DOMAIN = "suite"
_names: ContextVar[Mapping[nn.Module, str] | None] = ContextVar("names", default=None)


@contextlib.contextmanager
def naming_cells(names: Mapping[nn.Module, str]) -> Iterator[None]:
    """A context in which these cells can be traced, each under its name."""
    token = _names.set(names)
    try:
        yield
    finally:
        _names.reset(token)


def recurrence_placeholder(
    cell: nn.Module, keys: Sequence[str], hidden: int, projected: Tensor, state: State, mask: Tensor | None
) -> tuple[Tensor, State]:
    """The node that stands for a cell's scan while a graph is traced.

    Args:
        cell: The cell, which ``naming_cells`` has named.
        keys: The names of its state's arrays, in the order of the Scan's body.
        hidden: The number of output features, H.
        projected: The projected inputs ``[B, T, P]``.
        state: The state before the first step.
        mask: False for padding, bool ``[B, T]``; None for no padding.

    Returns:
        Outputs ``[B, T, H]`` and the next state, both with placeholder values.
    """
    names = _names.get()
    if names is None or cell not in names:
        raise SuiteError("a cell can be exported only as part of a model: use suite.export.onnx.export")
    arrays = [state[key] for key in keys] + [projected] + ([] if mask is None else [mask])
    results = _Recurrence.apply(names[cell], len(keys), hidden, *arrays)  # type: ignore[no-untyped-call]
    return results[-1], dict(zip(keys, results[:-1], strict=True))


class _Recurrence(torch.autograd.Function):
    """A node with the inputs and outputs of an ONNX Scan, and the name of the cell that is its body."""

    @staticmethod
    def forward(ctx: Any, name: str, count: int, hidden: int, *arrays: Tensor) -> tuple[Tensor, ...]:
        projected = arrays[count]
        y = projected.new_zeros(projected.shape[0], projected.shape[1], hidden)
        return (*(array.clone() for array in arrays[:count]), y)

    @staticmethod
    def symbolic(g: Any, name: str, count: int, hidden: int, *arrays: Any) -> Any:
        results = g.op(f"{DOMAIN}::Recurrence", *arrays, name_s=name, count_i=count, outputs=count + 1)
        for result, array in zip(results, arrays, strict=False):
            result.setType(array.type())
        results[-1].setType(arrays[count].type().with_sizes([None, None, hidden]))
        return results
