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

from suite.decoding.ctc import BLANK, MIN_LOG_PROB, PrefixSearch, Search, Symbol, log_add, to_chain, to_list
from suite.decoding.sampling import log_softmax
from suite.decoding.shallow_fusion import LOG_ZERO, FusedText, ShallowFusion
from suite.runtime import Arrays, Runtime, carried

#: Letters that one step may bring.
MAX_SYMBOLS_PER_STEP = 8


class GreedyTransducer(Search):
    """A transducer's likeliest letters, step by step; the prediction moves on a letter only, never on the blank."""

    def __init__(self, runtime: Runtime, *, max_symbols: int = MAX_SYMBOLS_PER_STEP) -> None:
        self._max_symbols = max_symbols
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        self._letters: list[Symbol] = []
        self._state: Arrays = {}
        self.reset()

    def step(self, row: np.ndarray, at: int) -> float:
        for _ in range(self._max_symbols):
            logits = self._joiner({"frame": row[None], "prediction": self._prediction})["logits"][0]
            scores = log_softmax(logits)
            number = int(scores.argmax())
            if number == BLANK:
                break
            self._letters.append(Symbol(number, at, at, float(scores[number])))
            self._move(number)
        return float(scores.max())

    def _move(self, number: int) -> None:
        outputs = self._decoder({"token": np.array([number]), **self._state})
        self._prediction, self._state = outputs["prediction"], carried(outputs)

    def best(self, *, last: bool = False) -> Sequence[Symbol]:
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
        self._letters = [Symbol(*letter) for letter in pending["letters"]]
        self._prediction = np.asarray(pending["prediction"], np.float32)
        self._state = _arrays(pending["state"], self._state)


def _plain(state: Arrays) -> dict[str, Any]:
    """A decoder's state as JSON."""
    return {name: array.tolist() for name, array in state.items()}


def _arrays(plain: dict[str, Any], like: Arrays) -> Arrays:
    """And back, of the types that ``like`` has."""
    return {name: np.asarray(plain[name], array.dtype) for name, array in like.items()}


@dataclass
class _Hypothesis:
    """A hypothesis of a transducer.

    It has its text, its letters as (the rest, the last), the log-probability of all alignments that give them, and
    the prediction after them.
    """

    text: FusedText
    letters: Any
    heard: float
    prediction: np.ndarray
    state: Arrays


class TransducerBeamSearch(PrefixSearch):
    """The ``size`` likeliest texts of a transducer, each the sum of all ways to write it.

    At each step what is likeliest goes on by a letter, and again, up to ``MOST`` of them; all that takes the blank goes
    on to the next step.
    """

    def __init__(
        self, runtime: Runtime, alphabet: str, size: int, fusion: ShallowFusion | None = None, *,
        max_symbols: int = MAX_SYMBOLS_PER_STEP,
    ) -> None:  # fmt: skip
        self._decoder, self._joiner = runtime.graph("decoder"), runtime.graph("joiner")
        super().__init__(alphabet, size, fusion)
        self._max_symbols = max_symbols

    def step(self, row: np.ndarray, at: int) -> float:
        going, peak = list(self._beam.values()), 0.0
        over: dict[Any, _Hypothesis] = {}
        for turn in range(self._max_symbols + 1):
            frames = np.repeat(row[None], len(going), axis=0)
            predictions = np.concatenate([one.prediction for one in going])
            scores = log_softmax(self._joiner({"frame": frames, "prediction": predictions})["logits"])
            if not turn:
                peak = float(scores[0].max())
            for one, blank in zip(going, scores[:, BLANK].tolist(), strict=True):
                self._passes(over, one, one.heard + blank)
            if turn == self._max_symbols:
                break
            likely = self._likely(going, scores, over, at)
            if not likely:
                break
            going = self._written(likely)
        ranked = sorted(over.items(), key=lambda pair: -(pair[1].heard + pair[1].text.score))[: self._size]
        top = max(one.heard for _, one in ranked)
        for _, one in ranked:
            one.heard = max(one.heard - top, LOG_ZERO)
        self._beam = dict(ranked)
        return peak

    def _passes(self, over: dict[Any, _Hypothesis], one: _Hypothesis, score: float) -> None:
        """Take the blank: no more is written at this step."""
        key = one.text[:2]
        found = over.get(key)
        if found is None:
            over[key] = dataclasses.replace(one, heard=score)
        else:
            if score > found.heard:
                found.letters = one.letters
            found.heard = log_add(found.heard, score)

    def _likely(
        self, going: Sequence[_Hypothesis], scores: np.ndarray, over: dict[Any, _Hypothesis], at: int
    ) -> list[tuple[_Hypothesis, Symbol, float, FusedText]]:
        """Texts that go on by a letter, their scores and words, if they may still be among the ``size`` likeliest."""
        ranks = sorted((one.heard + one.text.score for one in over.values()), reverse=True)
        least = ranks[self._size - 1] if len(ranks) >= self._size else ranks[0] + MIN_LOG_PROB
        letters: list[tuple[_Hypothesis, int, float]] = []
        for one, row in zip(going, scores.tolist(), strict=True):
            # What is less likely by itself cannot be likely enough.
            low = max(MIN_LOG_PROB, least - one.heard - one.text.word_scores - one.text.max_gain)
            # At the beginning, or after another one, a space says nothing.
            silent = (BLANK,) if one.text.prefix else (BLANK, self._space)
            letters += [(one, n, score) for n, score in enumerate(row) if score > low and n not in silent]
        found = []
        texts = self._extend([(one, number) for one, number, _ in letters])
        for (one, number, score), text in zip(letters, texts, strict=True):
            heard = one.heard + score
            if text is not None and (rank := heard + text.score) > least:
                found.append((rank, (one, Symbol(number, at, at, score), heard, text)))
        found.sort(key=lambda ranked: -ranked[0])
        return [likely for _, likely in found[: self._size]]

    def _written(self, likely: Sequence[tuple[_Hypothesis, Symbol, float, FusedText]]) -> list[_Hypothesis]:
        """What has another letter, and what is expected after it."""
        state = {name: np.concatenate([one.state[name] for one, *_ in likely]) for name in likely[0][0].state}
        outputs = self._decoder({"token": np.array([letter.label for _, letter, *_ in likely]), **state})
        following = carried(outputs)
        found = []
        for place, (one, letter, heard, text) in enumerate(likely):
            own = {name: array[place : place + 1] for name, array in following.items()}
            prediction = outputs["prediction"][place : place + 1]
            found.append(_Hypothesis(text, (one.letters, letter), heard, prediction, own))
        return found

    def reset(self) -> None:
        outputs = self._decoder({"token": np.array([BLANK]), **self._decoder.initial(1)})
        text = self._fusion.text()
        self._beam = {text[:2]: _Hypothesis(text, None, 0.0, outputs["prediction"], carried(outputs))}

    @property
    def pending(self) -> Any:
        return [
            [
                to_list(one.letters), one.heard, list(one.text.words), one.text.prefix, one.text.word_scores,
                one.prediction.tolist(), _plain(one.state),
            ]
            for one in self._beam.values()
        ]  # fmt: skip

    def restore(self, pending: Any) -> None:
        initial = self._decoder.initial(1)
        self._beam = {}
        for letters, heard, words, prefix, word_scores, prediction, state in pending:
            text = self._fusion.text(tuple(words), prefix, word_scores)
            self._beam[text[:2]] = _Hypothesis(
                text, to_chain(letters), heard, np.asarray(prediction, np.float32), _arrays(state, initial)
            )
