"""A movement's name, from its recording: which gesture, which activity, whose hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.augment.series import augment_series
from suite.augment.specs import SeriesChanges
from suite.codecs.series import SeriesCodec, SeriesSpec, as_recording
from suite.codecs.targets import Labels
from suite.data.diagnostics import label_warnings, rate_warnings, value_warnings
from suite.data.display_names import read_display_names
from suite.data.series import Recording, read_labelled, read_recordings, read_sample_stream
from suite.data.zip_paths import as_path
from suite.errors import DataError, UsageError, stop
from suite.hooks import hookimpl
from suite.metrics import accuracy, macro_f1, per_class
from suite.nn.specs import EncoderSpec, HeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Task, later
from suite.task.sliding_windows import Window, segments, windows
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import ManyToOne

#: A recording longer than the longest of training by this factor holds more than one movement.
LONGER = 1.5
#: It is read in windows of half a movement, judged as movements that may go on, two over every moment: on joined
#: recordings of BasicMotions .91 of all samples get the right label so, .77 by windows of a whole movement.
OVERLAP = 2
#: Shares of a recording, in percent, after which ``evaluate`` asks for its label.
SHARES = (25, 50, 75)
#: The shortest memory of a unit, in samples; the longest is the median recording.
SHORTEST = 2.0


@dataclass(frozen=True)
class GestureConfig:
    """Recurrent weights that stay as they start, and a readout: what does best from a few dozen recordings on."""

    series: SeriesSpec = field(default_factory=SeriesSpec)
    augment: SeriesChanges = field(default_factory=SeriesChanges)
    encoder: EncoderSpec = field(default_factory=lambda: EncoderSpec(hidden=384, dropout=0.0, residual=False))
    head: HeadSpec = field(default_factory=lambda: HeadSpec(dropout=0.0))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            method="readout", balance=0.5, hold_out=0.0, epochs=60, batch_size=16, ema=0.99, patience=0, keep="last"
        )
    )


@dataclass(frozen=True, kw_only=True)
class GestureResult(Result):
    """``segments`` are there only for a recording longer than a movement: ``start``, ``end``, ``label``,
    ``probability``, and the ``unit`` of start and end, ``s`` or, where no rate is known, ``samples``. ``sure`` is
    set on the updates of a stream: whether the running label is out of doubt.
    """

    label: str
    probabilities: dict[str, float]
    segments: list[dict[str, Any]] | None = None
    sure: bool | None = None

    optional: ClassVar[tuple[str, ...]] = ("segments", "sure")


def read(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    on_error: Any = None,
) -> Iterator[Example]:
    width = 0
    for series in read_labelled(path, on_error, columns=columns, format=format):
        width = width or series.array.shape[1]
        if series.array.size and series.array.shape[1] == width:
            yield Example(input=series, target=series.label, key=series.key, where=series.where)
            continue
        what = "the recording is empty; give at least one sample"
        if series.array.size:
            what = f"{series.array.shape[1]} channels where the first recording has {width}; give all the same channels"
        (on_error or stop)(DataError(f"{series.where}: {what}"))


def expand(argument: str, on_error: Any = None, **options: Any) -> Iterator[tuple[str, Any]]:
    for recording in read_recordings(as_path(argument), on_error):
        yield recording.where or argument, recording


def fit(
    examples: Sequence[Example], config: GestureConfig, *, names: Path | None = None, rate: float | None = None
) -> dict[str, Any]:
    targets = [str(e.target) for e in examples]
    shown = {} if names is None else read_display_names(names, targets)
    labels = Labels.fit(targets, shown, early=config.training.method == "readout")
    first = examples[0].input.array.shape[1]
    for item in examples:
        if item.input.array.shape[1] != first:
            raise DataError(f"{item.where}: {item.input.array.shape[1]} channels where {examples[0].where} has {first}")
    return {"input": SeriesCodec.fit((e.input for e in examples), config.series, rate=rate), "target": labels}


def notes(examples: Sequence[Example], codecs: Codecs) -> list[str]:
    codec = codecs["input"]
    assert isinstance(codec, SeriesCodec)
    recordings = [e.input for e in examples]
    return [
        *rate_warnings((recording.rate for recording in recordings), codec.rate),
        *label_warnings((str(e.target) for e in examples), "recording"),
        *value_warnings(recordings, codec.channels),
    ]


def build(config: GestureConfig, codecs: Codecs) -> ManyToOne:
    from suite.nn.build import series_to_one

    codec, labels = codecs["input"], codecs["target"]
    assert isinstance(codec, SeriesCodec)
    assert isinstance(labels, Labels)
    return series_to_one(codec.size, config.encoder, config.head, labels.size)


def initialise(model: ManyToOne, codecs: Codecs, **options: Any) -> None:
    from suite.nn.init import set_memory

    codec = codecs["input"]
    assert isinstance(codec, SeriesCodec)
    set_memory(model.encoder, SHORTEST, codec.length)


def vary(recording: Recording, config: GestureConfig, random: np.random.Generator, codecs: Codecs) -> Recording:
    codec = codecs["input"]
    assert isinstance(codec, SeriesCodec)
    middle, spread = (np.asarray(row, np.float32) for row in (codec.mean, codec.scales[0]))
    array = augment_series(recording.array, config.augment, middle, spread, random)
    return dataclasses.replace(recording, array=recording.array if np.isnan(array).all() else array)


def adapt(codecs: Codecs, *, rate: float | None = None, sure: float | None = None, **options: Any) -> Codecs:
    if sure is not None and not 0 <= sure <= 1:
        raise UsageError(f"sure {sure:g}: give a probability, from 0 to 1")
    if rate is None:
        return codecs
    codec = codecs["input"]
    assert isinstance(codec, SeriesCodec)
    return {**codecs, "input": codec.at(rate)}


def pieces(item: Any, codecs: Codecs, **options: Any) -> list[Recording]:
    """The recording; where it is longer than a movement, also the windows that its segments are made of."""
    codec, labels = codecs["input"], codecs["target"]
    assert isinstance(codec, SeriesCodec)
    assert isinstance(labels, Labels)
    recording = as_recording(item)
    rate = recording.rate or codec.given or codec.rate
    ratio = rate / codec.rate if rate and codec.rate else 1.0  # of its samples to the model's
    count, size = len(recording.array), max(1, round(codec.length * ratio / (2 if labels.early else 1)))
    if count <= LONGER * codec.longest * ratio:
        return [recording]
    return [recording, *windows(recording, size, max(1, size // OVERLAP), rate)]


def decode(
    outputs: Any, codecs: Codecs, item: Any, *, final: bool | None = None, sure: float | None = None, **options: Any
) -> GestureResult:
    labels = codecs["target"]
    assert isinstance(labels, Labels)
    probabilities = labels.probabilities(outputs, final=final is not False and not isinstance(item, Window))
    label = max(probabilities, key=probabilities.__getitem__)
    certain = probabilities[label] >= (labels.sure if sure is None else sure) if final is False else None
    return GestureResult(input=_named(item), final=final, label=label, probabilities=probabilities, sure=certain)


def _named(item: Any) -> Any:
    """What was given, in a word: a path, a place in a file, a step's number, or an array's size."""
    if isinstance(item, Window):
        return item
    if isinstance(item, Recording):
        return item.where or f"{len(item.array):,} samples"
    return str(item) if isinstance(item, Path) else item


def join(results: Sequence[Any], item: Any, codecs: Codecs, **options: Any) -> GestureResult:
    """The whole recording's result, with segments where it has windows."""
    whole: GestureResult = results[0]
    if len(results) == 1:
        return whole
    parts = [result.input for result in results[1:]]
    return dataclasses.replace(whole, segments=segments(parts, [result.probabilities for result in results[1:]]))


def check(example: Example, codecs: Codecs) -> Example:
    labels = codecs["target"]
    assert isinstance(labels, Labels)
    return dataclasses.replace(example, target=labels.label(str(example.target)))


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    truth, found = [str(e.target) for e in examples], [r.label for r in results]
    return {
        "items": len(truth),
        "accuracy": accuracy(truth, found),
        "macro_f1": macro_f1(truth, found),
        "per_class": per_class(truth, found),
    }


def measure(pipeline: Pipeline, examples: Sequence[Example], **options: Any) -> dict[str, Any]:
    """Accuracy after a share of each recording, by the running label; after all of it, by the final one."""
    reader = pipeline.adapted(options)
    labels = reader.codecs["target"]
    assert isinstance(labels, Labels)
    figures = {}
    for share in (*SHARES, 100):
        parts = [_first(as_recording(e.input), share) for e in examples]
        right = []
        for row, item in zip(reader.outputs_of(parts), examples, strict=True):
            probabilities = labels.probabilities(row, final=share == 100)
            right.append(max(probabilities, key=probabilities.__getitem__) == item.target)
        figures[str(share)] = float(np.mean(right))
    return {"accuracy_at": figures}


def _first(recording: Recording, share: int) -> Recording:
    count = max(1, -(-len(recording.array) * share // 100))
    array = recording.array[:count]
    if np.isnan(array).all():
        there = ~np.isnan(recording.array).all(axis=0)
        array = array.copy()
        array[:, there] = np.nanmean(recording.array[:, there], axis=0)
    return dataclasses.replace(recording, array=array)


def render(result: Any) -> str:
    lines = [f"{_verdict(result)}  {result.input}"]
    for segment in result.segments or ():
        span = f"{segment['start']:g} to {segment['end']:g} {segment['unit']}"
        lines.append(f"  {span:<24}  {segment['label']:<16} {segment['probability']:.2f}")
    return "\n".join(lines)


def render_update(result: Any, before: Any) -> str | None:
    if result.final:
        return f"{'─' * 14}  {_verdict(result)}\n"
    likely = result.probabilities[result.label] >= 0.5  # than all others together
    was_sure = before is not None and before.sure
    if before is not None and before.label == result.label:
        news = not likely if was_sure else bool(result.sure)
    else:
        news = likely or was_sure
    if not news:
        return None
    doubt = "  no longer in doubt" if result.sure else "  in doubt again" if was_sure else ""
    return f"sample {result.input + 1:<7,}  {_verdict(result)}{doubt}"


def _verdict(result: GestureResult) -> str:
    best = sorted(result.probabilities.items(), key=lambda pair: -pair[1])[:3]
    return f"{result.label:<16}  [{'  '.join(f'{name} {p:.2f}' for name, p in best)}]"


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_gesture.plot import over_time

    over_time(pipeline, [as_recording(item) for item in inputs], results, path)


def plot_evaluation(results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
    from suite.plotting.figure import figure
    from suite.plotting.heatmap import mistakes

    figure([mistakes([str(e.target) for e in examples], [r.label for r in results])], path, width=620, height=470)


def _rate(verbs: tuple[str, ...], text: str) -> Option:
    return Option(name="rate", type=float, verbs=verbs, help=text)


TASK = Task(
    name="gesture",
    summary=__doc__.splitlines()[0],
    mapping="many-to-one",
    config=GestureConfig,
    result=GestureResult,
    columns=(
        Column(
            name="recording",
            help="a .csv or .tsv with one row a sample and one column a channel, a .npz, .npy or .ts; for training "
            "also series,time,label,… or label,t0,t1,… or a folder with one sub-folder a label",
            required=True,
        ),
        Column(name="label", help="any set of labels"),
    ),
    read=read,
    expand=expand,
    codecs={"input": SeriesCodec.from_files, "target": Labels.from_files},
    fit=fit,
    notes=notes,
    build=build,
    initialise=initialise,
    augment=vary,
    adapt=adapt,
    pieces=pieces,
    join=join,
    check=check,
    decode=decode,
    render=render,
    render_update=render_update,
    metrics=metrics,
    measure=measure,
    best=("accuracy",),
    chunks=read_sample_stream,
    options=(
        Option(name="names", type=Path, verbs=("train",), help='a JSON file of display names: {"1": "circle", …}'),
        _rate(("train",), "samples a second of recordings that do not say it themselves"),
        _rate(("predict", "stream", "evaluate"), "samples a second of what is given, where it does not say itself"),
        Option(
            name="sure",
            type=float,
            verbs=("stream",),
            help="the probability from which a running label is no longer in doubt; by default where such labels "
            "were right 19 times of 20 in training",
        ),
    ),
    recipe=later("suite_gesture.data:recipe"),
    further={"watch": later("suite_gesture.data:watch_recipe")},
    assets=Path(suite_assets.__file__).parent / "gesture",
    default="wiimote",
    plot=plot,
    plot_help="draw the first recordings and their label over time to this PNG file",
    plot_evaluation=plot_evaluation,
    stream_help="A line is a sample, its values separated by commas, tabs or spaces; a blank line ends a recording. "
    "The label is printed when it changes or is no longer in doubt; with --json, after every sample.",
    about="Shipped: wiimote (which of ten people picks up a held remote control, by its acceleration; the default) "
    "and activity (standing, walking, running, badminton, by a watch; --checkpoint activity). Train your own from "
    "about forty recordings on. A recording longer than a movement also gives segments with times.",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
