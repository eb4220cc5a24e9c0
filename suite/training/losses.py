"""Losses by name: outputs ``[B, K]`` and targets ``[B, …]`` to one loss a row, ``[B]``.

A row is an item of a many-to-one task, or a step of an aligned one.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from suite.errors import UsageError, nearest


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log softmax(outputs)[target]; targets are int64 ``[B]``."""
    return functional.cross_entropy(outputs, targets, reduction="none")


def normal(outputs: Tensor, targets: Tensor) -> Tensor:
    """A mean learnt by squared error and a log-spread learnt by the normal likelihood around that mean.

    Outputs are ``[B, 2]``. The likelihood does not reach the mean: weighted by the spread it would give up
    on the hard items (Seitzer et al., 2022, arXiv:2203.09168), and a squared error does not.
    """
    mean, log_spread = outputs[:, 0], outputs[:, 1].clamp(-7.0, 3.0)
    squared = (mean - targets) ** 2
    likelihood = log_spread + 0.5 * squared.detach() * (-2 * log_spread).exp()
    return squared + 0.05 * likelihood


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cross_entropy": cross_entropy, "normal": normal}


def loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of that name. Raises UsageError for an unknown one."""
    if name not in LOSSES:
        raise UsageError(f"loss {name!r}: no such loss; {nearest(name, LOSSES)}")
    return LOSSES[name]
