"""The splits are fixed: what they gave once they give for ever."""

from __future__ import annotations

import random

import pytest

from suite.data.splits import bucket, hold_out, part


@pytest.mark.parametrize(
    ("key", "ten", "fifty"),
    [
        ("", 5, 5),
        ("tweets:1", 4, 4),
        ("tweets:4199", 8, 48),
        ("tweets:17", 0, 30),
        ("tweets:25", 0, 10),
        ("tweets:29", 1, 31),
        ("tweets:49", 0, 10),
        ("nytEditorialSnippets:25", 1, 1),
        ("nytEditorialSnippets:32", 0, 0),
        ("nytEditorialSnippets:48", 1, 1),
        ("movieReviewSnippets:10", 7, 47),
        ("nytEditorialSnippets:7", 8, 38),
        ("theirishwasherwoman", 7, 37),
        ("press one for sales", 2, 22),
        ("1F469-200D-1F680", 9, 39),
        ("perché è così", 7, 17),
        ("日本語", 4, 14),
    ],
)
def test_buckets_are_those_of_the_published_rule(key: str, ten: int, fifty: int) -> None:
    assert bucket(key, 10) == ten
    assert bucket(key, 50) == fifty


def test_bucket_zero_is_test_and_one_is_dev() -> None:
    keys = [f"tweets:{number}" for number in range(200)]
    named = {0: "test", 1: "dev"}
    assert [part(key) for key in keys] == [named.get(bucket(key, 10), "train") for key in keys]
    assert [part(key, 50) for key in keys] == [named.get(bucket(key, 50), "train") for key in keys]
    assert {part(key) for key in keys} == {"train", "dev", "test"}


def test_hold_out_takes_the_share_and_does_not_depend_on_the_order_of_rows() -> None:
    keys = [f"row {number}" for number in range(100)]
    strata = ["yes" if number % 4 else "no" for number in range(100)]
    held = dict(zip(keys, hold_out(keys, strata, 0.2), strict=True))
    assert sum(held[key] for key, stratum in zip(keys, strata, strict=True) if stratum == "yes") == 15
    assert sum(held[key] for key, stratum in zip(keys, strata, strict=True) if stratum == "no") == 5

    rows = list(zip(keys, strata, strict=True))
    random.Random(3).shuffle(rows)
    shuffled = hold_out([key for key, _ in rows], [stratum for _, stratum in rows], 0.2)
    assert [held[key] for key, _ in rows] == shuffled


def test_hold_out_keeps_equal_keys_together_even_across_strata() -> None:
    keys = ["a", "b", "c", "a", "b", "d", "e", "c"]
    strata = ["x", "x", "x", "x", "y", "y", "y", "y"]
    held = hold_out(keys, strata, 0.5)
    for key in set(keys):
        assert len({flag for other, flag in zip(keys, held, strict=True) if other == key}) == 1
    for stratum in "xy":
        assert any(flag for other, flag in zip(strata, held, strict=True) if other == stratum)


def test_hold_out_takes_one_of_two_and_none_of_one() -> None:
    assert sum(hold_out(["a", "b"], None, 0.01)) == 1
    assert sum(hold_out(["a", "b"], None, 0.99)) == 1
    assert hold_out(["a", "a"], None, 0.5) == [False, False]
    assert hold_out([], None) == []
    assert hold_out(["a", "b"], None, 0) == [False, False]


def test_hold_out_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="share"):
        hold_out(["a"], None, 1.0)
    with pytest.raises(ValueError, match="strata"):
        hold_out(["a", "b"], ["x"])
