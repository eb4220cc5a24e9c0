"""Reading texts off a transducer: numpy only, one copy for both runtimes.

Data flow: frames ``[T, K]`` a step at a time → joined with what is expected after the letters so far → letters, none or
several a step, each of which moves what is expected on → what `suite.decoding.ctc` makes of letters.

Transducers are of Graves (2012, arXiv:1211.3711), their search is as Saon et al. (2020,
doi:10.1109/ICASSP40776.2020.9053040) have it, synchronous in time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.codecs.characters import BLANK, CharacterCodec
from suite.decoding.ctc import LEAST, ZERO, Expected, Grown, Leaning, Letter, Search, chained, listed, log_sum
from suite.decoding.generate import log_softmax
from suite.runtime import Arrays, Runtime, carried

#: Letters that one step may bring.
MOST = 8


class Transduced(Search):
    """A transducer's likeliest letters, step by step; the prediction moves on a letter only, never on the blank."""

    def __init__(self, runtime: Runtime) -> None:
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        self._letters: list[Letter] = []
        self._state: Arrays = {}
        self.reset()

    def step(self, row: np.ndarray, at: int) -> float:
        for _ in range(MOST):
            logits = self._joiner({"frame": row[None], "prediction": self._prediction})["logits"][0]
            scores = log_softmax(logits)
            number = int(scores.argmax())
            if number == BLANK:
                break
            self._letters.append(Letter(number, at, at, float(scores[number])))
            self._move(number)
        return float(scores.max())

    def _move(self, number: int) -> None:
        outputs = self._decoder({"token": np.array([number]), **self._state})
        self._prediction, self._state = outputs["prediction"], carried(outputs)

    def best(self, *, last: bool = False) -> Sequence[Letter]:
        return self._letters

    def reset(self) -> None:
        self._letters = []
        self._state = self._decoder.initial(1)
        self._move(BLANK)

    @property
    def pending(self) -> Any:
        return {
            "letters": [list(one) for one in self._letters],
            "prediction": self._prediction.tolist(),
            "state": _plain(self._state),
        }

    def restore(self, pending: Any) -> None:
        self._letters = [Letter(*letter) for letter in pending["letters"]]
        self._prediction = np.asarray(pending["prediction"], np.float32)
        self._state = _arrays(pending["state"], self._state)


def _plain(state: Arrays) -> dict[str, Any]:
    """A decoder's state as JSON."""
    return {name: array.tolist() for name, array in state.items()}


def _arrays(plain: dict[str, Any], like: Arrays) -> Arrays:
    """And back, of the types that ``like`` has."""
    return {name: np.asarray(plain[name], array.dtype) for name, array in like.items()}


@dataclass
class _Joined:
    """What a transducer may have written: letters as (the rest, the last), the log-probability of all ways to write
    them, words as a ``_Prefix`` has them, and what is expected after them."""

    letters: Any
    heard: float
    words: tuple[str, ...]
    part: str
    added: float
    prediction: np.ndarray
    state: Arrays


class Joined(Leaning):
    """The ``size`` likeliest texts of a transducer, each the sum of all ways to write it.

    At each step what is likeliest goes on by a letter, and again, up to ``MOST`` of them; all that takes the blank goes
    on to the next step.
    """

    def __init__(self, runtime: Runtime, letters: CharacterCodec, size: int, expected: Expected | None = None) -> None:
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        super().__init__(letters, size, expected)

    def step(self, row: np.ndarray, at: int) -> float:
        going, peak = list(self._beam.values()), 0.0
        over: dict[Any, _Joined] = {}
        for turn in range(MOST + 1):
            frames = np.repeat(row[None], len(going), axis=0)
            predictions = np.concatenate([one.prediction for one in going])
            scores = log_softmax(self._joiner({"frame": frames, "prediction": predictions})["logits"])
            if not turn:
                peak = float(scores[0].max())
            for one, blank in zip(going, scores[:, BLANK].tolist(), strict=True):
                self._passes(over, one, one.heard + blank)
            if turn == MOST:
                break
            likely = self._likely(going, scores, over, at)
            if not likely:
                break
            going = self._written(likely)
        ranked = sorted(over.items(), key=lambda pair: -self._rank(pair[1]))[: self._size]
        top = max(one.heard for _, one in ranked)
        for _, one in ranked:
            one.heard = max(one.heard - top, ZERO)
        self._beam = dict(ranked)
        return peak

    def _passes(self, over: dict[Any, _Joined], one: _Joined, score: float) -> None:
        """Take the blank: no more is written at this step."""
        found = over.get((one.words, one.part))
        if found is None:
            over[one.words, one.part] = dataclasses.replace(one, heard=score)
        else:
            if score > found.heard:
                found.letters = one.letters
            found.heard = log_sum(found.heard, score)

    def _likely(
        self, going: Sequence[_Joined], scores: np.ndarray, over: dict[Any, _Joined], at: int
    ) -> list[tuple[_Joined, Letter, float, Grown]]:
        """Texts that go on by a letter, their scores and words, if they may still be among the ``size`` likeliest."""
        ranks = sorted((self._rank(one) for one in over.values()), reverse=True)
        least = ranks[self._size - 1] if len(ranks) >= self._size else ranks[0] + LEAST
        found = []
        for one, row in zip(going, scores.tolist(), strict=True):
            # What is less likely by itself cannot be likely enough.
            low = max(LEAST, least - one.heard - one.added - self._expected.most(one.part))
            for number, score in enumerate(row):
                # At the beginning, or after another one, a space says nothing.
                if score <= low or number == BLANK or (number == self._space and not one.part):
                    continue
                grown = self._grown(one, number)
                if grown is None:
                    continue
                heard = one.heard + score
                rank = heard + grown[2] + self._expected.so_far(grown[1])
                if rank > least:
                    found.append((rank, (one, Letter(number, at, at, score), heard, grown)))
        found.sort(key=lambda ranked: -ranked[0])
        return [likely for _, likely in found[: self._size]]

    def _written(self, likely: Sequence[tuple[_Joined, Letter, float, Grown]]) -> list[_Joined]:
        """What has another letter, and what is expected after it."""
        state = {name: np.concatenate([one.state[name] for one, *_ in likely]) for name in likely[0][0].state}
        outputs = self._decoder({"token": np.array([letter.number for _, letter, *_ in likely]), **state})
        following = carried(outputs)
        found = []
        for place, (one, letter, heard, grown) in enumerate(likely):
            own = {name: array[place : place + 1] for name, array in following.items()}
            prediction = outputs["prediction"][place : place + 1]
            found.append(_Joined((one.letters, letter), heard, *grown, prediction, own))
        return found

    def reset(self) -> None:
        outputs = self._decoder({"token": np.array([BLANK]), **self._decoder.initial(1)})
        self._beam = {((), ""): _Joined(None, 0.0, (), "", 0.0, outputs["prediction"], carried(outputs))}

    @property
    def pending(self) -> Any:
        return [
            [
                listed(one.letters), one.heard, list(one.words), one.part, one.added, one.prediction.tolist(),
                _plain(one.state),
            ]
            for one in self._beam.values()
        ]  # fmt: skip

    def restore(self, pending: Any) -> None:
        initial = self._decoder.initial(1)
        self._beam = {}
        for letters, heard, words, part, added, prediction, state in pending:
            self._beam[tuple(words), part] = _Joined(
                chained(letters), heard, tuple(words), part, added, np.asarray(prediction, np.float32),
                _arrays(state, initial),
            )  # fmt: skip
