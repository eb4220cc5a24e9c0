"""The base class of recurrent cells.

``step`` defines the cell: one input and a state give one output and the next state. ``scan`` computes all steps of a
sequence. A cell that defines only ``step``, or ``project`` and ``recur``, has a correct scan, ONNX export and stream;
``scan`` is overridden for speed only, and the laws in ``suite.testing`` check it against ``step``. Letters: B rows, T
steps, D input features, H hidden features, P projected features.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from suite.config import from_dict
from suite.errors import UsageError
from suite.nn.cells.masking import length_mask, masked_step
from suite.nn.cells.state import State
from suite.nn.cells.tracing import recurrence_placeholder

__all__ = ["Cell", "State", "fold", "make_cell", "with_options"]


class Cell(nn.Module):
    """A recurrent cell from ``inputs`` (D) to ``hidden`` (H) features.

    A subclass sets ``equation`` and ``source`` and defines ``recur``, and ``project`` where part of a step does not
    depend on the state: it then runs once over all steps; or it defines ``step`` alone. A state other than one vector
    ``h [B, H]`` is declared by ``state_shapes``. States start at zero.

    A cell with options, such as a number of heads, declares their dataclass, frozen and with a default for every field,
    as ``options``, and takes a value of it as the keyword argument ``options``::

        @dataclass(frozen=True)
        class LeakyOptions:
            leak: float = 0.9

        class Leaky(Cell):
            options = LeakyOptions

            def __init__(self, inputs: int, hidden: int, options: LeakyOptions = LeakyOptions()) -> None: ...

    Users set them with ``--set encoder.cell_options.leak=0.5``.

    Attributes:
        equation: The recurrence, as lines of plain text.
        source: The publication it is from.
        options: The dataclass of the cell's options; None for a cell without.
    """

    equation: ClassVar[str] = ""
    source: ClassVar[str] = ""
    options: ClassVar[type | None] = None

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, hidden

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The state's arrays by name, without the batch axis."""
        return {"h": (self.hidden,)}

    def initial(self, batch: int) -> State:
        """The state before any input: zeros, ``[B, …]`` each."""
        like = next(self.parameters())
        return {
            name: torch.zeros(batch, *shape, dtype=like.dtype, device=like.device)
            for name, shape in self.state_shapes().items()
        }

    def init_time_constants(self, times: Tensor) -> None:
        """Initialize the gates so that unit i has a time constant of about ``times[i]`` steps, ``[H]``, above 1.

        By default nothing changes, as for cells without gates.
        """

    def project(self, x: Tensor) -> Tensor:
        """The part of a step that does not depend on the state: ``[…, D] → […, P]``."""
        return x

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """The part of a step that depends on the state: ``[B, P]``, state → output ``[B, H]``, next state. Pure."""
        if type(self).step is not Cell.step:
            # A cell that defines its step alone has no projection.
            return self.step(projected, state)
        raise RuntimeError(f"{type(self).__name__} defines neither recur nor step")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: ``x [B, D]`` and a state → ``y [B, H]`` and the next state. Pure."""
        return self.recur(self.project(x), state)

    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """All steps of a sequence.

        Args:
            x: The inputs, ``[B, T, D]``.
            state: The state before the first step.
            lengths: The number of steps in each row, ``[B]``; the steps beyond are padding. None for no padding.

        Returns:
            Outputs ``[B, T, H]``, zero beyond a row's length; and the state after each row's own last step, which for a
            row of length 0 is the one given.
        """
        projected = self.project(x)
        mask = None if lengths is None else length_mask(lengths, x.shape[1])
        if torch.onnx.is_in_onnx_export():
            return recurrence_placeholder(self, list(self.state_shapes()), self.hidden, projected, state, mask)
        return fold(self, projected, state, mask)


def make_cell(
    cell: Callable[..., Cell], inputs: int, hidden: int, options: Mapping[str, object] | None = None
) -> Cell:  # fmt: skip
    """A cell of a class, with options by name; those left out have their defaults.

    Raises:
        UsageError: For an unknown option, a value of the wrong type, or a size or value that the cell refuses.
    """
    declared: type | None = getattr(cell, "options", None)
    if declared is None:
        if options:
            raise UsageError(f"cell_options: {_name(cell)} has no options")
        return cell(inputs, hidden)
    values: object = from_dict(declared, options or {}, where="cell_options")
    try:
        return cell(inputs, hidden, options=values)
    except ValueError as error:
        raise UsageError(f"cell_options: {_name(cell)}: {error}") from error


def with_options(cell: type[Cell], options: Mapping[str, object]) -> Callable[[int, int], Cell]:
    """The cell class with some of its options set: a function from ``inputs`` and ``hidden`` to a cell."""
    return cell if cell.options is None and not options else functools.partial(make_cell, cell, options=options)


def _name(cell: Callable[..., Cell]) -> str:
    return str(getattr(cell, "__name__", cell))


def fold(cell: Cell, projected: Tensor, state: State, mask: Tensor | None) -> tuple[Tensor, State]:
    """The steps in a plain loop, from ``projected [B, T, P]``; ``mask [B, T]`` is false where a step is padding."""
    outputs = []
    for t in range(projected.shape[1]):
        y, following = cell.recur(projected[:, t], state)
        if mask is not None:
            y, following = masked_step(mask[:, t], y, following, state)
        state = following
        outputs.append(y)
    if not outputs:
        return projected.new_zeros(projected.shape[0], 0, cell.hidden), state
    return torch.stack(outputs, dim=1), state
