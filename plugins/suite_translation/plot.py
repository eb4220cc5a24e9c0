"""Pictures of translations: where the decoder looked for each piece of a word that it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.codecs.sentences import split_sentences
from suite.codecs.subwords import END, START, SubwordCodec
from suite.errors import DataError
from suite.inference.pipeline import Pipeline
from suite.plotting.figure import figure
from suite.plotting.heatmap import Heatmap
from suite.plotting.panel import Panel
from suite.task.seq2seq import answers

#: So many sentences are drawn, as far as so many pieces.
SHOWN, PIECES = 4, 60


def alignments(pipeline: Pipeline, texts: Sequence[str], path: Path, **options: Any) -> None:
    """A panel a sentence, of the first ones: a row for each piece written, a column for each piece read.

    ``options`` are those of `suite.task.seq2seq.answers`, whose best answer is drawn.
    """
    from suite_translation import limit

    codec = pipeline.codecs["input"]
    assert isinstance(codec, SubwordCodec)
    given = [sentence for text in texts for _, sentence in split_sentences(text) if sentence][:SHOWN]
    if not given:
        raise DataError("nothing to draw: the texts have no words")
    arrays = [codec.encode(sentence) for sentence in given]
    limits = [limit(array) for array in arrays]
    found = answers(pipeline.runtime, arrays, limits, start=START, end=END, attention=True, **options)
    panels: list[Panel] = []
    for array, (best, *_) in zip(arrays, found, strict=True):
        assert best.weights is not None
        rows, columns = (readable(codec, ids)[:PIECES] for ids in ([*best.tokens, END], array.tolist()))
        rows = rows[: len(best.weights)]  # one that was cut off at its limit has no end
        weights = best.weights[: len(rows), : len(columns)]
        panels.append(Heatmap(weights, rows=rows, columns=columns, limits=(0, 1), title=f"score {best.score:.2f}"))
    longest = max(min(len(best.tokens) + 1, PIECES) for best, *_ in found)
    figure(panels, path, width=1200, height=max(300, 24 * longest))


def readable(codec: SubwordCodec, ids: Sequence[Any]) -> list[str]:
    """Pieces as they are told apart by a reader: one that goes on with a word begins with a dot, the end is ∎."""
    names = ["∎" if int(i) == END else name for i, name in zip(ids, codec.tokens(ids), strict=True)]
    return [f"·{name}" if name[0].isalpha() else name.removeprefix(" ") or "␠" for name in names]
