"""The feeling of a text: positive, neutral or negative, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import suite_assets

from suite.codecs.targets import Labels, Target, Value
from suite.codecs.text import stdin_texts
from suite.codecs.wordpieces import WordPieceCodec, WordPieceSpec
from suite.errors import DataError, nearest
from suite.hooks import hookimpl
from suite.metrics import accuracy, macro_f1, pearson_r, per_source, sign_accuracy
from suite.nn.specs import EmbeddingSpec, EncoderSpec, HeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Task, later
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import ManyToOne

#: Polarity is −1 … 1; between the cuts it is neutral.
POLARITY = Value(-1.0, 1.0, cuts=(-0.05, 0.05), classes=("negative", "neutral", "positive"))


@dataclass(frozen=True)
class SentimentConfig:
    """Sizes of the shipped model; ``--set words.vocabulary=…`` changes one."""

    words: WordPieceSpec = field(default_factory=WordPieceSpec)
    embedding: EmbeddingSpec = field(default_factory=EmbeddingSpec)
    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    head: HeadSpec = field(default_factory=HeadSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)


@dataclass(frozen=True, kw_only=True)
class SentimentResult(Result):
    """``polarity`` (−1 … 1) is None where the checkpoint was trained on labels instead of ratings."""

    label: str
    polarity: float | None
    probabilities: dict[str, float]


def example(row: Row) -> Example:
    text, polarity = row.values["text"], row.values.get("polarity")
    if not isinstance(text, str):
        raise DataError(f"{row.where}: text is {type(text).__name__}, not a string; quote it")
    if polarity not in (None, ""):
        try:
            target: Any = float(polarity)
        except (TypeError, ValueError):
            raise DataError(f"{row.where}: polarity {polarity!r} is not a number; −1 … 1 is expected") from None
        if not abs(target) <= 1 + 1e-6:
            raise DataError(f"{row.where}: polarity {target:g} is outside −1 … 1; rescale the column")
    elif row.values.get("label") not in (None, ""):
        target = str(row.values["label"])
    else:
        raise DataError(
            f"{row.where}: neither label nor polarity; the file has {', '.join(map(str, row.values))}: "
            "rename one with --columns label=YOURS"
        )
    key = str(row.values.get("key") or text)
    return Example(input=text, target=target, key=key, where=row.where, values=row.values)


def check(example: Example, codecs: Codecs) -> Example:
    target = codecs["target"]
    assert isinstance(target, Labels | Value)
    known = target.names if isinstance(target, Labels) else target.classes
    label = true_label(example)
    if label not in known:
        raise DataError(f"unknown label {label!r}; {nearest(label, known)}")
    return example


def fit(examples: Sequence[Example], config: SentimentConfig, *, vectors: Path | None = None) -> dict[str, Any]:
    targets = [e.target for e in examples]
    rated = [isinstance(t, float) for t in targets]
    if any(rated) and not all(rated):
        odd = examples[rated.index(not rated[0])]
        raise DataError(f"{odd.where}: some items have a polarity and some only a label; give all of them one kind")
    words: Sequence[str] = ()
    if vectors is not None:
        from suite.codecs.word_vectors import read_words

        words = read_words(vectors)
    target = POLARITY.fit(targets) if all(rated) else Labels.fit([str(t) for t in targets])
    return {"input": WordPieceCodec.fit((e.input for e in examples), config.words, words), "target": target}


def build(config: SentimentConfig, codecs: Codecs) -> ManyToOne:
    from suite.nn.build import tokens_to_one

    words, target = codecs["input"], codecs["target"]
    assert isinstance(words, WordPieceCodec)
    assert isinstance(target, Labels | Value)
    return tokens_to_one(words.size, config.embedding, config.encoder, config.head, target.size, silent=words.unknown)


def initialise(model: ManyToOne, codecs: Codecs, *, vectors: Path | None = None) -> None:
    if vectors is not None:
        from suite.codecs.word_vectors import read_vectors
        from suite.nn.init import set_vectors

        words = codecs["input"]
        assert isinstance(words, WordPieceCodec)
        set_vectors(model.frontend, words.vocabulary, read_vectors(vectors))


def decode(outputs: Any, codecs: Codecs, text: Any, *, final: bool | None = None) -> SentimentResult:
    target = codecs["target"]
    if isinstance(target, Labels):
        probabilities = target.probabilities(outputs)
        label, polarity = max(probabilities, key=probabilities.__getitem__), None
    else:
        assert isinstance(target, Value)
        polarity, spread = target.moments(outputs)
        label, probabilities = target.label(polarity), target.probabilities(polarity, spread)
    return SentimentResult(input=text, final=final, label=label, polarity=polarity, probabilities=probabilities)


def metrics(results: Sequence[Result], examples: Sequence[Example]) -> dict[str, Any]:
    """Accuracy and macro F1, correlation and sign where ratings are given, and the same per source."""
    figures = _figures(results, examples)
    if apart := per_source(results, examples, _figures):
        figures["per_source"] = apart
    return figures


def true_label(example: Example) -> str:
    """The label of an example, or the class its rating falls in."""
    target = example.target
    return POLARITY.label(target) if isinstance(target, float) else str(target)


def _figures(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    truth = [true_label(example) for example in examples]
    found = [r.label for r in results]
    figures = {"items": len(truth), "accuracy": accuracy(truth, found), "macro_f1": macro_f1(truth, found)}
    if all(isinstance(e.target, float) for e in examples) and all(r.polarity is not None for r in results):
        ratings, polarities = [e.target for e in examples], [r.polarity for r in results]
        figures["pearson_r"] = pearson_r(ratings, polarities)
        figures["sign_accuracy"] = sign_accuracy(ratings, polarities)
    return figures


def render(result: Any) -> str:
    return f"{_verdict(result)}  {' '.join(result.input.split())}"


def render_update(result: Any, before: Any = None) -> str:
    if result.final:
        return f"{'─' * 16}  {_verdict(result)}\n"
    return f"{result.input:<16}  {_verdict(result)}"


def _verdict(result: SentimentResult) -> str:
    polarity = "" if result.polarity is None else f" {result.polarity:+.2f}"
    shares = "  ".join(f"{name[:3]} {p:.2f}" for name, p in result.probabilities.items())
    return f"{result.label:<8}{polarity}  [{shares}]"


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_sentiment.plot import running

    running(pipeline, results, path)


def plot_evaluation(results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
    from suite_sentiment.plot import against_ratings

    against_ratings(results, examples, path)


TASK = Task(
    name="sentiment",
    summary=__doc__.splitlines()[0],
    mapping="many-to-one",
    config=SentimentConfig,
    result=SentimentResult,
    columns=(
        Column(name="text", help="the text", required=True),
        Column(name="label", help="any set of labels"),
        Column(name="polarity", help="or a rating, −1 … 1"),
        Column(name="source", help="a group, for figures per source"),
    ),
    example=example,
    codecs={"input": WordPieceCodec.from_files, "target": Target.from_files},
    fit=fit,
    build=build,
    initialise=initialise,
    check=check,
    decode=decode,
    render=render,
    render_update=render_update,
    metrics=metrics,
    best=("pearson_r", "macro_f1"),
    chunks=stdin_texts,
    options=(
        Option(
            name="vectors",
            type=Path,
            verbs=("train",),
            help="word vectors (.npz, or text: a word and its numbers a line) to start the embedding from",
        ),
    ),
    recipe=later("suite_sentiment.data:recipe"),
    assets=Path(suite_assets.__file__).parent / "sentiment",
    plot=plot,
    plot_help="draw the polarity after each word of the first texts to this PNG file",
    plot_evaluation=plot_evaluation,
    stream_help="Text may come in any pieces; the running polarity is printed after each word. "
    "A blank line ends a text.",
    about="Polarity is -1 (bad) to 1 (good): positive above .05, negative below -.05, neutral between. "
    "The probabilities are those of what people would say on average, so a neutral text may lean either way.",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
