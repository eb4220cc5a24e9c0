"""Gestures and activities, classified from recordings of motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.augment.series import augment_series
from suite.augment.specs import SeriesChanges
from suite.codecs.series import SeriesCodec, SeriesSpec, as_recording
from suite.codecs.series_parser import SampleParser
from suite.codecs.targets import Labels
from suite.data.diagnostics import label_warnings, rate_warnings, value_warnings
from suite.data.display_names import read_display_names
from suite.data.series import Recording, read_labelled, read_recordings
from suite.data.zip_paths import as_path
from suite.errors import DataError, UsageError, stop
from suite.hooks import hookimpl
from suite.metrics import accuracy, macro_f1, per_class
from suite.nn.specs import HeadSpec, RecurrentSpec
from suite.task import Codecs, Column, DataSpec, Example, ManyToOneTask, Monitor, Option, Plots, Result, Streaming, lazy
from suite.task.sliding_windows import Window, segments, windows
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
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
    """Recurrent weights that stay as initialized, and a readout: the best for a few dozen recordings."""

    series: SeriesSpec = field(default_factory=SeriesSpec)
    augment: SeriesChanges = field(default_factory=SeriesChanges)
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=384, dropout=0.0, residual=False))
    head: HeadSpec = field(default_factory=lambda: HeadSpec(dropout=0.0))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            method="readout", balance=0.5, hold_out=0.0, epochs=60, batch_size=16, ema=0.99, patience=0, keep="last"
        )
    )


@dataclass(frozen=True, kw_only=True)
class GestureResult(Result):
    """A label with its probabilities.

    Attributes:
        segments: Only for a recording longer than a movement: ``start``, ``end``, ``label``, ``probability``, and the
            ``unit`` of start and end: ``s``, or ``samples`` where no rate is known.
        sure: Set on the updates of a stream: whether the running label's probability reaches the early-exit threshold.
    """

    label: str
    probabilities: dict[str, float]
    segments: list[dict[str, Any]] | None = None
    sure: bool | None = None

    optional: ClassVar[tuple[str, ...]] = ("segments", "sure")


GestureCodecs = Codecs[SeriesCodec, Labels]


def _rate(verbs: tuple[str, ...], text: str) -> Option:
    return Option(name="rate", type=float, verbs=verbs, help=text)


class Gesture(ManyToOneTask[GestureConfig, SeriesCodec, Labels, GestureResult]):
    """Gestures and activities, classified from recordings of motion."""

    name = "gesture"
    config = GestureConfig
    result = GestureResult
    input_codec = SeriesCodec
    target_codec = Labels
    data = DataSpec(
        columns=(
            Column(
                name="recording",
                help="a .csv or .tsv with one row a sample and one column a channel, a .npz, .npy or .ts; for training "
                "also series,time,label,… or label,t0,t1,… or a folder with one sub-folder a label",
                required=True,
            ),
            Column(name="label", help="any set of labels"),
        ),
        inputs="files",
        tables=False,
    )
    monitor = (Monitor(metric="accuracy"),)
    streaming = Streaming(
        parser=SampleParser,
        help="A line is a sample, its values separated by commas, tabs or spaces; a blank line ends a recording. The "
        "label is printed when it changes or becomes certain; with --json, after every sample.",
    )
    options = (
        Option(name="names", type=Path, verbs=("train",), help='a JSON file of display names: {"1": "circle", …}'),
        _rate(("train",), "sample rate in Hz of recordings whose files do not give one"),
        _rate(("predict", "stream", "evaluate"), "sample rate in Hz of the input, if it does not give one"),
        Option(
            name="sure",
            type=float,
            verbs=("stream",),
            help="early-exit threshold: the probability from which a running label counts as certain (default: such "
            "labels were right 19 times of 20 in training)",
        ),
    )
    plots = Plots(results="draw the first recordings and their label over time to this PNG file", evaluation=True)
    about = (
        "Shipped: wiimote (which of ten people picks up a remote control, by its acceleration; the default) and "
        "activity (standing, walking, running, badminton, by a watch; --checkpoint activity). About forty recordings "
        "are enough to train your own. A recording longer than a movement also gives segments with times."
    )
    assets = Path(suite_assets.__file__).parent / "gesture"
    default_checkpoint = "wiimote"
    recipe = lazy("suite_gesture.data:recipe")
    extra_recipes = (("watch", lazy("suite_gesture.data:watch_recipe")),)
    augments = True

    def read_file(
        self, path: str | Path, *, format: str | None, columns: Mapping[str, str] | None,
        on_error: Callable[[DataError], None] | None,
    ) -> Iterator[Example]:  # fmt: skip
        width = 0
        for series in read_labelled(path, on_error, columns=columns, format=format):
            width = width or series.array.shape[1]
            if series.array.size and series.array.shape[1] == width:
                yield Example(input=series, target=series.label, key=series.key, where=series.where)
                continue
            problem = "the recording is empty; give at least one sample"
            if series.array.size:
                count = series.array.shape[1]
                problem = f"{count} channels where the first recording has {width}; give all the same channels"
            (on_error or stop)(DataError(f"{series.where}: {problem}"))

    def expand_inputs(
        self, argument: str, on_error: Callable[[DataError], None] | None = None, **options: Any
    ) -> Iterator[tuple[str, Any]]:
        for recording in read_recordings(as_path(argument), on_error):
            yield recording.where or argument, recording

    def fit_codecs(
        self,
        examples: Sequence[Example],
        config: GestureConfig,
        *,
        names: Path | None = None,
        rate: float | None = None,
        **options: Any,
    ) -> GestureCodecs:
        targets = [str(e.target) for e in examples]
        shown = {} if names is None else read_display_names(names, targets)
        labels = Labels.fit(targets, shown, early=config.training.method == "readout")
        first = examples[0].input.array.shape[1]
        for item in examples:
            if (count := item.input.array.shape[1]) != first:
                raise DataError(f"{item.where}: {count} channels where {examples[0].where} has {first}")
        return Codecs(SeriesCodec.fit((e.input for e in examples), config.series, rate=rate), labels)

    def data_warnings(self, examples: Sequence[Example], codecs: GestureCodecs) -> list[str]:
        codec = codecs.input
        recordings = [e.input for e in examples]
        return [
            *rate_warnings((recording.rate for recording in recordings), codec.rate),
            *label_warnings((str(e.target) for e in examples), "recording"),
            *value_warnings(recordings, codec.channels),
        ]

    def build_model(self, config: GestureConfig, codecs: GestureCodecs) -> Model:
        from suite.nn.build import series_to_one

        codec, labels = codecs.input, codecs.target
        return series_to_one(codec.size, config.encoder, config.head, labels.size)

    def initialize(self, model: Model, codecs: GestureCodecs, **options: Any) -> None:
        from suite.nn.init import set_time_constants

        codec = codecs.input
        set_time_constants(model.get_submodule("encoder"), SHORTEST, codec.length)

    def augment(
        self, item: Recording, config: GestureConfig, random: np.random.Generator, codecs: GestureCodecs
    ) -> Recording:
        codec = codecs.input
        middle, spread = (np.asarray(row, np.float32) for row in (codec.mean, codec.scales[0]))
        array = augment_series(item.array, config.augment, middle, spread, random)
        return dataclasses.replace(item, array=item.array if np.isnan(array).all() else array)

    def configure_codecs(
        self, codecs: GestureCodecs, *, rate: float | None = None, sure: float | None = None, **options: Any
    ) -> GestureCodecs:
        if sure is not None and not 0 <= sure <= 1:
            raise UsageError(f"sure {sure:g}: give a probability, from 0 to 1")
        if rate is None:
            return codecs
        return codecs.replace(input=codecs.input.at(rate))

    def preprocess(self, item: Any, codecs: GestureCodecs, **options: Any) -> list[Recording]:
        """The recording, and if it is longer than a movement the windows that its segments are made of."""
        codec, labels = codecs.input, codecs.target
        recording = as_recording(item)
        rate = recording.rate or codec.given or codec.rate
        ratio = rate / codec.rate if rate and codec.rate else 1.0  # of its samples to the model's
        count, size = len(recording.array), max(1, round(codec.length * ratio / (2 if labels.early else 1)))
        if count <= LONGER * codec.longest * ratio:
            return [recording]
        return [recording, *windows(recording, size, max(1, size // OVERLAP), rate)]

    def decode(
        self,
        outputs: np.ndarray,
        codecs: GestureCodecs,
        item: Any,
        *,
        final: bool | None = None,
        sure: float | None = None,
        **options: Any,
    ) -> GestureResult:
        labels = codecs.target
        probabilities = labels.probabilities(outputs, final=final is not False and not isinstance(item, Window))
        label = max(probabilities, key=probabilities.__getitem__)
        certain = probabilities[label] >= (labels.sure if sure is None else sure) if final is False else None
        return GestureResult(input=_named(item), final=final, label=label, probabilities=probabilities, sure=certain)

    def merge(self, results: Sequence[Any], item: Any, codecs: GestureCodecs, **options: Any) -> GestureResult:
        """The whole recording's result, with segments where it has windows."""
        whole: GestureResult = results[0]
        if len(results) == 1:
            return whole
        parts = [result.input for result in results[1:]]
        return dataclasses.replace(whole, segments=segments(parts, [result.probabilities for result in results[1:]]))

    def check_example(self, example: Example, codecs: GestureCodecs) -> Example:
        labels = codecs.target
        return dataclasses.replace(example, target=labels.label(str(example.target)))

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        truth, found = [str(e.target) for e in examples], [r.label for r in results]
        return {
            "items": len(truth),
            "accuracy": accuracy(truth, found),
            "macro_f1": macro_f1(truth, found),
            "per_class": per_class(truth, found),
        }

    def extra_metrics(
        self, model: LoadedModel[SeriesCodec, Labels], examples: Sequence[Example], **options: Any
    ) -> dict[str, Any]:
        """Accuracy after a share of each recording, by the running label; after all of it, by the final one."""
        configured = model.configured(options)
        labels = configured.codecs.target
        shares = {}
        for share in (*SHARES, 100):
            parts = [_first(as_recording(e.input), share) for e in examples]
            right = []
            for row, item in zip(configured.outputs_of(parts), examples, strict=True):
                probabilities = labels.probabilities(row, final=share == 100)
                right.append(max(probabilities, key=probabilities.__getitem__) == item.target)
            shares[str(share)] = float(np.mean(right))
        return {"accuracy_at": shares}

    def render(self, result: Any) -> str:
        lines = [f"{_verdict(result)}  {result.input}"]
        for segment in result.segments or ():
            span = f"{segment['start']:g} to {segment['end']:g} {segment['unit']}"
            lines.append(f"  {span:<24}  {segment['label']:<16} {segment['probability']:.2f}")
        return "\n".join(lines)

    def render_update(self, result: Any, previous: Any) -> str | None:
        if result.final:
            return f"{'─' * 14}  {_verdict(result)}\n"
        likely = result.probabilities[result.label] >= 0.5  # more than all others together
        was_sure = previous is not None and previous.sure
        if previous is not None and previous.label == result.label:
            news = not likely if was_sure else bool(result.sure)
        else:
            news = likely or was_sure
        if not news:
            return None
        certainty = "  certain from here" if result.sure else "  uncertain again" if was_sure else ""
        return f"sample {result.input + 1:<7,}  {_verdict(result)}{certainty}"

    def plot(
        self, model: LoadedModel[SeriesCodec, Labels], inputs: Sequence[Any], results: Sequence[Any], path: Path
    ) -> None:
        from suite_gesture.plot import over_time

        over_time(model, [as_recording(item) for item in inputs], results, path)

    def plot_evaluation(self, results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
        from suite.plotting.figure import figure
        from suite.plotting.heatmap import mistakes

        figure([mistakes([str(e.target) for e in examples], [r.label for r in results])], path, width=620, height=470)


def _named(item: Any) -> Any:
    """What was given, in a word: a path, a place in a file, a step's number, or an array's size."""
    if isinstance(item, Window):
        return item
    if isinstance(item, Recording):
        return item.where or f"{len(item.array):,} samples"
    return str(item) if isinstance(item, Path) else item


def _first(recording: Recording, share: int) -> Recording:
    count = max(1, -(-len(recording.array) * share // 100))
    array = recording.array[:count]
    if np.isnan(array).all():
        there = ~np.isnan(recording.array).all(axis=0)
        array = array.copy()
        array[:, there] = np.nanmean(recording.array[:, there], axis=0)
    return dataclasses.replace(recording, array=array)


def _verdict(result: GestureResult) -> str:
    best = sorted(result.probabilities.items(), key=lambda pair: -pair[1])[:3]
    return f"{result.label:<16}  [{'  '.join(f'{name} {p:.2f}' for name, p in best)}]"


@hookimpl
def suite_tasks() -> list[type[Gesture]]:
    return [Gesture]
