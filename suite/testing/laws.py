"""The laws of everything a plugin provides, one by one, for ``suite plugins check``, pytest and ``check_plugin``.

Data flow: a plugin's name → its status after loading → its tasks and cells → the laws of each (``suite.testing``) → a
`Result` for each law, in words. A task without a checkpoint is trained for an epoch on labelled data, once, so that
there is something to check. Importing this module imports no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import shutil
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from suite import testing
from suite.codecs import StreamedCodec
from suite.config import required, stacks
from suite.errors import SuiteError, UsageError, one_line
from suite.plugins import Registry, Status, registry
from suite.plugins.entry_points import TASKS
from suite.task import AlignedTask, AnyTask, ManyToOneTask, Mappings, Task
from suite.task import Result as TaskResult
from suite.task.seq2seq import Seq2SeqTask
from suite.testing import LawBroken
from suite.testing.streams import takes_paths, ways_to_cut
from suite.testing.tasks import preprocessed

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.inference.model import LoadedModel

_READING = "file_format columns skip_errors on_error"
_MODEL = "checkpoint runtime as_json"
#: The options of the verbs that every task has: no option of a task may have one of these names.
TAKEN = {
    "predict": f"{_READING} {_MODEL} inputs input_file batch_size timing plot",
    "evaluate": f"{_READING} {_MODEL} data part batch_size plot",
    "stream": f"{_MODEL} state on_error skip_errors",
    "train": f"{_READING} data dev out overwrite cell settings epochs bptt seed resume init_from note report say",
}
#: The verbs that every task has.
VERBS = frozenset({"predict", "evaluate", "train", "info", "export", "demo"})
#: The class attributes that every task must set.
ATTRIBUTES = ("name", "config", "result", "input_codec", "target_codec", "data", "monitor")


@dataclass(frozen=True)
class Law:
    """One law of one thing that a plugin provides.

    ``check()`` returns notes on what could not be checked, and raises if the law does not hold.
    """

    of: str
    text: str
    check: Callable[[], list[str] | None]

    def __str__(self) -> str:
        return f"{self.of}: {self.text}"


@dataclass(frozen=True)
class Result:
    """The result of checking a law; ``message`` says what is wrong and where, or why it was not checked."""

    law: Law
    verdict: Literal["holds", "broken", "not checked"]
    message: str = ""


def laws(
    name: str,
    found: Registry | None = None,
    *,
    data: Sequence[str | Path] = (),
    checkpoint: str | Path | None = None,
) -> list[Law]:
    """The laws of everything that a plugin provides. The plugin is loaded.

    Args:
        name: Its module, its package, or a task, cell or command of it.
        found: The registry to look in; by default this process's.
        data, checkpoint: What to check its task on and with; see `check_plugin`.

    Raises:
        UsageError: For a name that no plugin has, or for ``data`` or ``checkpoint`` unless it has exactly one task.
    """
    plugins = registry() if found is None else found
    made: list[Law] = []
    tasks = 0
    for status in plugins.find(name):
        module = status.module
        plugins.load(module)
        made.append(Law(module, "it loads, and provides what its entry points name", functools.partial(_loads, status)))
        if status.status not in ("loaded", "refused"):
            continue
        made.append(Law(module, "it prints nothing while it loads", functools.partial(_prints_nothing, status)))
        for group, things in plugins.provides(module).items():
            for own, value in sorted(things.items()):
                if group == TASKS:
                    tasks += 1
                    made += _of_task(own, _Checked(value, tuple(data), checkpoint), module)
                else:
                    made += _of_cell(own, value)
    if (data or checkpoint is not None) and tasks != 1:
        raise UsageError(f"data and checkpoint are of one task, and {name} has {tasks or 'none'}: name a task")
    return made


def run(law: Law) -> Result:
    """Check one law. Nothing is raised: an error becomes the message."""
    try:
        notes = law.check()
    except LawBroken as error:
        return Result(law, "broken", one_line(error).removeprefix("LawBroken: ").removeprefix(f"{law.text}: "))
    except Exception as error:
        return Result(law, "broken", find_prepared(error))
    return Result(law, "not checked" if notes else "holds", "; ".join(notes or ()))


def find_prepared(error: BaseException) -> str:
    """An exception of a plugin's code in one line, with the place where it was raised."""
    if isinstance(error, SuiteError) and not isinstance(error.__cause__, Exception):
        return one_line(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if registry().owner(frame.filename)] or frames[-1:]
    place = f" in {own[-1].name}, {own[-1].filename}:{own[-1].lineno}" if own else ""
    return f"{one_line(error)}{place}"


def _loads(status: Status) -> None:
    if status.status == "disabled":
        raise LawBroken(f"it is disabled {status.error}")
    if status.error:
        raise LawBroken(status.error)


def _prints_nothing(status: Status) -> None:
    if status.output:
        raise LawBroken(f"it prints {status.output.strip()[:60]!r} when it is imported; remove that")


def _of_cell(name: str, cell: Any) -> Iterator[Law]:
    for text, check in (
        ("its state is a flat dict of the declared arrays", testing.state_is_declared),
        ("stepping equals scanning", testing.steps_equal_scan),
        ("chunks with carried state equal the whole", testing.chunks_equal_whole),
        ("padding is invisible", testing.padding_is_invisible),
        ("rows are independent", testing.rows_are_independent),
        ("gradients match finite differences", testing.gradients_are_right),
        ("it exports to ONNX, and the graph agrees with torch", testing.exports_to_onnx),
    ):
        yield Law(f"cell {name}", text, functools.partial(check, cell))


# -- tasks -------------------------------------------------------------------------------------------------


def _of_task(name: str, checked: _Checked, module: str) -> Iterator[Law]:
    def law(text: str, check: Callable[[], list[str] | None]) -> Law:
        return Law(f"task {name}", text, check)

    yield law("its declaration is complete", lambda: declaration_is_complete(checked.task))
    yield law("importing it, and --help, load no torch", lambda: testing.check_light(module, name))
    yield law("its model has as many outputs as its targets need", checked.outputs_fit)
    yield law("its codecs survive saving, and read pieces as the whole", checked.codecs_survive)
    for text, check in (
        ("a batch equals its members one by one", testing.batch_equals_singles),
        ("a stream equals the offline result", testing.stream_equals_offline),
        ("sessions do not affect each other", testing.sessions_are_independent),
        ("a saved session continues in another process", testing.state_is_portable),
    ):
        yield law(text, functools.partial(checked.of_model, check))
    for text, more in (
        ("ONNX Runtime agrees with torch", testing.runtimes_agree),
        ("saving and loading changes nothing", testing.saving_changes_nothing),
    ):
        yield law(text, functools.partial(checked.of_checkpoint, more))
    yield law("results are typed, printable and measured", checked.results)
    yield law("resumed training equals training never stopped", checked.resumes)


def declaration_is_complete(task: AnyTask) -> None:
    """Everything that a task declares is there and fits together. Raises LawBroken."""

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise LawBroken(f"its declaration is complete: {what}")

    for attribute in ATTRIBUTES:
        need(hasattr(task, attribute), f"{attribute} is not set")
    need(task.mapping in get_args(Mappings), f"mapping is {task.mapping!r}; one of {', '.join(get_args(Mappings))}")
    need(dataclasses.is_dataclass(task.config), "config is not a dataclass")
    lacking = [f.name for f in dataclasses.fields(task.config) if required(f)]
    need(not lacking, f"config.{(lacking or [''])[0]} has no default; every field needs one")
    config = task.config()
    need(hasattr(config, "training"), "config has no field training (suite.training.specs.TrainingSpec)")
    need(
        bool(stacks(config)),
        "config has no field encoder or decoder (suite.nn.specs.RecurrentSpec), so --cell has no effect",
    )
    need(
        isinstance(task.result, type) and issubclass(task.result, TaskResult),
        "result is not a subclass of suite.Result",
    )
    need(bool(task.summary), "the class has no docstring; its first line is the summary")
    need(bool(task.data.columns), "data.columns is empty; the first is what is predicted from")
    need(bool(task.monitor), "monitor is empty; name the metric that picks the best epoch")
    for method, reason in _overrides_needed(task).items():
        need(getattr(type(task), method) is not getattr(Task, method), f"{method} must be overridden: {reason}")
    defaults = (AlignedTask.augment, ManyToOneTask.augment, Seq2SeqTask.augment)
    augments = getattr(type(task), "augment", AlignedTask.augment) not in defaults
    need(augments == task.augments, "augments must be True exactly if augment is overridden")
    for option in task.options:
        need(option.name.isidentifier(), f"option {option.name!r} is not a Python name")
        for name in option.verbs:
            need(option.name not in TAKEN.get(name, "").split(), f"{name} has an option {option.name!r}; rename yours")
    for command in task.commands:
        need(command.name not in VERBS, f"command {command.name!r} is one that every task has; rename it")


def _overrides_needed(task: AnyTask) -> dict[str, str]:
    """The methods that the task's declaration requires, and why."""
    found = {}
    if not task.data.tables:
        found["read_file"] = "data.tables is False"
    if task.data.inputs == "files" and not task.data.endings:
        found["expand_inputs"] = 'data.inputs is "files" and data.endings is empty'
    if task.plots.results:
        found["plot"] = "plots.results is set"
    if task.plots.evaluation:
        found["plot_evaluation"] = "plots.evaluation is True"
    if task.streaming is not None and task.streaming.kind == "decoder":
        found["stream_decoder"] = 'streaming.kind is "decoder"'
    if task.streaming is not None and task.streaming.kind == "segments":
        found |= dict.fromkeys(("segmenter", "stream_segment", "last_result"), 'streaming.kind is "segments"')
    return found


class _Checked:
    """A task with what it is checked with: labelled data, and a checkpoint, trained when it is first used.

    Args:
        data: Labelled files; by default the task's labelled samples.
        checkpoint: A checkpoint directory; by default the shipped one, or else one trained on the data.
    """

    def __init__(self, task: AnyTask, data: Sequence[str | Path] = (), checkpoint: str | Path | None = None) -> None:
        self.task, self._data = task, data
        self._given = checkpoint

    @property
    def labelled(self) -> list[str | Path]:
        """The labelled files."""
        return list(self._data or self.task.labelled_samples)

    @property
    def untrainable(self) -> list[str]:
        """Why nothing can be trained, as notes; none if it can."""
        notes = [] if importlib.util.find_spec("torch") else ["torch is not installed (the [train] extra)"]
        if not self.labelled:
            notes.append("there is no labelled data: give --data FILE, or ship samples named labelled…")
        return notes

    @property
    def missing(self) -> list[str]:
        """Why there is no checkpoint to check with, as notes; none if there is one or it can be trained."""
        return [] if self.task.ships or self._given is not None else self.untrainable

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint. Raises whatever training it raises, each time."""
        from suite.inference.loading import open_checkpoint

        if self.task.ships or self._given is not None:
            return open_checkpoint(self.task, self._given)
        from suite.training.train import train

        place = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        epochs = None if self.task.config().training.method == "readout" else 1
        return train(self.task.name, data=self.labelled, out=place / "checkpoint", epochs=epochs)

    @functools.cached_property
    def model(self) -> LoadedModel[Any, Any]:
        """The model of that checkpoint."""
        from suite.inference.model import LoadedModel

        return LoadedModel.open(self.task, self.checkpoint.path)

    @functools.cached_property
    def inputs(self) -> list[Any]:
        """The inputs to check with: those of the data given, or of the samples."""
        found = testing.samples(self.task, self._data)
        if not found:
            raise LawBroken("there is nothing to check with: give --data FILE, or put samples into assets/samples")
        return found

    def of_model(self, check: Callable[..., list[str] | None]) -> list[str] | None:
        """Check a law of a model, on the inputs."""
        return self.missing or check(self.model, self.inputs)

    def of_checkpoint(self, check: Callable[..., list[str]]) -> list[str]:
        """Check a law of a checkpoint, on the inputs."""
        from suite.inference.loading import open_config

        return self.missing or check(self.task, self.checkpoint, *open_config(self.task, self.checkpoint), self.inputs)

    def outputs_fit(self) -> list[str] | None:
        """The model that ``build_model`` makes has as many outputs as the target codec has values."""
        if notes := self.untrainable:
            return notes
        import torch

        from suite.task.reading import read_examples

        task, config = self.task, self.task.config()
        options = task.parse_options("train", {})
        codecs = task.fit_codecs(list(read_examples(task, self.labelled)), config, **options)
        graphs = task.build_model(config, codecs).eval().graphs()
        graph = graphs["decoder" if "decoder" in graphs else "encoder"]
        with torch.inference_mode():
            size = graph.call(graph.example)["logits" if isinstance(task, Seq2SeqTask) else "outputs"].shape[-1]
        if size != codecs.target.size:
            raise LawBroken(
                f"the model that build_model makes has {size} outputs, and the target codec's size is "
                f"{codecs.target.size}"
            )
        return None

    def codecs_survive(self) -> list[str] | None:
        """The input codec read back from its files encodes the same, and reads pieces as the whole."""
        if notes := self.missing:
            return notes
        task, model, inputs = self.task, self.model, self.inputs[:4]
        codec: Any = model.codecs.input
        cuts = functools.partial(ways_to_cut, model) if type(task).stream_pieces is not Task.stream_pieces else None
        if isinstance(codec, StreamedCodec) and (cuts is not None or not takes_paths(task)):
            testing.check_codec(codec, inputs, pieces=cuts)
            return None
        again = type(codec).from_files(codec.files())
        for piece in preprocessed(model, inputs):
            if not np.array_equal(codec.encode(piece), again.encode(piece)):
                raise LawBroken(f"a codec survives saving: the encoding of {piece!r:.60} is another")
        return None

    def results(self) -> list[str] | None:
        """Results have the declared type, can be printed and written as JSON, and have a monitored metric."""
        import json

        from suite.inference.evaluation import evaluate
        from suite.inference.pipeline import Pipeline
        from suite.task.reading import read_examples

        if notes := self.missing:
            return notes
        task, model = self.task, self.model
        for result in Pipeline(model)(self.inputs[:4]):
            if not isinstance(result, task.result):
                raise LawBroken(f"a result is a {type(result).__name__}, and the task declares {task.result.__name__}")
            if not isinstance(task.render(result), str):
                raise LawBroken("render returns no text")
            json.dumps(result.to_dict(), default=str)
        if not self.labelled:
            return ["metrics: there is no labelled data"]
        figures, _, _ = evaluate(model, read_examples(task, self.labelled))
        names = [monitor.metric for monitor in task.monitor]
        if not set(names) & set(figures):
            raise LawBroken(f"metrics returns {', '.join(figures)}, and none that monitor names: {', '.join(names)}")
        return None

    def resumes(self) -> list[str] | None:
        """Law 11, for an epoch on the labelled data."""
        if notes := self.untrainable:
            return notes
        if self.task.config().training.method == "readout":
            return ["it is trained in one step (training.method=readout)"]
        with tempfile.TemporaryDirectory() as place:
            testing.check_resume(self.task, self.labelled, Path(place), epochs=1)
        return None
