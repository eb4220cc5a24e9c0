"""A task that works; each of the broken ones breaks one thing of it."""

from dataclasses import dataclass, field
from typing import Any

from suite.codecs.targets import Labels
from suite.codecs.wordpieces import WordPieceCodec, WordPieceSpec
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.task import ClassificationTask, Codecs, Column, DataSpec
from suite.training.specs import TrainingSpec


@dataclass(frozen=True)
class Config:
    words: WordPieceSpec = field(default_factory=lambda: WordPieceSpec(min_count=1, pieces=40))
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=8))
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=8))
    head: HeadSpec = field(default_factory=HeadSpec)
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=1, batch_size=8))


class Working(ClassificationTask[Config, WordPieceCodec]):
    """Classify a text."""

    config = Config
    input_codec = WordPieceCodec
    data = DataSpec(
        columns=(Column(name="text", help="the text", required=True), Column(name="label", help="its label"))
    )
    #: Outputs of the model beyond those that its targets need.
    more = 0

    def fit_codecs(self, examples: Any, config: Config, **options: Any) -> Codecs[WordPieceCodec, Labels]:
        words = WordPieceCodec.fit((e.input for e in examples), config.words)
        return Codecs(words, Labels.fit(e.target for e in examples))

    def build_model(self, config: Config, codecs: Codecs[WordPieceCodec, Labels]) -> Any:
        from suite.nn.build import tokens_to_one

        size = codecs.target.size + self.more
        return tokens_to_one(codecs.input.size, config.embedding, config.encoder, config.head, size)
