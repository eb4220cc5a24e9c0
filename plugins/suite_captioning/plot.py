"""Pictures of captions: what the decoder looked at for each word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from suite.codecs.images import fit_to_square, open_image
from suite.codecs.subwords import SubwordTarget
from suite.inference.pipeline import Pipeline
from suite.plotting.figure import figure
from suite.plotting.heatmap import Picture
from suite.plotting.panel import Panel
from suite.task.seq2seq import chosen

#: So many pictures are drawn, as far as so many words of each, in rows of so many; pixels of a side.
SHOWN, WORDS, COLUMNS, SIDE = 4, 23, 6, 200
#: How much is left of what is not looked at.
DARK = 0.25


def looks(pipeline: Pipeline, pictures: Sequence[Any], path: Path, **options: Any) -> None:
    """Of the first pictures, the picture, and for each piece of a word that was written where the decoder looked."""
    target = pipeline.codecs["target"]
    assert isinstance(target, SubwordTarget)
    given = list(pictures[:SHOWN])
    arrays = [pipeline.codecs["input"].encode(picture) for picture in given]  # type: ignore[attr-defined]
    found = chosen(pipeline, arrays, attention=True, **options)
    panels: list[Panel] = []
    for picture, array, (best, *_) in zip(given, arrays, found, strict=True):
        assert best.weights is not None
        whole = np.asarray(fit_to_square(open_image(picture), SIDE))
        panels.append(Picture(whole, f"score {best.score:.2f}"))
        words = target.codec.tokens(best.tokens)[:WORDS]
        panels += [Picture(lit(whole, weights, array.shape[1:]), word) for word, weights in zip(words, best.weights)]  # noqa: B905 - the weights of the end are not drawn
        panels += [Picture(np.full((1, 1, 3), 255, np.uint8), "") for _ in range(-len(panels) % COLUMNS)]
    figure(panels, path, columns=COLUMNS, width=COLUMNS * (SIDE + 40), height=SIDE)


def lit(picture: np.ndarray, weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A picture ``[H, W, 3]`` dark but where the ``weights [S]`` are, of a grid of places over the input's shape."""
    rows = max(1, round((len(weights) * shape[0] / shape[1]) ** 0.5))
    grid = weights[: rows * (len(weights) // rows)].reshape(rows, -1)
    light = Image.fromarray((grid / max(float(grid.max()), 1e-9)).astype(np.float32))
    mask = np.asarray(light.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BICUBIC)).clip(0, 1)
    mask = DARK + (1 - DARK) * mask[:, :, None]
    return np.asarray(picture * mask + 0.5, np.uint8)
