"""From a name or a directory to a task, its checkpoint, its configuration, its codecs and its runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.checkpoint import MANIFEST, Checkpoint
from suite.config import from_dict
from suite.errors import CheckpointError, MissingExtra, UsageError, nearest, one_line
from suite.plugins import registry
from suite.runtime import Kind, Runtime
from suite.task import AnyTask, Codecs, Task

if TYPE_CHECKING:
    from suite.nn.models import Model


def open_checkpoint(task: AnyTask, path: str | Path | None = None) -> Checkpoint:
    """The checkpoint at ``path``, or a shipped one (the default, or by name), verified.

    Raises CheckpointError if there is none, or if it is incomplete or altered.
    """
    if path is None:
        return Checkpoint.open(task.checkpoint, task=task.name)
    path, name, shipped = Path(path), str(path), task.shipped
    if name in shipped and not (path / MANIFEST).exists():
        # A folder of that name that is no checkpoint does not hide the shipped one.
        path = shipped[name]
    elif shipped and path.name == name and not path.exists():
        raise CheckpointError(f"{name}: no such directory, nor a model that ships; {nearest(name, shipped)}")
    return Checkpoint.open(path, task=task.name)


def open_config(task: AnyTask, checkpoint: Checkpoint) -> tuple[Any, Codecs[Any, Any]]:
    """A checkpoint's configuration and codecs. Raises CheckpointError if they are not this task's."""
    where = f"{checkpoint.path}/suite.json: config"
    config = from_dict(task.config, checkpoint.manifest.config, where=where, error=CheckpointError)
    return config, task.load_codecs(checkpoint.codec_files())


def task_and_checkpoint(name: str | AnyTask, path: str | Path | None = None) -> tuple[AnyTask, Checkpoint]:
    """A task, by name or as it is, and its checkpoint."""
    task = name if isinstance(name, Task) else registry().task(name)
    return task, open_checkpoint(task, path)


def open_runtime(checkpoint: Checkpoint, kind: Kind | None = None) -> Runtime:
    """The runtime of a checkpoint: ``kind``, by default ONNX where the checkpoint has graphs and torch elsewhere.

    Raises:
        UsageError: If there is no runtime of that kind.
    """
    if kind not in (None, "onnx", "torch"):
        raise UsageError(f"runtime {kind!r}: choose onnx or torch")
    if kind is None:
        kind = "onnx" if any(name.endswith(".onnx") for name in checkpoint.manifest.files) else "torch"
    if kind == "onnx":
        from suite.runtime.onnx import OnnxRuntime

        return OnnxRuntime(checkpoint)
    from suite.runtime.torch import TorchRuntime

    return TorchRuntime(lambda: load_model(checkpoint, purpose="the torch runtime"))


def load_model(checkpoint: Checkpoint, *, purpose: str = "loading a torch model") -> Model:
    """The torch model of a checkpoint, rebuilt from its configuration and codecs. This imports torch.

    Args:
        checkpoint: The opened checkpoint.
        purpose: What needs the model, for the message where torch is not installed.

    Raises:
        MissingExtra: If torch is not installed.
        CheckpointError: If the weights cannot be read, or do not fit the configuration.
    """
    try:
        from suite.checkpoint.weights import WEIGHTS, load_weights
    except ImportError as error:
        raise MissingExtra(purpose, "train", error) from error
    task = registry().task(checkpoint.manifest.task)
    config, codecs = open_config(task, checkpoint)
    model: Model = task.build_model(config, codecs)
    try:
        model.load_state_dict(load_weights(checkpoint.path / WEIGHTS))
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: weights do not fit its configuration ({one_line(error)}); copy the checkpoint again"
        ) from error
    return model
