"""The commands ``generate`` and ``stream``: new pieces, and a piece without end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.task.language_modeling import NextTokens, SamplingOptions, generate_stream, generate_until
from suite_music import LIMIT
from suite_music.notation.piece_codec import END, START, PieceCodec
from suite_music.notation.pieces import PieceResult
from suite_music.notation.playing import Sounded, performed
from suite_music.notation.rules import rules_of

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel

#: Pieces that are generated together.
BATCH = 32


def generate(
    model: LoadedModel[PieceCodec, NextTokens], *, style: str | None, key: str | None, meter: str | None, bars: int,
    count: int, tempo: float, out: Path | None, **options: Any,
) -> Iterator[PieceResult]:  # fmt: skip
    """New pieces, one after the other; the same seed gives the same ones."""
    model = _of_style(model, style)
    codec, sampling = model.codecs.input, SamplingOptions(**options)
    rules = rules_of(codec, key=key, meter=meter, bars=bars)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        randoms = [sampling.random(number) for number in numbers]
        generated = generate_until(
            model, [[START]] * len(numbers), randoms, sampling.sampling, rules=[rules] * len(numbers), stop=END,
            limit=LIMIT,
        )  # fmt: skip
        for number, tokens in zip(numbers, generated.tokens, strict=True):
            title = f"{codec.kind.capitalize()} {sampling.seed}-{number + 1}"
            result = PieceResult.of(codec.decode(tokens), title, number)
            yield result if out is None else dataclasses.replace(result, files=result.save_all(out, tempo))


def stream(
    model: LoadedModel[PieceCodec, NextTokens], *, style: str | None, key: str | None, meter: str | None,
    tempo: float | None, **options: Any,
) -> Iterator[Sounded]:  # fmt: skip
    """A piece without end, note by note, in constant memory; with ``tempo`` each note comes when it sounds."""
    model = _of_style(model, style)
    codec, sampling = model.codecs.input, SamplingOptions(**options)
    rules = rules_of(codec, key=key, meter=meter, endless=True)
    tokens = generate_stream(model, [START], sampling.random(), sampling.sampling, rules)
    yield from performed(tokens, codec, tempo)


def _of_style(
    model: LoadedModel[PieceCodec, NextTokens], style: str | None
) -> LoadedModel[PieceCodec, NextTokens]:  # fmt: skip
    """The model, or the shipped one of another style."""
    if style in (None, model.codecs.input.kind):
        return model
    from suite.inference.model import LoadedModel

    return LoadedModel.open(model.task, style, runtime=model.runtime.kind)
