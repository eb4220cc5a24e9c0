"""Plots of captions: the attention weights of each token over the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from suite.codecs.images import fit_to_square, open_image
from suite.codecs.subwords import SubwordCodec
from suite.decoding.beam_search import Hypothesis
from suite.plotting.figure import figure
from suite.plotting.heatmap import Picture
from suite.plotting.panel import Panel

#: Images drawn and tokens of each, at most; panels in a row, and pixels of a panel's side.
MAX_IMAGES, MAX_TOKENS, COLUMNS, SIDE = 4, 23, 6, 200
#: Brightness of the places without attention.
DARK = 0.25


def attention_maps(
    images: Sequence[Any],
    arrays: Sequence[np.ndarray],
    hypotheses: Sequence[Hypothesis],
    codec: SubwordCodec,
    path: Path,
) -> None:
    """A panel for each image, then one for each token of its caption, bright where its attention weights are.

    ``arrays`` are the encoded ``images``, and ``hypotheses`` their captions with attention weights.
    """
    panels: list[Panel] = []
    for image, array, best in zip(images, arrays, hypotheses, strict=True):
        if best.weights is None:
            raise ValueError("the hypotheses have no attention weights")
        whole = np.asarray(fit_to_square(open_image(image), SIDE))
        panels.append(Picture(whole, f"score {best.score:.2f}"))
        tokens = codec.tokens(best.tokens)[:MAX_TOKENS]
        panels += [
            Picture(highlighted(whole, weights, array.shape[1:]), token)
            for token, weights in zip(tokens, best.weights)  # noqa: B905 - the weights of the end token are not drawn
        ]
        panels += [Picture(np.full((1, 1, 3), 255, np.uint8), "") for _ in range(-len(panels) % COLUMNS)]
    figure(panels, path, columns=COLUMNS, width=COLUMNS * (SIDE + 40), height=SIDE)


def highlighted(image: np.ndarray, weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An image ``[H, W, 3]``, dark except where ``weights [S]`` are: a grid of S places over an input of ``shape``."""
    rows = max(1, round((len(weights) * shape[0] / shape[1]) ** 0.5))
    grid = weights[: rows * (len(weights) // rows)].reshape(rows, -1)
    light = Image.fromarray((grid / max(float(grid.max()), 1e-9)).astype(np.float32))
    mask = np.asarray(light.resize((image.shape[1], image.shape[0]), Image.Resampling.BICUBIC)).clip(0, 1)
    mask = DARK + (1 - DARK) * mask[:, :, None]
    return np.asarray(image * mask + 0.5, np.uint8)
