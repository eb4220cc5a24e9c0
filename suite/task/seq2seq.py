"""What tasks share whose answers are written by a decoder that attends: the options, the answers, the score."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from suite.config import from_options
from suite.decoding.beam_search import Beam, Read, Written, drawn, follow, read, search
from suite.decoding.generate import Sampling, check_seed
from suite.decoding.reranking import HYPOTHESES, ordered, read_as
from suite.errors import DataError, UsageError
from suite.task import Option, Result, Segments

if TYPE_CHECKING:
    from suite.codecs.subwords import Detokenizer
    from suite.inference.pipeline import Pipeline
    from suite.runtime import Runtime

R = TypeVar("R", bound=Result)

#: The verbs that search for an answer.
SEARCHING = ("predict", "evaluate", "stream")
#: Items of training that an answer leans on, where a checkpoint keeps them: chosen on dev, as what they count is.
NEIGHBOURS = 10


def options(what: str, length_penalty: float = 1.0) -> tuple[Option, ...]:
    """The options of a task that writes, ``what`` being one answer in a word, and a default of theirs."""
    return (
        Option(name="beam", type=int, default=5, verbs=SEARCHING, help="hypotheses kept; 1 is greedy"),
        Option(
            name="length_penalty", type=float, default=length_penalty, verbs=SEARCHING,
            help=f"above 1 prefers longer {what}s, below 1 shorter ones",
        ),
        Option(name="n_best", type=int, default=1, help=f"how many {what}s to give"),
        Option(name="sample", type=bool, default=False, help=f"draw a {what} instead of searching for the likeliest"),
        Option(name="temperature", type=float, default=1.0, help="with --sample: above 1 bolder, below 1 more careful"),
        Option(name="top_p", type=float, default=0.9, help="with --sample: draw from the likeliest of this share"),
        Option(name="seed", type=int, default=0, help=f"with --sample: another number draws another {what}"),
    )  # fmt: skip


def neighbours() -> Option:
    """The option of a task whose checkpoints may keep items of training (``training.remember``)."""
    return Option(
        name="neighbours", type=int, default=NEIGHBOURS, verbs=SEARCHING,
        help=f"where a checkpoint keeps items of training, choose among {HYPOTHESES} hypotheses at least by the texts "
        "of so many similar items; 0: by none",
    )  # fmt: skip


def answers(
    runtime: Runtime, arrays: Sequence[np.ndarray], limits: Sequence[int], *, start: int, end: int, beam: int,
    length_penalty: float, n_best: int = 1, sample: bool = False, temperature: float = 1.0, top_p: float = 1.0,
    seed: int = 0, given: Read | None = None, attention: bool = False,
) -> Sequence[Sequence[Written]]:  # fmt: skip
    """The answers to each input, best first, as `options` ask: searched for, or one drawn.

    What is drawn depends on the seed and the input alone. ``given`` is what the encoder made of the inputs, if that is
    there already. Raises UsageError for options that make no sense.
    """
    given, decoder = given or read(runtime, arrays), runtime.graph("decoder")
    if not sample:
        kept = beam_of(beam, length_penalty, n_best)
        return search(decoder, given, start=start, end=end, limits=limits, beam=kept, attention=attention)
    check_seed(seed)
    if n_best > 1:
        raise UsageError("--n-best ranks what a beam found: leave it or --sample out")
    sampling = from_options(Sampling, temperature, top_p=top_p)
    randoms = [np.random.default_rng([seed, zlib.crc32(array.tobytes())]) for array in arrays]
    found = drawn(
        decoder, given, start=start, end=end, limits=limits, sampling=sampling, randoms=randoms,
        attention=attention,
    )  # fmt: skip
    return [[one] for one in found]


def beam_of(size: int, length_penalty: float, n_best: int = 1) -> Beam:
    """The beam that options ask for; it is widened for more answers. Raises UsageError for what makes no sense."""
    if size < 1:
        raise UsageError(f"beam={size}: expected a whole number from 1")
    return from_options(Beam, max(size, n_best), length_penalty, n_best)


def alternatives(rest: Sequence[tuple[str, float]], n_best: int) -> tuple[dict[str, Any], ...] | None:
    """The answers after the best, (text, score) each, as a result has them; None where one alone was asked for."""
    return tuple({"text": text, "score": score} for text, score in rest) if n_best > 1 else None


def followed(
    runtime: Runtime, array: np.ndarray, writer: Detokenizer, carried: dict[str, Any], *, start: int, end: int,
    limit: int, beam: int, length_penalty: float,
) -> Iterator[tuple[str, Written | None]]:  # fmt: skip
    """The text of one answer of a stream as it is settled, and with the rest of it the answer, which is noted."""
    kept = beam_of(beam, length_penalty)
    given = read(runtime, [array])
    for tokens, answer in follow(runtime.graph("decoder"), given, start=start, end=end, limit=limit, beam=kept):
        text = "".join(map(writer.feed, tokens))
        if answer is not None:
            count(carried, answer)
            yield text + writer.flush(), answer
        elif text:
            yield text, None


def last(kind: type[R], updates: Sequence[Any], carried: Mapping[str, Any]) -> R:
    """The last result of a stream: what was held back, and the mean over all of it."""
    text, given = "".join(update.text for update in updates), "".join(dict.fromkeys(u.input for u in updates))
    return kind(input=given, text=text, score=mean(carried), final=True)  # type: ignore[call-arg]


def count(carried: dict[str, Any], answer: Written) -> int:
    """Note an answer of a stream for `mean`; gives how many tokens its score is a mean of."""
    tokens = len(answer.tokens) + 1
    carried["score"] = carried.get("score", 0.0) + answer.score * tokens
    carried["tokens"] = carried.get("tokens", 0) + tokens
    return tokens


def mean(carried: Mapping[str, Any]) -> float:
    """The mean log-probability a token of all that was noted; 0 where nothing was."""
    return float(carried["score"] / carried["tokens"]) if carried.get("tokens") else 0.0


def ranked(score: float, text: str, others: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for an answer and for each of its alternatives: score and text."""
    rows = [(score, text), *((other["score"], other["text"]) for other in others)]
    return [f"{value:7.3f}  {words}" for value, words in rows]


# -- a task that writes one text for each input, line by line ------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TextResult(Result):
    """``score`` is the mean log-probability a token; ``alternatives`` are the next best, each with its own.

    ``whole`` is set on the updates of a stream: whether this one ends its input's text.
    """

    text: str
    score: float
    alternatives: tuple[dict[str, Any], ...] | None = None
    whole: bool | None = None

    optional: ClassVar[tuple[str, ...]] = ("alternatives", "whole")


def text_answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], *, limit: int = 64, n_best: int = 1,
    named: Callable[[Any], Any] = lambda piece: piece, **options: Any,
) -> list[TextResult]:  # fmt: skip
    """``Task.answer`` of a task whose target codec is a ``SubwordTarget``: at most ``limit`` tokens an input.

    ``named`` gives a piece as results name it.
    """
    codec: Any = pipeline.codecs["target"]
    found = chosen(pipeline, arrays, limit=limit, n_best=n_best, **options)
    results = []
    for piece, kept in zip(pieces, found, strict=True):
        (text, score), *others = [(codec.codec.decode(one.tokens), one.score) for one in kept]
        rest = alternatives(others, n_best)
        results.append(TextResult(input=named(piece), text=text, score=score, alternatives=rest))
    return results


def chosen(
    pipeline: Pipeline, arrays: Sequence[np.ndarray], *, limit: int, beam: int, n_best: int = 1, neighbours: int = 0,
    **options: Any,
) -> Sequence[Sequence[Written]]:  # fmt: skip
    """The answers of such a task to each input, best first, in the order that ``neighbours`` items of training make."""
    from suite.codecs.subwords import END, START

    codec: Any = pipeline.codecs["target"]
    given = read(pipeline.runtime, arrays)
    leans = leans_on_items(pipeline, beam=beam, neighbours=neighbours, **options)
    found = answers(
        pipeline.runtime, arrays, [limit] * len(arrays), start=START, end=END, beam=beam, given=given,
        n_best=max(n_best, HYPOTHESES) if leans else n_best, **options,
    )  # fmt: skip
    if not leans:
        return found
    best = []
    for hypotheses, vector in zip(found, read_as(given), strict=True):
        texts = [(codec.codec.decode(one.tokens), one.score) for one in hypotheses]
        places = ordered(texts, codec.remembered.nearest(vector, neighbours))
        best.append([hypotheses[i] for i in places[:n_best]])
    return best


def leans_on_items(pipeline: Pipeline, *, beam: int, neighbours: int = 0, sample: bool = False, **options: Any) -> bool:
    """Whether answers lean on items of training: a beam, of a checkpoint that keeps them, does."""
    if neighbours < 0:
        raise UsageError(f"neighbours={neighbours}: expected a whole number from 0")
    codec: Any = pipeline.codecs["target"]
    return bool(neighbours and beam > 1 and not sample and codec.remembered is not None)


def text_segments(*, limit: int = 64) -> Segments:
    """``Task.segments`` of such a task: a line of a stream is an input, written word by word as it is settled.

    Where answers lean on items of training they come whole: which hypothesis it is, is known at the end.
    """
    from suite.codecs.text import LineSegmenter

    return Segments(cut=LineSegmenter, follow=partial(_text_said, limit=limit), final=partial(last, TextResult))


def _text_said(
    pipeline: Pipeline, between: str, piece: str, carried: dict[str, Any], *, limit: int, neighbours: int = 0,
    **options: Any,
) -> Iterator[TextResult]:  # fmt: skip
    from suite.codecs.subwords import END, START

    try:
        array = pipeline.codecs["input"].encode(piece)  # type: ignore[attr-defined]
    except DataError as error:
        raise DataError(f"{piece}: {error}") from error
    codec: Any = pipeline.codecs["target"]
    if leans_on_items(pipeline, neighbours=neighbours, **options):
        # Which hypothesis it is, is known when all of them are there.
        ((answer,),) = chosen(pipeline, [array], limit=limit, neighbours=neighbours, **options)
        count(carried, answer)
        yield TextResult(
            input=piece, text=codec.codec.decode(answer.tokens), score=answer.score, final=False, whole=True
        )  # fmt: skip
        return
    parts = followed(
        pipeline.runtime, array, codec.codec.writer(), carried, start=START, end=END, limit=limit, **options
    )  # fmt: skip
    for text, best in parts:
        score = 0.0 if best is None else best.score
        yield TextResult(input=piece, text=text, score=score, final=False, whole=best is not None)


def render_text(result: Any) -> str:
    """``Task.render``: the text and what it is of; with alternatives a line each, and the scores."""
    if not result.alternatives:
        return f"{result.text}  [{result.input}]"
    return "\n".join([str(result.input), *ranked(result.score, result.text, result.alternatives)])


def render_text_update(result: Any, before: Any = None) -> str | None:
    """``Task.render_update``: what the update adds; a text ends its line."""
    if result.final:
        return f"{result.text}\n" if result.text else None
    return str(result.text) + ("\n" if result.whole else "")
