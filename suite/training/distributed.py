"""The device a model is trained on, and the processes that train it together, on accelerate.

Every process holds the whole model and all of the data. Of each batch it takes every n-th item, and the sums
that make a step (gradients, loss, carried state) are added up over the processes in one message. So a step
of many processes is the step of one on the same batch, and nothing wraps the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import InitProcessGroupKwargs, broadcast
from torch import Tensor

from suite.errors import UsageError


class Processes:
    """Those that ``accelerate launch`` or ``torchrun`` started, seen from one of them; without it there is one.

    ``rank`` of ``count`` is this one; ``main`` evaluates, saves and speaks for all. ``device`` is where the
    model belongs.
    """

    def __init__(self) -> None:
        # The main process may evaluate and export for as long as it takes; the launcher notices one that died.
        patient = InitProcessGroupKwargs(timeout=timedelta(days=7))
        # Without being told, accelerate looks for other processes on accelerators only.
        self._accelerator = Accelerator(cpu=not torch.accelerator.is_available(), kwargs_handlers=[patient])
        self.rank, self.count = self._accelerator.process_index, self._accelerator.num_processes
        if self._accelerator.mixed_precision not in ("no", "bf16"):
            raise UsageError(f"mixed precision {self._accelerator.mixed_precision!r}: choose bf16 or no")
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if started != self.count:
            raise UsageError(
                f"{started} processes were started, and {self._accelerator.device} lets {self.count} train: "
                "set ACCELERATE_USE_CPU=true, or start one"
            )
        self.main, self.device = self._accelerator.is_main_process, self._accelerator.device

    def __str__(self) -> str:
        half = f", {self._accelerator.mixed_precision}" if self._accelerator.mixed_precision != "no" else ""
        return f"{self.count} process{'es' if self.count > 1 else ''} on {self.device.type}{half}"

    def autocast(self) -> AbstractContextManager[Any]:
        """Half precision where it was asked for; weights and sums stay what they are."""
        context: AbstractContextManager[Any] = self._accelerator.autocast()
        return context

    def share(self, rows: Any) -> Any:
        """Every ``count``-th row for this process; the first one, to go on with, where it has none (``weight``)."""
        return rows[self.rank :: self.count] if self.weight(rows) else rows[:1]

    def weight(self, rows: Sequence[Any] | Tensor) -> bool:
        """Whether any of the rows is this process' own; if not, what it computes counts nothing."""
        return bool(self.rank < len(rows))

    def spread(self, share: Tensor, rows: int) -> Tensor:
        """This process' share ``[≤ B, …]`` in its places among all rows ``[B, …]``, the others zero."""
        if self.count == 1:
            return share
        whole = share.new_zeros(rows, *share.shape[1:])
        own = whole[self.rank :: self.count]
        own.copy_(share[: len(own)])
        return whole

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put into each tensor its sum over all processes; every process gives the same shapes."""
        if self.count == 1:
            return
        total = self._accelerator.reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
        for tensor, part in zip(tensors, total.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def of_main(self, compute: Callable[[], float]) -> float:
        """What ``compute`` gives the main process, told to all; the others wait."""
        if self.count == 1:
            return compute()
        value = torch.tensor(compute() if self.main else 0.0, dtype=torch.float64, device=self.device)
        return float(broadcast(value))

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self._accelerator.wait_for_everyone()


def is_main() -> bool:
    """Whether this process speaks for all that train together; true before any have met."""
    return not PartialState._shared_state or bool(PartialState().is_main_process)
