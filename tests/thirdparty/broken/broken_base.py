"""A task that works, of which the broken ones break one thing each."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from suite.codecs.targets import Labels
from suite.codecs.wordpieces import WordPieceCodec, WordPieceSpec
from suite.metrics import accuracy
from suite.nn.specs import EmbeddingSpec, HeadSpec, RecurrentSpec
from suite.task import Column, Example, Result, Task
from suite.training.specs import TrainingSpec


@dataclass(frozen=True)
class Config:
    words: WordPieceSpec = field(default_factory=lambda: WordPieceSpec(min_count=1, pieces=40))
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=8))
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=8))
    head: HeadSpec = field(default_factory=HeadSpec)
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=1, batch_size=8))


@dataclass(frozen=True, kw_only=True)
class Answer(Result):
    label: str


def example(row: Any) -> Example:
    return Example(input=row.values["text"], target=row.values["label"], key=row.values["text"], where=row.where)


def fit(examples: Any, config: Config) -> dict[str, Any]:
    words = WordPieceCodec.fit((e.input for e in examples), config.words)
    return {"input": words, "target": Labels.fit(e.target for e in examples)}


def build(config: Config, codecs: Any, more: int = 0) -> Any:
    from suite.nn.build import tokens_to_one

    size = codecs["target"].size + more
    return tokens_to_one(codecs["input"].size, config.embedding, config.encoder, config.head, size)


def decode(outputs: Any, codecs: Any, text: Any, *, final: bool | None = None) -> Answer:
    probabilities = codecs["target"].probabilities(outputs)
    return Answer(input=text, final=final, label=max(probabilities, key=probabilities.get))


def metrics(results: Any, examples: Any) -> dict[str, Any]:
    return {"accuracy": accuracy([e.target for e in examples], [r.label for r in results])}


def task(name: str, **changes: Any) -> Task:
    whole = Task(
        name=name, summary="A text's label.", mapping="many-to-one", config=Config, result=Answer,
        columns=(Column(name="text", help="the text", required=True), Column(name="label", help="its label")),
        codecs={"input": WordPieceCodec.from_files, "target": Labels.from_files}, example=example, fit=fit, build=build,
        decode=decode, metrics=metrics, best=("accuracy",), render=lambda r: r.label,
        render_update=lambda r, before: r.label,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)
