"""From a name or a directory to a task, its checkpoint, its configuration and its codecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.checkpoint import MANIFEST, Checkpoint
from suite.config import from_dict
from suite.errors import CheckpointError, nearest
from suite.plugins import registry
from suite.task import Codecs, Task


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
