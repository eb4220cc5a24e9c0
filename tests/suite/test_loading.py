"""From a name or a directory to what is needed to use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.checkpoint import Checkpoint
from suite.errors import CheckpointError, UsageError
from suite.loading import open_checkpoint, open_config, task_and_checkpoint
from suite.plugins import registry


def test_a_directory(tiny_checkpoint: Path) -> None:
    task, opened = task_and_checkpoint("sentiment", tiny_checkpoint)
    assert (task.name, opened.path) == ("sentiment", tiny_checkpoint)
    config, codecs = open_config(task, opened)
    assert isinstance(config, task.config)
    assert config.encoder.hidden == 8
    assert set(codecs) == {"input", "target"}


def test_what_ships(shipped: Path) -> None:
    task, opened = task_and_checkpoint("sentiment")
    assert opened.path == shipped / "checkpoint"
    assert open_checkpoint(task).manifest == opened.manifest


def test_an_unknown_task() -> None:
    with pytest.raises(UsageError, match=r"no task named 'sentimnt'; did you mean 'sentiment'\?"):
        task_and_checkpoint("sentimnt")


def test_a_configuration_that_is_not_this_tasks(damage: Callable[..., Path]) -> None:
    def change(content: bytes) -> bytes:
        values = json.loads(content)
        values["config"]["encoder"]["hiden"] = 8
        return json.dumps(values).encode()

    opened = Checkpoint.open(damage("suite.json", change))
    with pytest.raises(CheckpointError, match=r"suite\.json: config\.encoder\.hiden: no such setting; did you mean"):
        open_config(registry().task("sentiment"), opened)


def test_a_codec_that_is_not_there(damage: Callable[..., Path]) -> None:
    def forget(content: bytes) -> bytes:
        values = json.loads(content)
        del values["files"]["tokenizer.json"]
        return json.dumps(values).encode()

    opened = Checkpoint.open(damage("suite.json", forget))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: missing; the checkpoint is incomplete"):
        open_config(registry().task("sentiment"), opened)
