"""Translation of text, sentence by sentence, into another language."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.codecs.sentences import SentenceSegmenter, split_sentences
from suite.codecs.subwords import END, START, SubwordCodec, SubwordSpec, SubwordTarget
from suite.codecs.text import stdin_chunks
from suite.decoding.beam_search import Written
from suite.errors import DataError, UsageError, nearest
from suite.hooks import hookimpl
from suite.metrics import bleu_and_chrf
from suite.nn.specs import AttentionSpec, EmbeddingSpec, EncoderSpec, StepHeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Segments, Task, later
from suite.task import seq2seq as writing
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import Unaligned

#: A text, or (the language it is to be translated into, the text).
Wish = str | tuple[str, str]
#: A translation has at most this many tokens for each one of the source, and so many more.
LIMIT = 2, 16


@dataclass(frozen=True)
class TranslationConfig:
    """Sizes of the shipped models."""

    subwords: SubwordSpec = field(default_factory=SubwordSpec)
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=256, dropout=0.1))
    encoder: EncoderSpec = field(default_factory=lambda: EncoderSpec(hidden=160, layers=2, bidirectional=True))
    decoder: EncoderSpec = field(default_factory=lambda: EncoderSpec(hidden=320, layers=2))
    attention: AttentionSpec = field(default_factory=lambda: AttentionSpec(features=256, heads=4))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(tied=True))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            epochs=4, batch_tokens=3000, lr=2e-3, warmup=0.05, weight_decay=0.01, ema=0.999, label_smoothing=0.1,
            weights="int8",
        )
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TranslationResult(Result):
    """``score`` is the mean log-probability a token; ``alternatives`` are the next best, each with its own."""

    text: str
    score: float
    alternatives: tuple[dict[str, Any], ...] | None = None

    optional: ClassVar[tuple[str, ...]] = ("alternatives",)


@dataclass(frozen=True, kw_only=True)
class SentenceResult(TranslationResult):
    """The result of one sentence: also how many tokens ``score`` is a mean of, for each of the best."""

    answers: tuple[tuple[str, float, int], ...] = ()


def example(row: Row) -> Example:
    text, target = row.values["source"], row.values.get("target")
    for name, value in (("source", text), ("target", target)):
        if not isinstance(value, str) and not (name == "target" and value is None):
            raise DataError(f"{row.where}: {name} is {type(value).__name__}, not a string; quote it")
    language = row.values.get("to") or ""
    if not isinstance(language, str):
        raise DataError(f"{row.where}: to is {type(language).__name__}, not the name of a language; quote it")
    key = str(row.values.get("key") or text)
    wish = (language, text) if language else text
    return Example(input=wish, target=target, key=key, where=row.where, values=row.values)


def check(example: Example, codecs: Codecs) -> Example:
    if not example.target:
        raise DataError("no target: give a translation to compare with")
    known, (language, _) = _tags(codecs), _parts(example.input)
    if language and language not in known:
        raise DataError(f"to: {_no_language(language, known)}")
    return example


def _parts(wish: Wish) -> tuple[str, str]:
    return wish if isinstance(wish, tuple) else ("", wish)


def _tags(codecs: Codecs) -> tuple[str, ...]:
    tags: tuple[str, ...] = codecs["input"].tags  # type: ignore[attr-defined]
    return tags


def describe(codecs: Codecs) -> dict[str, Any]:
    """The languages a model translates into, the one first that it takes where none is asked for."""
    return {"languages": list(_tags(codecs))} if _tags(codecs) else {}


def _no_language(language: str, known: Sequence[str]) -> str:
    if not known:
        return f"{language!r}: this model has one language to translate into, without a name; leave it out"
    return f"{language!r} is no language of this model; {nearest(language, known)}"


def fit(examples: Sequence[Example], config: TranslationConfig) -> dict[str, Any]:
    for item in examples:
        if item.target is None:
            raise DataError(f"{item.where}: no target; a pair needs both sides")
    wanted = Counter(_parts(item.input)[0] for item in examples)
    if len(wanted) > 1 and "" in wanted:
        where = next(item.where for item in examples if not _parts(item.input)[0])
        raise DataError(f"{where}: no language in column 'to', where others have one; give it for every pair, or none")
    texts = itertools.chain.from_iterable((_parts(item.input)[1], item.target) for item in examples)
    # The commonest first: it is the one that a text gets which does not say.
    codec = SubwordCodec.fit(texts, config.subwords, [name for name, _ in wanted.most_common() if name])
    return {"input": codec, "target": SubwordTarget(codec)}


def build(config: TranslationConfig, codecs: Codecs) -> Unaligned:
    from suite.nn.build import tokens_to_tokens

    size: int = codecs["input"].size  # type: ignore[attr-defined]
    return tokens_to_tokens(size, config.embedding, config.encoder, config.decoder, config.attention, config.head)


def augment(
    pair: tuple[Wish, str], config: TranslationConfig, random: np.random.Generator, codecs: Codecs
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides with sub-words dropped."""
    source, target = codecs["input"], codecs["target"]
    assert isinstance(source, SubwordCodec)
    assert isinstance(target, SubwordTarget)
    (wanted,) = target.encode([pair[1]], random, config.subwords.dropout)
    return source.encode(pair[0], random, config.subwords.dropout), wanted


def adapt(codecs: Codecs, *, to: str | None = None, **options: Any) -> Codecs:
    """The codecs for texts that are to be translated into the language ``to``."""
    if to is None:
        return codecs
    if to not in _tags(codecs):
        raise UsageError(f"--to {_no_language(to, _tags(codecs))}")
    return {**codecs, "input": codecs["input"].towards(to)}  # type: ignore[attr-defined]


def pieces(text: Any, codecs: Codecs, **options: Any) -> list[Wish]:
    """The sentences of a text, each with the language where the text has it."""
    wish = isinstance(text, tuple) and len(text) == 2
    language, words = text if wish else ("", text)
    if not isinstance(words, str):
        raise DataError(f"expected a text, got {type(words).__name__}; pass a str")
    found = [sentence for _, sentence in split_sentences(words) if sentence]
    return [(language, sentence) for sentence in found] if wish else list(found)


def answer(
    pipeline: Pipeline, pieces: Sequence[Wish], arrays: Sequence[np.ndarray], *, to: str | None = None, **options: Any
) -> list[SentenceResult]:  # fmt: skip
    """The translation of each sentence."""
    codec = pipeline.codecs["input"]
    assert isinstance(codec, SubwordCodec)
    limits = [limit(array) for array in arrays]
    found = writing.answers(pipeline.runtime, arrays, limits, start=START, end=END, **options)
    return [_result(_parts(piece)[1], best, codec) for piece, best in zip(pieces, found, strict=True)]


def limit(array: np.ndarray) -> int:
    """How many tokens a translation may have."""
    return LIMIT[0] * len(array) + LIMIT[1]


def _result(piece: str, best: Sequence[Written], codec: SubwordCodec) -> SentenceResult:
    answers = tuple((codec.decode(one.tokens), one.score, len(one.tokens) + 1) for one in best)
    return SentenceResult(input=piece, text=answers[0][0], score=answers[0][1], answers=answers)


def join(results: Sequence[SentenceResult], text: Wish, codecs: Codecs, **options: Any) -> TranslationResult:
    """One translation of all sentences, with the white space that was between them.

    The n-th alternative has each sentence's n-th best, or its last where it has fewer. A text without words is
    given back as it is.
    """
    _, text = _parts(text)
    spaces = split_sentences(text)
    most = max((len(result.answers) for result in results), default=1)
    joined = []
    for number in range(most):
        chosen = [result.answers[min(number, len(result.answers) - 1)] for result in results]
        given = iter(chosen)
        words = "".join(space + (next(given)[0] if sentence else "") for space, sentence in spaces)
        tokens = sum(count for _, _, count in chosen)
        joined.append((words, sum(score * count for _, score, count in chosen) / tokens if tokens else 0.0))
    (best, score), *others = joined
    rest = writing.alternatives(others, options.get("n_best", 1))
    return TranslationResult(input=text, text=best, score=score, alternatives=rest)


def said(
    pipeline: Pipeline, between: str, sentence: str, carried: dict[str, Any], *, to: str | None = None, **options: Any
) -> Iterator[TranslationResult]:
    """A sentence of a stream: the white space before it, then its translation as far as it is settled."""
    if between:
        yield TranslationResult(input=between, text=between, score=0.0, final=False)
    if not sentence:
        return
    codec = pipeline.codecs["input"]
    assert isinstance(codec, SubwordCodec)
    array = codec.encode(sentence)
    parts = writing.followed(
        pipeline.runtime, array, codec.writer(), carried, start=START, end=END, limit=limit(array), **options
    )  # fmt: skip
    for text, whole in parts:
        score = 0.0 if whole is None else whole.score
        yield TranslationResult(input=sentence, text=text, score=score, final=False)


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """BLEU and chrF as sacreBLEU has them by default; of several languages, each one's too."""
    languages = [_parts(example.input)[0] for example in examples]
    pairs = [(result.text, example.target) for result, example in zip(results, examples, strict=True)]
    figures = _judged(pairs)
    signature = figures.pop("bleu_signature")
    several = dict.fromkeys(languages) if len(set(languages)) > 1 else ()
    for language in several:
        figures[language] = _judged([pair for pair, own in zip(pairs, languages, strict=True) if own == language])
        del figures[language]["bleu_signature"]
    return figures | {"bleu_signature": signature}


def _judged(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found, wanted = [text for text, _ in pairs], [[target] for _, target in pairs]
    return {"items": len(pairs), **bleu_and_chrf(found, wanted, "judging translations")}


def render(result: Any) -> str:
    if not result.alternatives:
        return str(result.text)
    return "\n".join(writing.ranked(result.score, result.text, result.alternatives))


def render_update(result: Any, before: Any = None) -> str:
    """What the update adds; a last line is ended."""
    whole = result.text or (before.text if before is not None else "")
    return str(result.text) + ("\n" if result.final and not whole.endswith("\n") else "")


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_translation.plot import alignments

    asked = TASK.checked("predict", pipeline.asked)
    del asked["to"]  # which the codecs know
    alignments(pipeline, inputs, path, **asked)


_TO = Option(
    name="to", type=str, verbs=writing.SEARCHING,
    help="the language to translate into, of a model that has several (default: its first; see info)",
)  # fmt: skip

_RECIPE = later("suite_translation.data:recipe")

TASK = Task(
    name="translation",
    summary=__doc__.splitlines()[0],
    mapping="unaligned",
    config=TranslationConfig,
    result=TranslationResult,
    columns=(
        Column(name="source", help="the text", required=True),
        Column(name="target", help="its translation"),
        Column(name="to", help="the language of the target, where there are several"),
    ),
    example=example,
    parallel=("source", "target"),
    blank=True,
    codecs={"input": SubwordCodec.from_files, "target": SubwordTarget.from_files},
    fit=fit,
    build=build,
    augment=augment,
    adapt=adapt,
    describe=describe,
    check=check,
    pieces=pieces,
    join=join,
    answer=answer,
    render=render,
    render_update=render_update,
    metrics=metrics,
    best=("bleu",),
    chunks=stdin_chunks,
    unit="segment",
    segments=Segments(cut=SentenceSegmenter, follow=said, final=partial(writing.last, TranslationResult)),
    options=(_TO, *writing.options("translation")),
    recipe=partial(_RECIPE, "it", "de"),
    further={name: partial(_RECIPE, name) for name in ("de", "fr")},
    assets=Path(suite_assets.__file__).parent / "translation",
    plot=plot,
    plot_help="draw where the first texts' translations looked to this PNG file",
    stream_help="Text may come in any pieces; the translation of a sentence is written as soon as it has ended, each "
    "word when no better translation would change it. Line breaks stay.",
    about="A text of any length is cut into sentences; paragraphs and line breaks stay where they were.",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
