"""Tunes and four-part chorales that obey their own rules, from nothing or from a beginning of yours."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import EmbeddingSpec, EncoderSpec, StepHeadSpec
from suite.search import log_softmax
from suite.task import Codecs, Column, Example, Option, Result, Task, Verb, later
from suite.training.specs import TrainingSpec
from suite_music.chorales import Chorale, ChoraleCodec
from suite_music.results import TEMPO, MusicResult, Score, of_chorale, of_tune
from suite_music.tunes import END, START, TuneCodec, TuneSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.nn.mappings import Aligned
    from suite.pipelines import Pipeline

#: The longest piece, in tokens, that is written where its length is not asked for.
LIMIT = 4096
#: Pieces that are written together.
BATCH = 32
#: Tempi that may be asked for, in quarter notes a minute; a MIDI file cannot state less.
SLOWEST, FASTEST = 4.0, 10_000.0
STYLES = ("tune", "chorale")
HEADER = ("M:", "L:", "K:")


@dataclass(frozen=True)
class MusicConfig:
    """Sizes of the shipped models. ``beside`` are the widths of what a model reads beside each token: of a tune's
    columns, or of a chorale's (``suite_music.tunes.COLUMNS``, ``suite_music.chorales.COLUMNS``).
    """

    tunes: TuneSpec = field(default_factory=TuneSpec)
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=96, dropout=0.15))
    beside: tuple[int, ...] = (64, 16, 24, 8)
    beside_chorale: tuple[int, ...] = (4, 24, 24, 24, 24, 24, 24)
    encoder: EncoderSpec = field(default_factory=lambda: EncoderSpec(hidden=256, layers=2, dropout=0.3))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(dropout=0.0))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=16, lr=4e-3, weight_decay=0.05, patience=4)
    )


# -- codecs ------------------------------------------------------------------------------------------------------


def read_codec(files: Mapping[str, bytes]) -> TuneCodec | ChoraleCodec:
    """Either codec, as a checkpoint's files say."""
    from suite_music import chorales

    return ChoraleCodec.from_files(files) if chorales.FILE in files else TuneCodec.from_files(files)


@dataclass(frozen=True)
class Targets:
    """What a model is to say at each step: the next token. The same pieces as the input, one token on."""

    codec: TuneCodec | ChoraleCodec
    loss: ClassVar[str] = "cross_entropy"

    @property
    def size(self) -> int:
        return self.codec.size

    def encode(self, pieces: Sequence[Any]) -> list[np.ndarray]:
        """The tokens of each piece and its end, int64 ``[T]`` each."""
        return [self.codec.targets(piece) for piece in pieces]

    def files(self) -> dict[str, bytes]:
        return self.codec.files()

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Targets:
        return cls(read_codec(files))


def fit(examples: Sequence[Example], config: MusicConfig) -> dict[str, Any]:
    chorales = [isinstance(e.input, Chorale) for e in examples]
    if any(chorales) and not all(chorales):
        odd = examples[chorales.index(not chorales[0])]
        raise DataError(f"{odd.where}: some pieces are tunes and some chorales; train one model for each")
    codec = ChoraleCodec() if all(chorales) else TuneCodec.fit((e.input for e in examples), config.tunes)
    return {"input": codec, "target": Targets(codec)}


def build(config: MusicConfig, codecs: Codecs) -> Aligned:
    from suite.nn.build import columns_to_each

    codec = codecs["input"]
    assert isinstance(codec, TuneCodec | ChoraleCodec)
    beside = config.beside if isinstance(codec, TuneCodec) else config.beside_chorale
    return columns_to_each(codec.columns, config.embedding, beside, config.encoder, config.head, codec.size, "decoder")


# -- data --------------------------------------------------------------------------------------------------------


def example(row: Row) -> Example:
    values = row.values
    if "steps" in values:
        piece: Any = Chorale.from_row(values)
    elif "text" in values:
        from suite_music.files import tune

        piece = tune(values["text"])
    else:
        raise DataError(f"{row.where}: neither text (ABC) nor steps (a chorale) in it")
    return Example(input=piece, target=piece, key=str(values.get("key") or row.where), where=row.where, values=values)


def read(
    path: str | Path, *, format: str | None = None, columns: Mapping[str, str] | None = None, on_error: Any = None
) -> Iterator[Example]:
    from suite_music.files import labelled

    yield from labelled(path, example, format=format, columns=columns, on_error=on_error)


def expand(argument: str, on_error: Any = None, **options: Any) -> Iterator[tuple[str, Any]]:
    from suite_music.files import beginnings

    yield from beginnings(argument, on_error)


def pieces(given: Any, codecs: Codecs, **options: Any) -> list[Any]:
    """What the model goes on from: a tune's text or a chorale."""
    from suite_music.files import beginning

    return [beginning(given)]


def join(results: Sequence[Any], given: Any, codecs: Codecs, **options: Any) -> Any:
    """The result under the title of its beginning."""
    from suite_music.files import named

    return named(results[0], given)


def augment(piece: Any, config: MusicConfig, random: np.random.Generator, codecs: Codecs) -> Any:
    """A tune in another key, half of the time; a chorale's tokens are the same in every key."""
    codec = codecs["input"]
    if isinstance(piece, Chorale) or not isinstance(codec, TuneCodec) or random.random() < 0.5:
        return piece
    from suite_music.transpose import augmented

    return augmented(piece, codec.keys, random)


# -- judging -----------------------------------------------------------------------------------------------------


def decode(outputs: np.ndarray, codecs: Codecs, piece: Any, *, final: bool | None = None, **options: Any) -> Score:
    """How likely each token was, from logits ``[T, V]``."""
    target = codecs["target"]
    assert isinstance(target, Targets)
    tokens = target.codec.targets(piece)
    nats = -log_softmax(outputs.astype(np.float64))[np.arange(len(tokens)), tokens]
    length = {"steps": len(piece.steps)} if isinstance(piece, Chorale) else {"characters": len(piece)}
    given = None if isinstance(piece, Chorale) else piece.split("\n", 1)[0]
    return Score(input=given, final=final, nats=float(nats.sum()), tokens=len(tokens), **length)


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """``nats_per_token``; of tunes ``bits_per_char``, of chorales ``nats_per_step`` (a sixteenth, all four voices)."""
    nats, tokens = sum(r.nats for r in results), sum(r.tokens for r in results)
    figures: dict[str, Any] = {"items": len(results)}
    if all(r.characters is not None for r in results):
        figures["bits_per_char"] = nats / math.log(2) / sum(r.characters for r in results)
    if all(r.steps is not None for r in results):
        figures["nats_per_step"] = nats / sum(r.steps for r in results)
    return {**figures, "nats_per_token": nats / tokens}


# -- writing -----------------------------------------------------------------------------------------------------


def _rules(codec: Any, key: str | None, meter: str | None, bars: int | None, *, endless: bool = False) -> Any:
    from suite_music.rules import ChoraleRules, TuneRules

    if isinstance(codec, TuneCodec):
        return TuneRules(codec, key=key, meter=meter, bars=bars, endless=endless)
    return ChoraleRules(key=key, meter=meter, bars=bars, endless=endless)


def _written(
    pipeline: Pipeline, prefixes: Sequence[Sequence[int]], rules: Sequence[Any], seeds: Sequence[Sequence[int]],
    options: Mapping[str, Any],
) -> list[list[int]]:  # fmt: skip
    """The tokens that the model writes after each prefix, to the end of the piece."""
    from suite.search import generate

    codec: Any = pipeline.codecs["input"]
    found: list[list[int]] = [[] for _ in prefixes]
    steps = generate(
        pipeline.runtime.graph("decoder"), prefixes, [np.random.default_rng(seed) for seed in seeds],
        sampling=_sampling(options), constraints=rules, reader=codec.reader, stop=END, limit=LIMIT,
    )  # fmt: skip
    for tokens in steps:
        for row, token in enumerate(tokens.tolist()):
            if token >= 0:
                found[row].append(token)
    return found


def _seed(seed: int) -> int:
    if seed < 0:
        raise UsageError(f"seed={seed}: expected a whole number from 0")
    return seed


def _tempo(tempo: float) -> None:
    if not SLOWEST <= tempo <= FASTEST:
        raise UsageError(f"tempo={tempo:g}: give quarter notes a minute, {SLOWEST:g} to {FASTEST:,g}")


def _sampling(options: Mapping[str, Any]) -> Any:
    from suite.search import Sampling

    try:
        return Sampling(
            temperature=options["temperature"], top_k=options["top_k"], top_p=options["top_p"],
            no_repeat=options["no_repeat"],
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(str(error)) from None


def _result(codec: Any, tokens: Sequence[int], title: str, given: Any) -> MusicResult:
    if isinstance(codec, TuneCodec):
        text = codec.decode(tokens)
        return of_tune(text if text.endswith("\n") else f"{text}\n", title, given)
    return of_chorale(codec.decode(tokens), title, given)


def answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], *, bars: int | None = None, seed: int = 0,
    **options: Any,
) -> list[MusicResult]:  # fmt: skip
    """Each piece as a beginning, gone on with."""
    codec: Any = pipeline.codecs["input"]
    prefixes = [array[:, 0].tolist() for array in arrays]
    rules = [_rules(codec, None, None, bars) for _ in pieces]
    seeds = [[_seed(seed), *prefix[:64]] for prefix in prefixes]  # a piece's chance is its own, whatever it comes with
    written = _written(pipeline, prefixes, rules, seeds, options)
    return [
        _result(codec, [*prefix, *tokens], "Untitled", None if isinstance(piece, Chorale) else piece)
        for prefix, tokens, piece in zip(prefixes, written, pieces, strict=True)
    ]


def generate(
    pipeline: Pipeline, *, style: str | None, key: str | None, meter: str | None, bars: int, seed: int, count: int,
    tempo: float, out: Path | None, **options: Any,
) -> Iterator[MusicResult]:  # fmt: skip
    """New pieces, one after the other; the same seed gives the same ones."""
    pipeline = _of_style(pipeline, style)
    codec: Any = pipeline.codecs["input"]
    _seed(seed)
    _sampling(options)  # said before anything is written
    _tempo(tempo)
    if count < 1:
        raise UsageError(f"count={count}: expected a whole number from 1")
    rules = _rules(codec, key, meter, bars)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        seeds = [[seed, number] for number in numbers]
        written = _written(pipeline, [[START]] * len(numbers), [rules] * len(numbers), seeds, options)
        for number, tokens in zip(numbers, written, strict=True):
            kind = "Tune" if isinstance(codec, TuneCodec) else "Chorale"
            result = _result(codec, tokens, f"{kind} {seed}-{number + 1}", number)
            if out is not None:
                result = dataclasses.replace(result, files=result.save_all(out, tempo))
            yield result


def _of_style(pipeline: Pipeline, style: str | None) -> Pipeline:
    """The pipeline, or the shipped one of another style."""
    own = "tune" if isinstance(pipeline.codecs["input"], TuneCodec) else "chorale"
    if style is None or style == own:
        return pipeline
    from suite.pipelines import Pipeline

    return Pipeline.open("music", style, runtime=pipeline.runtime.kind)


@dataclass(frozen=True, kw_only=True)
class Sounded(Result):
    """What has been written since the update before: ``text`` of a tune, and the ``notes`` it completed."""

    text: str
    notes: list[dict[str, Any]]


def stream(
    pipeline: Pipeline, *, style: str | None, key: str | None, meter: str | None, seed: int, tempo: float | None,
    **options: Any,
) -> Iterator[Sounded]:  # fmt: skip
    """A piece without end, note by note, in constant memory; with ``tempo`` each note comes when it sounds."""
    from suite.search import generate as written
    from suite_music import playing

    pipeline = _of_style(pipeline, style)
    codec: Any = pipeline.codecs["input"]
    if tempo is not None:
        _tempo(tempo)
    steps = written(
        pipeline.runtime.graph("decoder"), [[START]], [np.random.default_rng(_seed(seed))], sampling=_sampling(options),
        constraints=[_rules(codec, key, meter, None, endless=True)], reader=codec.reader,
    )  # fmt: skip
    player = playing.player(codec)
    begun = time.monotonic()
    heard = (moment for tokens in steps for moment in player.take(int(tokens[0])))
    for number, (start, text, notes) in enumerate(heard):
        if tempo is not None:
            time.sleep(max(0.0, begun + start * 60 / tempo - time.monotonic()))
        yield Sounded(input=number, final=False, text=text, notes=[note.to_dict() for note in notes])


def report(pipeline: Pipeline | None, *paths: str, against: Path | None) -> dict[str, Any]:
    """What pieces are like, beside those of training."""
    from suite_music.files import reported

    return reported(paths, against)


# -- showing -----------------------------------------------------------------------------------------------------


def render(result: Any) -> str:
    if isinstance(result, Score):
        return f"{result.nats / result.tokens:.3f} nats a token  {result.input or ''}"
    from suite_music.playing import voices

    length = max((note["start"] + note["duration"] for note in result.notes), default=0.0)
    head = (
        f"{result.title}  key {result.key}, meter {result.meter}, {len(result.notes)} notes, {length:g} quarter notes"
    )
    body = voices(result) if result.abc is None else [x for x in result.abc.splitlines() if x[:2] not in HEADER]
    return "\n".join([head, *(f"  {line}" for line in body), *(f"  saved: {file}" for file in result.files or ())])


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_music.plot import draw

    draw(results[0], path)


def _options(*verbs: str) -> tuple[Option, ...]:
    """How tokens are drawn."""
    return (
        Option(name="seed", type=int, verbs=verbs, default=0, help="where chance starts"),
        Option(name="temperature", type=float, verbs=verbs, default=0.9, help="below 1 surer, above 1 bolder"),
        Option(name="top_p", type=float, verbs=verbs, default=0.97, help="keep the likeliest that together have this"),
        Option(name="top_k", type=int, verbs=verbs, default=0, help="keep as many of the likeliest; 0: all"),
        Option(name="no_repeat", type=int, verbs=verbs, default=0, help="no run of so many tokens twice; 0: any"),
    )


_STYLE = Option(name="style", type=str, choices=STYLES, help="what is written, by the shipped model for it")
_KEY = Option(name="key", type=str, help="the key, as D, Bb, F#m or Ador")
_METER = Option(name="meter", type=str, help="the meter, as 6/8 or C|")

TASK = Task(
    name="music",
    summary=__doc__.splitlines()[0],
    mapping="aligned",
    config=MusicConfig,
    result=MusicResult,
    columns=(
        Column(name="piece", help="an .abc or .mid file, to be gone on with", required=True),
        Column(name="text", help="ABC: the lines M, L, K, and the body"),
    ),
    example=example,
    read=read,
    expand=expand,
    pieces=pieces,
    join=join,
    codecs={"input": read_codec, "target": Targets.from_files},
    fit=fit,
    build=build,
    augment=augment,
    decode=decode,
    answer=answer,
    judged_by="outputs",
    render=render,
    render_update=lambda result, before: render(result),
    metrics=metrics,
    best=("-bits_per_char", "-nats_per_step"),
    options=(
        Option(name="bars", type=int, help="how many bars the whole piece has; by default the model ends it"),
        *_options("predict"),
    ),
    verbs=(
        Verb(
            name="generate",
            help="Write new pieces.",
            run=generate,
            plots=True,
            options=(
                _STYLE,
                _KEY,
                _METER,
                Option(name="bars", type=int, default=16, help="how many bars"),
                Option(name="count", type=int, default=1, help="how many pieces"),
                Option(name="tempo", type=float, default=TEMPO, help="quarter notes a minute, of MIDI and sound"),
                Option(name="out", type=Path, help="a folder for notation, MIDI and sound of each piece"),
                *_options("generate"),
            ),
        ),
        Verb(
            name="stream",
            help="Write a piece without end, note by note.",
            run=stream,
            options=(
                _STYLE,
                _KEY,
                _METER,
                Option(name="tempo", type=float, help="in real time, at so many quarter notes a minute"),
                *_options("stream"),
            ),
            render=lambda sounded: sounded.text,
            end="",
        ),
        Verb(
            name="report",
            help="What pieces are like: full bars, pitches, rhythms and intervals beside those of training, and the "
            "longest run that each shares with a piece of training.",
            run=report,
            model=False,
            inputs="FILE_OR_FOLDER...",
            options=(
                Option(name="against", type=Path, help="the training pieces; by default those of suite data get music"),
            ),
        ),
    ),
    recipe=later("suite_music.data:recipe"),
    assets=Path(suite_assets.__file__).parent / "music",
    default="tune",
    plot=plot,
    plot_help="draw the first piece as a piano roll to this PNG file",
    about="Tunes are ABC, chorales four voices in MusicXML; both also come as MIDI and as sound. What is asked for "
    "(key, meter, number of bars) holds, every bar is full, repeats close and voices stay in their ranges, because "
    "nothing else can be written. Shipped: tune (the default) and chorale (--checkpoint chorale, or --style).",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
