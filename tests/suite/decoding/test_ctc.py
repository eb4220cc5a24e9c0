"""Searching for texts in outputs, against all there could be."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from suite.codecs.characters import CharacterCodec, CharacterSpec
from suite.decoding.ctc import CTCGreedy, CTCPrefixBeamSearch, Search
from suite.decoding.endpointing import MAX_UTTERANCE_STEPS, Endpointer, Utterance
from suite.decoding.ngram_lm import train_ngram
from suite.decoding.sampling import log_softmax
from suite.decoding.shallow_fusion import ShallowFusion
from suite.errors import UsageError

ABC = CharacterCodec(CharacterSpec(alphabet=" ab", digits=()))
ALL = CharacterCodec(CharacterSpec())
ALPHABET = ALL.spec.alphabet


def spelled(text: str, letters: CharacterCodec = ALL, *, each: int = 2, gap: int = 1, size: float = 8.0) -> np.ndarray:
    """Outputs in which every letter is clear for ``each`` steps, and a blank for ``gap`` after it."""
    rows = []
    for letter in text:
        for number in [letters.spec.alphabet.index(letter) + 1] * each + [0] * gap:
            rows.append(np.eye(letters.size, dtype=np.float32)[number] * size)
    return np.stack(rows) if rows else np.zeros((0, letters.size), np.float32)


def silence(steps: int, letters: CharacterCodec = ALL) -> np.ndarray:
    return np.tile(np.eye(letters.size, dtype=np.float32)[0] * 8, (steps, 1))


def heard(outputs: np.ndarray, search: Search, letters: CharacterCodec = ALL, pause: int = 0) -> list[Utterance]:
    listener = Endpointer(letters.spec.alphabet, search, pause)
    return [*listener.feed(outputs), listener.finish()]


def every_text(outputs: np.ndarray, letters: CharacterCodec) -> dict[str, float]:
    """The probability of each text: the sum over all paths that say it, no space at its beginning or after another."""
    chances = np.exp(log_softmax(outputs.astype(np.float64)))
    found: defaultdict[str, float] = defaultdict(float)
    for path in itertools.product(range(letters.size), repeat=len(outputs)):
        said = [number for i, number in enumerate(path) if number and (i == 0 or path[i - 1] != number)]
        text = re.sub(" +", " ", letters.decode(said)).lstrip(" ")
        found[text] += float(np.prod([chances[t, number] for t, number in enumerate(path)]))
    return found


# --- one utterance --------------------------------------------------------------------------------------------


def test_the_best_path_leaves_repetitions_and_blanks_out() -> None:
    (found,) = heard(spelled("hello  it's me"), CTCGreedy())
    assert found.text == "hello it's me"
    assert [word.word for word in found.words] == ["hello", "it's", "me"]
    hello, its, _ = found.words
    assert (hello.start, hello.end) == (0, 14)
    assert its.start == 3 * 7
    assert 0.97 < hello.confidence < 1


def test_a_word_is_as_sure_as_its_letters() -> None:
    outputs = np.concatenate([spelled("ab", size=8.0), spelled(" ", size=8.0), spelled("ab", size=3.0)])
    (found,) = heard(outputs, CTCGreedy())
    first, second = found.words
    chance = math.exp(3) / (math.exp(3) + ALL.size - 1)
    assert second.confidence == pytest.approx(chance, abs=1e-5)
    assert found.confidence == pytest.approx(math.sqrt(first.confidence * second.confidence), abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_wide_beam_finds_the_likeliest_text_of_all(seed: int, ranks_as: Callable[..., str]) -> None:
    outputs = np.random.default_rng(seed).normal(0, 2, (6, ABC.size)).astype(np.float32)
    chances = every_text(outputs, ABC)
    search = CTCPrefixBeamSearch(ABC.spec.alphabet, 1000)
    for at, row in enumerate(outputs):
        search.step(row, at)
    ranks_as(search, chances, least=1e-6, apart=2e-3)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_not_looked_at_would_not_have_been_kept(seed: int) -> None:
    outputs = np.random.default_rng(seed).normal(0, 3, (40, ALL.size)).astype(np.float32)
    found = []
    for margin in (3.0, 1e9):
        for expected in (
            None,
            ShallowFusion(vocabulary=["press", "one"], vocabulary_only=True),
            ShallowFusion(train_ngram(["press one"], 2)),
        ):
            search = CTCPrefixBeamSearch(ALPHABET, 8, expected, pruning_margin=margin)
            for at, row in enumerate(outputs):
                search.step(row, at)
            found.append(set(search._beam))
    assert found[:3] == found[3:]


def test_a_beam_says_when_letters_were_heard_as_the_best_path_does() -> None:
    outputs = spelled("press one", each=3, gap=2)
    (one,), (other,) = heard(outputs, CTCGreedy()), heard(outputs, CTCPrefixBeamSearch(ALPHABET, 8))
    assert [(w.word, w.start, w.end) for w in one.words] == [(w.word, w.start, w.end) for w in other.words]
    assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_silence_is_nothing_and_sure_of_it() -> None:
    for search in (CTCGreedy(), CTCPrefixBeamSearch(ALPHABET, 4)):
        (found,) = heard(silence(10), search)
        assert (found.text, found.words) == ("", ())
        assert found.confidence > 0.95
    assert heard(np.zeros((0, ALL.size)), CTCGreedy())[0].text == ""


# --- what is leant on -----------------------------------------------------------------------------------------


def unclear(text: str, other: str) -> np.ndarray:
    """Outputs that say one text a little more clearly than another one of the same length."""
    return 0.52 * spelled(text) + 0.48 * spelled(other)


def test_a_language_model_decides_between_words_that_sound_alike() -> None:
    model = train_ngram(["press four for sales", "press four for help", "wait for me"])
    outputs = unclear("press for for sales", "press fou for sales")
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 16))[0].text == "press for for sales"
    outputs = unclear("press five for sales", "press four for sales")
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 16))[0].text == "press five for sales"
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 64, ShallowFusion(model)))[0].text == "press four for sales"
    assert (
        heard(outputs, CTCPrefixBeamSearch(ALPHABET, 64, ShallowFusion(model, lm_weight=0.0, word_bonus=0.0)))[0].text
        == "press five for sales"
    )


def test_favoured_words_are_likelier_and_others_stay_possible() -> None:
    outputs = unclear("nine", "nice")
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 16))[0].text == "nine"
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 16, ShallowFusion(vocabulary=["nice"])))[0].text == "nice"
    assert heard(outputs, CTCPrefixBeamSearch(ALPHABET, 16, ShallowFusion(vocabulary=["zero"])))[0].text == "nine"


def test_of_words_that_are_the_only_ones_no_other_is_heard() -> None:
    digits = ShallowFusion(vocabulary=ALL.spec.digits, vocabulary_only=True)
    assert heard(spelled("mine"), CTCPrefixBeamSearch(ALPHABET, 16, digits))[0].text in ALL.spec.digits
    assert heard(spelled("one two"), CTCPrefixBeamSearch(ALPHABET, 16, digits))[0].text == "one two"
    assert heard(spelled("one tw", size=20), CTCPrefixBeamSearch(ALPHABET, 16, digits))[0].text == "one", (
        "half a word is none"
    )
    with pytest.raises(UsageError, match="there are no words"):
        ShallowFusion(vocabulary_only=True)


def test_a_letter_adds_no_more_to_a_text_than_its_bound() -> None:
    lm = train_ngram(["press one", "press two", "one"])
    for fusion in (
        ShallowFusion(), ShallowFusion(lm), ShallowFusion(lm, vocabulary=["press"]),
        ShallowFusion(vocabulary=["one"], vocabulary_only=True),
    ):  # fmt: skip
        text = fusion.text()
        for letter in "one press xone ":
            (found,) = fusion.extend([(text, letter)])
            if found is None:
                assert fusion.vocabulary_only
                continue
            assert found.word_scores <= found.score <= text.word_scores + text.max_gain
            assert fusion.text(*found[:3]) == found
            text = found
        assert text.words == (("one", "one") if fusion.vocabulary_only else ("one", "press", "xone"))


# --- utterances -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", [CTCGreedy, lambda: CTCPrefixBeamSearch(ALPHABET, 4)])
def test_a_pause_ends_an_utterance_and_any_pieces_give_the_same(search: type[CTCGreedy]) -> None:
    outputs = np.concatenate([spelled("one two"), silence(12), spelled("three"), silence(3), spelled(" four")])
    wanted = heard(outputs, search(), pause=10)
    assert [found.text for found in wanted] == ["one two", "three four"]
    assert wanted[1].words[0].start == 7 * 3 + 12, "steps count from the beginning"
    assert [found.text for found in heard(outputs, search())] == ["one twothree four"]
    for size in (1, 5):
        listener, found = Endpointer(ALPHABET, search(), 10), []
        for at in range(0, len(outputs), size):
            found += listener.feed(outputs[at : at + size])
            listener = Endpointer(ALPHABET, search(), 10, json.loads(json.dumps(listener.pending, allow_nan=False)))
        assert [*found, listener.finish()] == wanted


def test_an_utterance_under_way_is_heard_as_far_as_it_has_come() -> None:
    listener = Endpointer(ALPHABET, CTCGreedy(), 10)
    listener.feed(spelled("press o"))
    assert listener.partial().text == "press o"
    listener.feed(spelled("ne"))
    assert listener.partial().text == "press one"


@pytest.mark.parametrize("search", [CTCGreedy, lambda: CTCPrefixBeamSearch(ALPHABET, 2)])
def test_nothing_grows_where_nobody_pauses(search: type[CTCGreedy]) -> None:
    listener = Endpointer(ALPHABET, search())
    ends = []
    for _ in range(2 * MAX_UTTERANCE_STEPS // 15 + 2):
        ends += listener.feed(spelled("word ", each=2, gap=1))
    assert len(ends) == 2
    assert all(set(found.text.split()) == {"word"} for found in ends)
    assert len(json.dumps(listener.pending)) < 100_000
