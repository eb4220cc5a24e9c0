"""Translation of text, sentence by sentence, into another language."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import suite_assets

from suite.codecs.sentences import SentenceSegmenter, split_sentences
from suite.codecs.subwords import END, START, SubwordCodec, SubwordSpec, SubwordTarget
from suite.codecs.text_parsers import RawParser
from suite.decoding.beam_search import Hypothesis
from suite.errors import DataError, UsageError, nearest
from suite.hooks import hookimpl
from suite.metrics import bleu_and_chrf
from suite.nn.specs import AttentionSpec, EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.task import Codecs, Column, DataSpec, Example, Monitor, Option, Plots, Streaming, lazy
from suite.task.seq2seq import (
    SEARCHING,
    GeneratedText,
    Seq2SeqTask,
    alternatives,
    last_text,
    ranked_lines,
    search_options,
    search_outputs,
    stream_output,
)
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
#: A text, or the pair (target language, text).
Source = str | tuple[str, str]
#: A translation has at most this many tokens for each source token, and this many more.
LIMIT = 2, 16


@dataclass(frozen=True)
class TranslationConfig:
    """Sizes of the shipped models."""

    subwords: SubwordSpec = field(default_factory=SubwordSpec)
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=256, dropout=0.1))
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=160, layers=2, bidirectional=True))
    decoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=320, layers=2))
    attention: AttentionSpec = field(default_factory=lambda: AttentionSpec(features=256, heads=4))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(tied=True))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            epochs=4, batch_tokens=3000, lr=2e-3, warmup=0.05, weight_decay=0.01, ema=0.999, label_smoothing=0.1,
            weights="int8",
        )
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TranslatedSentence(GeneratedText):
    """The result of one sentence, with all its hypotheses, best first: text, mean score a token, number of tokens."""

    hypotheses: tuple[tuple[str, float, int], ...] = ()


TranslationCodecs = Codecs[SubwordCodec, SubwordTarget]


class Translation(Seq2SeqTask[TranslationConfig, SubwordCodec, SubwordTarget, GeneratedText]):
    """Translation of text, sentence by sentence, into another language."""

    name = "translation"
    config = TranslationConfig
    result = GeneratedText
    input_codec = SubwordCodec
    target_codec = SubwordTarget
    data = DataSpec(
        columns=(
            Column(name="source", help="the text", required=True),
            Column(name="target", help="its translation"),
            Column(name="to", help="the target language, if there are several"),
        ),
        parallel=("source", "target"),
        keep_blank_lines=True,
    )
    monitor = (Monitor(metric="bleu"),)
    streaming = Streaming(
        kind="segments",
        parser=RawParser,
        help="Text may come in any pieces. The translation of a sentence starts when the sentence has ended, and each "
        "word is printed once it is the same in every hypothesis of the beam. Line breaks are kept.",
    )
    options = (
        Option(
            name="to",
            type=str,
            verbs=SEARCHING,
            help="target language, for models with several (default: the model's first; see info)",
        ),
        *search_options("translation"),
    )
    plots = Plots(results="draw the attention weights of the first sentences to this PNG file")
    about = "Texts of any length are translated sentence by sentence; paragraphs and line breaks are kept."
    assets = Path(suite_assets.__file__).parent / "translation"
    recipe = lazy("suite_translation.data:recipe", "it", "de")
    extra_recipes = tuple((name, lazy("suite_translation.data:recipe", name)) for name in ("de", "fr"))
    augments = True

    # -- data and codecs -----------------------------------------------------------------------------------------

    def example(self, row: Row) -> Example:
        text, target = row.values["source"], row.values.get("target")
        for name, value in (("source", text), ("target", target)):
            if not isinstance(value, str) and not (name == "target" and value is None):
                raise DataError(f"{row.where}: {name} is {type(value).__name__}, not a string; quote it")
        language = row.values.get("to") or ""
        if not isinstance(language, str):
            raise DataError(f"{row.where}: to is {type(language).__name__}, not the name of a language; quote it")
        key = str(row.values.get("key") or text)
        source = (language, text) if language else text
        return Example(input=source, target=target, key=key, where=row.where, values=row.values)

    def check_example(self, example: Example, codecs: TranslationCodecs) -> Example:
        if not example.target:
            raise DataError("no target; give a reference translation")
        language, _ = split_source(example.input)
        if language and language not in codecs.input.tags:
            raise DataError(f"to: {_unknown_language(language, codecs.input.tags)}")
        return example

    def fit_codecs(
        self, examples: Sequence[Example], config: TranslationConfig, **options: Any
    ) -> TranslationCodecs:  # fmt: skip
        for item in examples:
            if item.target is None:
                raise DataError(f"{item.where}: no target; training needs both sides of a pair")
        languages = Counter(split_source(item.input)[0] for item in examples)
        if len(languages) > 1 and "" in languages:
            where = next(item.where for item in examples if not split_source(item.input)[0])
            raise DataError(f"{where}: no language in column 'to', but other rows have one; give all rows one, or none")
        texts = itertools.chain.from_iterable((split_source(item.input)[1], item.target) for item in examples)
        # The most frequent first: it is the default target language.
        codec = SubwordCodec.fit(texts, config.subwords, [name for name, _ in languages.most_common() if name])
        return Codecs(codec, SubwordTarget(codec))

    def configure_codecs(
        self, codecs: TranslationCodecs, *, to: str | None = None, **options: Any
    ) -> TranslationCodecs:  # fmt: skip
        if to is None:
            return codecs
        if to not in codecs.input.tags:
            raise UsageError(f"--to {_unknown_language(to, codecs.input.tags)}")
        return codecs.replace(input=codecs.input.towards(to))

    def describe(self, codecs: TranslationCodecs) -> dict[str, Any]:
        """The target languages, the default first."""
        return {"languages": list(codecs.input.tags)} if codecs.input.tags else {}

    # -- model ---------------------------------------------------------------------------------------------------

    def build_model(self, config: TranslationConfig, codecs: TranslationCodecs) -> Model:
        from suite.nn.build import tokens_to_tokens

        return tokens_to_tokens(
            codecs.input.size, config.embedding, config.encoder, config.decoder, config.attention, config.head
        )  # fmt: skip

    def augment(
        self, item: Source, target: str, config: TranslationConfig, random: np.random.Generator,
        codecs: TranslationCodecs,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Both sides segmented with BPE-dropout."""
        (wanted,) = codecs.target.encode([target], random, config.subwords.dropout)
        return codecs.input.encode(item, random, config.subwords.dropout), wanted

    # -- prediction ----------------------------------------------------------------------------------------------

    def preprocess(self, item: Any, codecs: TranslationCodecs, **options: Any) -> list[Source]:
        """The sentences of a text, each with the text's target language if it has one."""
        paired = isinstance(item, tuple) and len(item) == 2
        language, text = item if paired else ("", item)
        if not isinstance(text, str):
            raise DataError(f"expected a text, got {type(text).__name__}; pass a str")
        found = [sentence for _, sentence in split_sentences(text) if sentence]
        return [(language, sentence) for sentence in found] if paired else list(found)

    def predict(
        self, model: LoadedModel[SubwordCodec, SubwordTarget], pieces: Sequence[Source],
        arrays: Sequence[np.ndarray], **options: Any,
    ) -> list[TranslatedSentence]:  # fmt: skip
        """The translation of each sentence."""
        results = []
        for piece, found in zip(pieces, self.hypotheses(model, arrays, **options), strict=True):
            decoded = tuple((model.codecs.input.decode(h.tokens), h.score, len(h.tokens) + 1) for h in found)
            text, score, _ = decoded[0]
            results.append(
                TranslatedSentence(input=split_source(piece)[1], text=text, score=score, hypotheses=decoded)
            )  # fmt: skip
        return results

    def hypotheses(
        self, model: LoadedModel[SubwordCodec, SubwordTarget], arrays: Sequence[np.ndarray], *, to: str | None = None,
        attention: bool = False, **options: Any,
    ) -> Sequence[Sequence[Hypothesis]]:  # fmt: skip
        """The hypotheses for each encoded sentence, best first; with ``attention`` they have attention weights."""
        limits = [max_tokens(array) for array in arrays]
        return search_outputs(
            model.runtime, arrays, limits, start=START, end=END, attention=attention, **options
        )  # fmt: skip

    def merge(
        self, results: Sequence[TranslatedSentence], item: Source, codecs: TranslationCodecs, *, n_best: int = 1,
        **options: Any,
    ) -> GeneratedText:  # fmt: skip
        """One translation of all sentences, with the white space between them.

        The n-th alternative has the n-th best hypothesis of each sentence, or its last if it has fewer. A text without
        words is its own translation.
        """
        _, text = split_source(item)
        spaced = split_sentences(text)
        merged = []
        for number in range(max((len(result.hypotheses) for result in results), default=1)):
            chosen = [result.hypotheses[min(number, len(result.hypotheses) - 1)] for result in results]
            texts = iter(chosen)
            words = "".join(space + (next(texts)[0] if sentence else "") for space, sentence in spaced)
            tokens = sum(count for _, _, count in chosen)
            merged.append((words, sum(score * count for _, score, count in chosen) / tokens if tokens else 0.0))
        (best, score), *others = merged
        return GeneratedText(input=text, text=best, score=score, alternatives=alternatives(others, n_best))

    # -- streaming -----------------------------------------------------------------------------------------------

    def segmenter(self, pending: Any) -> SentenceSegmenter:
        return SentenceSegmenter(pending)

    def stream_segment(
        self, model: LoadedModel[SubwordCodec, SubwordTarget], separator: str, segment: str, sums: dict[str, Any], *,
        to: str | None = None, **options: Any,
    ) -> Iterator[GeneratedText]:  # fmt: skip
        """The white space before a sentence, then its translation in parts as they are settled."""
        if separator:
            yield GeneratedText(input=separator, text=separator, score=0.0, final=False)
        if not segment:
            return
        codec = model.codecs.input
        array = codec.encode(segment)
        parts = stream_output(
            model.runtime, array, codec.writer(), sums, start=START, end=END, limit=max_tokens(array), **options
        )  # fmt: skip
        for text, best in parts:
            yield GeneratedText(input=segment, text=text, score=best.score if best else 0.0, final=False)

    def last_result(self, updates: Sequence[GeneratedText], sums: Mapping[str, Any]) -> GeneratedText:
        return last_text(updates, sums)

    # -- evaluation and output -----------------------------------------------------------------------------------

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """BLEU and chrF with sacreBLEU's defaults; with several target languages, those of each one too."""
        languages = [split_source(example.input)[0] for example in examples]
        pairs = [(result.text, example.target) for result, example in zip(results, examples, strict=True)]
        found = _bleu_and_chrf(pairs)
        signature = found.pop("bleu_signature")
        for language in dict.fromkeys(languages) if len(set(languages)) > 1 else ():
            found[language] = _bleu_and_chrf(
                [pair for pair, own in zip(pairs, languages, strict=True) if own == language]
            )  # fmt: skip
            del found[language]["bleu_signature"]
        return found | {"bleu_signature": signature}

    def render(self, result: Any) -> str:
        if not result.alternatives:
            return str(result.text)
        return "\n".join(ranked_lines(result.score, result.text, result.alternatives))

    def render_update(self, result: Any, previous: Any) -> str:
        """What the update adds; the last result ends an unfinished line."""
        shown = result.text or (previous.text if previous is not None else "")
        return str(result.text) + ("\n" if result.final and not shown.endswith("\n") else "")

    def plot(
        self, model: LoadedModel[SubwordCodec, SubwordTarget], inputs: Sequence[Any], results: Sequence[Any],
        path: Path,
    ) -> None:  # fmt: skip
        from suite_translation.plot import MAX_SENTENCES, alignments

        pieces = itertools.chain.from_iterable(self.preprocess(item, model.codecs) for item in inputs)
        arrays = [model.codecs.input.encode(piece) for piece in itertools.islice(pieces, MAX_SENTENCES)]
        if not arrays:
            raise DataError("nothing to draw: the texts have no words")
        options = self.parse_options("predict", model.options)
        found = self.hypotheses(model, arrays, attention=True, **options)
        alignments(model.codecs.input, arrays, [best for best, *_ in found], path)


def split_source(source: Source) -> tuple[str, str]:
    """The target language of an input, empty if it names none, and its text."""
    return source if isinstance(source, tuple) else ("", source)


def max_tokens(array: np.ndarray) -> int:
    """The most tokens that the translation of an encoded sentence has."""
    return LIMIT[0] * len(array) + LIMIT[1]


def _unknown_language(language: str, known: Sequence[str]) -> str:
    if not known:
        return f"{language!r}: this model has a single target language, without a name; leave it out"
    return f"{language!r} is not a target language of this model; {nearest(language, known)}"


def _bleu_and_chrf(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    texts, references = [text for text, _ in pairs], [[target] for _, target in pairs]
    return {"items": len(pairs), **bleu_and_chrf(texts, references, "evaluating translations")}


@hookimpl
def suite_tasks() -> list[type[Translation]]:
    return [Translation]
