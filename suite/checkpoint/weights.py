"""Saving and loading weights as ``model.safetensors``, in half precision or int8.

In int8 only matrices are quantized: ``NAME`` has integers from −127 to 127, and ``NAME.scale`` the scale of each row.
Vectors (biases, norms) are in half precision.
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
#: The type of the numbers in a weights file.
Kind = Literal["float16", "int8"]


def round_weights(model: nn.Module, kind: Kind = "float16") -> None:
    """Round every weight in place to the value that its file will hold, so that metrics are those of the file."""
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(_dequantized(*_quantized(value, kind)))


def save_weights(model: nn.Module, path: Path, kind: Kind = "float16") -> None:
    """Write a model's weights; integers and booleans keep their type. Raises OSError if they cannot be written."""
    stored: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        narrow, scale = _quantized(value.detach(), kind) if value.is_floating_point() else (value, None)
        stored |= {name: narrow.contiguous()} | ({} if scale is None else {f"{name}.scale": scale})
    try:
        save_file(stored, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), path.name) from error  # such as a full disk


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights from a file, as float32. Raises CheckpointError if it cannot be read."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {one_line(error)}; copy the checkpoint again") from error
    scales = {name: stored.pop(f"{name}.scale") for name in list(stored) if stored[name].dtype == torch.int8}
    return {
        name: _dequantized(value, scales.get(name)) if value.is_floating_point() or name in scales else value
        for name, value in stored.items()
    }


def _quantized(value: Tensor, kind: Kind) -> tuple[Tensor, Tensor | None]:
    """A weight as it is stored: in half precision, or as int8 with the scale of each row, ``[R, 1, …]``."""
    if kind == "float16" or value.ndim < 2:
        return value.half(), None
    # A scale with 8 significant bits times an int8 is exact in float32, so that rounding twice changes nothing.
    scale = (value.abs().amax(tuple(range(1, value.ndim)), keepdim=True) / 127).bfloat16().float()
    return (value / scale.clamp(min=torch.finfo(torch.float32).tiny)).round().clamp(-127, 127).to(torch.int8), scale


def _dequantized(value: Tensor, scale: Tensor | None) -> Tensor:
    return value.float() if scale is None else value.float() * scale


def transfer(model: nn.Module, weights: dict[str, Tensor]) -> list[str]:
    """Copy the weights whose names and shapes agree into a model; returns the names of its other weights."""
    own = model.state_dict()
    matching = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict({**own, **matching})
    return sorted(own.keys() - matching.keys())
