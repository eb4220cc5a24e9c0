"""Writing with a decoder that attends: greedy, drawn, or by beam search. Numpy only, one copy for both runtimes.

Data flow: the encoder graph → ``start.*`` and ``memory.*`` of N inputs → a token for each row → the decoder graph →
logits → the next tokens. Arrays named ``next.*`` go back in as ``state.*``; of a beam, the rows that go on are
picked by their numbers, so that a hypothesis' past is its row and nothing else.
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

#: So many scores are looked at together when the highest are sought.
TOPK_BLOCK = 64


@dataclass(frozen=True)
class Beam:
    """How a beam is kept: ``size`` hypotheses an input, of which the ``n_best`` are given back.

    They are ranked by their log-probability over ``length ** length_penalty``, end token included: 0 prefers short
    ones, 1 is the mean a token. A beam of 1 is greedy.
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
    """One answer: its ``tokens`` without the end token, and its mean log-probability a token, the end included.

    ``weights [T, S]`` says where each token, the end included, was looked for, if that was asked for.
    """

    tokens: tuple[int, ...]
    score: float
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder made of N inputs: the decoder's first state and its memory, by the decoder's names."""

    state: Arrays
    memory: Arrays

    def select(self, index: np.ndarray) -> EncoderOutput:
        """Some of the rows, in any order, as often as they are named."""
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
    # What is of one size in all rows has no lengths.
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
    """Write N answers and yield their tokens as they come: int64 ``[N]``, −1 for an answer that has ended.

    ``draw(row, logits [V])`` picks a token, by default the likeliest. An answer ends with ``end``, which is itself
    yielded, or after as many tokens as its limit. ``look(row, weights [S])`` is told where the decoder looked for each.
    """
    most = np.asarray(limits)
    there = np.flatnonzero(most > 0)
    given, tokens = given.select(there), np.full(len(there), start, dtype=np.int64)
    written = 0
    while len(there):
        outputs, given = _step(decoder, given, tokens)
        logits = outputs["logits"]
        found = logits.argmax(1) if draw is None else [draw(int(i), row) for i, row in zip(there, logits, strict=True)]
        tokens = np.asarray(found, dtype=np.int64)
        answer = np.full(len(most), -1, dtype=np.int64)
        answer[there] = tokens
        if look is not None:
            for i, weights in zip(there, outputs["weights"], strict=True):
                look(int(i), weights)
        yield answer
        written += 1
        keep = (tokens != end) & (most[there] > written)
        there, tokens, given = there[keep], tokens[keep], given.select(np.flatnonzero(keep))


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
    """An answer drawn for each of N inputs, each with chance of its own."""
    scores: list[list[float]] = [[] for _ in randoms]
    looked: list[list[np.ndarray]] = [[] for _ in randoms]

    def draw(row: int, logits: np.ndarray) -> int:
        token = sampling.draw(logits, randoms[row])
        scores[row].append(float(log_softmax(logits)[token]))
        return token

    def look(row: int, weights: np.ndarray) -> None:
        looked[row].append(weights)

    steps = decode_steps(
        decoder, given, start=start, end=end, limits=limits, draw=draw, look=look if attention else None
    )
    rows = np.stack(list(steps), axis=1)
    return [
        Hypothesis(
            tuple(int(t) for t in row if t not in (-1, end)), sum(own) / len(own), np.stack(seen) if attention else None
        )
        for row, own, seen in zip(rows, scores, looked, strict=True)
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
    """The ``n_best`` answers for each of N inputs that beam search finds, best first.

    An answer has at most as many tokens as its limit and then the end token, whose probability counts. Search for an
    input stops when a full beam has ended and what is left is worse than all that would be given back, or when
    nothing is left. Inputs are independent, and leave the batch when they are done. Raises SuiteError where a
    constraint leaves no answer of that length.
    """
    beam = beam or Beam()
    answers: list[list[Hypothesis]] = []
    for rows, ended in _steps(decoder, given, start, end, limits, beam, constraints, attention):
        answers = answers if rows else [_ranked(found, beam) for found in ended]
    return answers


def stream_search(
    decoder: GraphRuntime, given: EncoderOutput, *, start: int, end: int, limit: int, beam: Beam | None = None
) -> Iterator[tuple[tuple[int, ...], Hypothesis | None]]:
    """`search` for one input, as it goes: the tokens on which all that is left agrees, as soon as it does.

    Yields (new tokens, None), and at the end (the rest, the best answer); joined, the tokens are that answer's.
    """
    known = 0
    beam = beam or Beam()
    for rows, (ended,) in _steps(decoder, given, start, end, [limit], beam, None, False):
        # The answer will be the best of those that have ended, or go on from one that has not.
        left = [row.tokens() for row in rows] + [answer.tokens for answer in _ranked(ended, beam)[:1]]
        shared = next((i for i, tokens in enumerate(zip(*left, strict=False)) if len(set(tokens)) > 1), None)
        agreed = min(map(len, left)) if shared is None else shared
        if rows and agreed > known:
            yield left[0][known:agreed], None
            known = agreed
    best = _ranked(ended, beam)[0]
    yield best.tokens[known:], best


#: Answers that have ended, with what they are ranked by.
Finished = list[tuple[float, Hypothesis]]


def _steps(
    decoder: GraphRuntime, given: EncoderOutput, start: int, end: int, limits: Sequence[int], beam: Beam,
    constraints: Sequence[Constraint] | None, attention: bool,
) -> Iterator[tuple[list[_Row], list[Finished]]]:  # fmt: skip
    """Beam search step by step: the hypotheses that go on, those of an input together, and what has ended."""
    width = beam.size
    rows = [_Row() if constraints is None else _Row(constraints[i].start()) for i in range(len(given))]
    ended: list[Finished] = [[] for _ in rows]
    owners = np.arange(len(given))  # whose rows these are, one row each at first
    written = 0
    while rows:
        tokens = np.asarray([row.token if row.before is not None else start for row in rows], dtype=np.int64)
        outputs, given = _step(decoder, given, tokens)
        scores = log_softmax(outputs["logits"])
        if constraints is not None:
            for row, own, owner in zip(rows, scores, owners.tolist(), strict=True):
                own[~constraints[owner].mask(row.rules)] = -np.inf
        closing = np.asarray(limits)[owners] <= written
        if closing.any():
            last = scores[closing, end]
            scores[closing] = -np.inf
            scores[closing, end] = last
        scores += np.asarray([row.score for row in rows], dtype=scores.dtype)[:, None]
        kept: list[int] = []
        following: list[_Row] = []
        edges = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
        for first, after in zip(edges, [*edges[1:], len(owners)], strict=True):
            owner = int(owners[first])
            totals = scores[first:after].ravel()
            live: list[tuple[int, _Row]] = []
            for place, candidate in enumerate(_best(totals, 2 * width)):
                number, token = divmod(int(candidate), scores.shape[1])
                total = float(totals[candidate])
                if total == -np.inf or len(live) == width:
                    break
                row = rows[first + number]
                looked = outputs["weights"][first + number] if attention else None
                if token == end:
                    # An end that the beam would not have held is none of its answers: a beam of 1 is greedy.
                    if place < width:
                        answer = _Row(row.rules, total, end, row, looked).written()
                        ended[owner].append((total / (written + 1) ** beam.length_penalty, answer))
                else:
                    rules = row.rules if constraints is None else constraints[owner].advance(row.rules, token)
                    live.append((first + number, _Row(rules, total, token, row, looked)))
            if not _done(ended[owner], live, written + 1, beam):
                kept += [number for number, _ in live]
                following += [row for _, row in live]
        rows, owners = following, owners[kept]
        given = given.select(np.asarray(kept, dtype=np.int64))
        written += 1
        yield rows, ended
    if not all(ended):
        raise SuiteError("the rules leave no answer of the length that is allowed; loosen them")


def _ranked(ended: Finished, beam: Beam) -> list[Hypothesis]:
    """The best that have ended, best first."""
    return [answer for _, answer in sorted(ended, key=lambda pair: -pair[0])[: beam.n_best]]


@dataclass(frozen=True)
class _Row:
    """A hypothesis: the rules' state, its log-probability, its last token, and what came before."""

    rules: Any = None
    score: float = 0.0
    token: int = -1
    before: _Row | None = None
    looked: np.ndarray | None = None

    def tokens(self) -> tuple[int, ...]:
        """All tokens so far."""
        return tuple(step.token for step in self.steps())

    def steps(self) -> list[_Row]:
        """The hypothesis after each of its tokens."""
        found: list[_Row] = []
        row = self
        while row.before is not None:
            found.append(row)
            row = row.before
        return found[::-1]

    def written(self) -> Hypothesis:
        """The answer that ends here."""
        steps = self.steps()
        weights = None if self.looked is None else np.stack([step.looked for step in steps if step.looked is not None])
        return Hypothesis(tuple(step.token for step in steps[:-1]), self.score / len(steps), weights)


def _done(ended: Finished, live: list[tuple[int, _Row]], length: int, beam: Beam) -> bool:
    if len(ended) < beam.size or not live:
        return not live
    worst = sorted((score for score, _ in ended), reverse=True)[beam.n_best - 1]
    return all(row.score / length**beam.length_penalty < worst for _, row in live)


def _step(decoder: GraphRuntime, given: EncoderOutput, tokens: np.ndarray) -> tuple[Arrays, EncoderOutput]:
    """Write a token a row: the decoder's outputs, and what is given to the next step."""
    outputs = decoder({**given.state, **given.memory, "token": tokens})
    return outputs, EncoderOutput(carried(outputs), given.memory)


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """The numbers of the ``count`` highest scores, highest first; of equal ones, the lower number first."""
    # As many stretches hold one that is no lower than the least of their highest: all others are out at once.
    stretches = len(scores) // TOPK_BLOCK
    if count < stretches:
        highest = scores[: stretches * TOPK_BLOCK].reshape(stretches, TOPK_BLOCK).max(axis=1)
        found = np.flatnonzero(scores >= np.partition(highest, stretches - count)[stretches - count])
    else:
        found = np.arange(len(scores))
    return found[np.argsort(-scores[found], kind="stable")][:count]
