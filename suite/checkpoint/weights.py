"""Weights between a module and ``model.safetensors``, in half precision or whole numbers of eight bits.

Of eight bits are matrices alone: ``NAME`` holds whole numbers from −127 to 127, ``NAME.scale`` what those of a row
are to be multiplied by. Vectors (biases, norms) stay in half precision.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from suite.errors import CheckpointError, one_line

WEIGHTS = "model.safetensors"
#: What numbers a weights file holds.
Kind = Literal["float16", "int8"]


def round_weights(model: nn.Module, kind: Kind = "float16") -> None:
    """Round every weight in place to what its file will hold, so that what is measured is what is shipped."""
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(_wide(*_narrow(value, kind)))


def save_weights(model: nn.Module, path: Path, kind: Kind = "float16") -> None:
    """Write the weights once; whole numbers and flags stay what they are."""
    stored: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        narrow, scale = _narrow(value.detach(), kind) if value.is_floating_point() else (value, None)
        stored |= {name: narrow.contiguous()} | ({} if scale is None else {f"{name}.scale": scale})
    try:
        save_file(stored, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), path.name) from error  # a full disk, like any other


def load_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a file, in single precision. Raises CheckpointError for a file that is none."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {one_line(error)}; copy the checkpoint again") from error
    scales = {name: stored.pop(f"{name}.scale") for name in list(stored) if stored[name].dtype == torch.int8}
    return {
        name: _wide(value, scales.get(name)) if value.is_floating_point() or name in scales else value
        for name, value in stored.items()
    }


def _narrow(value: Tensor, kind: Kind) -> tuple[Tensor, Tensor | None]:
    """A weight as it is stored: in half precision, or as whole numbers and the scale of each row ``[R, 1, …]``."""
    if kind == "float16" or value.ndim < 2:
        return value.half(), None
    # A scale of eight binary digits times one of seven is exact: a weight that is rounded twice stays what it is.
    scale = (value.abs().amax(tuple(range(1, value.ndim)), keepdim=True) / 127).bfloat16().float()
    return (value / scale.clamp(min=torch.finfo(torch.float32).tiny)).round().clamp(-127, 127).to(torch.int8), scale


def _wide(value: Tensor, scale: Tensor | None) -> Tensor:
    return value.float() if scale is None else value.float() * scale


def transfer(model: nn.Module, weights: dict[str, Tensor]) -> list[str]:
    """Copy every weight whose name and shape agree; returns the names that did not."""
    own = model.state_dict()
    fits = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict({**own, **fits})
    return sorted(own.keys() - fits.keys())
