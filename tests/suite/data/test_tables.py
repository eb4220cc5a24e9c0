"""CSV and TSV as people have them."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from suite.data import lines, tables
from suite.data.readers import read_rows as read


def test_csv_quotes_and_the_lines_rows_start_on(write: Any) -> None:
    path = write(
        "reviews.csv",
        'text,label\n"two\nlines, and a ""quote""",a\n\nplain,b\n5" screen,c\n"",d\n"x\r\n\r\ny","e\n"\nlast,f\n',
    )
    assert [(row.where, row.values["text"], row.values["label"]) for row in read(path)] == [
        ("reviews.csv:2", 'two\nlines, and a "quote"', "a"),
        ("reviews.csv:5", "plain", "b"),
        ("reviews.csv:6", '5" screen', "c"),
        ("reviews.csv:7", "", "d"),
        ("reviews.csv:8", "x\r\n\r\ny", "e\n"),
        ("reviews.csv:12", "last", "f"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_csv_reads_what_csv_writes(tmp_path: Path, seed: int) -> None:
    pick = random.Random(seed)
    table = [["a", "b", "c"]]
    table += [["".join(pick.choices('xé,"\n\r ;', k=pick.randrange(9))) for _ in "abc"] for _ in range(60)]
    path = tmp_path / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL if seed % 2 else csv.QUOTE_MINIMAL).writerows(table)
    assert [list(row.values.values()) for row in read(path)] == table[1:]


def test_csv_fields_over_the_csv_modules_limit(write: Any, values: Any) -> None:
    before = csv.field_size_limit()
    long = "word, " * 100_000
    path = write("x.csv", f'text,label\n"{long}",a\nshort,b\n')
    assert [len(row["text"]) for row in values(path)] == [len(long), 5]
    assert csv.field_size_limit() == before


def test_an_unclosed_quote_costs_its_own_row_only(write: Any, problems: Any, fails: Any) -> None:
    path = write("x.csv", 'text,label\na,1\n"open,2\nb,3\nc,4\n')
    assert fails(path).startswith("x.csv:3: a quote is opened and never closed")
    rows, errors = problems(path)
    assert [(row.where, row.values["text"]) for row in rows] == [
        ("x.csv:2", "a"),
        ("x.csv:4", "b"),
        ("x.csv:5", "c"),
    ]
    assert len(errors) == 1


def test_an_unclosed_quote_does_not_fill_the_memory(write: Any, monkeypatch: pytest.MonkeyPatch, problems: Any) -> None:
    monkeypatch.setattr(tables, "MAX_LINE", 1000)
    path = write("x.csv", 'text,label\n"open,2\n' + "b,3\n" * 1000)
    rows, errors = problems(path)
    assert len(rows) == 1000
    assert rows[-1].where == "x.csv:1002"
    assert errors == ["x.csv:2: a quote is opened and never closed; close it, or double it"]


def test_lines_keep_their_numbers_when_read_again(write: Any, monkeypatch: pytest.MonkeyPatch, problems: Any) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    rows, errors = problems(write("x.csv", 'text,label\n"open,2\n' + "b" * 200 + "\nb,3\n"))
    assert [row.where for row in rows] == ["x.csv:4"]
    assert [error.split(": a ")[0] for error in errors] == ["x.csv:3", "x.csv:2"]


def test_tsv_has_no_quoting(write: Any, values: Any) -> None:
    path = write("x.tsv", 'text\tlabel\n"open\ta\n"b"\t"c"\n\t\n')
    assert values(path) == [
        {"text": '"open', "label": "a"},
        {"text": '"b"', "label": '"c"'},
        {"text": "", "label": ""},
    ]


@pytest.mark.parametrize(("name", "comma"), [("x.csv", ","), ("x.tsv", "\t")])
def test_a_wrong_number_of_fields(write: Any, name: str, comma: str, problems: Any, fails: Any) -> None:
    path = write(name, "text,label\na,1\nb\nc,2,3\nd,4\n".replace(",", comma))
    assert fails(path) == f"{name}:3: 1 field where the first line names 2 columns; fix the line"
    rows, errors = problems(path)
    assert [row.values["text"] for row in rows] == ["a", "d"]
    assert [error.split(";")[0] for error in errors] == [
        f"{name}:3: 1 field where the first line names 2 columns",
        f"{name}:4: 3 fields where the first line names 2 columns",
    ]


def test_csv_headers(write: Any, values: Any, fails: Any) -> None:
    assert values(write("index.csv", ",text, label \n0,a,b\n")) == [{"text": "a", "label": "b"}]
    assert "'text' is there twice" in fails(write("twice.csv", "text,text\na,b\n"))
    assert "no column names" in fails(write("none.csv", ",,\na,b,c\n"))
    assert "separated by semicolons" in fails(write("semi.csv", "text;label\na;b\n"))
    assert "name it .tsv" in fails(write("tabs.csv", "text\tlabel\na\tb\n"))


def test_text_after_a_closing_quote_is_not_csv(write: Any, problems: Any) -> None:
    rows, errors = problems(write("x.csv", 'text,label\n"a"b,1\nc,2\n'))
    assert [row.values["text"] for row in rows] == ["c"]
    assert errors[0].startswith("x.csv:2: not CSV:")
