"""What a plugin returns: a task, as a plain object.

One task is one application. It names its inputs and results, its configuration and its codecs, and builds its
model; everything else (prediction, streaming, training, checkpoints, the command line) is the core's and is
the same for every task. Importing this module, and a plugin, imports no torch.

Shape letters, used in every docstring of the project::

    B  batch      T  time steps      D  input features      H  hidden units
    K  outputs    C  channels        V  vocabulary          N  items
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from suite.data.examples import Example
from suite.errors import DataError, SuiteError, UsageError, nearest

if TYPE_CHECKING:
    import numpy as np

    from suite.codecs import Codec
    from suite.data.readers import Row
    from suite.datasets.recipes import Recipe
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import Model

#: A checkpoint's codecs: ``"input"`` turns what a user gives into arrays, ``"target"`` what a model learns.
Codecs = Mapping[str, "Codec"]
#: The keywords every task's verbs have in Python, for hints.
COMMON = {"predict": ("batch_size", "timing", "on_error"), "stream": ("checkpoint", "runtime", "state", "on_error")}
Mappings = Literal["many-to-one", "one-to-many", "aligned", "unaligned"]


def later(place: str) -> Callable[..., Any]:
    """A function by ``"module:name"``, imported when it is first called: a task names its recipe and stays light."""
    module, name = place.split(":")

    def call(*values: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*values, **options)

    return call


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer for one input; a task adds its own fields.

    ``input`` is what was given (a text, a path, or an index). ``final`` is set only by a stream: false on an
    update, true on the last result. ``seconds`` is set only when timing was asked for. A task names its own
    fields that are there only sometimes in ``optional``.
    """

    input: Any
    final: bool | None = None
    seconds: float | None = None

    optional: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, the same as ``--json`` prints; those that are optional only if set."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        optional = ("final", "seconds", *self.optional)
        return {k: v for k, v in values.items() if v is not None or k not in optional}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a data file: its name, what it holds, and whether a file must have it."""

    name: str
    help: str
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option only this task has: a keyword of the Python call and ``--name`` on the command line."""

    name: str
    type: type
    help: str
    default: Any = None
    verbs: tuple[str, ...] = ("predict",)
    choices: tuple[str, ...] = ()

    def checked(self, value: Any) -> Any:
        """``value`` as the option's type, or a UsageError."""
        if value is None or (isinstance(value, self.type) and not self.choices):
            return value
        try:
            made = self.type(value)
        except (TypeError, ValueError):
            raise UsageError(f"{self.name}={value!r}: expected {self.type.__name__}") from None
        if self.choices and made not in self.choices:
            raise UsageError(f"{self.name}={value!r}: {nearest(str(made), self.choices)}")
        return made


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb only this task has: ``suite TASK NAME`` and ``pipeline.NAME(…)``; or its own way of ``stream``.

    ``run(pipeline, *inputs, **options)`` gives results one by one, which are printed as they come, or a dict of
    figures. ``options`` are keywords of both. ``inputs`` names what is typed after the verb (``"[FILE]..."``), ``""``
    for nothing. ``plots`` adds ``--plot``, which draws the results as ``Task.plot`` does. ``render`` prints a result
    otherwise than ``Task.render``; None for one with nothing to say. ``end`` follows each printed result. One that
    needs no ``model`` is given None for the pipeline.
    """

    name: str
    help: str
    run: Callable[..., Any]
    options: Sequence[Option] = ()
    inputs: str = ""
    plots: bool = False
    render: Callable[[Any], str | None] | None = None
    end: str = "\n"
    model: bool = True

    def checked(self, task: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` or default options. Raises UsageError for one that is unknown or of another type."""
        return _checked(f"{task} {self.name}", self.options, given, ())


class Cutter(Protocol):
    """What cuts a stream into pieces that are answered whole, and what lies between them."""

    def feed(self, piece: Any) -> Iterator[tuple[Any, Any]]:
        """(what comes before it, piece) of the pieces that this completes."""
        ...

    def flush(self) -> Iterator[tuple[Any, Any]]:
        """The pieces still held back at the end of the input."""
        ...

    @property
    def pending(self) -> Any:
        """What is held back, as JSON."""
        ...


class Reader(Protocol):
    """What makes results of an aligned task's outputs as they come (see ``Task.reader``)."""

    def feed(self, outputs: np.ndarray) -> Sequence[Result]:
        """The updates (``final=False``) that the outputs ``[T, K]`` of the next steps bring."""
        ...

    def finish(self, updates: Sequence[Result]) -> Result:
        """The last result (``final=True``): of what no update but these, the last ones, has said to be over."""
        ...

    @property
    def pending(self) -> Any:
        """Everything it is, as JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class Segments:
    """How a stream is answered whose unit is a piece that is read whole.

    ``cut(pending) -> Cutter`` makes or goes on with one. ``follow(pipeline, between, piece, carried, **options)``
    yields updates while the piece is answered (one that is empty is not), each with what it adds; ``carried`` is a
    dict of plain values for sums over the stream. ``final(updates, carried) -> Result`` makes the last result, of the
    updates since the one before it that was shown.
    """

    cut: Callable[[Any], Cutter]
    follow: Callable[..., Iterator[Result]]
    final: Callable[[Sequence[Result], Mapping[str, Any]], Result]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One application of the engine. See ``plugins/suite_sentiment`` for a whole one.

    Fields
    ------
    name, summary
        As typed on the command line; one line for lists.
    mapping
        Which of the core's mappings the model is; it decides how predictions and streams are driven.
    config
        A frozen dataclass with a default for every field. ``encoder`` and ``decoder`` (``suite.nn.specs.EncoderSpec``),
        of which there is one at least, and ``training`` (``suite.training.specs.TrainingSpec``) are read by the core.
    result
        The task's ``Result`` type.
    columns, example
        What a data file holds, and a row of it as an ``Example`` (raises DataError for a bad one); a task that
        has ``read`` needs no ``example``.
    parallel
        The columns of which each may be a text file of its own, line beside line.
    blank
        Whether an empty line of text is an input like any other.
    codecs, fit
        How each codec is read from a checkpoint's files, and ``fit(examples, config, **options) -> codecs``,
        which fits them on training examples only. ``options`` are the task's own options of ``train``.
    build
        ``build(config, codecs) -> Model``; imports torch inside.
    read
        ``read(path, format=, columns=, on_error=) -> examples`` for data files that are not tables of ``columns``.
    expand
        ``expand(argument, on_error=, **options) -> [(where, input)]`` for what is typed after ``predict``, where that
        is not itself the input: a file of several recordings, a folder of pictures. ``options`` are those of
        ``predict``.
    adapt
        ``adapt(codecs, **options) -> codecs`` for options that change how an input is read.
    describe
        ``describe(codecs) -> {name: value}``: what ``info`` says of a model beyond its manifest.
    notes
        ``notes(examples, codecs) -> [line]``: what a user should know of the training data.
    pieces, join
        For inputs of any length that a model reads piece by piece: ``pieces(input, codecs, **options) -> [piece]``
        gives what the input codec encodes, ``join(results, input, codecs, **options) -> Result`` makes one of the
        pieces' results. By default an input is one piece.
    augment
        ``augment(input, config, random, codecs) -> input``: a training input before it is encoded, changed a
        little; ``random`` is numpy's. Of a task that ``writes`` it gets (input, target) and gives the arrays of both;
        where it is one-to-many, the input comes as its array.
    decode
        ``decode(outputs [K], codecs, input, *, final=None, **options) -> Result``; ``final`` goes into the
        result as it is, ``options`` are the task's own options of ``predict``. An aligned task's are ``[T, K]``. None
        where nothing is read off outputs alone: then there is ``answer``.
    answer, judged_by
        ``answer(pipeline, pieces, arrays, **options) -> [Result]``, where an answer is written by a decoder instead
        of read off outputs. ``evaluate`` judges answers, or what ``decode`` makes of the ``"outputs"``.
    reader
        ``reader(pipeline, pending, **options) -> Reader``: how an aligned task's outputs are read in a stream.
    blocks
        ``blocks(input, codecs, **options)``: of an input too long to be read at once, the pieces for a session, whose
        results ``join`` makes one of; None for any other input.
    options, verbs
        Options and verbs that only this task has.
    render
        A result as lines for people; ``render_update(result, before)`` the same for one update of a stream;
        ``before`` is the last one shown, or None, and None is given back where there is nothing new to say.
    check
        ``check(example, codecs) -> example``, its target as results of a model with these codecs say it. Raises
        DataError for one they never say, so that a label spelt otherwise is not counted as the model's mistake.
    metrics, best
        ``metrics(results, examples) -> {name: value}``, and the metrics the first of which that is there picks the
        best epoch on dev: the highest, or with ``-`` before the name the lowest.
    calibrate
        ``calibrate(results, examples, codecs) -> codecs``: what is set by how well a trained model does on dev, as the
        confidence below which an answer is doubtful.
    measure
        ``measure(pipeline, examples, **options)``: further figures for ``evaluate``, for which results alone do
        not do.
    chunks
        Standard input as pieces for ``session.feed``; ``None`` ends an item. Without it the task has no verb
        ``stream`` but one of its own.
    initialise
        ``initialise(model, codecs, **options)``: sets priors on a fresh model before training.
    recipe, further
        How the shipped model's data is made (``suite data get TASK``), and other sets by name (``TASK-NAME``).
    plot, plot_help, plot_evaluation
        Draw results (``plot(pipeline, inputs, results, file)``; ``pipeline.asked`` are the options they were made
        with), what that is in help, and an evaluation (``(results, examples, file)``).
    assets, default
        A folder with ``checkpoint/`` (or several by name, ``checkpoint/NAME/``, of which ``default`` is used)
        and ``samples/``; samples called ``labelled…`` are for ``evaluate``, the
        others for the demo.
    about, stream_help
        A paragraph for ``suite TASK --help`` and the model card, and one for ``suite TASK stream --help``.
    unit
        What the stream carries state over: ``"step"``, or ``"segment"`` when a bounded piece is read whole.
    segments
        How such pieces are cut and answered one after the other.
    """

    name: str
    summary: str
    mapping: Mappings
    config: type
    result: type[Result]
    columns: Sequence[Column]
    codecs: Mapping[str, Callable[[Mapping[str, bytes]], Codec]]
    fit: Callable[..., dict[str, Codec]]
    build: Callable[[Any, Codecs], Model]
    render: Callable[[Result], str]
    render_update: Callable[[Result, Result | None], str | None]
    metrics: Callable[[Sequence[Result], Sequence[Example]], dict[str, Any]]
    best: Sequence[str]
    unit: Literal["step", "segment"] = "step"
    segments: Segments | None = None
    options: Sequence[Option] = ()
    verbs: Sequence[Verb] = ()
    decode: Callable[..., Result] | None = None
    answer: Callable[..., Sequence[Result]] | None = None
    judged_by: Literal["answer", "outputs"] = "answer"
    reader: Callable[..., Reader] | None = None
    blocks: Callable[..., Iterator[Any] | None] | None = None
    check: Callable[[Example, Codecs], Example] | None = None
    initialise: Callable[..., None] | None = None
    example: Callable[[Row], Example] | None = None
    read: Callable[..., Iterator[Example]] | None = None
    parallel: Sequence[str] = ()
    blank: bool = False
    chunks: Callable[[IO[bytes]], Iterator[Any]] | None = None
    expand: Callable[..., Iterator[tuple[str, Any]]] | None = None
    adapt: Callable[..., Codecs] | None = None
    describe: Callable[[Codecs], dict[str, Any]] | None = None
    notes: Callable[[Sequence[Example], Codecs], list[str]] | None = None
    pieces: Callable[..., Sequence[Any]] | None = None
    join: Callable[..., Result] | None = None
    augment: Callable[[Any, Any, np.random.Generator, Codecs], Any] | None = None
    calibrate: Callable[[Sequence[Any], Sequence[Example], Codecs], Codecs] | None = None
    measure: Callable[..., dict[str, Any]] | None = None
    recipe: Callable[[], Recipe] | None = None
    further: Mapping[str, Callable[[], Recipe]] = field(default_factory=dict)
    assets: Path | None = None
    default: str = ""
    plot: Callable[[Pipeline, Sequence[Any], Sequence[Result], Path], None] | None = None
    plot_help: str = "draw the results to this PNG file"
    plot_evaluation: Callable[[Sequence[Result], Sequence[Example], Path], None] | None = None
    stream_help: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if self.example is None and self.read is None:
            raise ValueError(f"task {self.name!r}: example or read must say how data is read")

    def read_off(self, outputs: np.ndarray, codecs: Codecs, item: Any, **options: Any) -> Result:
        """What ``decode`` makes of outputs. Raises UsageError for a task without it."""
        if self.decode is None:
            raise UsageError(f"answers of {self.name} are written or searched for, not read off outputs")
        return self.decode(outputs, codecs, item, **options)

    @property
    def writes(self) -> bool:
        """Whether answers are written by a decoder that looks at what an encoder read."""
        return self.mapping in ("one-to-many", "unaligned")

    @property
    def ships(self) -> bool:
        """Whether a checkpoint ships with the task."""
        return self.assets is not None and (self.assets / "checkpoint" / self.default / "suite.json").exists()

    @property
    def shipped(self) -> dict[str, Path]:
        """The checkpoints that ship with the task by name; empty where there is one without a name, or none."""
        folder = self.assets / "checkpoint" if self.assets and self.default else None
        return {path.parent.name: path.parent for path in sorted(folder.glob("*/suite.json"))} if folder else {}

    @property
    def checkpoint(self) -> Path:
        """Where the shipped checkpoint is, the default one of several.

        Of a task that ships none, it is what ``train`` wrote into the current folder. Raises SuiteError for neither.
        """
        if self.assets is None or not self.ships:
            if (local := Path(f"{self.name}-checkpoint")).joinpath("suite.json").exists():
                return local
            raise SuiteError(
                f"{self.name} ships no checkpoint: train one (suite {self.name} train) and pass --checkpoint DIR"
            )
        return self.assets / "checkpoint" / self.default

    @property
    def samples(self) -> list[Path]:
        """The sample files that ship with the task, sorted; empty if there are none."""
        folder = self.assets / "samples" if self.assets else None
        return sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []

    @property
    def labelled(self) -> list[Path]:
        """The labelled ones of the samples: what ``evaluate`` and ``train`` read where there is nothing else."""
        return [path for path in self.samples if path.name.startswith("labelled")]

    def score(self, figures: Mapping[str, Any]) -> tuple[str, float]:
        """Name and score of the metric that picks the best epoch: the first that is a number, or else −∞.

        A higher score is better: it is the metric's value, or what is below zero of one that is better lower.
        """
        names = [(name.removeprefix("-"), -1.0 if name.startswith("-") else 1.0) for name in self.best]
        there = [(name, sign * float(figures[name])) for name, sign in names if name in figures]
        return next((pair for pair in there if pair[1] == pair[1]), (there[0][0], float("-inf")))

    def lower(self, metric: str) -> bool:
        """Whether a metric is better the lower it is."""
        return f"-{metric}" in self.best

    def option(self, verb: str) -> list[Option]:
        """The options this task adds to a verb."""
        return [option for option in self.options if verb in option.verbs]

    def checked(self, verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """This task's options of a verb with ``given`` values or defaults. Raises UsageError for an unknown one."""
        return _checked(self.name, self.option(verb), given, COMMON.get(verb, ()))

    def check_columns(self, row: Row, names: Sequence[str] | None = None) -> None:
        """Raise DataError if ``row`` lacks one of the columns ``names``, by default those that data must have."""
        for column in self.columns:
            wanted = column.required if names is None else column.name in names
            if wanted and column.name not in row.values:
                raise DataError(
                    f"{row.where}: no column {column.name!r} ({column.help}); "
                    f"{nearest(column.name, map(str, row.values))} "
                    f"--columns {column.name}=YOURS renames one"
                )


def _checked(whose: str, options: Sequence[Option], given: Mapping[str, Any], common: Sequence[str]) -> dict[str, Any]:
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise UsageError(f"{whose}: no option {name!r}; {nearest(name, [*known, *common])}")
    # What is None is left to its default.
    return {
        name: option.checked(option.default if given.get(name) is None else given[name])
        for name, option in known.items()
    }
