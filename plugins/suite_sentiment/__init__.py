"""Sentiment of a text: positive, neutral or negative, with a polarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import suite_assets

from suite.codecs.targets import Labels, Target, Value
from suite.codecs.text_parsers import ParagraphParser
from suite.codecs.wordpieces import WordPieceCodec, WordPieceSpec
from suite.errors import DataError, nearest
from suite.hooks import hookimpl
from suite.metrics import accuracy, macro_f1, pearson_r, per_source, sign_accuracy
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.task import Codecs, Column, DataSpec, Example, ManyToOneTask, Monitor, Option, Plots, Result, Streaming, lazy
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
#: Polarity is −1 … 1; between the cuts a text is neutral.
POLARITY = Value(-1.0, 1.0, cuts=(-0.05, 0.05), classes=("negative", "neutral", "positive"))


@dataclass(frozen=True)
class SentimentConfig:
    """Sizes of the shipped model; ``--set words.vocabulary=…`` changes one."""

    words: WordPieceSpec = field(default_factory=WordPieceSpec)
    embedding: EmbeddingSpec = field(default_factory=EmbeddingSpec)
    encoder: RecurrentSpec = field(default_factory=RecurrentSpec)
    head: HeadSpec = field(default_factory=HeadSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)


@dataclass(frozen=True, kw_only=True)
class SentimentResult(Result):
    """``polarity`` (−1 … 1) is None where the checkpoint was trained on labels instead of ratings."""

    label: str
    polarity: float | None
    probabilities: dict[str, float]


SentimentCodecs = Codecs[WordPieceCodec, Target]


class Sentiment(ManyToOneTask[SentimentConfig, WordPieceCodec, Target, SentimentResult]):
    """Sentiment of a text: positive, neutral or negative, with a polarity."""

    name = "sentiment"
    config = SentimentConfig
    result = SentimentResult
    input_codec = WordPieceCodec
    target_codec = Target
    data = DataSpec(
        columns=(
            Column(name="text", help="the text", required=True),
            Column(name="label", help="any set of labels"),
            Column(name="polarity", help="or a rating, −1 … 1"),
            Column(name="source", help="a group, for metrics per source"),
        )
    )
    monitor = (Monitor(metric="pearson_r"), Monitor(metric="macro_f1"))
    streaming = Streaming(
        parser=ParagraphParser,
        help="Text may come in any pieces; the running polarity is printed after each word. A blank line ends a text.",
    )
    options = (
        Option(
            name="vectors",
            type=Path,
            verbs=("train",),
            help="word vectors to initialize the embedding with (.npz, or text: a word and its numbers a line)",
        ),
    )
    plots = Plots(results="draw the polarity after each word of the first texts to this PNG file", evaluation=True)
    about = (
        "Polarity is -1 (bad) to 1 (good): positive above .05, negative below -.05, neutral between. The probabilities "
        "are those of people's mean rating, so a neutral text may lean either way."
    )
    assets = Path(suite_assets.__file__).parent / "sentiment"
    recipe = lazy("suite_sentiment.data:recipe")

    def example(self, row: Row) -> Example:
        text, polarity = row.values["text"], row.values.get("polarity")
        if not isinstance(text, str):
            raise DataError(f"{row.where}: text is {type(text).__name__}, not a string; quote it")
        target: float | str
        if polarity not in (None, ""):
            try:
                target = float(polarity)
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

    def check_example(self, example: Example, codecs: SentimentCodecs) -> Example:
        label, known = true_label(example), codecs.target.labels
        if label not in known:
            raise DataError(f"unknown label {label!r}; {nearest(label, known)}")
        return example

    def fit_codecs(
        self, examples: Sequence[Example], config: SentimentConfig, *, vectors: Path | None = None, **options: Any
    ) -> SentimentCodecs:
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
        return Codecs(WordPieceCodec.fit((e.input for e in examples), config.words, words), target)

    def build_model(self, config: SentimentConfig, codecs: SentimentCodecs) -> Model:
        from suite.nn.build import tokens_to_one

        words, outputs = codecs.input, codecs.target.size
        return tokens_to_one(words.size, config.embedding, config.encoder, config.head, outputs, silent=words.unknown)

    def initialize(
        self, model: Model, codecs: SentimentCodecs, *, vectors: Path | None = None, **options: Any
    ) -> None:  # fmt: skip
        if vectors is not None:
            from suite.codecs.word_vectors import read_vectors
            from suite.nn.init import set_vectors

            set_vectors(model.get_submodule("frontend"), codecs.input.vocabulary, read_vectors(vectors))

    def decode(
        self, outputs: np.ndarray, codecs: SentimentCodecs, item: Any, *, final: bool | None = None, **options: Any
    ) -> SentimentResult:
        label, probabilities = codecs.target.decide(outputs)
        polarity = codecs.target.moments(outputs)[0] if isinstance(codecs.target, Value) else None
        return SentimentResult(input=item, final=final, label=label, polarity=polarity, probabilities=probabilities)

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Accuracy and macro F1, correlation and sign where ratings are given, and the same per source."""
        metrics = _metrics(results, examples)
        if apart := per_source(results, examples, _metrics):
            metrics["per_source"] = apart
        return metrics

    def render(self, result: Any) -> str:
        return f"{_verdict(result)}  {' '.join(result.input.split())}"

    def render_update(self, result: Any, previous: Any) -> str:
        if result.final:
            return f"{'─' * 16}  {_verdict(result)}\n"
        return f"{result.input:<16}  {_verdict(result)}"

    def plot(
        self, model: LoadedModel[WordPieceCodec, Target], inputs: Sequence[Any], results: Sequence[Any], path: Path
    ) -> None:
        from suite_sentiment.plot import running

        running(model, results, path)

    def plot_evaluation(self, results: Sequence[Any], examples: Sequence[Example], path: Path) -> None:
        from suite_sentiment.plot import against_ratings

        against_ratings(results, examples, path)


def true_label(example: Example) -> str:
    """The label of an example, or the class its rating falls in."""
    target = example.target
    return POLARITY.label(target) if isinstance(target, float) else str(target)


def _metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    truth = [true_label(example) for example in examples]
    found = [r.label for r in results]
    metrics = {"items": len(truth), "accuracy": accuracy(truth, found), "macro_f1": macro_f1(truth, found)}
    if all(isinstance(e.target, float) for e in examples) and all(r.polarity is not None for r in results):
        ratings, polarities = [e.target for e in examples], [r.polarity for r in results]
        metrics["pearson_r"] = pearson_r(ratings, polarities)
        metrics["sign_accuracy"] = sign_accuracy(ratings, polarities)
    return metrics


def _verdict(result: SentimentResult) -> str:
    polarity = "" if result.polarity is None else f" {result.polarity:+.2f}"
    shares = "  ".join(f"{name[:3]} {p:.2f}" for name, p in result.probabilities.items())
    return f"{result.label:<8}{polarity}  [{shares}]"


@hookimpl
def suite_tasks() -> list[type[Sentiment]]:
    return [Sentiment]
