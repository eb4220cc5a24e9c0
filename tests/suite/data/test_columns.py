"""Their columns by our names."""

from __future__ import annotations

from typing import Any

import pytest

from suite.data.columns import parse_columns
from suite.errors import UsageError


def test_columns_are_renamed(write: Any, values: Any) -> None:
    path = write("x.csv", "review,stars,text\ngood,5,other\n")
    assert values(path, columns={"text": "review", "label": "stars"}) == [{"text": "good", "label": "5"}]
    assert values(path, columns={"text": "stars", "stars": "text"}) == [
        {"text": "5", "stars": "other", "review": "good"}
    ]
    assert values(path, columns={"a": "stars", "b": "stars"})[0] == {
        "a": "5",
        "b": "5",
        "review": "good",
        "text": "other",
    }


def test_a_missing_column_names_the_nearest(write: Any, problems: Any, fails: Any) -> None:
    path = write("x.csv", "review,stars\ngood,5\n")
    assert fails(path, columns={"text": "reviews"}) == (
        "x.csv:1: no column 'reviews' (for 'text'); did you mean 'review'?"
    )
    assert "known: review, stars" in fails(path, columns={"text": "zzz"})
    # A table lacks it as a whole; an object a line may have it on the next.
    assert "x.csv:1" in fails(path, columns={"text": "zzz"}, on_error=print)
    rows, errors = problems(write("x.jsonl", '{"a": 1}\n{"review": "b"}\n'), columns={"text": "review"})
    assert [row.values for row in rows] == [{"text": "b"}]
    assert errors == ["x.jsonl:1: no column 'review' (for 'text'); known: a"]
    assert "known: text" in fails(write("x.txt", "a\n"), columns={"source": "review"})


def test_parse_columns() -> None:
    assert parse_columns("text=review,label=stars") == {"text": "review", "label": "stars"}
    assert parse_columns(" text = my review ") == {"text": "my review"}
    assert parse_columns("text=a=b") == {"text": "a=b"}


@pytest.mark.parametrize("text", ["", "text", "text=", "=review", "text=a,", "text=a,text=b", ","])
def test_parse_columns_refuses_nonsense(text: str) -> None:
    with pytest.raises(UsageError, match="--columns"):
        parse_columns(text)
