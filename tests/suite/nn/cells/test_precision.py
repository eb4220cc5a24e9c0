"""Scans under autocast."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.nn.cells.base import State
from suite.nn.cells.precision import full_precision


def test_a_processor_without_a_kernel_for_bfloat16_takes_the_other() -> None:
    tried: list[tuple[bool, torch.dtype]] = []

    def scan(cell: Any, x: Tensor, state: State, lengths: Any = None) -> tuple[Tensor, State]:
        tried.append((torch.is_autocast_enabled("cpu"), x.dtype))
        if tried[-1][0]:
            raise RuntimeError("could not create a primitive descriptor for the LSTM forward propagation primitive")
        return x, state

    kept, x = full_precision(scan), torch.zeros(1, 2, 3)
    for _ in range(2):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kept(None, x.bfloat16(), {})
    assert tried == [(True, torch.bfloat16), (False, torch.float32), (False, torch.float32)]
    kept(None, x, {})
    assert tried[-1] == (False, torch.float32)

    def wrong(cell: Any, x: Tensor, state: State, lengths: Any = None) -> tuple[Tensor, State]:
        raise RuntimeError("of another kind")

    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(RuntimeError, match="of another kind"):
        full_precision(wrong)(None, x, {})


@pytest.mark.parametrize(
    ("device", "autocast", "kept"), [("cpu", True, False), ("cuda", False, False), ("cuda", True, True)]
)
def test_full_precision_is_for_accelerators_under_autocast(
    device: str, autocast: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried with a stand-in for a tensor, since few machines that run this have an accelerator."""
    entered: list[tuple[str, bool]] = []

    @contextlib.contextmanager
    def context(kind: str, *, enabled: bool) -> Iterator[None]:
        entered.append((kind, enabled))
        yield
        entered.pop()

    def scan(self: Any, x: Any, state: Any, lengths: Any = None) -> Any:
        return x, list(entered), lengths

    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: autocast)
    monkeypatch.setattr(torch, "autocast", context)
    x = SimpleNamespace(device=SimpleNamespace(type=device), float=lambda: "in full")
    given, inside, lengths = full_precision(scan)(None, x, {}, "lengths")  # type: ignore[arg-type]
    assert lengths == "lengths"
    assert inside == ([(device, False)] if kept else [])
    assert given == ("in full" if kept else x)
