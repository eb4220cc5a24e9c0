"""What tasks share whose answers are written by a decoder that attends: the options, the answers, the score."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from suite.beam import Beam, Written, drawn, follow, read, search
from suite.errors import UsageError
from suite.search import Sampling
from suite.task import Option, Result

if TYPE_CHECKING:
    from suite.codecs.subwords import Writer
    from suite.runtime import Runtime

R = TypeVar("R", bound=Result)

#: The verbs that search for an answer.
SEARCHING = ("predict", "evaluate", "stream")


def options(what: str) -> tuple[Option, ...]:
    """The options of a task that writes, ``what`` being one answer in a word."""
    return (
        Option(name="beam", type=int, default=5, verbs=SEARCHING, help="hypotheses kept; 1 is greedy"),
        Option(
            name="length_penalty", type=float, default=1.0, verbs=SEARCHING,
            help=f"above 1 prefers longer {what}s, below 1 shorter ones",
        ),
        Option(name="n_best", type=int, default=1, help=f"how many {what}s to give"),
        Option(name="sample", type=bool, default=False, help=f"draw a {what} instead of searching for the likeliest"),
        Option(name="temperature", type=float, default=1.0, help="with --sample: above 1 bolder, below 1 more careful"),
        Option(name="top_p", type=float, default=0.9, help="with --sample: draw from the likeliest of this share"),
        Option(name="seed", type=int, default=0, help=f"with --sample: another number draws another {what}"),
    )  # fmt: skip


def answers(
    runtime: Runtime, arrays: Sequence[np.ndarray], limits: Sequence[int], *, start: int, end: int, beam: int,
    length_penalty: float, n_best: int = 1, sample: bool = False, temperature: float = 1.0, top_p: float = 1.0,
    seed: int = 0,
) -> Sequence[Sequence[Written]]:  # fmt: skip
    """The answers to each input, best first, as `options` ask: searched for, or one drawn.

    What is drawn depends on the seed and the input alone. Raises UsageError for options that make no sense.
    """
    given, decoder = read(runtime, arrays), runtime.graph("decoder")
    if not sample:
        kept = beam_of(beam, length_penalty, n_best)
        return search(decoder, given, start=start, end=end, limits=limits, beam=kept)
    if seed < 0:
        raise UsageError(f"seed={seed}: expected a whole number from 0")
    if n_best > 1:
        raise UsageError("--n-best ranks what a beam found: leave it or --sample out")
    sampling = _valid(Sampling, temperature, top_p=top_p)
    randoms = [np.random.default_rng([seed, zlib.crc32(array.tobytes())]) for array in arrays]
    found = drawn(decoder, given, start=start, end=end, limits=limits, sampling=sampling, randoms=randoms)
    return [[one] for one in found]


def beam_of(size: int, length_penalty: float, n_best: int = 1) -> Beam:
    """The beam that options ask for; it is widened for more answers. Raises UsageError for what makes no sense."""
    if size < 1:
        raise UsageError(f"beam={size}: expected a whole number from 1")
    kept: Beam = _valid(Beam, max(size, n_best), length_penalty, n_best)
    return kept


def alternatives(rest: Sequence[tuple[str, float]], n_best: int) -> tuple[dict[str, Any], ...] | None:
    """The answers after the best, (text, score) each, as a result has them; None where one alone was asked for."""
    return tuple({"text": text, "score": score} for text, score in rest) if n_best > 1 else None


def followed(
    runtime: Runtime, array: np.ndarray, writer: Writer, carried: dict[str, Any], *, start: int, end: int, limit: int,
    beam: int, length_penalty: float,
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


def _valid(make: Any, *values: Any, **more: Any) -> Any:
    try:
        return make(*values, **more)
    except ValueError as error:
        raise UsageError(str(error)) from None
