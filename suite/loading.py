"""From a name or a directory to a task, its checkpoint, its configuration and its codecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.checkpoint import Checkpoint
from suite.config import from_dict
from suite.errors import CheckpointError
from suite.plugins import registry
from suite.task import Codecs, Task


def open_checkpoint(task: Task, path: str | Path | None = None) -> Checkpoint:
    """The checkpoint at ``path``, or one that ships with the task (the default one, or by name), verified."""
    if path is None:
        path = task.checkpoint
    elif str(path) in task.shipped and not Path(path).is_dir():
        path = task.shipped[str(path)]
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
