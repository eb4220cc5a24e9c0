"""The laws of whatever a plugin brings, one by one: what ``suite plugins check``, pytest and ``check_plugin`` run.

Data flow: a plugin's name → what became of it when it was loaded → its tasks and cells → the laws of each
(``suite.testing``) → for each an `Outcome` in plain words. A task that ships no checkpoint is trained for an epoch on
its labelled samples, once, so that there is something to check. Importing this module imports no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import shutil
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from suite import testing
from suite.codecs import StreamedCodec
from suite.config import required, stacks
from suite.errors import SuiteError, one_line
from suite.plugins import Registry, Status, registry
from suite.plugins.entry_points import TASKS
from suite.task import AlignedTask, AnyTask, ManyToOneTask, Mappings, Result, Task
from suite.task.seq2seq import Seq2SeqTask
from suite.testing import LawBroken

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.inference.model import LoadedModel

#: What each verb calls its own options, which a task's may not be called.
_READING = "file_format columns skip_errors"
TAKEN = {
    "predict": f"{_READING} inputs input_file checkpoint runtime batch_size as_json timing plot on_error",
    "evaluate": f"{_READING} data part checkpoint runtime batch_size as_json plot on_error",
    "stream": "checkpoint runtime as_json state",
    "train": f"{_READING} data dev out cell settings epochs bptt seed resume init_from report say on_error",
}
#: The verbs that every task has.
VERBS = frozenset({"predict", "evaluate", "train", "info", "export", "demo"})


@dataclass(frozen=True)
class Law:
    """One law for one thing that a plugin brings.

    ``check()`` returns notes on what could not be checked, and raises where the law does not hold.
    """

    of: str
    text: str
    check: Callable[[], list[str] | None]

    def __str__(self) -> str:
        return f"{self.of}: {self.text}"


@dataclass(frozen=True)
class Outcome:
    """What became of a law: whether it holds, and what is wrong and where, in words."""

    law: Law
    verdict: Literal["holds", "broken", "not checked"]
    said: str = ""


def laws(name: str, found: Registry | None = None) -> list[Law]:
    """The laws of all that a plugin brings, by the name of its module, its package, or of one thing that it brings.

    The plugin is loaded. Raises UsageError for a name that no plugin has.
    """
    there = registry() if found is None else found
    made: list[Law] = []
    for status in there.find(name):
        module = status.module
        there.load(module)
        made.append(Law(module, "it loads, and brings what its entry points say", functools.partial(_loads, status)))
        if status.status not in ("loaded", "refused"):
            continue
        made.append(Law(module, "it prints nothing while it loads", functools.partial(_quiet, status)))
        for group, things in there.brings(module).items():
            for own, value in sorted(things.items()):
                made += _of_task(own, value, module) if group == TASKS else _of_cell(own, value)
    return made


def tried(law: Law) -> Outcome:
    """Check one law; whatever is raised becomes words."""
    try:
        notes = law.check()
    except LawBroken as error:
        return Outcome(law, "broken", one_line(error).removeprefix("LawBroken: ").removeprefix(f"{law.text}: "))
    except Exception as error:
        return Outcome(law, "broken", where(error))
    return Outcome(law, "not checked" if notes else "holds", "; ".join(notes or ()))


def where(error: BaseException) -> str:
    """An error of somebody's code on one line: what it is, and where it was raised."""
    if isinstance(error, SuiteError) and not isinstance(error.__cause__, Exception):
        return one_line(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if registry().whose(frame.filename)] or frames[-1:]
    place = f" in {own[-1].name}, {own[-1].filename}:{own[-1].lineno}" if own else ""
    return f"{one_line(error)}{place}"


def _loads(status: Status) -> None:
    if status.status == "disabled":
        raise LawBroken(f"it is disabled {status.error}")
    if status.status == "unavailable":
        raise LawBroken(status.error)
    if status.error:
        raise LawBroken(status.error)


def _quiet(status: Status) -> None:
    if status.output:
        raise LawBroken(f"it prints {status.output.strip()[:60]!r} when it is imported; leave that out")


def _of_cell(name: str, cell: Any) -> Iterator[Law]:
    for text, check in (
        ("its state is a flat dict of the declared arrays", testing.state_is_declared),
        ("stepping equals scanning", testing.steps_equal_scan),
        ("chunks with carried state equal the whole", testing.chunks_equal_whole),
        ("padding is invisible", testing.padding_is_invisible),
        ("rows are independent", testing.rows_are_independent),
        ("gradients match finite differences", testing.gradients_are_right),
        ("it exports to ONNX, which says what torch says", testing.exports_to_onnx),
    ):
        yield Law(f"cell {name}", text, functools.partial(check, cell))


# -- tasks -------------------------------------------------------------------------------------------------


def _of_task(name: str, task: AnyTask, module: str) -> Iterator[Law]:
    made = _Made(task)

    def law(text: str, check: Callable[[], list[str] | None]) -> Law:
        return Law(f"task {name}", text, check)

    yield law("its declaration is whole", lambda: declaration_is_whole(task))
    yield law("importing it, and --help, load no torch", lambda: testing.check_light(module, name))
    yield law("its model has as many outputs as its targets need", lambda: _outputs_fit(task))
    yield law("its codecs survive their files, and pieces are read as the whole", lambda: _codecs(made))
    for text, check in (
        ("a batch equals its members one by one", testing.batch_equals_singles),
        ("a stream equals the offline answer", testing.stream_equals_offline),
    ):
        yield law(text, functools.partial(made.of_model, check))
    for text, more in (
        ("ONNX Runtime says what torch says", testing.runtimes_agree),
        ("saving and loading changes nothing", testing.saving_changes_nothing),
    ):
        yield law(text, functools.partial(made.of_checkpoint, more))
    yield law("answers come out typed, printed and measured", made.answers)
    yield law("training resumed is training never stopped", lambda: _resumes(task))


def declaration_is_whole(task: AnyTask) -> None:
    """What a task declares goes together, so that every verb can be made of it. Raises LawBroken."""

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise LawBroken(f"its declaration is whole: {what}")

    need(task.mapping in get_args(Mappings), f"mapping is {task.mapping!r}; one of {', '.join(get_args(Mappings))}")
    need(dataclasses.is_dataclass(task.config), "config is no dataclass")
    lacking = [f.name for f in dataclasses.fields(task.config) if required(f)]
    need(not lacking, f"config.{(lacking or [''])[0]} has no default; every field needs one")
    config = task.config()
    need(hasattr(config, "training"), "config has no field training (suite.training.specs.TrainingSpec)")
    need(
        bool(stacks(config)),
        "config has no field encoder or decoder (suite.nn.specs.RecurrentSpec), so --cell has no place",
    )
    need(isinstance(task.result, type) and issubclass(task.result, Result), "result is no subclass of suite.Result")
    need(bool(task.summary), "the class has no docstring; its first line is the summary")
    need(bool(task.data.columns), "data.columns is empty; the first is what is predicted from")
    need(bool(task.monitor), "monitor is empty; name the metric that picks the best epoch")
    for method, reason in _overrides_needed(task).items():
        need(getattr(type(task), method) is not getattr(Task, method), f"{method} must be overridden: {reason}")
    defaults = (AlignedTask.augment, ManyToOneTask.augment, Seq2SeqTask.augment)
    augments = getattr(type(task), "augment", AlignedTask.augment) not in defaults
    need(augments == task.augments, "augments must be True exactly if augment is overridden")
    for option in task.options:
        need(option.name.isidentifier(), f"option {option.name!r} is no Python name")
        for name in option.verbs:
            need(option.name not in TAKEN.get(name, "").split(), f"{name} has an option {option.name!r}; rename yours")
    for command in task.commands:
        need(command.name not in VERBS, f"command {command.name!r} is one that every task has; rename it")


def _overrides_needed(task: AnyTask) -> dict[str, str]:
    """The methods that what a task declares asks for, and why."""
    found = {}
    if not task.data.tables:
        found["read_file"] = "data.tables is False"
    if task.data.inputs == "files":
        found["expand_inputs"] = 'data.inputs is "files"'
    if task.plots.results:
        found["plot"] = "plots.results is set"
    if task.plots.evaluation:
        found["plot_evaluation"] = "plots.evaluation is True"
    if task.streaming is not None and task.streaming.kind == "decoder":
        found["stream_decoder"] = 'streaming.kind is "decoder"'
    if task.streaming is not None and task.streaming.kind == "segments":
        found |= dict.fromkeys(("segmenter", "stream_segment", "last_result"), 'streaming.kind is "segments"')
    return found


def _no_torch() -> list[str]:
    """A note, where torch is not installed."""
    return [] if importlib.util.find_spec("torch") else ["torch is not installed (the [train] extra)"]


def _no_labels(task: AnyTask) -> list[str]:
    """A note, where a task ships no labelled samples to learn from."""
    return [] if task.labelled_samples else ["no file labelled… among its samples to train on"]


def _outputs_fit(task: AnyTask) -> list[str] | None:
    if notes := [*_no_torch(), *_no_labels(task)]:
        return notes
    import torch

    from suite.task.reading import read_examples

    config = task.config()
    options = task.parse_options("train", {})
    codecs = task.fit_codecs(list(read_examples(task, task.labelled_samples)), config, **options)
    target = codecs.target
    graphs = task.build_model(config, codecs).eval().graphs()
    graph = graphs["decoder" if "decoder" in graphs else "encoder"]
    with torch.inference_mode():
        size = graph.call(graph.example)["logits" if isinstance(task, Seq2SeqTask) else "outputs"].shape[-1]
    if size != target.size:
        raise LawBroken(
            f"the model that build_model makes has {size} outputs, and the target codec's size is {target.size}"
        )
    return None


def _codecs(made: _Made) -> list[str] | None:
    if notes := made.lacks:
        return notes
    inputs = made.inputs()[:4]
    codec: Any = made.model.codecs.input
    if not isinstance(codec, StreamedCodec):
        for raw in inputs:
            again = type(codec).from_files(codec.files())
            if not (codec.encode(raw) == again.encode(raw)).all():
                raise LawBroken(f"a codec survives its files: the encoding of {raw!r:.60} is another")
        return None
    testing.check_codec(codec, inputs)
    return None


def _resumes(task: AnyTask) -> list[str] | None:
    if notes := [*_no_torch(), *_no_labels(task)]:
        return notes
    if task.config().training.method == "readout":
        return ["it learns in one step (training.method=readout)"]
    with tempfile.TemporaryDirectory() as place:
        testing.check_resume(task, task.labelled_samples, Path(place), epochs=1)
    return None


class _Made:
    """A task's checkpoint, the shipped one or one trained on its samples, made when it is first asked for."""

    def __init__(self, task: AnyTask) -> None:
        self.task = task

    @property
    def lacks(self) -> list[str]:
        """Why there is nothing to check with; empty where there is."""
        return [] if self.task.ships else [*_no_torch(), *_no_labels(self.task)]

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint. Raises what its training raised, each time."""
        from suite.inference.loading import open_checkpoint

        if self.task.ships:
            return open_checkpoint(self.task)
        from suite.training.train import train

        place = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        epochs = None if self.task.config().training.method == "readout" else 1
        return train(self.task.name, data=self.task.labelled_samples, out=place / "checkpoint", epochs=epochs)

    @property
    def model(self) -> LoadedModel[Any, Any]:
        """The model of that checkpoint."""
        from suite.inference.model import LoadedModel

        return LoadedModel.open(self.task, self.checkpoint.path)

    def inputs(self) -> list[Any]:
        """Inputs to check with: those of the samples."""
        found = testing.samples(self.task)
        if not found:
            raise LawBroken("the task ships no samples to check with; put some into assets/samples")
        return found

    def of_model(self, check: Callable[..., list[str] | None]) -> list[str] | None:
        """A law of a model, on the samples."""
        return self.lacks or check(self.model, self.inputs())

    def of_checkpoint(self, check: Callable[..., list[str]]) -> list[str]:
        """A law of a checkpoint, on the samples."""
        from suite.inference.loading import open_config

        return self.lacks or check(self.task, self.checkpoint, *open_config(self.task, self.checkpoint), self.inputs())

    def answers(self) -> list[str] | None:
        """Results are of the declared type, can be printed and written as JSON, and are measured as ``best`` says."""
        import json

        from suite.inference.evaluation import evaluate
        from suite.inference.pipeline import Pipeline
        from suite.task.reading import read_examples

        if self.lacks:
            return self.lacks
        task, model = self.task, self.model
        for result in Pipeline(model)(self.inputs()[:4]):
            if not isinstance(result, task.result):
                raise LawBroken(f"a result is a {type(result).__name__}, and the task says {task.result.__name__}")
            if not isinstance(task.render(result), str):
                raise LawBroken("render gives no text")
            json.dumps(result.to_dict(), default=str)
        if not task.labelled_samples:
            return _no_labels(task)
        figures, _, _ = evaluate(model, read_examples(task, task.labelled_samples))
        names = [monitor.metric for monitor in task.monitor]
        if not set(names) & set(figures):
            raise LawBroken(f"metrics gives {', '.join(figures)}, and none of what monitor names: {', '.join(names)}")
        return None
