"""Searching for what a transducer writes, against all it could."""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from suite.codecs.characters import CharacterCodec, CharacterSpec
from suite.decoding.ctc import Search
from suite.decoding.endpointing import Endpointer, Utterance
from suite.decoding.sampling import log_softmax
from suite.decoding.shallow_fusion import ShallowFusion
from suite.decoding.transducer import GreedyTransducer, TransducerBeamSearch
from suite.runtime import Arrays

ABC = CharacterCodec(CharacterSpec(alphabet=" ab", digits=()))
ALPHABET = ABC.spec.alphabet


def heard(runtime: Any, search: Search) -> Utterance:
    listener = Endpointer(ALPHABET, search)
    assert listener.feed(runtime.frames) == []
    return listener.finish()


class Written:
    """A transducer by tables: what follows depends on the frame, the last letter and whether their number is odd."""

    kind = "onnx"
    names = ("decoder", "joiner")

    def __init__(self, seed: int, steps: int = 3, size: int = ABC.size) -> None:
        random = np.random.default_rng(seed)
        self.frames = np.eye(steps, dtype=np.float32)
        self.logits = random.normal(0, 1.5, (steps, size, 2, size)).astype(np.float32)

    def graph(self, name: str) -> Any:
        return Decoder() if name == "decoder" else self._joined

    def _joined(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        last, odd = arrays["prediction"].astype(int).T
        return {"logits": self.logits[arrays["frame"].argmax(1), last, odd]}

    def chances(self, most: int) -> dict[str, float]:
        """The probability of each text: the sum over all ways to write it with so many letters a step."""
        found: defaultdict[str, float] = defaultdict(float)
        each = [run for n in range(most + 1) for run in itertools.product(range(1, ABC.size), repeat=n)]
        for runs in itertools.product(each, repeat=len(self.frames)):
            chance, last, count = 0.0, 0, 0
            for at, run in enumerate(runs):
                for number in (*run, 0):
                    chance += float(log_softmax(self.logits[at, last, count % 2])[number])
                    if number:
                        last, count = number, count + 1
            text = ABC.decode(number for run in runs for number in run)
            if not text.startswith(" ") and "  " not in text:
                found[text] += math.exp(chance)
        return found


class Decoder:
    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        token, count = arrays["token"], arrays["state.count"]
        odd = (count[:, 0] + 1) % 2
        return {"prediction": np.stack([token, odd], 1).astype(np.float32), "next.count": count + 1}

    def initial(self, batch: int) -> Arrays:
        return {"state.count": np.full((batch, 1), -1, np.int64)}


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_beam_finds_the_likeliest_text_of_a_transducer(
    seed: int, ranks_as: Callable[..., str]
) -> None:  # fmt: skip
    runtime: Any = Written(seed)
    chances = runtime.chances(2)
    search = TransducerBeamSearch(runtime, ALPHABET, 1000, max_symbols=2)
    for at, row in enumerate(runtime.frames):
        search.step(row, at)
    top = ranks_as(search, chances, least=1e-2, apart=2e-2)
    assert ABC.decode(letter.label for letter in search.best()) == top


def test_a_transducer_in_a_beam_goes_on_from_what_was_kept() -> None:
    runtime: Any = Written(3, steps=6)
    whole = TransducerBeamSearch(runtime, ALPHABET, 4)
    kept: Search = TransducerBeamSearch(runtime, ALPHABET, 4)
    for at, row in enumerate(runtime.frames):
        whole.step(row, at)
        kept.step(row, at)
        pending = json.loads(json.dumps(kept.pending))
        kept = TransducerBeamSearch(runtime, ALPHABET, 4)
        kept.restore(pending)
    assert list(kept.best()) == list(whole.best())
    whole.reset()
    assert whole.best() == []


def test_a_transducer_leans_on_words_too() -> None:
    runtime: Any = Written(5, steps=4)
    for words in (["ab"], ["b"], ["a", "ba"]):
        fusion = ShallowFusion(vocabulary=words, vocabulary_only=True)
        found = heard(runtime, TransducerBeamSearch(runtime, ALPHABET, 64, fusion))
        assert {word.word for word in found.words} <= set(words)
    found = heard(
        runtime,
        TransducerBeamSearch(runtime, ALPHABET, 64, ShallowFusion(vocabulary=["bb"], vocabulary_bonus=20.0)),
    )
    assert "bb" in found.text.split()


def test_one_text_at_a_time_is_at_most_as_likely_as_a_beam_s() -> None:
    compared = 0
    for seed in range(20):
        runtime: Any = Written(seed)
        chances = runtime.chances(2)
        one = heard(runtime, GreedyTransducer(runtime))
        other = heard(runtime, TransducerBeamSearch(runtime, ALPHABET, 16))
        if one.text in chances and other.text in chances:
            assert chances[other.text] >= chances[one.text] * 0.99
            compared += 1
    assert compared >= 5
