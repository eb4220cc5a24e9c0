"""The recurrent contract: one recurrence, two faces.

``step`` is the definition: one input and a state give one output and the next state. ``scan`` is the same
over time. A cell that defines only ``step`` (or ``project`` and ``recur``) has a right scan, a right ONNX
export and a right stream; overriding ``scan`` is for speed only, and the laws in ``suite.testing`` hold it
to the definition.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

#: A flat dict of named arrays, batch first. The same shape serves ONNX inputs and outputs, the reordering of
#: rows in a search, and a session saved to a file.
State = dict[str, Tensor]


class Cell(nn.Module):
    """One recurrence from ``inputs`` (D) to ``hidden`` (H) features.

    A subclass sets ``equation`` and ``source`` and defines ``recur`` (and ``project``, where part of a step
    does not depend on the state: it then runs once over all time), or ``step`` alone. State that is more than
    one vector ``h [B, H]`` is declared by ``state_shapes``; it starts at zero.
    """

    equation: ClassVar[str] = ""
    source: ClassVar[str] = ""

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

    def remember(self, times: Tensor) -> None:
        """Start anew so that unit i forgets over about ``times[i]`` steps, times ``[H]`` > 1.

        By default nothing changes: a cell without gates has no such times.
        """

    def project(self, x: Tensor) -> Tensor:
        """The part of a step that does not depend on the state: ``[…, D] → […, P]``."""
        return x

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """The rest of a step: ``[B, P]`` and a state → output ``[B, H]`` and the next state. Pure."""
        if type(self).step is not Cell.step:
            # A cell may define its step alone; nothing of it is then projected ahead.
            return self.step(projected, state)
        raise RuntimeError(f"{type(self).__name__} defines neither recur nor step")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: ``x [B, D]`` and a state → ``y [B, H]`` and the next state. Pure."""
        return self.recur(self.project(x), state)

    def scan(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """All steps: ``x [B, T, D]`` → ``y [B, T, H]`` and the state after each row's own last step.

        Beyond a row's length its outputs are zero and its state stands still; a row of length 0 keeps the
        state it came with.
        """
        projected = self.project(x)
        mask = None if lengths is None else within(lengths, x.shape[1])
        if torch.onnx.is_in_onnx_export():
            from suite.export.onnx import recurrence

            return recurrence(self, projected, state, mask)
        return fold(self, projected, state, mask)


def fold(cell: Cell, projected: Tensor, state: State, mask: Tensor | None) -> tuple[Tensor, State]:
    """Step through time in a plain loop: ``projected [B, T, P]``, ``mask [B, T]`` true where a step counts."""
    outputs = []
    for t in range(projected.shape[1]):
        y, following = cell.recur(projected[:, t], state)
        if mask is not None:
            y, following = counted(mask[:, t], y, following, state)
        state = following
        outputs.append(y)
    if not outputs:
        return projected.new_zeros(projected.shape[0], 0, cell.hidden), state
    return torch.stack(outputs, dim=1), state


def counted(mask: Tensor, y: Tensor, following: State, state: State) -> tuple[Tensor, State]:
    """A step where ``mask [B]`` says that it counts; elsewhere its output is zero and the state stands still."""
    return _where(mask, y, torch.zeros_like(y)), {name: _where(mask, following[name], state[name]) for name in state}


def full_precision(scan: Callable[..., tuple[Tensor, State]]) -> Callable[..., tuple[Tensor, State]]:
    """Keep a scan that ``torch.nn`` has a kernel for out of autocast on accelerators.

    There it would run in float16, which loses small gradients, even where bfloat16 was asked for; the kernel of
    a processor keeps to what it is told, but those without AVX-512 have none for bfloat16.
    """
    lacking = False

    @functools.wraps(scan)
    def kept(self: Any, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        nonlocal lacking
        device = x.device.type
        if not torch.is_autocast_enabled(device):
            return scan(self, x, state, lengths)
        if device == "cpu" and not lacking:
            try:
                return scan(self, x, state, lengths)
            except RuntimeError as error:
                if "primitive" not in str(error):
                    raise
                lacking = True
        with torch.autocast(device, enabled=False):
            return scan(self, x.float(), state, lengths)

    return kept


def within(lengths: Tensor, steps: int) -> Tensor:
    """Which steps count: bool ``[B, T]``, true before each row's length."""
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


def last(y: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """The output at each row's last step, ``[B, T, H] → [B, H]``; ``before [B, H]`` where a row is empty."""
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, y.shape[2])
    return torch.where((lengths > 0)[:, None], y.gather(1, index)[:, 0], before)


def weights_of(rnn: nn.RNNBase) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A one-layer module's own parameters: input weight, recurrent weight, input bias, recurrent bias."""
    input_weight, recurrent_weight, input_bias, recurrent_bias = rnn.parameters()
    return input_weight, recurrent_weight, input_bias, recurrent_bias


def start_weights(rnn: nn.RNNBase, gates: int) -> None:
    """Glorot input weights and orthogonal recurrent ones, gate by gate; biases zero."""
    input_weight, recurrent_weight, input_bias, recurrent_bias = weights_of(rnn)
    with torch.no_grad():
        glorot_blocks(input_weight, gates)
        orthogonal_blocks(recurrent_weight)
        input_bias.zero_()
        recurrent_bias.zero_()


def orthogonal_blocks(weight: Tensor) -> None:
    """Fill ``[gates · H, H]`` with one orthogonal matrix a gate (Saxe et al., 2014, arXiv:1312.6120)."""
    for block in torch.split(weight, weight.shape[1]):
        nn.init.orthogonal_(block)


def glorot_blocks(weight: Tensor, gates: int) -> None:
    """Fill ``[gates · H, D]`` gate by gate, uniform in ±sqrt(6 / (H + D)) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / (weight.shape[0] // gates + weight.shape[1]))
    nn.init.uniform_(weight, -bound, bound)


def freeze_column(
    x: Tensor, weight: Tensor, mask: Tensor, gates: Sequence[float], multiple: int = 1
) -> tuple[Tensor, Tensor]:
    """Let gates stop a state beyond a row's length, without packing.

    Appends ``1 − mask`` as one more input feature and a fixed weight column for it. ``gates`` gives the
    column's value for each gate, in the order of the weight's rows: ±1e4 saturates a gate exactly, 0 leaves
    it alone. Returns the longer ``x [B, T, D + 1]`` and ``weight [gates · H, D + 1]``; features of zeros follow where
    D + 1 is no ``multiple`` of what a kernel is quick at.
    """
    hidden = weight.shape[0] // len(gates)
    column = torch.cat([weight.new_full((hidden, 1), value) for value in gates])
    stopped = (~mask).to(x.dtype)[:, :, None]
    zeros = -(x.shape[2] + 1) % multiple
    wide, long = [x, stopped], [weight, column]
    if zeros:
        wide.append(x.new_zeros(*x.shape[:2], zeros))
        long.append(weight.new_zeros(len(weight), zeros))
    return torch.cat(wide, dim=2), torch.cat(long, dim=1)


def _where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *(1 for _ in a.shape[1:])), a, b)
