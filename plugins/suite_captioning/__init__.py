"""A caption for a picture, word by word, by a decoder that looks at the part it writes of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import suite_assets

from suite.augment.specs import PictureChanges
from suite.codecs.images import ENDINGS, ImageCodec, ImageSpec
from suite.codecs.subwords import SubwordCodec, SubwordSpec, SubwordTarget
from suite.codecs.text import stdin_chunks
from suite.data.captions import read_captions
from suite.data.zip_paths import files_in_folder
from suite.errors import DataError
from suite.hooks import hookimpl
from suite.metrics import bleu_and_chrf, cider
from suite.nn.specs import AttentionSpec, BackboneSpec, EmbeddingSpec, EncoderSpec, StepHeadSpec
from suite.task import Codecs, Column, Example, Option, Task, later
from suite.task import seq2seq as writing
from suite.task.seq2seq import TextResult
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import OneToMany

#: A caption has at most this many tokens.
LIMIT = 64
#: Names that go on for long, once begun, are likely word for word: that must not count for them (chosen on dev).
PENALTY = 0.5


@dataclass(frozen=True)
class CaptioningConfig:
    """Sizes of the shipped models."""

    images: ImageSpec = field(default_factory=ImageSpec)
    subwords: SubwordSpec = field(default_factory=lambda: SubwordSpec(vocabulary=4000, min_count=2, whole=3000))
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=256, dropout=0.1))
    encoder: BackboneSpec = field(default_factory=lambda: BackboneSpec(depths=(1, 2, 2, 2), dropout=0.1))
    decoder: EncoderSpec = field(default_factory=lambda: EncoderSpec(hidden=256, layers=2, dropout=0.3))
    attention: AttentionSpec = field(default_factory=lambda: AttentionSpec(features=256, heads=4))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(tied=True, dropout=0.3))
    augment: PictureChanges = field(default_factory=PictureChanges)
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            epochs=50, batch_size=64, lr=2e-3, warmup=0.05, weight_decay=0.05, ema=0.999, patience=0, keep="last",
            label_smoothing=0.1, weights="int8",
        )
    )  # fmt: skip


class CaptionTarget(SubwordTarget):
    """What is written of a picture that has several captions: the first of them, where one must do."""

    def encode(
        self, targets: Any, random: np.random.Generator | None = None, dropout: float = 0.0
    ) -> list[np.ndarray]:  # fmt: skip
        return super().encode(map(self.plain, targets), random, dropout)

    def plain(self, target: Any) -> str:
        return target if isinstance(target, str) else target[0] if target else ""


def expand(
    argument: str, on_error: Any = None, *, recursive: bool = False, **options: Any
) -> Iterator[tuple[str, str]]:
    """A picture, or the pictures in a folder."""
    return files_in_folder(argument, ENDINGS, "picture", recursive=recursive)


def check(example: Example, codecs: Codecs) -> Example:
    if not example.target:
        raise DataError("no caption; give one to compare with")
    return example


def fit(examples: Sequence[Example], config: CaptioningConfig) -> dict[str, Any]:
    for item in examples:
        if not item.target:
            raise DataError(f"{item.where}: no caption; a picture to learn from needs one")
    codec = SubwordCodec.fit((text for item in examples for text in item.target), config.subwords)
    return {"input": ImageCodec(config.images), "target": CaptionTarget(codec)}


def build(config: CaptioningConfig, codecs: Codecs) -> OneToMany:
    from suite.nn.build import picture_to_tokens

    size: int = codecs["target"].size  # type: ignore[attr-defined]
    return picture_to_tokens(
        config.images.size, size, config.embedding, config.encoder, config.decoder, config.attention, config.head
    )  # fmt: skip


def initialise(model: OneToMany, codecs: Codecs, **options: Any) -> None:
    """Start from published weights, where the settings say so."""
    model.frontend.fetch()  # type: ignore[operator]


def augment(
    pair: tuple[np.ndarray, Sequence[str]], config: CaptioningConfig, random: np.random.Generator, codecs: Codecs
) -> tuple[np.ndarray, np.ndarray]:
    """A picture changed a little, and one of its captions."""
    from suite.augment.images import augment_image

    picture, captions = pair
    (wanted,) = codecs["target"].encode([captions[int(random.integers(len(captions)))]])  # type: ignore[attr-defined]
    return augment_image(picture, config.augment, random), wanted


# --- answers --------------------------------------------------------------------------------------------------


def answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], *, recursive: bool = False, **options: Any
) -> list[TextResult]:
    """The caption of each picture."""
    return writing.text_answer(pipeline, pieces, arrays, limit=LIMIT, named=_named, **options)


def _named(picture: Any) -> str:
    """What was given, in a word: a path, or what it is."""
    return str(picture) if isinstance(picture, str | Path) else f"a picture ({type(picture).__name__})"


# --- figures --------------------------------------------------------------------------------------------------

_SKIN = re.compile(r"(?:[:,]\s*)?\b(?:medium-light|medium-dark|light|medium|dark) skin tone\b")


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """How near the captions are; apart too for pictures whose kind was in training (``seen``) and those not."""
    texts, wanted = [result.text for result in results], [example.target for example in examples]
    figures: dict[str, Any] = {"items": len(texts), **_judged(texts, wanted)}
    for name, flag in (("seen", True), ("unseen", False)):
        those = [i for i, example in enumerate(examples) if example.values.get("seen") is flag]
        if those:
            own = _judged([texts[i] for i in those], [wanted[i] for i in those])
            figures[name] = {"items": len(those), **own}
    return figures


def _judged(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    judged = bleu_and_chrf(found, wanted, "judging captions")
    figures = {
        "exact_match": _share(found, wanted),
        "bleu4": judged["bleu"],
        "chrf": judged["chrf"],
        "cider": round(cider(found, wanted), 4),
    }
    if any(_SKIN.search(text) for own in wanted for text in own):
        plain = [_SKIN.sub("", text) for text in found], [[_SKIN.sub("", text) for text in own] for own in wanted]
        figures["exact_match_skin_tone_aside"] = _share(*plain)
    return figures


def _share(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> float:
    return float(np.mean([text in own for text, own in zip(found, wanted, strict=True)]))


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_captioning.plot import looks

    asked = TASK.checked("predict", pipeline.asked)
    del asked["recursive"]
    looks(pipeline, inputs, path, limit=LIMIT, **asked)


_RECURSIVE = Option(
    name="recursive", type=bool, default=False, help="of a folder, the pictures in all folders in it too"
)

TASK = Task(
    name="captioning",
    summary=__doc__.splitlines()[0],
    mapping="one-to-many",
    config=CaptioningConfig,
    result=TextResult,
    columns=(
        Column(name="image", help="a picture: .png, .jpg, .webp, .gif (its first) or .bmp", required=True),
        Column(
            name="captions",
            help="what it shows: a list of texts, or one in a column caption, where an image may repeat; or COCO's "
            "captions as .json, or a folder as Flickr8k comes",
        ),
    ),
    read=read_captions,
    expand=expand,
    codecs={"input": ImageCodec.from_files, "target": CaptionTarget.from_files},
    fit=fit,
    build=build,
    initialise=initialise,
    augment=augment,
    check=check,
    answer=answer,
    render=writing.render_text,
    render_update=writing.render_text_update,
    metrics=metrics,
    best=("chrf",),
    chunks=stdin_chunks,
    unit="segment",
    segments=writing.text_segments(limit=LIMIT),
    options=(*writing.options("caption", length_penalty=PENALTY), writing.neighbours(), _RECURSIVE),
    recipe=later("suite_captioning.data:recipe"),
    further={"stamps": later("suite_captioning.data:stamps_recipe")},
    assets=Path(suite_assets.__file__).parent / "captioning",
    default="emoji",
    plot=plot,
    plot_help="draw the first pictures, and what was looked at for each word of the best caption, to this PNG file",
    stream_help="A line is the path of a picture; its caption is written word by word, each when no better caption "
    "would change it, or whole where a checkpoint keeps pictures of training to choose by.",
    about="A picture is made to fit into a square, as it is upright, what is transparent on white. A folder gives the "
    "pictures in it.",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
