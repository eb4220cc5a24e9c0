"""From a name or a directory to what is needed to use it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from suite.checkpoint import Checkpoint, save
from suite.checkpoint.weights import WEIGHTS, load_weights
from suite.errors import CheckpointError, UsageError
from suite.inference.loading import load_model, open_checkpoint, open_config, task_and_checkpoint
from suite.plugins import registry
from suite.task import AnyTask


def test_a_directory(tiny_checkpoint: Path) -> None:
    task, opened = task_and_checkpoint("sentiment", tiny_checkpoint)
    assert (task.name, opened.path) == ("sentiment", tiny_checkpoint)
    config, codecs = open_config(task, opened)
    assert isinstance(config, task.config)
    assert config.encoder.hidden == 8
    assert codecs.files().keys() == {"target.json", "tokenizer.json", "words.json"}


def test_what_ships(shipped: Path) -> None:
    task, opened = task_and_checkpoint("sentiment")
    assert opened.path == shipped / "checkpoint"
    assert open_checkpoint(task).manifest == opened.manifest


SEVERAL = [task for task in map(registry().task, registry().task_names()) if len(task.shipped) > 1]


@pytest.mark.parametrize("task", SEVERAL, ids=lambda task: task.name)
def test_one_of_several_that_ship_by_its_name(task: AnyTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, place in task.shipped.items():
        assert open_checkpoint(task, name).path == place
        Path(name).mkdir()
        assert open_checkpoint(task, name).path == place, "a folder that is no checkpoint is not meant"
        shutil.copytree(place, name, dirs_exist_ok=True)
        assert open_checkpoint(task, name).path == Path(name), "one's own is"
    with pytest.raises(CheckpointError, match=f"{name}s: no such directory, nor a model that ships; did you mean"):
        open_checkpoint(task, f"{name}s")
    with pytest.raises(CheckpointError, match="no such directory; give one that"):
        open_checkpoint(task, f"here/{name}")


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


def test_model_of_a_checkpoint(tiny_checkpoint: Path) -> None:
    model = load_model(Checkpoint.open(tiny_checkpoint))
    for name, value in load_weights(tiny_checkpoint / WEIGHTS).items():
        assert torch.equal(model.state_dict()[name], value)


def test_weights_of_another_size_are_refused_in_one_line(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    opened = Checkpoint.open(tmp_path / "copy")
    manifest = json.loads((tmp_path / "copy" / "suite.json").read_text())
    manifest["config"]["encoder"]["hidden"] = 9
    opened.manifest.config["encoder"]["hidden"] = 9
    files = {name: (tmp_path / "copy" / name).read_bytes() for name in opened.manifest.files}
    other = save(tmp_path / "other", opened.manifest, files)
    with pytest.raises(CheckpointError, match="weights do not fit its configuration") as caught:
        load_model(other)
    assert "\n" not in str(caught.value)
