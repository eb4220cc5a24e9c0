"""Precision of scans under autocast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from suite.nn.cells.state import State


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
