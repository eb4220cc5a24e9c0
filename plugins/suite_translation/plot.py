"""Plots of translations: the attention weights of each token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.codecs.subwords import END, SubwordCodec
from suite.decoding.beam_search import Hypothesis
from suite.plotting.figure import figure
from suite.plotting.heatmap import Heatmap
from suite.plotting.panel import Panel

#: Sentences drawn, and tokens of each, at most.
MAX_SENTENCES, MAX_TOKENS = 4, 60


def alignments(
    codec: SubwordCodec, arrays: Sequence[np.ndarray], hypotheses: Sequence[Hypothesis], path: Path
) -> None:  # fmt: skip
    """A heatmap for each sentence: a row for each token of the translation, a column for each source token.

    ``arrays`` are the encoded sentences, and ``hypotheses`` their translations with attention weights.
    """
    panels: list[Panel] = []
    for array, best in zip(arrays, hypotheses, strict=True):
        if best.weights is None:
            raise ValueError("the hypotheses have no attention weights")
        rows, columns = (token_labels(codec, ids)[:MAX_TOKENS] for ids in ([*best.tokens, END], array.tolist()))
        rows = rows[: len(best.weights)]  # a translation that reached its limit has no end token
        weights = best.weights[: len(rows), : len(columns)]
        panels.append(Heatmap(weights, rows=rows, columns=columns, limits=(0, 1), title=f"score {best.score:.2f}"))
    longest = max(min(len(best.tokens) + 1, MAX_TOKENS) for best in hypotheses)
    figure(panels, path, width=1200, height=max(300, 24 * longest))


def token_labels(codec: SubwordCodec, ids: Sequence[Any]) -> list[str]:
    """Tokens as labels: one that continues a word starts with a dot, the end token is ∎."""
    names = ["∎" if int(i) == END else name for i, name in zip(ids, codec.tokens(ids), strict=True)]
    return [f"·{name}" if name[0].isalpha() else name.removeprefix(" ") or "␠" for name in names]
