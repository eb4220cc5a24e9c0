"""After the last epoch: examples kept for reranking, calibration on dev, and the dev metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from suite.data.examples import Example
from suite.inference.evaluation import predict_examples
from suite.inference.model import LoadedModel
from suite.runtime.torch import TorchRuntime
from suite.task import AnyTask, Codecs, ManyToOneTask
from suite.task.seq2seq import TextGenerationTask

if TYPE_CHECKING:
    from suite.training.encoded import EncodedSet
    from suite.training.ridge_readout import Readout

#: Calibration needs at least this many held-out items.
MIN_ITEMS = 50


def model_in_memory(task: AnyTask, codecs: Codecs[Any, Any], model: Any) -> LoadedModel[Any, Any]:
    """A torch model as a ``LoadedModel``, so that it is judged by the same code as one that a user loads."""
    return LoadedModel(task, codecs, TorchRuntime.of(model), causal=model.causal)


def predictions(task: AnyTask, codecs: Codecs[Any, Any], model: Any, examples: Sequence[Example]) -> list[Any]:
    """The results of examples by the model in memory."""
    loaded = model_in_memory(task, codecs, model)
    return [result for result in predict_examples(loaded, examples) if result is not None]


def dev_metrics(task: AnyTask, codecs: Codecs[Any, Any], model: Any, examples: Sequence[Example]) -> dict[str, Any]:
    """The task's metrics of the model in memory."""
    return task.metrics(predictions(task, codecs, model, examples), examples)


def leave_one_out_metrics(
    task: ManyToOneTask[Any, Any, Any, Any], codecs: Codecs[Any, Any], readout: Readout, examples: Sequence[Example]
) -> dict[str, Any]:
    """The metrics of every item's result by a readout that was fitted without it."""
    kept = [i for i in range(len(examples)) if readout.judged[i]]
    results = [task.decode(readout.outputs[i], codecs, examples[i].input) for i in kept]
    return task.metrics(results, [examples[i] for i in kept])


def calibrate(task: AnyTask, codecs: Codecs[Any, Any], model: Any, dev: Sequence[Example]) -> Codecs[Any, Any]:
    """The codecs calibrated on dev, if it has enough items."""
    if len(dev) < MIN_ITEMS:
        return codecs
    loaded = model_in_memory(task, codecs, model)
    return task.calibrate(loaded, dev, lambda: predictions(task, codecs, model, dev))


def with_memory(task: AnyTask, config: Any, codecs: Codecs[Any, Any], model: Any, data: EncodedSet) -> Codecs[Any, Any]:
    """The codecs with the training examples that reranking uses, if the configuration keeps them, else without."""
    if not isinstance(task, TextGenerationTask):
        return codecs
    if not config.training.remember:
        return without_memory(task, codecs)
    from suite.decoding.reranking import build_memory

    texts = [codecs.target.plain(example.target) for example in data.examples]
    memory = build_memory(model_in_memory(task, codecs, model).runtime, data.inputs, texts)
    return codecs.replace(target=codecs.target.remembering(memory))


def without_memory(task: AnyTask, codecs: Codecs[Any, Any]) -> Codecs[Any, Any]:
    """The codecs without training examples for reranking."""
    if not isinstance(task, TextGenerationTask):
        return codecs
    return codecs.replace(target=codecs.target.remembering(None))
