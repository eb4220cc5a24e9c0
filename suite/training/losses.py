"""Losses by name: outputs ``[B, K]`` and targets ``[B, …]`` to one loss a row, ``[B]``.

A row is an item of a many-to-one task, or a step of an aligned one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from suite.codecs.targets import LOG_SPREAD
from suite.errors import UsageError, nearest


def cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """−log softmax(outputs)[target]; targets are int64 ``[B]``, of which ``smoothing`` is spread over all outputs."""
    return functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)


#: As many rows of a large head's outputs are made at a time: they then stay in a processor's cache.
ROWS = 256


def chunked_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The sum of ``cross_entropy(features weightᵀ + bias, targets)``: features ``[N, F]``, weight ``[V, F]``.

    The outputs ``[N, V]`` of a large vocabulary are never there as a whole, and their gradient is taken while they
    are: with most of a decoder's numbers in them, this saves time as well as memory.
    """
    total: Tensor = _ChunkedCrossEntropy.apply(features, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return total


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> Tensor:  # fmt: skip
        device = features.device.type
        low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
        narrow = features.to(low), weight.to(low), bias.to(low)
        learns = any(ctx.needs_input_grad[:3])
        grads = torch.empty_like(narrow[0]), torch.zeros_like(weight), torch.zeros_like(bias)
        total = weight.new_zeros(())
        with torch.autocast(device, enabled=False):
            for begin in range(0, len(features), ROWS):
                x, wanted = narrow[0][begin : begin + ROWS], targets[begin : begin + ROWS, None]
                outputs = torch.addmm(narrow[2], x, narrow[1].t()).to(weight.dtype)
                outputs -= outputs.amax(1, keepdim=True)
                total -= (1 - smoothing) * outputs.gather(1, wanted).sum()
                if smoothing:
                    total -= smoothing * outputs.mean(1).sum()
                whole = outputs.exp_().sum(1, keepdim=True)
                total += whole.log().sum()
                if not learns:
                    continue
                grad = outputs.div_(whole).sub_(smoothing / len(weight))
                grad.scatter_add_(1, wanted, torch.full_like(whole, smoothing - 1))
                grads[2].add_(grad.sum(0))
                grad = grad.to(low)
                torch.mm(grad, narrow[1], out=grads[0][begin : begin + ROWS])
                grads[1].add_(grad.t() @ x)
        ctx.save_for_backward(*grads)
        ctx.dtype = features.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, bias = ctx.saved_tensors
        return features.to(ctx.dtype) * given[0], weight * given[0], bias * given[0], None, None


def normal(outputs: Tensor, targets: Tensor) -> Tensor:
    """A mean learnt by squared error and a log-spread learnt by the normal likelihood around that mean.

    Outputs are ``[B, 2]``. The likelihood does not reach the mean: weighted by the spread it would give up
    on the hard items (Seitzer et al., 2022, arXiv:2203.09168), and a squared error does not.
    """
    mean, log_spread = outputs[:, 0], outputs[:, 1].clamp(*LOG_SPREAD)
    squared = (mean - targets) ** 2
    likelihood = log_spread + 0.5 * squared.detach() * (-2 * log_spread).exp()
    return squared + 0.05 * likelihood


def ctc(model: Any, batch: Mapping[str, Tensor], outputs: Tensor) -> Tensor:
    """−log of the probability of each row's letters, however they are aligned: ``[B]`` (Graves et al., 2006).

    ``outputs [B, T, K]``, of which number 0 is no letter; a batch has ``lengths [B]``, ``targets [B, U]`` and their
    ``sizes [B]``. A row too short for its letters has no loss.
    """
    scores = outputs.log_softmax(2).transpose(0, 1)
    return functional.ctc_loss(
        scores, batch["targets"], batch["lengths"], batch["sizes"], reduction="none", zero_infinity=True
    )  # fmt: skip


def rnnt(model: Any, batch: Mapping[str, Tensor], outputs: Tensor) -> Tensor:
    """The same of a transducer (Graves, 2012), of frames ``outputs [B, T, J]``; a batch is as ``ctc`` has it."""
    from torchaudio.functional import rnnt_loss

    predicted = model.predict(batch["targets"])

    def of_row(frames: Tensor, expected: Tensor, tokens: Tensor) -> Tensor:
        logits = model.join(frames[:, None], expected[None])[None].float()
        steps, size = (tokens.new_tensor([len(part)]) for part in (frames, tokens))
        loss: Tensor = rnnt_loss(logits, tokens[None], steps, size, blank=0, reduction="sum")
        return loss

    # What is joined has a number for every frame, letter and feature: it is made for a row at a time, as long as the
    # row is, and anew for its gradients, so that one long recording does not take all memory.
    rows = zip(
        outputs, predicted, batch["targets"].int(), batch["lengths"].tolist(), batch["sizes"].tolist(), strict=True
    )
    losses = [
        checkpoint(of_row, frames[:steps], expected[: size + 1], tokens[:size], use_reentrant=False)
        for frames, expected, tokens, steps, size in rows
    ]
    return torch.stack(losses)


def quantile(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean pinball loss of quantiles: outputs ``[B, Q]`` for the levels (q + ½) / Q, targets ``[B]`` → ``[B]``.

    Minimized by the true quantiles (Koenker and Bassett, 1978). With multi-step targets ``[B, S]`` the outputs are
    ``[B, S · Q]``, step by step.
    """
    steps = targets.shape[1] if targets.ndim > 1 else 1
    predicted = outputs.view(len(outputs), steps, -1)
    count = predicted.shape[2]
    levels = (torch.arange(count, device=outputs.device, dtype=outputs.dtype) + 0.5) / count
    error = targets.view(len(targets), steps, 1) - predicted
    return torch.maximum(levels * error, (levels - 1) * error).mean(dim=(1, 2))


RowLoss = Callable[[Tensor, Tensor], Tensor]
SequenceLoss = Callable[[Any, Mapping[str, Tensor], Tensor], Tensor]
#: Losses of a whole row against a target that has a length of its own.
SEQUENCE_LOSSES: dict[str, SequenceLoss] = {"ctc": ctc, "rnnt": rnnt}
LOSSES: dict[str, RowLoss] = {"cross_entropy": cross_entropy, "normal": normal, "quantile": quantile}


def resolve_loss(loss: str | RowLoss, smoothing: float = 0.0) -> RowLoss:
    """A loss by name, or a plugin's own: a function of outputs ``[B, K]`` and targets ``[B, …]`` that gives ``[B]``.

    Raises UsageError for an unknown name, and for label smoothing of anything but cross-entropy.
    """
    if not isinstance(loss, str):
        found = loss
    elif loss in LOSSES:
        found = LOSSES[loss]
    else:
        raise UsageError(f"loss {loss!r}: no such loss; {nearest(loss, LOSSES)} or give a function")
    if not smoothing:
        return found
    if loss != "cross_entropy":
        raise UsageError(f"training.label_smoothing is for targets that are one of many, not for the loss {loss!r}")
    return partial(cross_entropy, smoothing=smoothing)


def resolve_sequence_loss(loss: str | SequenceLoss) -> SequenceLoss:
    """A sequence loss by name, or a plugin's own: a function of model, batch and outputs ``[B, T, K]`` → ``[B]``."""
    if not isinstance(loss, str):
        return loss
    if loss not in SEQUENCE_LOSSES:
        raise UsageError(f"loss {loss!r}: no such sequence loss; {nearest(loss, SEQUENCE_LOSSES)} or give a function")
    return SEQUENCE_LOSSES[loss]
