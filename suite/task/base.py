"""A task: one application of the engine, as a class that a plugin subclasses.

A plugin subclasses a family (``ManyToOneTask``, ``AlignedTask``, ``Seq2SeqTask``, …), sets a few class attributes and
overrides a few methods. Prediction, streaming, training, checkpoints and the command line are the core's and the same
for every task. Importing this module, and a plugin, imports no torch.

Shape letters, used in every docstring of the project::

    B  batch      T  time steps      D  input features      H  hidden units
    K  outputs    C  channels        V  vocabulary          N  items
"""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from suite.codecs.parsing import StreamParser
from suite.data.examples import Example
from suite.errors import DataError, SuiteError, UsageError, nearest
from suite.task.codecs import Codecs, In, Target
from suite.task.options import Command, Option, json_schema, parse_options
from suite.task.results import Result
from suite.task.streaming import Segmenter, StreamDecoder, Streaming

if TYPE_CHECKING:
    import numpy as np

    from suite.data.readers import Row
    from suite.datasets.recipes import Recipe
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

Config = TypeVar("Config")
R = TypeVar("R", bound=Result)
Mappings = Literal["many-to-one", "one-to-many", "aligned", "unaligned"]
OnError = Callable[[DataError], None]
#: Keywords that every task's verbs have in Python, for the hints of error messages.
COMMON = {"predict": ("batch_size", "timing", "on_error"), "stream": ("checkpoint", "runtime", "state", "on_error")}


class lazy:  # noqa: N801 - used as a function
    """A function by ``"module:name"``, imported at its first call, so that naming it costs nothing.

    ``arguments`` come before those of the call. Unlike a function it does not become a method in a class.
    """

    def __init__(self, place: str, *arguments: Any) -> None:
        self._module, self._name = place.split(":")
        self._arguments = arguments

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        function = getattr(importlib.import_module(self._module), self._name)
        return function(*self._arguments, *arguments, **options)

    def __repr__(self) -> str:
        return f"lazy({self._module}:{self._name})"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a data file: its name, what it holds, and whether a file must have it."""

    name: str
    help: str
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a task's data looks like.

    Attributes:
        columns: The columns of a data file; the first is what is predicted from.
        parallel: Columns that may each be a text file of its own, line beside line.
        keep_blank_lines: Whether an empty line of text is an input like any other.
        inputs: ``"values"``: an argument of ``predict`` is the input itself. ``"files"``: it names a file or folder,
            which ``Task.expand_inputs`` turns into inputs.
        item, endings: For ``"files"``: what one file is, as a singular noun for messages, and the endings of the
            names of such files, in lower case (``".png"``), by which they are found in a folder.
        tables: Whether data files are tables of ``columns`` (``Task.example`` reads a row), or files of another kind
            (``Task.read_file`` reads them).
    """

    columns: Sequence[Column]
    parallel: Sequence[str] = ()
    keep_blank_lines: bool = False
    inputs: Literal["values", "files"] = "values"
    tables: bool = True
    item: str = "file"
    endings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """A metric that picks the best epoch on dev: ``mode`` says whether higher or lower is better."""

    metric: str
    mode: Literal["max", "min"] = "max"


@dataclass(frozen=True, kw_only=True)
class Plots:
    """What a task can draw.

    Attributes:
        results: The help of ``--plot``; empty if results are not drawn.
        evaluation: Whether an evaluation is drawn too.
    """

    results: str = ""
    evaluation: bool = False


class Task(ABC, Generic[Config, In, Target, R]):
    """One application of the engine. The first line of the class's docstring is its one-line summary.

    Subclass a family, such as ``ManyToOneTask``, rather than this class. Type parameters: the configuration, the input
    codec, the target codec, the result. ``**options`` of a method are the task's own options of the verb at work.

    Attributes:
        name: As typed on the command line, and in checkpoints.
        mapping: Which of the engine's mappings the model is; set by the family.
        config: A frozen dataclass with a default for every field. The core reads ``encoder`` and ``decoder``
            (``suite.nn.specs.RecurrentSpec``), of which there is at least one, and ``training``
            (``suite.training.specs.TrainingSpec``).
        result: The task's ``Result`` type.
        input_codec, target_codec: The codec classes, read from a checkpoint with ``from_files``.
        data: What data files and inputs look like.
        monitor: The metrics that pick the best epoch: the first that the metrics have.
        streaming: How sessions work; None if the task does not stream.
        options: Options that only this task has, for the core's verbs.
        commands: Verbs that only this task has.
        plots: What the task draws.
        about: A paragraph for ``suite TASK --help`` and the model card.
        assets: A folder with ``checkpoint/`` (or several by name, ``checkpoint/NAME/``) and ``samples/``. Samples named
            ``labelled…`` are for ``evaluate`` and ``train``, the others for the demo.
        default_checkpoint: The name of the shipped checkpoint that is used by default, if there are several.
        recipe: Makes the recipe of the shipped model's data (``suite data get TASK``).
        extra_recipes: Further data sets, as pairs of (name, recipe) (``suite data get TASK-NAME``).
        augments: Whether training examples are augmented (the family's augment method is called).
        per_step: Whether the model has an output at every step, ``[T, K]``, instead of one an input, ``[K]``.
        progress_unit: What the speed of training is counted in.
    """

    name: str
    mapping: ClassVar[Mappings]
    config: type[Config]
    result: type[R]
    input_codec: type[In]
    target_codec: type[Target]
    data: DataSpec
    monitor: Sequence[Monitor]
    streaming: Streaming | None = None
    options: Sequence[Option] = ()
    commands: Sequence[Command] = ()
    plots: Plots = Plots()
    about: str = ""
    assets: Path | None = None
    default_checkpoint: str = ""
    recipe: Callable[[], Recipe] | None = None
    extra_recipes: Sequence[tuple[str, Callable[[], Recipe]]] = ()
    augments: bool = False
    per_step: ClassVar[bool] = False
    progress_unit: ClassVar[str] = "items"

    def __repr__(self) -> str:
        return f"<Task {self.name!r} ({self.mapping})>"

    # -- data ----------------------------------------------------------------------------------------------------

    def example(self, row: Row) -> Example:
        """A row of a data file as an example. Raises DataError for a row that cannot be used.

        By default the first of ``data.columns`` is the input and the second, if there is one, the target; a text must
        not be empty or a number, and a target must be there.
        """
        item, target = row.values[self.data.columns[0].name], None
        if len(self.data.columns) > 1:
            column = self.data.columns[1]
            target = row.values.get(column.name)
            if target in (None, ""):
                raise DataError(
                    f"{row.where}: no {column.name} ({column.help}); --columns {column.name}=YOURS renames one"
                )
        if item is None or (isinstance(item, str) and not item.strip()):
            raise DataError(f"{row.where}: {self.data.columns[0].name} is empty; fill it in or leave the row out")
        if isinstance(item, int | float):
            raise DataError(
                f"{row.where}: {self.data.columns[0].name} is {type(item).__name__}, not a string; quote it"
            )
        return Example(
            input=item, target=target, key=str(row.values.get("key") or item), where=row.where, values=row.values
        )  # fmt: skip

    def read_file(
        self, path: str | Path, *, format: str | None, columns: Mapping[str, str] | None, on_error: OnError | None
    ) -> Iterator[Example]:
        """The examples of a file that is not a table of ``data.columns`` (``data.tables`` is False).

        Raises DataError for a bad item, naming file and place, unless ``on_error`` is given.
        """
        raise self._missing("read_file", "data.tables is False")

    def expand_inputs(
        self, argument: str, on_error: OnError | None = None, *, recursive: bool = False, **options: Any
    ) -> Iterable[tuple[str, Any]]:  # fmt: skip
        """Pairs of (place, input) for an argument of ``predict`` that names files (``data.inputs == "files"``).

        By default the path of the file, or of each file in a folder whose name has one of ``data.endings``; with
        ``recursive`` (see `recursive_option`) in the folders below it too. Raises DataError for a folder without any.
        """
        if not self.data.endings:
            raise self._missing("expand_inputs", 'data.inputs is "files" and data.endings is empty')
        from suite.data.zip_paths import files_in_folder

        return files_in_folder(argument, self.data.endings, self.data.item, recursive=recursive)

    def check_example(self, example: Example, codecs: Codecs[In, Target]) -> Example:
        """The example with its target as results of a model with these codecs give it.

        Raises DataError for a target that no result can be, so that a label that is spelt differently is not counted
        as a mistake of the model.
        """
        return example

    def data_warnings(self, examples: Sequence[Example], codecs: Codecs[In, Target]) -> list[str]:
        """Lines a user should read about the training data."""
        return []

    # -- codecs and model ----------------------------------------------------------------------------------------

    @abstractmethod
    def fit_codecs(self, examples: Sequence[Example], config: Config, **options: Any) -> Codecs[In, Target]:
        """The codecs, fitted on training examples only."""

    def load_codecs(self, files: Mapping[str, bytes]) -> Codecs[In, Target]:
        """The codecs of a checkpoint, from its codec files. Raises CheckpointError if they do not fit."""
        return Codecs(self.input_codec.from_files(files), self.target_codec.from_files(files))

    def configure_codecs(self, codecs: Codecs[In, Target], **options: Any) -> Codecs[In, Target]:
        """The codecs changed by options that decide how an input is read. Raises UsageError for a wrong option."""
        return codecs

    def describe(self, codecs: Codecs[In, Target]) -> dict[str, Any]:
        """What ``info`` prints about a model beyond its manifest (name → value)."""
        return {}

    @abstractmethod
    def build_model(self, config: Config, codecs: Codecs[In, Target]) -> Model:
        """A fresh model. Import torch inside; ``suite.nn.build`` has builders for the usual shapes."""

    def initialize(self, model: Model, codecs: Codecs[In, Target], **options: Any) -> None:
        """Set initial weights of a fresh model before training."""
        return

    # -- prediction ----------------------------------------------------------------------------------------------

    def preprocess(self, item: Any, codecs: Codecs[In, Target], **options: Any) -> Sequence[Any]:
        """The pieces of an input that the model reads one by one; by default the input itself."""
        return [item]

    @abstractmethod
    def predict(
        self, model: LoadedModel[In, Target], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> Sequence[Result]:
        """The result of each piece, whose encoded form is in ``arrays``."""

    def predict_for_evaluation(
        self, model: LoadedModel[In, Target], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> Sequence[Result]:
        """The results that ``evaluate`` judges; by default what ``predict`` returns."""
        return self.predict(model, pieces, arrays, **options)

    def merge(self, results: Sequence[Any], item: Any, codecs: Codecs[In, Target], **options: Any) -> Result:
        """One result for an input, of the results of its pieces; by default the only one."""
        merged: Result = results[0]
        return merged

    def long_input(self, item: Any, codecs: Codecs[In, Target], **options: Any) -> Iterator[Any] | None:
        """For an input too long to be encoded at once: its chunks, which a session is fed; else None.

        The session's updates and last result are then what ``merge`` gets.
        """
        return None

    # -- streaming -----------------------------------------------------------------------------------------------

    def stream_pieces(self, item: Any, codecs: Codecs[In, Target], **options: Any) -> Iterable[Any]:
        """An input as the pieces that a session is fed, in order; by default the input itself.

        Override it if ``predict`` takes what a session does not, such as the path of a recording. ``options`` are those
        of ``predict``.
        """
        return [item]

    def stream_parser(self, **options: Any) -> StreamParser:
        """The parser of a byte stream, as ``streaming.parser`` makes it."""
        if self.streaming is None or self.streaming.parser is None:
            raise UsageError(f"{self.name}: its streams have no parser of bytes; feed a session with values")
        return self.streaming.parser()

    def stream_decoder(self, model: LoadedModel[In, Target], pending: Any, **options: Any) -> StreamDecoder:
        """The decoder of a session (``streaming.kind == "decoder"``), new or continued from its saved ``pending``."""
        raise self._missing("stream_decoder", 'streaming.kind is "decoder"')

    def segmenter(self, pending: Any) -> Segmenter:
        """What cuts a stream into segments (``streaming.kind == "segments"``), new or continued."""
        raise self._missing("segmenter", 'streaming.kind is "segments"')

    def stream_segment(
        self, model: LoadedModel[In, Target], separator: Any, segment: Any, sums: dict[str, Any], **options: Any
    ) -> Iterator[Result]:
        """The updates for one segment, each with what it adds; an empty segment has none.

        ``sums`` is a dict of plain values, kept over the stream for what ``last_result`` needs.
        """
        raise self._missing("stream_segment", 'streaming.kind is "segments"')

    def last_result(self, updates: Sequence[Any], sums: Mapping[str, Any]) -> Result:
        """The last result of a stream of segments, given the updates since the last one shown."""
        raise self._missing("last_result", 'streaming.kind is "segments"')

    # -- evaluation ----------------------------------------------------------------------------------------------

    @abstractmethod
    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Metrics by name, with ``items``; see FORMATS for names and units."""

    def extra_metrics(
        self, model: LoadedModel[In, Target], examples: Sequence[Example], **options: Any
    ) -> dict[str, Any]:  # fmt: skip
        """Metrics of ``evaluate`` that need the model, not only its results."""
        return {}

    def calibrate(
        self, model: LoadedModel[In, Target], examples: Sequence[Example], predict: Callable[[], Sequence[Any]]
    ) -> Codecs[In, Target]:  # fmt: skip
        """The model's codecs with what is set by held-out examples, such as a temperature or a confidence threshold.

        ``predict()`` gives the examples' results, computed when it is called.
        """
        return model.codecs

    # -- showing -------------------------------------------------------------------------------------------------

    @abstractmethod
    def render(self, result: Any) -> str:
        """A result as lines for people."""

    def render_update(self, result: Any, previous: Any) -> str | None:
        """An update of a stream, or its last result, as lines for people; None if there is nothing new to show.

        ``previous`` is the last update shown, or None.
        """
        return self.render(result)

    def plot(self, model: LoadedModel[In, Target], inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
        """Draw results as a PNG file; ``model.options`` are the options they were made with."""
        raise self._missing("plot", "plots.results is set")

    def plot_evaluation(self, results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
        """Draw an evaluation as a PNG file."""
        raise self._missing("plot_evaluation", "plots.evaluation is True")

    # -- final: what the core reads ------------------------------------------------------------------------------

    @property
    def summary(self) -> str:
        """The one-line summary: the first line of the class's docstring, or else of its module's."""
        doc = type(self).__dict__.get("__doc__") or sys.modules[type(self).__module__].__doc__ or ""
        return doc.strip().partition("\n")[0]

    @property
    def ships(self) -> bool:
        """Whether a checkpoint ships with the task."""
        return (
            self.assets is not None and (self.assets / "checkpoint" / self.default_checkpoint / "suite.json").exists()
        )

    @property
    def shipped(self) -> dict[str, Path]:
        """The shipped checkpoints by name; empty if there is a single one without a name, or none."""
        folder = self.assets / "checkpoint" if self.assets and self.default_checkpoint else None
        return {path.parent.name: path.parent for path in sorted(folder.glob("*/suite.json"))} if folder else {}

    @property
    def checkpoint(self) -> Path:
        """The shipped checkpoint, the default one of several; or else what ``train`` wrote into the current folder.

        Raises SuiteError if there is neither.
        """
        if self.assets is None or not self.ships:
            if (local := Path(f"{self.name}-checkpoint")).joinpath("suite.json").exists():
                return local
            raise SuiteError(
                f"{self.name} ships no checkpoint: train one (suite {self.name} train) and pass --checkpoint DIR"
            )
        return self.assets / "checkpoint" / self.default_checkpoint

    @property
    def samples(self) -> list[Path]:
        """The sample files that ship with the task, sorted; empty if there are none."""
        folder = self.assets / "samples" if self.assets else None
        return sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []

    @property
    def labelled_samples(self) -> list[Path]:
        """The samples with targets: what ``evaluate`` and ``train`` read if nothing else is given."""
        return [path for path in self.samples if path.name.startswith("labelled")]

    def score(self, metrics: Mapping[str, Any]) -> tuple[str, float]:
        """Name and score of the first monitored metric that is a number, higher being better; −∞ if none is."""
        there = [
            (monitor.metric, float(metrics[monitor.metric]) * (-1.0 if monitor.mode == "min" else 1.0))
            for monitor in self.monitor
            if monitor.metric in metrics
        ]
        return next((pair for pair in there if pair[1] == pair[1]), (there[0][0], float("-inf")))

    def lower_is_better(self, metric: str) -> bool:
        """Whether a monitored metric is better the lower it is."""
        return any(monitor.metric == metric and monitor.mode == "min" for monitor in self.monitor)

    def options_of(self, verb: str) -> list[Option]:
        """The options this task adds to a verb."""
        return [option for option in self.options if verb in option.verbs]

    def parse_options(self, verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The task's options of a verb: given values or defaults. Raises UsageError for an unknown or wrong one."""
        return parse_options(self.name, self.options_of(verb), given, COMMON.get(verb, ()))

    def options_schema(self, verb: str) -> dict[str, Any]:
        """A JSON Schema (draft 2020-12) of the task's options of a verb."""
        return json_schema(self.options_of(verb))

    def check_columns(self, row: Row, names: Sequence[str] | None = None) -> None:
        """Raise DataError if ``row`` lacks one of the columns ``names``, by default the required ones."""
        for column in self.data.columns:
            wanted = column.required if names is None else column.name in names
            if wanted and column.name not in row.values:
                raise DataError(
                    f"{row.where}: no column {column.name!r} ({column.help}); "
                    f"{nearest(column.name, map(str, row.values))} "
                    f"--columns {column.name}=YOURS renames one"
                )

    def _missing(self, method: str, reason: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__}.{method} must be overridden, since {reason}")


#: A task of any kind, for code that works with all of them.
AnyTask = Task[Any, Any, Any, Any]
