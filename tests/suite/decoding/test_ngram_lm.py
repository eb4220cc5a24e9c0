"""n-gram models: probabilities, and ARPA files."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.decoding.ngram_lm import (
    END,
    FILE,
    START,
    UNKNOWN,
    NgramSpec,
    PackedNgramLM,
    fit_ngram,
    read_arpa,
    train_ngram,
    write_arpa,
)
from suite.errors import CheckpointError, DataError

TEXTS = ["press one for sales", "press two for support", "press pound", "one two three", ""]


@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [[], [START], ["press"], [START, "press"], ["zebra", "press"], ["one", "two"]])
def test_after_any_words_the_chances_of_all_words_sum_to_one(order: int, before: list[str], least: int) -> None:
    model = train_ngram(TEXTS, order, least)
    words = [run[0] for run in model.tables[0] if run != (START,)]
    assert {END, UNKNOWN, "press"} <= set(words)
    assert sum(math.exp(model.score(word, before)) for word in words) == pytest.approx(1)


def test_the_figures_are_witten_and_bells() -> None:
    model = train_ngram(["a b", "a c"], 2)
    # Of seven words and ends, four kinds: a new one has 4 / (6 + 4), shared evenly by these and the unknown one.
    single = {"a": 0.6 * 2 / 6 + 0.4 / 5, "b": 0.6 / 6 + 0.4 / 5}
    assert math.exp(model.score("a", [])) == pytest.approx(single["a"])
    assert math.exp(model.score("nothing", [])) == pytest.approx(0.4 / 5)
    # After "a" two words came twice.
    assert math.exp(model.score("b", ["a"])) == pytest.approx(0.5 * 1 / 2 + 0.5 * single["b"])
    # After "b" only the end: a word not seen there is as likely as by itself, times what is left.
    assert math.exp(model.score("a", ["b"])) == pytest.approx(0.5 * single["a"])


def test_what_was_read_often_is_expected() -> None:
    model = train_ngram(TEXTS)
    assert model.order == 3
    assert model.score("one", [START, "press"]) > model.score("three", [START, "press"])
    assert model.perplexity(TEXTS) < model.perplexity(["sales for press"])
    assert math.isnan(model.perplexity([]))


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_an_arpa_file_says_the_same(tmp_path: Path, name: str) -> None:
    model = train_ngram(TEXTS)
    write_arpa(model, tmp_path / "lm.arpa")
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "lm.arpa").read_bytes()))
    again = read_arpa(tmp_path / name)
    assert [set(table) for table in again.tables] == [set(table) for table in model.tables]
    for word in ("one", "zebra", END):
        for before in ([START], ["press"], ["one", "two"], ["zebra", "for"]):
            assert again.score(word, before) == pytest.approx(model.score(word, before), abs=1e-4)


def test_an_arpa_file_of_another_tool_is_read(tmp_path: Path) -> None:
    text = """made by another tool

\\data\\
ngram 1=3
ngram 2=1

\\1-grams:
-1.0 <s> -0.5
-0.3 </s>
-0.6\thello\t-0.2

\\2-grams:
-0.1 <s> hello

\\end\\
"""
    (tmp_path / "other.arpa").write_text(text)
    model = read_arpa(tmp_path / "other.arpa")
    assert model.score("hello", [START]) == pytest.approx(-0.1 * math.log(10))
    assert model.score(END, ["hello"]) == pytest.approx((-0.2 - 0.3) * math.log(10))
    assert model.score("unknown", ["hello"]) < -200, "it expects no other words"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "truncated, or not an ARPA file"), ("hello\n", "truncated, or not an ARPA file"),
        ("\\data\\\n\\end\\\n", "no n-grams in it"), ("\\1-grams:\n-1 a\n", "no ..nd. in it"),
        ("\\1-grams:\nx a\n\\end\\\n", r":2: expected a log probability, 1 words"),
        ("\\1-grams:\n-1\n\\end\\\n", r":2: expected a log probability"),
        ("\\1-grams:\n0.5 a\n\\end\\\n", ":2: expected a log"),
        ("\\1-grams:\n-1 a b c\n\\end\\\n", ":2: expected a log"),
    ],
)  # fmt: skip
def test_what_is_no_arpa_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.arpa").write_text(text)
    with pytest.raises(DataError, match=message):
        read_arpa(tmp_path / "bad.arpa")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.arpa: cannot be read as ARPA"):
        read_arpa(tmp_path / "nowhere.arpa")
    (tmp_path / "bad.gz").write_bytes(b"not packed")
    with pytest.raises(DataError, match="cannot be read as ARPA"):
        read_arpa(tmp_path / "bad.gz")
    with pytest.raises(DataError, match="choose another place"):
        write_arpa(train_ngram(TEXTS), tmp_path / "no" / "lm.arpa")


# --- as arrays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_arrays_say_what_tables_do(order: int) -> None:
    model = train_ngram(TEXTS, order)
    packed = PackedNgramLM.from_files(PackedNgramLM.from_tables(model).files())
    assert packed.order == model.order == order
    words = [word for (word,) in model.tables[0]]
    for table in model.tables:
        for run, entry in table.items():
            assert packed.entry(run) == pytest.approx(entry, rel=1e-3)
            for word in (*words, "zebra"):
                other = (*run[:-1], word)
                assert (packed.entry(other) is None) == (other not in table)
    for word in (*words, "zebra"):
        for before in ([], [START], ["press"], ["one", "two"], ["zebra", "press"], [START, "press", "one"]):
            assert packed.score(word, before) == pytest.approx(model.score(word, before), abs=5e-3)


def test_the_same_texts_make_the_same_file() -> None:
    one, other = (PackedNgramLM.from_tables(train_ngram(texts)) for texts in (TEXTS, TEXTS[::-1]))
    assert one.files() == other.files()


def test_a_word_may_have_very_many_after_it() -> None:
    packed = PackedNgramLM.from_tables(train_ngram([f"the {n:x}" for n in range(66_000)], 2))
    assert packed.score("ff", ["the"]) > packed.score("ff", ["ff"])


def test_long_runs_that_came_once_may_be_left_out() -> None:
    texts = [*TEXTS, "press one for support"]
    whole, common = train_ngram(texts, 3), train_ngram(texts, 3, min_count=2)
    assert {("press", "one", "for"), (START, "press", "one")} <= set(common.tables[2])
    assert common.tables[2].keys() < whole.tables[2].keys()
    assert common.tables[1].keys() == whole.tables[1].keys()


@pytest.mark.parametrize(
    "change",
    [
        b"", b"not packed", {"words": None}, {"logs2": None}, {"children1": None},
        {"words": np.frombuffer(b"a\nb", np.uint8)}, {"logs1": np.zeros((3, 2))},
        {"lasts3": np.zeros(1, np.uint32)}, {"words": np.frombuffer(b"\xff", np.uint8)},
    ],
    ids=["empty", "text", "no words", "no logs", "no children", "few words", "few logs", "few lasts", "no text"],
)  # fmt: skip
def test_what_is_no_file_of_arrays(change: Any, altered: Callable[..., bytes]) -> None:
    with pytest.raises(CheckpointError, match=rf"^{FILE}: .*; copy the checkpoint again$"):
        PackedNgramLM.from_files({FILE: altered(PackedNgramLM.from_tables(train_ngram(TEXTS)).files(), FILE, change)})


def test_how_much_is_learnt_of_texts() -> None:
    found = fit_ngram(TEXTS, NgramSpec(order=2))
    assert found is not None
    assert found.order == 2
    assert fit_ngram(TEXTS, NgramSpec(order=0)) is None
    assert fit_ngram(["", " "], NgramSpec()) is None
    for wrong in ({"order": -1}, {"order": 10}, {"least": 0}):
        with pytest.raises(ValueError, match="must be"):
            NgramSpec(**wrong)


def test_no_words_and_no_order() -> None:
    with pytest.raises(DataError, match="no words to train on"):
        train_ngram(["", " "])
    with pytest.raises(ValueError, match="order must be 1 or more"):
        train_ngram(TEXTS, 0)
