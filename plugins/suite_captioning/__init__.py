"""Captions for images, by a decoder that attends to the part it describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.augment.specs import PictureChanges
from suite.codecs.images import ENDINGS, ImageCodec, ImageSpec
from suite.codecs.subwords import SubwordCodec, SubwordSpec, SubwordTarget
from suite.codecs.text_parsers import RawParser
from suite.data.captions import read_captions
from suite.errors import DataError
from suite.hooks import hookimpl
from suite.metrics import bleu_and_chrf, cider
from suite.nn.specs import AttentionSpec, BackboneSpec, EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.task import (
    Codecs,
    Column,
    DataSpec,
    Example,
    Mappings,
    Monitor,
    Plots,
    Streaming,
    lazy,
    recursive_option,
)
from suite.task.seq2seq import TextGenerationTask, reranking_option, search_options
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
#: The rest of a long name is nearly certain once it has begun: its tokens must not count in its favor (chosen on dev).
LENGTH_PENALTY = 0.5


@dataclass(frozen=True)
class CaptioningConfig:
    """Sizes of the shipped models."""

    images: ImageSpec = field(default_factory=ImageSpec)
    subwords: SubwordSpec = field(default_factory=lambda: SubwordSpec(vocabulary=4000, min_count=2, whole=3000))
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=256, dropout=0.1))
    encoder: BackboneSpec = field(default_factory=lambda: BackboneSpec(depths=(1, 2, 2, 2), dropout=0.1))
    decoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=256, layers=2, dropout=0.3))
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
    """The target codec of images with one or several captions; where a single one is needed, it is the first."""

    def encode(
        self, targets: Any, random: np.random.Generator | None = None, dropout: float = 0.0
    ) -> list[np.ndarray]:  # fmt: skip
        return super().encode(map(self.plain, targets), random, dropout)

    def plain(self, target: Any) -> str:
        return target if isinstance(target, str) else target[0] if target else ""


CaptioningCodecs = Codecs[ImageCodec, CaptionTarget]


class Captioning(TextGenerationTask[CaptioningConfig, ImageCodec, CaptionTarget]):
    """Captions for images, by a decoder that attends to the part it describes."""

    name = "captioning"
    mapping: ClassVar[Mappings] = "one-to-many"
    config = CaptioningConfig
    input_codec = ImageCodec
    target_codec = CaptionTarget
    data = DataSpec(
        columns=(
            Column(name="image", help="an image: .png, .jpg, .webp, .gif (its first frame) or .bmp", required=True),
            Column(
                name="captions",
                help="a list of captions, or one in a column caption, where an image may have several rows; or COCO "
                "captions as .json, or a folder as Flickr8k has",
            ),
        ),
        inputs="files",
        item="image",
        endings=ENDINGS,
        tables=False,
    )
    monitor = (Monitor(metric="chrf"),)
    streaming = Streaming(
        kind="segments",
        parser=RawParser,
        help="Each line is the path of an image. Its caption is printed word by word, each once it is the same in "
        "every hypothesis of the beam, or whole if the checkpoint keeps training examples for reranking.",
    )
    options = (
        *search_options("caption", length_penalty=LENGTH_PENALTY),
        reranking_option(),
        recursive_option("image"),
    )
    plots = Plots(
        results="draw the first images, and the attention weights of each token of their captions, to this PNG file"
    )
    about = (
        "An image is turned upright and scaled to fit a square; transparency becomes white. A folder stands for the "
        "images in it."
    )
    assets = Path(suite_assets.__file__).parent / "captioning"
    default_checkpoint = "emoji"
    recipe = lazy("suite_captioning.data:recipe")
    extra_recipes = (("stamps", lazy("suite_captioning.data:stamps_recipe")),)
    augments = True
    augments_arrays = True

    def read_file(
        self, path: str | Path, *, format: str | None, columns: Mapping[str, str] | None,
        on_error: Callable[[DataError], None] | None,
    ) -> Iterator[Example]:  # fmt: skip
        return read_captions(path, format=format, columns=columns, on_error=on_error)

    def check_example(self, example: Example, codecs: CaptioningCodecs) -> Example:
        if not example.target:
            raise DataError("no caption; give a reference caption")
        return example

    def fit_codecs(
        self, examples: Sequence[Example], config: CaptioningConfig, **options: Any
    ) -> CaptioningCodecs:  # fmt: skip
        for item in examples:
            if not item.target:
                raise DataError(f"{item.where}: no caption; training needs one for each image")
        codec = SubwordCodec.fit((text for item in examples for text in item.target), config.subwords)
        return Codecs(ImageCodec(config.images), CaptionTarget(codec))

    def build_model(self, config: CaptioningConfig, codecs: CaptioningCodecs) -> Model:
        from suite.nn.build import image_to_tokens

        return image_to_tokens(
            config.images.size, codecs.target.size, config.embedding, config.encoder, config.decoder,
            config.attention, config.head,
        )  # fmt: skip

    def initialize(self, model: Model, codecs: CaptioningCodecs, **options: Any) -> None:
        from suite.nn.init import load_pretrained

        load_pretrained(model)

    def augment(
        self, item: np.ndarray, target: Sequence[str], config: CaptioningConfig, random: np.random.Generator,
        codecs: CaptioningCodecs,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """The image augmented, and one of its captions."""
        from suite.augment.images import augment_image

        (wanted,) = codecs.target.encode([target[int(random.integers(len(target)))]])
        return augment_image(item, config.augment, random), wanted

    def input_name(self, item: Any) -> str:
        """The path of an image, or the type of what was given instead."""
        return str(item) if isinstance(item, str | Path) else f"an image ({type(item).__name__})"

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Exact matches, BLEU, chrF and CIDEr; also of images whose kind was in training (``seen``) and of others."""
        texts, references = [result.text for result in results], [example.target for example in examples]
        metrics: dict[str, Any] = {"items": len(texts), **_caption_metrics(texts, references)}
        for name, flag in (("seen", True), ("unseen", False)):
            part = [i for i, example in enumerate(examples) if example.values.get("seen") is flag]
            if part:
                own = _caption_metrics([texts[i] for i in part], [references[i] for i in part])
                metrics[name] = {"items": len(part), **own}
        return metrics

    def plot(
        self, model: LoadedModel[ImageCodec, CaptionTarget], inputs: Sequence[Any], results: Sequence[Any], path: Path
    ) -> None:
        from suite_captioning.plot import MAX_IMAGES, attention_maps

        images = inputs[:MAX_IMAGES]
        arrays = [model.codecs.input.encode(image) for image in images]
        found = self.hypotheses(model, arrays, attention=True, **self.parse_options("predict", model.options))
        attention_maps(images, arrays, [best for best, *_ in found], model.codecs.target.codec, path)


_SKIN_TONE = re.compile(r"(?:[:,]\s*)?\b(?:medium-light|medium-dark|light|medium|dark) skin tone\b")


def _caption_metrics(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    scores = bleu_and_chrf(texts, references, "evaluating captions")
    metrics = {
        "exact_match": _exact_match(texts, references),
        "bleu4": scores["bleu"],
        "chrf": scores["chrf"],
        "cider": round(cider(texts, references), 4),
    }
    if any(_SKIN_TONE.search(text) for own in references for text in own):
        without = [[_SKIN_TONE.sub("", text) for text in own] for own in references]
        metrics["exact_match_skin_tone_aside"] = _exact_match([_SKIN_TONE.sub("", text) for text in texts], without)
    return metrics


def _exact_match(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    return float(np.mean([text in own for text, own in zip(texts, references, strict=True)]))


@hookimpl
def suite_tasks() -> list[type[Captioning]]:
    return [Captioning]
