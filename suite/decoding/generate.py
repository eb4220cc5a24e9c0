"""Autoregressive generation with a decoder, and scoring: numpy only, one copy for both runtimes.

Data flow of `generate`: the prefixes are read → logits → a token is drawn (`Sampling`) among those that the
`Constraint` allows → it is read, with the state carried → the next one. Arrays named ``next.*`` go back in as
``state.*``, so that a row's past is its state and nothing grows with the length. ``Generation.state`` is all of it as
values that can be saved: generation continues from there, in another process too, without reading the past again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from suite.decoding.constraints import Constraint, TokenFeatures, state_from_json, state_to_json
from suite.decoding.sampling import Sampling, check_seed, log_softmax
from suite.errors import SuiteError, UsageError
from suite.runtime import Arrays, GraphRuntime, carried

__all__ = [
    "Constraint", "Generation", "Sampling", "TokenFeatures", "check_seed", "generate", "log_softmax", "score",
]  # fmt: skip

#: No n-gram is repeated within this many n-grams (``Sampling.no_repeat``).
REPEAT_WINDOW = 1024
#: Long sequences are read in chunks of this many tokens, with the state carried.
PREFILL_CHUNK = 256
_OTHER = "the saved state is of another model or other options; use it with those it was saved with"


class Generation:
    """Tokens as they are generated, made by `generate`: an iterator of int64 ``[B]``.

    Each step gives a token a row, or −1 for a row that has ended.
    """

    def __init__(
        self, graph: GraphRuntime, rows: Sequence[_Row], arrays: Arrays, logits: np.ndarray, sampling: Sampling,
        *, stop: int | None, limit: int | None,
    ) -> None:  # fmt: skip
        self._graph, self._rows, self._arrays, self._logits = graph, rows, arrays, logits
        self._sampling, self._stop, self._left = sampling, stop, limit

    @property
    def batch(self) -> int:
        """The number of rows B."""
        return len(self._rows)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> np.ndarray:
        """The next token of each row. Raises SuiteError where a constraint leaves none."""
        going = [i for i, row in enumerate(self._rows) if not row.ended]
        if not going or self._left == 0:
            raise StopIteration
        self._read(going)
        tokens = np.full(len(self._rows), -1, dtype=np.int64)
        for i in going:
            row = self._rows[i]
            tokens[i] = row.unread = row.draw(self._logits[i], self._sampling)
            row.ended = row.unread == self._stop
        if self._left is not None:
            self._left -= 1
        return tokens

    @property
    def state(self) -> dict[str, Any]:
        """Everything that the next tokens depend on, after all tokens given so far are read.

        Arrays by name under ``"arrays"``, the ``"logits"`` ``[B, V]``, and under ``"rows"`` JSON values of each row:
        its random generator, the state of its constraint and of its features, the tokens of the n-grams that it must
        not repeat, and whether it has ended. ``generate(…, state=…)`` continues from it.
        """
        # Rows that have ended are read by themselves, so that the others' batches are as without a look at the state.
        self._read([i for i, row in enumerate(self._rows) if not row.ended])
        self._read([i for i, row in enumerate(self._rows) if row.ended])
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        return {"arrays": arrays, "logits": self._logits.copy(), "rows": [row.saved() for row in self._rows]}

    def _read(self, numbers: Sequence[int]) -> None:
        """Read the tokens of these rows that the graph has not read yet."""
        waiting = [(i, token) for i in numbers if (token := self._rows[i].unread) is not None]
        if not waiting:
            return
        there = [i for i, _ in waiting]
        inputs = np.asarray([[self._rows[i].read(token)] for i, token in waiting], dtype=np.int64)
        given = {"inputs": inputs, "lengths": np.ones(len(there), dtype=np.int64)}
        if len(there) == len(self._rows):
            outputs = self._graph({**self._arrays, **given})
            self._arrays, self._logits = carried(outputs), outputs["outputs"][:, 0]
            return
        outputs = self._graph({**{name: array[there] for name, array in self._arrays.items()}, **given})
        for name, array in carried(outputs).items():
            self._arrays[name] = _replaced(self._arrays[name], there, array)
        self._logits = _replaced(self._logits, there, outputs["outputs"][:, 0])


class _Row:
    """One sequence being generated."""

    def __init__(
        self, random: np.random.Generator, rules: Constraint | None, features: TokenFeatures | None,
        guard: _Guard | None, *, state: Any = None, ended: bool = False,
    ) -> None:  # fmt: skip
        self.random, self.rules, self.features, self.guard = random, rules, features, guard
        self.state, self.ended = state, ended
        #: The last token, until the graph has read it.
        self.unread: int | None = None

    def read(self, token: int) -> int | Sequence[int]:
        """Take a token; returns what the graph reads of it."""
        self.unread = None
        if self.rules is not None:
            self.state = self.rules.advance(self.state, token)
        if self.guard is not None:
            self.guard.read(token)
        return self.features.next(token) if self.features is not None else token

    def draw(self, logits: np.ndarray, sampling: Sampling) -> int:
        allowed = self.rules.mask(self.state) if self.rules is not None else None
        if allowed is not None and not allowed.any():
            raise SuiteError("the constraint leaves no token to continue with; loosen it, or give another prefix")
        if self.guard is not None and (repeated := self.guard.repeated()):
            free = np.ones(len(logits), dtype=bool) if allowed is None else allowed.copy()
            free[repeated] = False
            allowed = free if free.any() else allowed
        return sampling.draw(logits, self.random, allowed)

    def saved(self) -> dict[str, Any]:
        """The row as JSON values; ``constraint`` and ``features`` only if it has them."""
        recent = [] if self.guard is None else list(self.guard.recent)
        found = {"random": self.random.bit_generator.state, "recent": recent, "ended": self.ended}
        if self.rules is not None:
            found["constraint"] = state_to_json(self.state)
        if self.features is not None:
            found["features"] = self.features.state
        return found

    @classmethod
    def restored(
        cls, saved: Mapping[str, Any], random: np.random.Generator | None, rules: Constraint | None,
        features: Callable[..., TokenFeatures] | None, n: int,
    ) -> Self:  # fmt: skip
        """The row that was saved; ``random`` takes the place of its random generator."""
        if random is None:
            random = np.random.Generator(np.random.PCG64(0))
            random.bit_generator.state = saved["random"]
        if (features is None) != ("features" not in saved):
            raise UsageError(_OTHER)
        state = None if rules is None else state_from_json(saved["constraint"], rules.start())
        made = None if features is None else features(saved["features"])
        guard = _Guard(n, saved["recent"]) if n else None
        return cls(random, rules, made, guard, state=state, ended=bool(saved["ended"]))


class _Guard:
    """Which tokens would repeat an n-gram of the last `REPEAT_WINDOW`."""

    def __init__(self, n: int, recent: Iterable[int] = ()) -> None:
        self._n = n
        #: The tokens of the n-grams that must not be repeated: with them the guard can be made again.
        self.recent: deque[int] = deque(maxlen=REPEAT_WINDOW + n - 1)
        self._last: deque[int] = deque(maxlen=n)
        # N-grams are known by the hash of all but the last token; that of whole numbers is the same in every process.
        self._seen: dict[int, list[int]] = {}
        self._order: deque[int] = deque()
        for token in recent:
            self.read(int(token))

    def read(self, token: int) -> None:
        self.recent.append(token)
        self._last.append(token)
        if len(self._last) < self._n:
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
        if len(self._last) < self._n:
            return []
        return self._seen.get(hash(tuple(self._last)[1:]), [])


def generate(
    graph: GraphRuntime,
    prefixes: Sequence[Sequence[int]] | None = None,
    randoms: Sequence[np.random.Generator] | None = None,
    *,
    sampling: Sampling | None = None,
    constraints: Sequence[Constraint] | None = None,
    features: Callable[..., TokenFeatures] | None = None,
    stop: int | None = None,
    limit: int | None = None,
    state: Mapping[str, Any] | None = None,
) -> Generation:
    """Generate tokens after ``prefixes``, step by step; rows are independent of each other.

    Without ``stop`` and ``limit`` there is no end, and memory does not grow.

    Args:
        graph: Maps ``inputs [B, T]`` (``[B, T, F]`` with a ``features``), ``lengths`` and ``state.*`` to ``outputs
            [B, T, V]`` and ``next.*``.
        prefixes: B rows of at least one token each. With ``state``: tokens to read before more are generated; a row may
            be empty, and a row that has ended and gets some is continued.
        randoms: A random generator a row; by default those of ``state``.
        constraints: A constraint a row.
        features: ``features()`` gives the features of a sequence's tokens, ``features(state)`` continues them.
        stop: A row ends with this token, which is given.
        limit: A row ends after this many tokens.
        state: ``Generation.state`` of another generation to continue from.

    Raises:
        UsageError: For a row without tokens, or a state of another model or other options.
    """
    sampling = sampling or Sampling()
    if state is not None:
        return _continued(graph, state, prefixes, randoms, sampling, constraints, features, stop=stop, limit=limit)
    if prefixes is None or randoms is None or not all(prefixes):
        raise UsageError("generate: give each row a prefix of at least one token, and a random generator")
    rules: Sequence[Constraint | None] = constraints or [None] * len(prefixes)
    rows = [
        _Row(
            random, rule, features() if features else None, _Guard(sampling.no_repeat) if sampling.no_repeat else None,
            state=rule.start() if rule is not None else None,
        )
        for random, rule in zip(randoms, rules, strict=True)
    ]  # fmt: skip
    read = [[row.read(token) for token in prefix] for row, prefix in zip(rows, prefixes, strict=True)]
    arrays, logits = _prefill(graph, read, graph.initial(len(rows)))
    return Generation(graph, rows, arrays, logits, sampling, stop=stop, limit=limit)


def _continued(
    graph: GraphRuntime, state: Mapping[str, Any], prefixes: Sequence[Sequence[int]] | None,
    randoms: Sequence[np.random.Generator] | None, sampling: Sampling, constraints: Sequence[Constraint] | None,
    features: Callable[..., TokenFeatures] | None, **ends: Any,
) -> Generation:  # fmt: skip
    try:
        saved, logits = state["rows"], np.array(state["logits"])
        count, initial = len(saved), graph.initial(len(saved))
        arrays = {name: np.array(state["arrays"][name], array.dtype) for name, array in initial.items()}
        if any(each is not None and len(each) != count for each in (prefixes, randoms, constraints)):
            raise UsageError(f"generate: the saved state has {count} rows; give as many prefixes and constraints")
        rows = [
            _Row.restored(
                row, randoms[i] if randoms else None, constraints[i] if constraints else None, features,
                sampling.no_repeat,
            )
            for i, row in enumerate(saved)
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UsageError(_OTHER) from error
    if logits.ndim != 2 or len(logits) != count or any(arrays[n].shape != a.shape for n, a in initial.items()):
        raise UsageError(_OTHER)
    if prefixes is not None and any(prefixes):
        read = [[row.read(token) for token in prefix] for row, prefix in zip(rows, prefixes, strict=True)]
        arrays, logits = _prefill(graph, read, arrays, logits)
        for row, prefix in zip(rows, prefixes, strict=True):
            row.ended = row.ended and not prefix
    return Generation(graph, rows, arrays, logits, sampling, **ends)


def _prefill(
    graph: GraphRuntime, rows: Sequence[Sequence[Any]], state: Arrays, logits: np.ndarray | None = None
) -> tuple[Arrays, np.ndarray]:
    """The state after each row, and the logits ``[B, V]`` of its last token; long rows are read in chunks.

    A row without tokens keeps its state and its ``logits``.
    """
    for start in range(0, max(map(len, rows), default=0), PREFILL_CHUNK):
        # A row that is over keeps its state, as one of length 0 does.
        outputs = graph({**state, **_padded([row[start : start + PREFILL_CHUNK] for row in rows])})
        state, found = carried(outputs), outputs["outputs"]
        logits = np.empty((len(rows), found.shape[-1]), found.dtype) if logits is None else logits
        for i, row in enumerate(rows):
            if start < len(row) <= start + PREFILL_CHUNK:
                logits[i] = found[i, len(row) - start - 1]
    return state, np.empty((len(rows), 0)) if logits is None else logits


def _replaced(array: np.ndarray, rows: Sequence[int], values: np.ndarray) -> np.ndarray:
    """A copy of the array with other values in some rows."""
    array = array.copy()
    array[rows] = values
    return array


def score(
    graph: GraphRuntime,
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    *,
    batch_size: int = 32,
    chunk: int = PREFILL_CHUNK,
) -> list[np.ndarray]:
    """The log-probability of every target, float64 ``[T]`` a sequence.

    ``inputs`` are a sequence's ``[T]`` or ``[T, F]``, ``targets [T]`` the token at each step. Long sequences are read
    in chunks with the state carried, so that memory is bounded by ``batch_size`` times ``chunk``.
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
