"""Text classification with nothing left to write but a name: word pieces, an embedding, a recurrent encoder, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suite.codecs.targets import Labels
from suite.codecs.text_parsers import ParagraphParser
from suite.codecs.wordpieces import WordPieceCodec, WordPieceSpec
from suite.data.examples import Example
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.task.base import Column, DataSpec
from suite.task.classification import ClassificationTask
from suite.task.codecs import Codecs
from suite.task.streaming import Streaming
from suite.task.training_spec import TrainingSpec

if TYPE_CHECKING:
    from suite.nn.models import Model


@dataclass(frozen=True)
class TextClassificationConfig:
    """Sizes for a few dozen to a few thousand texts; ``--set encoder.hidden=256`` and the like change them."""

    words: WordPieceSpec = field(default_factory=lambda: WordPieceSpec(min_count=1, pieces=300))
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=48))
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=48))
    head: HeadSpec = field(default_factory=HeadSpec)
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=15, batch_size=8, lr=5e-3, ema=0.95, patience=0, keep="last")
    )


class TextClassificationTask(ClassificationTask[TextClassificationConfig, WordPieceCodec]):
    """Classify texts: a plugin sets ``name``, and overrides what should differ.

    Data files have the columns ``text`` and ``label``. A stream gives the running label after every word.
    """

    config = TextClassificationConfig
    input_codec = WordPieceCodec
    data = DataSpec(
        columns=(Column(name="text", help="the text", required=True), Column(name="label", help="any set of labels"))
    )
    streaming = Streaming(
        parser=ParagraphParser,
        help="Text may come in any pieces; a label is printed after each word. A blank line ends a text.",
    )

    def fit_codecs(
        self, examples: Sequence[Example], config: TextClassificationConfig, **options: Any
    ) -> Codecs[WordPieceCodec, Labels]:
        """Word pieces and labels of the training examples."""
        words = WordPieceCodec.fit((example.input for example in examples), config.words)
        return Codecs(words, Labels.fit(str(example.target) for example in examples))

    def build_model(self, config: TextClassificationConfig, codecs: Codecs[WordPieceCodec, Labels]) -> Model:
        """Embedded word pieces, a recurrent encoder, pooling, and a logit for each label."""
        from suite.nn.build import tokens_to_one

        return tokens_to_one(
            codecs.input.size, config.embedding, config.encoder, config.head, codecs.target.size, codecs.input.unknown
        )
