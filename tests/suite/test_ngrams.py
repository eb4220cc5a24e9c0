"""n-gram models: probabilities, and ARPA files."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from suite.errors import DataError
from suite.ngrams import END, START, UNKNOWN, learn, read, write

TEXTS = ["press one for sales", "press two for support", "press pound", "one two three", ""]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [[], [START], ["press"], [START, "press"], ["zebra", "press"], ["one", "two"]])
def test_after_any_words_the_chances_of_all_words_sum_to_one(order: int, before: list[str]) -> None:
    model = learn(TEXTS, order)
    words = [run[0] for run in model.tables[0] if run != (START,)]
    assert {END, UNKNOWN, "press"} <= set(words)
    assert sum(math.exp(model.score(word, before)) for word in words) == pytest.approx(1)


def test_the_figures_are_witten_and_bells() -> None:
    model = learn(["a b", "a c"], 2)
    # Of seven words and ends, four kinds: a new one has 4 / (6 + 4), shared evenly by these and the unknown one.
    single = {"a": 0.6 * 2 / 6 + 0.4 / 5, "b": 0.6 / 6 + 0.4 / 5}
    assert math.exp(model.score("a", [])) == pytest.approx(single["a"])
    assert math.exp(model.score("nothing", [])) == pytest.approx(0.4 / 5)
    # After "a" two words came twice.
    assert math.exp(model.score("b", ["a"])) == pytest.approx(0.5 * 1 / 2 + 0.5 * single["b"])
    # After "b" only the end: a word not seen there is as likely as by itself, times what is left.
    assert math.exp(model.score("a", ["b"])) == pytest.approx(0.5 * single["a"])


def test_what_was_read_often_is_expected() -> None:
    model = learn(TEXTS)
    assert model.order == 3
    assert model.score("one", [START, "press"]) > model.score("three", [START, "press"])
    assert model.perplexity(TEXTS) < model.perplexity(["sales for press"])
    assert math.isnan(model.perplexity([]))


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_an_arpa_file_says_the_same(tmp_path: Path, name: str) -> None:
    model = learn(TEXTS)
    write(model, tmp_path / "lm.arpa")
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "lm.arpa").read_bytes()))
    again = read(tmp_path / name)
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
    model = read(tmp_path / "other.arpa")
    assert model.score("hello", [START]) == pytest.approx(-0.1 * math.log(10))
    assert model.score(END, ["hello"]) == pytest.approx((-0.2 - 0.3) * math.log(10))
    assert model.score("unknown", ["hello"]) < -200, "it expects no other words"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cut short, or not an ARPA file"), ("hello\n", "cut short, or not an ARPA file"),
        ("\\data\\\n\\end\\\n", "there are no n-grams in it"), ("\\1-grams:\n-1 a\n", "no ..nd. in it"),
        ("\\1-grams:\nx a\n\\end\\\n", r":2: not a log probability, 1 words"),
        ("\\1-grams:\n-1\n\\end\\\n", r":2: not a log probability"), ("\\1-grams:\n0.5 a\n\\end\\\n", ":2: not a log"),
        ("\\1-grams:\n-1 a b c\n\\end\\\n", ":2: not a log"),
    ],
)  # fmt: skip
def test_what_is_no_arpa_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.arpa").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "bad.arpa")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.arpa: cannot be read as ARPA"):
        read(tmp_path / "nowhere.arpa")
    (tmp_path / "bad.gz").write_bytes(b"not packed")
    with pytest.raises(DataError, match="cannot be read as ARPA"):
        read(tmp_path / "bad.gz")
    with pytest.raises(DataError, match="choose another place"):
        write(learn(TEXTS), tmp_path / "no" / "lm.arpa")


def test_no_words_and_no_order() -> None:
    with pytest.raises(DataError, match="no words to learn from"):
        learn(["", " "])
    with pytest.raises(ValueError, match="order must be 1 or more"):
        learn(TEXTS, 0)
