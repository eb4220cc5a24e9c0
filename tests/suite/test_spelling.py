"""Searching for texts in outputs, against all there could be."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from suite.codecs.letters import Letters, LettersSpec
from suite.errors import UsageError
from suite.ngrams import learn
from suite.runtime import Arrays
from suite.search import log_softmax
from suite.spelling import LONGEST, BestPath, Expected, Heard, Joined, Listener, Prefixes, Search, Transduced

ABC = Letters(LettersSpec(alphabet=" ab", digits=()))
ALL = Letters(LettersSpec())


def spelled(text: str, letters: Letters = ALL, *, each: int = 2, gap: int = 1, size: float = 8.0) -> np.ndarray:
    """Outputs in which every letter is clear for ``each`` steps, and a blank for ``gap`` after it."""
    rows = []
    for letter in text:
        for number in [letters.spec.alphabet.index(letter) + 1] * each + [0] * gap:
            rows.append(np.eye(letters.size, dtype=np.float32)[number] * size)
    return np.stack(rows) if rows else np.zeros((0, letters.size), np.float32)


def silence(steps: int, letters: Letters = ALL) -> np.ndarray:
    return np.tile(np.eye(letters.size, dtype=np.float32)[0] * 8, (steps, 1))


def heard(outputs: np.ndarray, search: Search, letters: Letters = ALL, pause: int = 0) -> list[Heard]:
    listener = Listener(letters, search, pause)
    return [*listener.feed(outputs), listener.finish()]


def every_text(outputs: np.ndarray, letters: Letters) -> dict[str, float]:
    """The probability of each text: the sum over all paths that say it, no space at its beginning or after another."""
    chances = np.exp(log_softmax(outputs.astype(np.float64)))
    found: defaultdict[str, float] = defaultdict(float)
    for path in itertools.product(range(letters.size), repeat=len(outputs)):
        said = [number for i, number in enumerate(path) if number and (i == 0 or path[i - 1] != number)]
        text = re.sub(" +", " ", letters.decode(said)).lstrip(" ")
        found[text] += float(np.prod([chances[t, number] for t, number in enumerate(path)]))
    return found


def ranks_as(search: Prefixes | Joined, chances: Mapping[str, float], *, least: float, apart: float) -> str:
    """The likeliest text of a search, which must rank what is at least so likely beside it as all ways together do."""
    found = {" ".join([*one.words, one.part]): one.heard for one in search._beam.values()}
    # Scores are relative: what has been taken off is the same for all.
    top = max(found, key=found.__getitem__)
    assert top == max(chances, key=chances.__getitem__)
    for text, score in found.items():
        if chances[text] > least * chances[top]:
            assert score - found[top] == pytest.approx(math.log(chances[text] / chances[top]), abs=apart)
    return top


# --- one utterance --------------------------------------------------------------------------------------------


def test_the_best_path_leaves_repetitions_and_blanks_out() -> None:
    (found,) = heard(spelled("hello  it's me"), BestPath())
    assert found.text == "hello it's me"
    assert [word.word for word in found.words] == ["hello", "it's", "me"]
    hello, its, _ = found.words
    assert (hello.start, hello.end) == (0, 14)
    assert its.start == 3 * 7
    assert 0.97 < hello.confidence < 1


def test_a_word_is_as_sure_as_its_letters() -> None:
    outputs = np.concatenate([spelled("ab", size=8.0), spelled(" ", size=8.0), spelled("ab", size=3.0)])
    (found,) = heard(outputs, BestPath())
    first, second = found.words
    chance = math.exp(3) / (math.exp(3) + ALL.size - 1)
    assert second.confidence == pytest.approx(chance, abs=1e-5)
    assert found.confidence == pytest.approx(math.sqrt(first.confidence * second.confidence), abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_wide_beam_finds_the_likeliest_text_of_all(seed: int) -> None:
    outputs = np.random.default_rng(seed).normal(0, 2, (6, ABC.size)).astype(np.float32)
    chances = every_text(outputs, ABC)
    search = Prefixes(ABC, 1000)
    for at, row in enumerate(outputs):
        search.step(row, at)
    ranks_as(search, chances, least=1e-6, apart=2e-3)


def test_a_beam_says_when_letters_were_heard_as_the_best_path_does() -> None:
    outputs = spelled("press one", each=3, gap=2)
    (one,), (other,) = heard(outputs, BestPath()), heard(outputs, Prefixes(ALL, 8))
    assert [(w.word, w.start, w.end) for w in one.words] == [(w.word, w.start, w.end) for w in other.words]
    assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_silence_is_nothing_and_sure_of_it() -> None:
    for search in (BestPath(), Prefixes(ALL, 4)):
        (found,) = heard(silence(10), search)
        assert (found.text, found.words) == ("", ())
        assert found.confidence > 0.95
    assert heard(np.zeros((0, ALL.size)), BestPath())[0].text == ""


# --- transducers ----------------------------------------------------------------------------------------------


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
def test_a_wide_beam_finds_the_likeliest_text_of_a_transducer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.spelling.MOST", 2)
    runtime: Any = Written(seed)
    chances = runtime.chances(2)
    search = Joined(runtime, ABC, 1000)
    for at, row in enumerate(runtime.frames):
        search.step(row, at)
    top = ranks_as(search, chances, least=1e-2, apart=2e-2)
    assert ABC.decode(letter.number for letter in search.best()) == top


def test_a_transducer_in_a_beam_goes_on_from_what_was_kept() -> None:
    runtime: Any = Written(3, steps=6)
    whole = Joined(runtime, ABC, 4)
    kept: Search = Joined(runtime, ABC, 4)
    for at, row in enumerate(runtime.frames):
        whole.step(row, at)
        kept.step(row, at)
        pending = json.loads(json.dumps(kept.pending))
        kept = Joined(runtime, ABC, 4)
        kept.restore(pending)
    assert list(kept.best()) == list(whole.best())
    whole.reset()
    assert whole.best() == []


def test_a_transducer_leans_on_words_too() -> None:
    runtime: Any = Written(5, steps=4)
    for words in (["ab"], ["b"], ["a", "ba"]):
        search = Joined(runtime, ABC, 64, Expected(words=words, only=True))
        (found,) = heard(runtime.frames, search, ABC)
        assert {word.word for word in found.words} <= set(words)
    (found,) = heard(runtime.frames, Joined(runtime, ABC, 64, Expected(words=["bb"], favour=20.0)), ABC)
    assert "bb" in found.text.split()


def test_one_text_at_a_time_is_at_most_as_likely_as_a_beam_s() -> None:
    compared = 0
    for seed in range(20):
        runtime: Any = Written(seed)
        chances = runtime.chances(2)
        (one,) = heard(runtime.frames, Transduced(runtime), ABC)
        (other,) = heard(runtime.frames, Joined(runtime, ABC, 16), ABC)
        if one.text in chances and other.text in chances:
            assert chances[other.text] >= chances[one.text] * 0.99
            compared += 1
    assert compared >= 5


# --- what is leant on -----------------------------------------------------------------------------------------


def unclear(text: str, other: str) -> np.ndarray:
    """Outputs that say one text a little more clearly than another one of the same length."""
    return 0.52 * spelled(text) + 0.48 * spelled(other)


def test_a_language_model_decides_between_words_that_sound_alike() -> None:
    model = learn(["press four for sales", "press four for help", "wait for me"])
    outputs = unclear("press for for sales", "press fou for sales")
    assert heard(outputs, Prefixes(ALL, 16))[0].text == "press for for sales"
    outputs = unclear("press five for sales", "press four for sales")
    assert heard(outputs, Prefixes(ALL, 16))[0].text == "press five for sales"
    assert heard(outputs, Prefixes(ALL, 64, Expected(model)))[0].text == "press four for sales"
    assert heard(outputs, Prefixes(ALL, 64, Expected(model, weight=0.0, bonus=0.0)))[0].text == "press five for sales"


def test_favoured_words_are_likelier_and_others_stay_possible() -> None:
    outputs = unclear("nine", "nice")
    assert heard(outputs, Prefixes(ALL, 16))[0].text == "nine"
    assert heard(outputs, Prefixes(ALL, 16, Expected(words=["nice"])))[0].text == "nice"
    assert heard(outputs, Prefixes(ALL, 16, Expected(words=["zero"])))[0].text == "nine"


def test_of_words_that_are_the_only_ones_no_other_is_heard() -> None:
    digits = Expected(words=ALL.spec.digits, only=True)
    assert heard(spelled("mine"), Prefixes(ALL, 16, digits))[0].text in ALL.spec.digits
    assert heard(spelled("one two"), Prefixes(ALL, 16, digits))[0].text == "one two"
    assert heard(spelled("one tw", size=20), Prefixes(ALL, 16, digits))[0].text == "one", "half a word is none"
    with pytest.raises(UsageError, match="there are no words"):
        Expected(only=True)


# --- utterances -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", [BestPath, lambda: Prefixes(ALL, 4)])
def test_a_pause_ends_an_utterance_and_any_pieces_give_the_same(search: type[BestPath]) -> None:
    outputs = np.concatenate([spelled("one two"), silence(12), spelled("three"), silence(3), spelled(" four")])
    wanted = heard(outputs, search(), pause=10)
    assert [found.text for found in wanted] == ["one two", "three four"]
    assert wanted[1].words[0].start == 7 * 3 + 12, "steps count from the beginning"
    assert [found.text for found in heard(outputs, search())] == ["one twothree four"]
    for size in (1, 5):
        listener, found = Listener(ALL, search(), 10), []
        for at in range(0, len(outputs), size):
            found += listener.feed(outputs[at : at + size])
            listener = Listener(ALL, search(), 10, json.loads(json.dumps(listener.pending, allow_nan=False)))
        assert [*found, listener.finish()] == wanted


def test_an_utterance_under_way_is_heard_as_far_as_it_has_come() -> None:
    listener = Listener(ALL, BestPath(), 10)
    listener.feed(spelled("press o"))
    assert listener.heard().text == "press o"
    listener.feed(spelled("ne"))
    assert listener.heard().text == "press one"


@pytest.mark.parametrize("search", [BestPath, lambda: Prefixes(ALL, 2)])
def test_nothing_grows_where_nobody_pauses(search: type[BestPath]) -> None:
    listener = Listener(ALL, search())
    ends = []
    for _ in range(2 * LONGEST // 15 + 2):
        ends += listener.feed(spelled("word ", each=2, gap=1))
    assert len(ends) == 2
    assert all(set(found.text.split()) == {"word"} for found in ends)
    assert len(json.dumps(listener.pending)) < 100_000
