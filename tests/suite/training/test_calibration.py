"""After the last epoch: what is set by held-out examples, and how a model in memory is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.checkpoint import Checkpoint
from suite.inference.evaluation import evaluate
from suite.inference.loading import load_model, open_config
from suite.inference.model import LoadedModel
from suite.plugins import registry
from suite.task import AnyTask, Codecs, Example
from suite.task.reading import read_examples
from suite.training import calibration
from suite.training.ridge_readout import Readout

Changed = Callable[..., AnyTask]


@pytest.fixture(scope="module")
def model(tiny_labels_checkpoint: Path) -> Any:
    return load_model(Checkpoint.open(tiny_labels_checkpoint))


@pytest.fixture(scope="module")
def codecs(tiny_labels_checkpoint: Path) -> Codecs[Any, Any]:
    return open_config(registry().task("sentiment"), Checkpoint.open(tiny_labels_checkpoint))[1]


@pytest.fixture(scope="module")
def dev(labels_file: Path) -> list[Example]:
    return list(read_examples(registry().task("sentiment"), [labels_file]))


def test_a_model_in_memory_is_judged_as_one_that_is_loaded(
    model: Any, codecs: Codecs[Any, Any], dev: list[Example], tiny_labels_checkpoint: Path
) -> None:
    task = registry().task("sentiment")
    found = calibration.dev_metrics(task, codecs, model, dev)
    wanted, _, _ = evaluate(LoadedModel.open("sentiment", tiny_labels_checkpoint), dev)
    assert found.items() <= wanted.items()
    assert found["items"] == 60


@pytest.mark.parametrize("items", [calibration.MIN_ITEMS - 1, calibration.MIN_ITEMS])
def test_few_items_calibrate_nothing(
    items: int, model: Any, codecs: Codecs[Any, Any], dev: list[Example], changed: Changed
) -> None:
    task = registry().task("sentiment")
    found = calibration.calibrate(task, codecs, model, dev[:items])
    assert (found is codecs) == (items < calibration.MIN_ITEMS)
    if found is codecs:
        return
    outputs = calibration.model_in_memory(task, codecs, model).outputs_of([e.input for e in dev[:items]])
    wanted = codecs.target.calibrated(outputs, codecs.target.encode([e.target for e in dev[:items]]))
    assert found == codecs.replace(target=wanted)


def test_results_are_computed_only_if_a_task_asks_for_them(
    model: Any, codecs: Codecs[Any, Any], dev: list[Example], changed: Changed
) -> None:
    asked: list[Any] = []

    def calibrate(
        self: Any, loaded: LoadedModel[Any, Any], examples: Sequence[Example], predict: Callable[[], Sequence[Any]]
    ) -> Codecs[Any, Any]:
        asked.append((loaded.runtime.kind, len(examples)))
        if len(asked) > 1:
            asked.append([result.label for result in predict()])
        return loaded.codecs

    def predict(self: Any, *given: Any, **options: Any) -> Any:
        assert len(asked) == 2
        return type(registry().task("sentiment")).predict(self, *given, **options)

    task = changed(registry().task("sentiment"), calibrate=calibrate, predict=predict)
    for _ in range(2):
        assert calibration.calibrate(task, codecs, model, dev) is codecs
    assert asked[:2] == [("torch", 60)] * 2
    assert len(asked[2]) == 60


def test_the_metrics_of_items_left_out(codecs: Codecs[Any, Any]) -> None:
    names = codecs.target.names
    examples = [Example(input="x", target=names[i % 3]) for i in range(6)]
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 0, 0]] * 9
    readout = Readout(outputs, np.array([True, True, True, True, True, False]), [], None)
    found = calibration.leave_one_out_metrics(registry().task("sentiment"), codecs, readout, examples)  # type: ignore[arg-type]
    assert (found["items"], found["accuracy"]) == (5, pytest.approx(0.8))


def test_codecs_that_remember_nothing_stay_what_they_are(codecs: Codecs[Any, Any]) -> None:
    task: Any = registry().task("sentiment")
    assert calibration.without_memory(task, codecs) is codecs
    assert calibration.with_memory(task, task.config(), codecs, None, None) is codecs  # type: ignore[arg-type]
