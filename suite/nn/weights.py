"""Weights between a module and ``model.safetensors``."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from suite.errors import CheckpointError, one_line

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.nn.mappings import Model

WEIGHTS = "model.safetensors"


def round_to_half(model: nn.Module) -> None:
    """Round every weight to half precision in place, so that what is checked is what is shipped."""
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().to(value.dtype))


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights once, in half precision; whole numbers and flags stay what they are."""
    weights = {name: v.detach() for name, v in model.state_dict().items()}
    try:
        save_file({n: (v.half() if v.is_floating_point() else v).contiguous() for n, v in weights.items()}, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), path.name) from error  # a full disk, like any other


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a file, in single precision. Raises CheckpointError for a file that is none."""
    try:
        return {n: value.float() if value.is_floating_point() else value for n, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {one_line(error)}; copy the checkpoint again") from error


def load_model(checkpoint: Checkpoint) -> Model:
    """The model of a checkpoint, rebuilt from its configuration and codecs."""
    from suite.loading import open_config
    from suite.plugins import registry

    task = registry().task(checkpoint.manifest.task)
    config, codecs = open_config(task, checkpoint)
    model = task.build(config, codecs)
    try:
        model.load_state_dict(load_weights(checkpoint.path / WEIGHTS))
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path}: weights do not fit its configuration: {one_line(error)}") from error
    return model


def transfer(model: nn.Module, weights: dict[str, torch.Tensor]) -> list[str]:
    """Copy every weight whose name and shape agree; returns the names that did not."""
    own = model.state_dict()
    fits = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict({**own, **fits})
    return sorted(own.keys() - fits.keys())
