"""Writing with a decoder, and judging what is written: numpy only, one copy for both runtimes.

Data flow of `generate`: the prefix is read → logits → a token is drawn (`Sampling`), of those that
the `Constraint` allows → it is read, with the state carried → the next one. Arrays named ``next.*`` go back in
as ``state.*``, so that a row's past is its state and nothing grows with the length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from suite.decoding.constraints import Constraint
from suite.decoding.sampling import Sampling, log_softmax
from suite.errors import SuiteError
from suite.runtime import Arrays, GraphRuntime, carried

#: The guard against repetition looks back on so many tokens.
REPEAT_WINDOW = 1024
#: Long pieces are read so many tokens at a time, with the state carried.
PREFILL_CHUNK = 256


class TokenFeatures(Protocol):
    """What a graph reads of each token, where that is more than the token."""

    def next(self, token: int) -> Sequence[int]:
        """The inputs ``[F]`` of the next token."""
        ...


class _Row:
    """One piece being written."""

    def __init__(
        self, random: np.random.Generator, rules: Constraint | None, features: TokenFeatures | None, n: int
    ) -> None:
        self.random, self.rules, self.features = random, rules, features
        self.state = rules.start() if rules is not None else None
        self.guard = _Guard(n) if n else None

    def read(self, token: int) -> int | Sequence[int]:
        """Take a token; returns what the graph reads of it."""
        if self.rules is not None:
            self.state = self.rules.advance(self.state, token)
        if self.guard:
            self.guard.read(token)
        return self.features.next(token) if self.features else token

    def draw(self, logits: np.ndarray, sampling: Sampling) -> int:
        allowed = self.rules.mask(self.state) if self.rules is not None else None
        if allowed is not None and not allowed.any():
            raise SuiteError("the rules leave no token to go on with; loosen them, or begin with another prefix")
        if self.guard and (repeated := self.guard.repeated()):
            free = np.ones(len(logits), dtype=bool) if allowed is None else allowed.copy()
            free[repeated] = False
            allowed = free if free.any() else allowed
        return sampling.draw(logits, self.random, allowed)


class _Guard:
    """Which tokens would repeat a stretch of ``n`` tokens that is in the window."""

    def __init__(self, n: int) -> None:
        self._last: deque[int] = deque(maxlen=n)
        # Stretches are known by their hash, which is small; that of whole numbers is the same in every process.
        self._seen: dict[int, list[int]] = {}
        self._order: deque[int] = deque()

    def read(self, token: int) -> None:
        self._last.append(token)
        if len(self._last) < (self._last.maxlen or 0):
            return
        before = hash(tuple(self._last)[:-1])
        self._seen.setdefault(before, []).append(token)
        self._order.append(before)
        if len(self._order) > REPEAT_WINDOW:
            oldest = self._order.popleft()
            self._seen[oldest].pop(0)
            if not self._seen[oldest]:
                del self._seen[oldest]

    def repeated(self) -> list[int]:
        if len(self._last) < (self._last.maxlen or 0):
            return []
        return self._seen.get(hash(tuple(self._last)[1:]), [])


def generate(
    graph: GraphRuntime,
    prefixes: Sequence[Sequence[int]],
    randoms: Sequence[np.random.Generator],
    *,
    sampling: Sampling | None = None,
    constraints: Sequence[Constraint] | None = None,
    features: Callable[[], TokenFeatures] | None = None,
    stop: int | None = None,
    limit: int | None = None,
) -> Iterator[np.ndarray]:
    """Go on from ``prefixes`` (B rows of at least one token each), and yield the next tokens as they come.

    Each step yields int64 ``[B]``: a token a row, or −1 for a row that has ended: by ``stop``, which is itself
    yielded, or after ``limit`` tokens. Without either there is no end, and memory does not grow. Rows are
    independent: each has its own of ``randoms`` and ``constraints``, and leaves the batch when it ends.
    ``graph`` maps ``inputs [B, T]`` (``[B, T, F]`` with ``features``), ``lengths`` and ``state.*`` to ``outputs
    [B, T, V]`` and ``next.*``. Raises SuiteError where a constraint leaves no token.
    """
    sampling = sampling or Sampling()
    rules: Sequence[Constraint | None] = constraints or [None] * len(prefixes)
    rows = [
        _Row(random, rule, features() if features else None, sampling.no_repeat)
        for random, rule in zip(randoms, rules, strict=True)
    ]
    read = [[row.read(token) for token in prefix] for row, prefix in zip(rows, prefixes, strict=True)]
    state, logits = _begun(graph, read)
    there = np.arange(len(rows))
    written = 0
    while len(there) and written != limit:
        tokens = np.full(len(rows), -1, dtype=np.int64)
        tokens[there] = [rows[i].draw(logits[k], sampling) for k, i in enumerate(there)]
        yield tokens
        written += 1
        if written == limit:
            return
        if stop is not None and not (keep := tokens[there] != stop).all():
            there, state = there[keep], {name: array[keep] for name, array in state.items()}
        if len(there):
            inputs = np.asarray([[rows[i].read(int(tokens[i]))] for i in there], dtype=np.int64)
            outputs = graph({**state, "inputs": inputs, "lengths": np.ones(len(there), dtype=np.int64)})
            state, logits = carried(outputs), outputs["outputs"][:, 0]


def _begun(graph: GraphRuntime, rows: Sequence[Sequence[Any]]) -> tuple[Arrays, np.ndarray]:
    """The state after each row, and the logits ``[B, V]`` of its last token; long rows are read in stretches."""
    state, logits = graph.initial(len(rows)), np.empty(0)
    for start in range(0, max(map(len, rows)), PREFILL_CHUNK):
        # A row that is over keeps its state, as one of length 0 does.
        outputs = graph({**state, **_padded([row[start : start + PREFILL_CHUNK] for row in rows])})
        state, found = carried(outputs), outputs["outputs"]
        logits = logits if start else np.empty((len(rows), found.shape[-1]), found.dtype)
        for i, row in enumerate(rows):
            if start < len(row) <= start + PREFILL_CHUNK:
                logits[i] = found[i, len(row) - start - 1]
    return state, logits


def score(
    graph: GraphRuntime,
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    *,
    batch_size: int = 32,
    chunk: int = PREFILL_CHUNK,
) -> list[np.ndarray]:
    """The log-probability of every target, float64 ``[T]`` a piece.

    ``inputs`` are a piece's ``[T]`` or ``[T, F]``, ``targets [T]`` what comes at each step. Long pieces are read
    in stretches with the state carried, so that memory is bounded by ``batch_size`` times ``chunk``.
    """
    found = [np.empty(len(target)) for target in targets]
    order = sorted(range(len(targets)), key=lambda i: -len(targets[i]))
    for start in range(0, len(order), batch_size):
        there = [i for i in order[start : start + batch_size] if len(targets[i])]
        state = graph.initial(len(there))
        done = 0
        while there:
            outputs = graph({**state, **_padded([inputs[i][done : done + chunk] for i in there])})
            for row, i in enumerate(there):
                wanted = targets[i][done : done + chunk]
                scores = log_softmax(outputs["outputs"][row, : len(wanted)].astype(np.float64))
                found[i][done : done + len(wanted)] = scores[np.arange(len(wanted)), wanted]
            done += chunk
            # The longest come first, so that those with more to come are the first rows.
            there = [i for i in there if len(targets[i]) > done]
            state = {name: array[: len(there)] for name, array in carried(outputs).items()}
    return found


def _padded(rows: Sequence[Sequence[Any] | np.ndarray]) -> Arrays:
    """Rows of different lengths as ``inputs [B, T, …]`` with zeros at the end, and their ``lengths``."""
    lengths = np.asarray([len(row) for row in rows], dtype=np.int64)
    longest = np.asarray(max(rows, key=len), dtype=np.int64)
    inputs = np.zeros((len(rows), *longest.shape), dtype=np.int64)
    for array, row in zip(inputs, rows, strict=True):
        if len(row):
            array[: len(row)] = row
    return {"inputs": inputs, "lengths": lengths}
