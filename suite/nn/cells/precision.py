"""Precision of scans under autocast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from suite.nn.cells.state import State


def full_precision(scan: Callable[..., tuple[Tensor, State]]) -> Callable[..., tuple[Tensor, State]]:
    """Decorate a scan that uses a kernel of ``torch.nn``: outside autocast on accelerators, in float32.

    Under autocast on an accelerator the kernel runs in float16, which loses small gradients, even where bfloat16 was
    asked for. On a CPU it runs in bfloat16 as asked, except where the CPU has no such kernel (without AVX-512).
    """
    unsupported = False

    @functools.wraps(scan)
    def wrapper(self: Any, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        nonlocal unsupported
        device = x.device.type
        if not torch.is_autocast_enabled(device):
            return scan(self, x, state, lengths)
        if device == "cpu" and not unsupported:
            try:
                return scan(self, x, state, lengths)
            except RuntimeError as error:
                if "primitive" not in str(error):
                    raise
                unsupported = True
        with torch.autocast(device, enabled=False):
            return scan(self, x.float(), state, lengths)

    return wrapper
