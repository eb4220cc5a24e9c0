"""From a name or a directory to a task, its checkpoint, its configuration, its codecs and its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.checkpoint import MANIFEST, Checkpoint
from suite.config import from_dict
from suite.errors import CheckpointError, MissingExtra, UsageError, nearest, one_line
from suite.plugins import registry
from suite.runtime import Kind, Runtime
from suite.task import Codecs, Task

if TYPE_CHECKING:
    from suite.nn.models import Model


def open_checkpoint(task: Task, path: str | Path | None = None) -> Checkpoint:
    """The checkpoint at ``path``, or one that ships with the task (the default one, or by name), verified.

    Raises CheckpointError where there is none, or where it is not whole.
    """
    if path is None:
        return Checkpoint.open(task.checkpoint, task=task.name)
    path, name, shipped = Path(path), str(path), task.shipped
    if name in shipped and not (path / MANIFEST).exists():
        # A folder of that name which is no checkpoint, of pictures say, does not hide it.
        path = shipped[name]
    elif shipped and path.name == name and not path.exists():
        raise CheckpointError(f"{name}: no such directory, nor a model that ships; {nearest(name, shipped)}")
    return Checkpoint.open(path, task=task.name)


def open_config(task: Task, checkpoint: Checkpoint) -> tuple[Any, Codecs]:
    """A checkpoint's configuration and codecs. Raises CheckpointError if they are not this task's."""
    where = f"{checkpoint.path}/suite.json: config"
    config: Any = from_dict(task.config, checkpoint.manifest.config, where=where, error=CheckpointError)
    files = checkpoint.codec_files()
    return config, {name: read(files) for name, read in task.codecs.items()}


def task_and_checkpoint(name: str, path: str | Path | None = None) -> tuple[Task, Checkpoint]:
    """A task by name and its checkpoint."""
    task = registry().task(name)
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
    model: Model = task.build(config, codecs)
    try:
        model.load_state_dict(load_weights(checkpoint.path / WEIGHTS))
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: weights do not fit its configuration ({one_line(error)}); copy the checkpoint again"
        ) from error
    return model
