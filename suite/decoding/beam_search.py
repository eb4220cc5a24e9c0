"""Decoding with an attending decoder: greedy, sampled, or by beam search. In numpy, one copy for both runtimes.

Data flow: the encoder graph → ``start.*`` and ``memory.*`` of N inputs → a token for each row → the decoder graph →
logits → the next tokens. Arrays named ``next.*`` go back in as ``state.*``. A hypothesis of a beam is a row of the
batch: continuing some of them is selecting rows by index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.config import check_ranges
from suite.data.batching import pad
from suite.decoding.constraints import Constraint
from suite.decoding.sampling import Sampling, log_softmax
from suite.errors import SuiteError
from suite.runtime import Arrays, GraphRuntime, Runtime, carried

#: The size of the blocks in which the highest scores are sought.
TOPK_BLOCK = 64


@dataclass(frozen=True)
class Beam:
    """The settings of beam search.

    Attributes:
        size: The number of hypotheses for each input; 1 is greedy decoding.
        length_penalty: Hypotheses are ranked by log-probability over ``length ** length_penalty``, end token included:
            0 prefers short ones, 1 is the mean per token.
        n_best: The number of hypotheses returned.
    """

    size: int = 5
    length_penalty: float = 1.0
    n_best: int = 1

    def __post_init__(self) -> None:
        check_ranges(self, least={"size": 1, "length_penalty": 0, "n_best": 1})
        if self.n_best > self.size:
            raise ValueError(f"n_best={self.n_best} of a beam of {self.size}: raise beam, or ask for fewer")


@dataclass(frozen=True)
class Hypothesis:
    """A finished hypothesis.

    Attributes:
        tokens: The tokens, without the end token.
        score: The mean log-probability per token, end token included.
        weights: The attention weights of each token, end token included, ``[T, S]``; None if not asked for.
    """

    tokens: tuple[int, ...]
    score: float
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class EncoderOutput:
    """The encoder's outputs for N inputs: the decoder's initial state and its memory, by the decoder's names."""

    state: Arrays
    memory: Arrays

    def select(self, index: np.ndarray) -> EncoderOutput:
        """The rows of an index array, in its order."""
        if len(index) == len(self) and (index == np.arange(len(index))).all():
            return self
        return EncoderOutput(
            *({name: array[index] for name, array in part.items()} for part in (self.state, self.memory))
        )

    def __len__(self) -> int:
        return len(next(iter(self.memory.values())))


def encode(runtime: Runtime, inputs: Sequence[np.ndarray]) -> EncoderOutput:
    """Run the encoder over inputs ``[S, …]``, padded to one batch."""
    padded, lengths = pad(inputs)
    graph = runtime.graph("encoder")
    # An encoder of inputs of one size takes no lengths.
    given = {name: array for name, array in (("inputs", padded), ("lengths", lengths)) if name in graph.inputs}
    outputs = graph({**graph.initial(len(inputs)), **given})
    state = {f"state.{name[6:]}": array for name, array in outputs.items() if name.startswith("start.")}
    return EncoderOutput(state, {name: array for name, array in outputs.items() if name.startswith("memory.")})


def decode_steps(
    decoder: GraphRuntime,
    given: EncoderOutput,
    *,
    start: int,
    end: int,
    limits: Sequence[int],
    draw: Callable[[int, np.ndarray], int] | None = None,
    look: Callable[[int, np.ndarray], None] | None = None,
) -> Iterator[np.ndarray]:
    """Generate tokens for N inputs, one per row and step.

    Args:
        decoder: The decoder graph.
        given: The encoder's outputs.
        start: The start token.
        end: The end token, which ends a row and is itself yielded.
        limits: The most tokens of each row.
        draw: ``draw(row, logits [V])`` returns a token; by default the likeliest.
        look: ``look(row, weights [S])`` is called with the attention weights of each token.

    Yields:
        The tokens of a step, int64 ``[N]``; −1 for a row that has ended.
    """
    most = np.asarray(limits)
    active = np.flatnonzero(most > 0)
    given, tokens = given.select(active), np.full(len(active), start, dtype=np.int64)
    written = 0
    while len(active):
        outputs, given = _step(decoder, given, tokens)
        logits = outputs["logits"]
        found = logits.argmax(1) if draw is None else [draw(int(i), row) for i, row in zip(active, logits, strict=True)]
        tokens = np.asarray(found, dtype=np.int64)
        row = np.full(len(most), -1, dtype=np.int64)
        row[active] = tokens
        if look is not None:
            for i, weights in zip(active, outputs["weights"], strict=True):
                look(int(i), weights)
        yield row
        written += 1
        keep = (tokens != end) & (most[active] > written)
        active, tokens, given = active[keep], tokens[keep], given.select(np.flatnonzero(keep))


def sample(
    decoder: GraphRuntime,
    given: EncoderOutput,
    *,
    start: int,
    end: int,
    limits: Sequence[int],
    sampling: Sampling,
    randoms: Sequence[np.random.Generator],
    attention: bool = False,
) -> list[Hypothesis]:
    """Sample one hypothesis for each of N inputs, each with its own of the generators ``randoms``.

    The other arguments are those of ``decode_steps``; with ``attention`` hypotheses have their attention weights.
    """
    scores: list[list[float]] = [[] for _ in randoms]
    attended: list[list[np.ndarray]] = [[] for _ in randoms]

    def draw(row: int, logits: np.ndarray) -> int:
        token = sampling.draw(logits, randoms[row])
        scores[row].append(float(log_softmax(logits)[token]))
        return token

    def look(row: int, weights: np.ndarray) -> None:
        attended[row].append(weights)

    steps = decode_steps(
        decoder, given, start=start, end=end, limits=limits, draw=draw, look=look if attention else None
    )
    rows = np.stack(list(steps), axis=1)
    return [
        Hypothesis(
            tuple(int(t) for t in row if t not in (-1, end)), sum(own) / len(own), np.stack(seen) if attention else None
        )
        for row, own, seen in zip(rows, scores, attended, strict=True)
    ]


def search(
    decoder: GraphRuntime,
    given: EncoderOutput,
    *,
    start: int,
    end: int,
    limits: Sequence[int],
    beam: Beam | None = None,
    constraints: Sequence[Constraint] | None = None,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    """Beam search for N inputs.

    A hypothesis has at most as many tokens as its limit, and then the end token, whose probability counts. The search
    for an input stops when ``beam.size`` hypotheses have ended and no other can still be among the ``n_best``. Inputs
    are independent, and leave the batch when they are done.

    Args:
        decoder, given, start, end, limits: As in ``decode_steps``.
        beam: The settings; by default ``Beam()``.
        constraints: A constraint for each input.
        attention: Whether hypotheses have their attention weights.

    Returns:
        The ``n_best`` hypotheses of each input, best first.

    Raises:
        SuiteError: If a constraint allows no hypothesis within the limit.
    """
    beam = beam or Beam()
    results: list[list[Hypothesis]] = []
    for rows, ended in _steps(decoder, given, start, end, limits, beam, constraints, attention):
        results = results if rows else [_ranked(found, beam) for found in ended]
    return results


def stream_search(
    decoder: GraphRuntime, given: EncoderOutput, *, start: int, end: int, limit: int, beam: Beam | None = None
) -> Iterator[tuple[tuple[int, ...], Hypothesis | None]]:
    """Beam search for one input that yields tokens as soon as all hypotheses agree on them.

    Yields:
        Pairs (new tokens, None), and at the end (the remaining tokens, the best hypothesis), whose tokens are those of
        all pairs joined.
    """
    known = 0
    beam = beam or Beam()
    for rows, (ended,) in _steps(decoder, given, start, end, [limit], beam, None, False):
        # The result will be the best that has ended, or an extension of one that has not.
        left = [row.tokens() for row in rows] + [found.tokens for found in _ranked(ended, beam)[:1]]
        shared = next((i for i, tokens in enumerate(zip(*left, strict=False)) if len(set(tokens)) > 1), None)
        agreed = min(map(len, left)) if shared is None else shared
        if rows and agreed > known:
            yield left[0][known:agreed], None
            known = agreed
    best = _ranked(ended, beam)[0]
    yield best.tokens[known:], best


#: Finished hypotheses with their rank scores.
Finished = list[tuple[float, Hypothesis]]


def _steps(
    decoder: GraphRuntime, given: EncoderOutput, start: int, end: int, limits: Sequence[int], beam: Beam,
    constraints: Sequence[Constraint] | None, attention: bool,
) -> Iterator[tuple[list[_Live], list[Finished]]]:  # fmt: skip
    """Beam search step by step: yields the live hypotheses, grouped by input, and the finished ones of each input."""
    width = beam.size
    rows = [_Live() if constraints is None else _Live(constraints[i].start()) for i in range(len(given))]
    ended: list[Finished] = [[] for _ in rows]
    owners = np.arange(len(given))  # the input of each row; one row per input at first
    written = 0
    while rows:
        tokens = np.asarray([row.token if row.before is not None else start for row in rows], dtype=np.int64)
        outputs, given = _step(decoder, given, tokens)
        scores = log_softmax(outputs["logits"])
        if constraints is not None:
            for row, own, owner in zip(rows, scores, owners.tolist(), strict=True):
                own[~constraints[owner].mask(row.rules)] = -np.inf
        at_limit = np.asarray(limits)[owners] <= written
        if at_limit.any():
            last = scores[at_limit, end]
            scores[at_limit] = -np.inf
            scores[at_limit, end] = last
        scores += np.asarray([row.score for row in rows], dtype=scores.dtype)[:, None]
        kept: list[int] = []
        following: list[_Live] = []
        edges = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
        for first, after in zip(edges, [*edges[1:], len(owners)], strict=True):
            owner = int(owners[first])
            totals = scores[first:after].ravel()
            live: list[tuple[int, _Live]] = []
            for place, candidate in enumerate(_best(totals, 2 * width)):
                number, token = divmod(int(candidate), scores.shape[1])
                total = float(totals[candidate])
                if total == -np.inf or len(live) == width:
                    break
                row = rows[first + number]
                attended = outputs["weights"][first + number] if attention else None
                if token == end:
                    # An end token outside the beam does not count, so that a beam of 1 is greedy.
                    if place < width:
                        hypothesis = _Live(row.rules, total, end, row, attended).finished()
                        ended[owner].append((total / (written + 1) ** beam.length_penalty, hypothesis))
                else:
                    rules = row.rules if constraints is None else constraints[owner].advance(row.rules, token)
                    live.append((first + number, _Live(rules, total, token, row, attended)))
            if not _done(ended[owner], live, written + 1, beam):
                kept += [number for number, _ in live]
                following += [row for _, row in live]
        rows, owners = following, owners[kept]
        given = given.select(np.asarray(kept, dtype=np.int64))
        written += 1
        yield rows, ended
    if not all(ended):
        raise SuiteError("the constraint allows no hypothesis within the length limit; loosen it, or raise the limit")


def _ranked(ended: Finished, beam: Beam) -> list[Hypothesis]:
    """The best finished hypotheses, best first."""
    return [found for _, found in sorted(ended, key=lambda pair: -pair[0])[: beam.n_best]]


@dataclass(frozen=True)
class _Live:
    """A live hypothesis: the constraint's state, the log-probability, the last token, and the hypothesis before it."""

    rules: Any = None
    score: float = 0.0
    token: int = -1
    before: _Live | None = None
    attended: np.ndarray | None = None

    def tokens(self) -> tuple[int, ...]:
        """All tokens so far."""
        return tuple(step.token for step in self.steps())

    def steps(self) -> list[_Live]:
        """The hypothesis after each of its tokens, first to last."""
        found: list[_Live] = []
        row = self
        while row.before is not None:
            found.append(row)
            row = row.before
        return found[::-1]

    def finished(self) -> Hypothesis:
        """The finished hypothesis that ends here."""
        steps = self.steps()
        attended = [step.attended for step in steps if step.attended is not None]
        weights = np.stack(attended) if attended else None
        return Hypothesis(tuple(step.token for step in steps[:-1]), self.score / len(steps), weights)


def _done(ended: Finished, live: list[tuple[int, _Live]], length: int, beam: Beam) -> bool:
    if len(ended) < beam.size or not live:
        return not live
    worst = sorted((score for score, _ in ended), reverse=True)[beam.n_best - 1]
    return all(row.score / length**beam.length_penalty < worst for _, row in live)


def _step(decoder: GraphRuntime, given: EncoderOutput, tokens: np.ndarray) -> tuple[Arrays, EncoderOutput]:
    """Run the decoder on one token per row: its outputs, and the state and memory for the next step."""
    outputs = decoder({**given.state, **given.memory, "token": tokens})
    return outputs, EncoderOutput(carried(outputs), given.memory)


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """The indices of the ``count`` highest scores, highest first; of equal scores the lower index first."""
    # The ``count``-th highest block maximum bounds the result from below: all lower scores are out at once.
    blocks = len(scores) // TOPK_BLOCK
    if count < blocks:
        highest = scores[: blocks * TOPK_BLOCK].reshape(blocks, TOPK_BLOCK).max(axis=1)
        found = np.flatnonzero(scores >= np.partition(highest, blocks - count)[blocks - count])
    else:
        found = np.arange(len(scores))
    return found[np.argsort(-scores[found], kind="stable")][:count]
