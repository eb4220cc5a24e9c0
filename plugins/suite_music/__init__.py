"""Tunes and four-part chorales that obey their own rules, from nothing or from a beginning of yours."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Task, Verb, later
from suite.task.language_modeling import Drawing, NextTokens, drawing_options, endless, go_on
from suite.training.specs import TrainingSpec
from suite_music.notation import chorales
from suite_music.notation.chorales import Chorale, ChoraleCodec
from suite_music.notation.pieces import TEMPO, PieceResult
from suite_music.notation.playing import Sounded, performed
from suite_music.notation.tunes import END, START, TuneCodec, TuneSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import Aligned

#: The longest piece, in tokens, that is written where its length is not asked for.
LIMIT = 4096
#: Pieces that are written together.
BATCH = 32
#: Tempi that may be asked for, in quarter notes a minute; a MIDI file cannot state less.
SLOWEST, FASTEST = 4.0, 10_000.0


@dataclass(frozen=True)
class MusicConfig:
    """Sizes of the shipped models. ``beside`` are the widths of what a model reads beside each token: of a tune's
    columns, or of a chorale's (``suite_music.notation.tunes.COLUMNS``, ``suite_music.notation.chorales.COLUMNS``).
    """

    tunes: TuneSpec = field(default_factory=TuneSpec)
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=96, dropout=0.15))
    beside: tuple[int, ...] = (64, 16, 24, 8)
    beside_chorale: tuple[int, ...] = (4, 24, 24, 24, 24, 24, 24)
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=256, layers=2, dropout=0.3))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(dropout=0.0))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=16, lr=4e-3, weight_decay=0.05, patience=4)
    )


# -- codecs and data ---------------------------------------------------------------------------------------------


def read_codec(files: Mapping[str, bytes]) -> TuneCodec | ChoraleCodec:
    """Either codec, as a checkpoint's files say."""
    return ChoraleCodec.from_files(files) if chorales.FILE in files else TuneCodec.from_files(files)


def _codec(codecs: Codecs) -> TuneCodec | ChoraleCodec:
    codec = codecs["input"]
    assert isinstance(codec, TuneCodec | ChoraleCodec)
    return codec


class Targets(NextTokens):
    """What a model is to say at each step: the next token of a tune or of a chorale."""

    read = staticmethod(read_codec)


def fit(examples: Sequence[Example], config: MusicConfig) -> dict[str, Any]:
    in_steps = [isinstance(e.input, Chorale) for e in examples]
    if any(in_steps) and not all(in_steps):
        odd = examples[in_steps.index(not in_steps[0])]
        raise DataError(f"{odd.where}: some pieces are tunes and some chorales; train one model for each")
    codec = ChoraleCodec() if all(in_steps) else TuneCodec.fit((e.input for e in examples), config.tunes)
    return {"input": codec, "target": Targets(codec)}


def build(config: MusicConfig, codecs: Codecs) -> Aligned:
    from suite.nn.build import columns_to_each

    codec = _codec(codecs)
    beside = config.beside if codec.kind == "tune" else config.beside_chorale
    return columns_to_each(codec.columns, config.embedding, beside, config.encoder, config.head, codec.size, "decoder")


def example(row: Row) -> Example:
    values = row.values
    if "steps" in values:
        piece: Any = Chorale.from_row(values)
    elif "text" in values:
        from suite_music.notation.files import tune

        piece = tune(values["text"])
    else:
        raise DataError(f"{row.where}: neither text (ABC) nor steps (a chorale) in it")
    return Example(input=piece, target=piece, key=str(values.get("key") or row.where), where=row.where, values=values)


def expand(argument: str, on_error: Any = None, **options: Any) -> Iterator[tuple[str, Any]]:
    """The pieces of a file or folder that is named after ``predict``, each to be gone on with."""
    from suite.data.zip_paths import as_path
    from suite_music.notation.files import pieces as filed

    yield from ((found.where, found) for found in filed(as_path(argument), on_error))


def pieces(given: Any, codecs: Codecs, **options: Any) -> list[Any]:
    """What the model goes on from: a tune's text or a chorale."""
    from suite_music.notation.files import piece_of

    return [piece_of(given)]


def join(results: Sequence[Any], given: Any, codecs: Codecs, **options: Any) -> Any:
    """The result named by the file of its beginning: by the title there, or of a path by the file's name."""
    from suite_music.notation.files import Filed, is_file

    if isinstance(results[0], PieceResult) and isinstance(given, Filed):
        return dataclasses.replace(results[0], input=given.where, title=given.called)
    if isinstance(results[0], PieceResult) and is_file(given):
        return dataclasses.replace(results[0], input=str(given), title=Path(given).stem)
    return results[0]


def augment(piece: Any, config: MusicConfig, random: np.random.Generator, codecs: Codecs) -> Any:
    """A tune in another key, half of the time; a chorale's tokens are the same in every key."""
    codec = _codec(codecs)
    if not isinstance(codec, TuneCodec) or random.random() < 0.5:
        return piece
    from suite_music.notation.transpose import transpose_randomly

    return transpose_randomly(piece, codec.keys, random)


# -- judging -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Score(Result):
    """How well a model foretells a piece: ``nats`` over its ``tokens``, the end included, and what it is long:
    ``characters`` of a tune's text, or sixteenth-note ``steps`` of a chorale.
    """

    nats: float
    tokens: int
    characters: int | None = None
    steps: int | None = None

    optional: ClassVar[tuple[str, ...]] = ("characters", "steps")


def decode(outputs: np.ndarray, codecs: Codecs, piece: Any, *, final: bool | None = None, **options: Any) -> Score:
    """How likely each token was, from logits ``[T, V]``."""
    target = codecs["target"]
    assert isinstance(target, Targets)
    nats, tokens = target.nats(outputs, piece)
    if isinstance(piece, Chorale):
        return Score(input=None, final=final, nats=nats, tokens=tokens, steps=len(piece.steps))
    return Score(input=piece.split("\n", 1)[0], final=final, nats=nats, tokens=tokens, characters=len(piece))


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


def answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], *, bars: int | None = None, **options: Any
) -> list[PieceResult]:
    """Each piece as a beginning, gone on with."""
    from suite_music.notation.rules import rules_of

    codec = _codec(pipeline.codecs)
    rules = rules_of(codec, bars=bars)
    drawing = Drawing(**options)
    prefixes = [array[:, 0].tolist() for array in arrays]
    # A piece's chance is its own, whatever comes with it.
    randoms = [drawing.random(*prefix[:64]) for prefix in prefixes]
    written = go_on(
        pipeline, prefixes, randoms, drawing.sampling, rules=[rules] * len(pieces), stop=END, limit=LIMIT
    )  # fmt: skip
    return [
        PieceResult.of(codec.decode(prefix + tokens), "Untitled", None if isinstance(piece, Chorale) else piece)
        for prefix, tokens, piece in zip(prefixes, written, pieces, strict=True)
    ]


def generate(
    pipeline: Pipeline, *, style: str | None, key: str | None, meter: str | None, bars: int, count: int, tempo: float,
    out: Path | None, **options: Any,
) -> Iterator[PieceResult]:  # fmt: skip
    """New pieces, one after the other; the same seed gives the same ones."""
    from suite_music.notation.rules import rules_of

    pipeline = _of_style(pipeline, style)
    codec = _codec(pipeline.codecs)
    drawing = Drawing(**options)
    _check_tempo(tempo)
    if count < 1:
        raise UsageError(f"count={count}: expected a whole number from 1")
    rules = rules_of(codec, key=key, meter=meter, bars=bars)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        randoms = [drawing.random(number) for number in numbers]
        written = go_on(
            pipeline, [[START]] * len(numbers), randoms, drawing.sampling, rules=[rules] * len(numbers), stop=END,
            limit=LIMIT,
        )  # fmt: skip
        for number, tokens in zip(numbers, written, strict=True):
            title = f"{codec.kind.capitalize()} {drawing.seed}-{number + 1}"
            result = PieceResult.of(codec.decode(tokens), title, number)
            yield result if out is None else dataclasses.replace(result, files=result.save_all(out, tempo))


def stream(
    pipeline: Pipeline, *, style: str | None, key: str | None, meter: str | None, tempo: float | None, **options: Any
) -> Iterator[Sounded]:
    """A piece without end, note by note, in constant memory; with ``tempo`` each note comes when it sounds."""
    from suite_music.notation.rules import rules_of

    pipeline = _of_style(pipeline, style)
    codec = _codec(pipeline.codecs)
    if tempo is not None:
        _check_tempo(tempo)
    drawing = Drawing(**options)
    rules = rules_of(codec, key=key, meter=meter, endless=True)
    yield from performed(endless(pipeline, [START], drawing.random(), drawing.sampling, rules), codec, tempo)


def _check_tempo(tempo: float) -> None:
    if not SLOWEST <= tempo <= FASTEST:
        raise UsageError(f"tempo={tempo:g}: give quarter notes a minute, {SLOWEST:g} to {FASTEST:,g}")


def _of_style(pipeline: Pipeline, style: str | None) -> Pipeline:
    """The pipeline, or the shipped one of another style."""
    if style in (None, _codec(pipeline.codecs).kind):
        return pipeline
    from suite.inference.pipeline import Pipeline

    return Pipeline.open("music", style, runtime=pipeline.runtime.kind)


# -- showing -----------------------------------------------------------------------------------------------------


def render(result: Any) -> str:
    if isinstance(result, Score):
        return f"{result.nats / result.tokens:.3f} nats a token  {result.input or ''}"
    return str(result.shown())


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_music.notation.plot import draw

    draw(results[0], path)


#: How tokens are drawn by default: a little surer than the model is.
_SURE = {"temperature": 0.9, "top_p": 0.97}
_ASKED = (
    Option(name="style", type=str, choices=("tune", "chorale"), help="what is written, by the shipped model for it"),
    Option(name="key", type=str, help="the key, as D, Bb, F#m or Ador"),
    Option(name="meter", type=str, help="the meter, as 6/8 or C|"),
)

TASK = Task(
    name="music",
    summary=__doc__.splitlines()[0],
    mapping="aligned",
    config=MusicConfig,
    result=PieceResult,
    columns=(
        Column(name="piece", help="an .abc, .mid, .musicxml, .mxl or .krn file, to be gone on with", required=True),
        Column(name="text", help="ABC: the lines M, L, K, and the body"),
    ),
    example=example,
    read=later("suite_music.reading:read"),
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
        *drawing_options("predict", **_SURE),
    ),
    verbs=(
        Verb(
            name="generate",
            help="Write new pieces.",
            run=generate,
            plots=True,
            options=(
                *_ASKED,
                Option(name="bars", type=int, default=16, help="how many bars"),
                Option(name="count", type=int, default=1, help="how many pieces"),
                Option(name="tempo", type=float, default=TEMPO, help="quarter notes a minute, of MIDI and sound"),
                Option(name="out", type=Path, help="a folder for notation, MIDI and sound of each piece"),
                *drawing_options("generate", **_SURE),
            ),
        ),
        Verb(
            name="stream",
            help="Write a piece without end, note by note.",
            run=stream,
            options=(
                *_ASKED,
                Option(name="tempo", type=float, help="in real time, at so many quarter notes a minute"),
                *drawing_options("stream", **_SURE),
            ),
            render=lambda sounded: sounded.text,
            end="",
        ),
        Verb(
            name="report",
            help="What pieces are like: full bars, pitches, rhythms and intervals beside those of training, and the "
            "longest run that each shares with a piece of training.",
            run=later("suite_music.reading:report"),
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
