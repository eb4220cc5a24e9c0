"""``suite TASK evaluate`` and ``export``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def evaluate(cli: Cli, tiny_checkpoint: Path) -> Cli:
    def call(*arguments: str | Path, stdin: bytes = b"") -> Any:
        return cli("sentiment", "evaluate", "--checkpoint", tiny_checkpoint, *arguments, stdin=stdin)

    return call


def test_for_people(evaluate: Cli, ratings_file: Path) -> None:
    ran = evaluate("--data", ratings_file)
    assert (ran.code, ran.err) == (0, "")
    shown = dict(line.split() for line in ran.lines)
    assert (shown["task"], shown["items"]) == ("sentiment", "60")
    assert float(shown["accuracy"]) > 0.8


def test_json(evaluate: Cli, ratings_file: Path, tiny_checkpoint: Path) -> None:
    (line,) = evaluate("--json", "--data", ratings_file).lines
    figures = json.loads(line)
    assert list(figures) == [
        "task", "checkpoint", "items", "seconds", "items_per_second", "accuracy", "macro_f1", "pearson_r",
        "sign_accuracy",
    ]  # fmt: skip
    assert figures["checkpoint"] == str(tiny_checkpoint)
    assert figures["pearson_r"] > 0.9


def test_several_files_and_other_columns(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,stars\ngood,0.5\n")
    (tmp_path / "b.tsv").write_text("review\tstars\nbad\t-0.5\n")
    ran = evaluate("--json", "--data", "a.csv", "--data", "b.tsv", "--columns", "text=review,polarity=stars")
    assert json.loads(ran.out)["items"] == 2


def test_standard_input(evaluate: Cli) -> None:
    ran = evaluate("--json", "--data", "-", "--format", "csv", stdin=b"text,polarity\ngood,0.5\nbad,-0.5\n")
    assert json.loads(ran.out)["items"] == 2


def test_per_source(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,polarity,source\ngood,0.5,x\nbad,-0.5,x\nsad,-0.2,y\n")
    figures = json.loads(evaluate("--json", "--data", "a.csv").out)
    assert {name: values["items"] for name, values in figures["per_source"].items()} == {"x": 2, "y": 1}
    ran = evaluate("--data", "a.csv")
    assert "per_source" in ran.out
    assert any(line.split()[:2] == ["x", "2"] for line in ran.lines)
    # One item has no correlation: null in JSON, which knows no NaN.
    assert figures["per_source"]["y"]["pearson_r"] is None


def test_the_shipped_samples_are_the_default(cli: Cli, shipped: Path) -> None:
    figures = json.loads(cli("sentiment", "evaluate", "--json").out)
    assert figures["items"] == 60
    assert set(figures["per_source"]) >= {"tweets", "amazonReviewSnippets"}


def test_plot(evaluate: Cli, tmp_path: Path, ratings_file: Path) -> None:
    ran = evaluate("--data", ratings_file, "--plot", "out.png")
    assert (ran.code, ran.said) == (0, "drawn: out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


# --- bad input ----------------------------------------------------------------------------------------------


def test_an_unknown_label_is_not_the_models_mistake(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\ngood,positive\nbad,negativ\nfine,positive\n")
    ran = evaluate("--data", "a.csv")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: a.csv:3: unknown label 'negativ'; did you mean 'negative'?"
    ran = evaluate("--json", "--skip-errors", "--data", "a.csv")
    figures = json.loads(ran.out)
    assert (figures["items"], figures["skipped"]) == (2, 1)
    assert ran.error == "suite: a.csv:3: unknown label 'negativ'; did you mean 'negative'? (skipped)"


def test_bad_rows(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,polarity\ngood,0.5\n,0.5\nbad,much\nbad,-7\nbad\nsad,nan\nbad,-0.5\n")
    errors = []
    ran = evaluate("--json", "--skip-errors", "--data", "a.csv")
    errors = [line.removeprefix("suite: a.csv:") for line in ran.err.splitlines()]
    assert errors == [
        "4: polarity 'much' is not a number; −1 … 1 is expected (skipped)",
        "5: polarity -7 is outside −1 … 1; rescale the column (skipped)",
        "6: 1 field where the first line names 2 columns; fix the line (skipped)",
        "7: polarity nan is outside −1 … 1; rescale the column (skipped)",
        "3: the text is empty; give at least one word (skipped)",
    ]
    figures = json.loads(ran.out)
    assert (figures["items"], figures["skipped"]) == (2, 5)
    ran = evaluate("--data", "a.csv")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: a.csv:4: polarity 'much' is not a number; −1 … 1 is expected"


def test_nothing_that_can_be_read(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,polarity\n,0.5\n")
    ran = evaluate("--skip-errors", "--data", "a.csv")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "suite: nothing to evaluate: no item could be read; fix the data"
    (tmp_path / "a.csv").write_text("text,polarity\n")
    ran = evaluate("--data", "a.csv")
    assert (ran.code, ran.error) == (1, "suite: a.csv: there are no items in it; is it the right file?")


@pytest.mark.parametrize("skip", [[], ["--skip-errors"]])
def test_a_table_without_the_columns(evaluate: Cli, tmp_path: Path, skip: list[str]) -> None:
    (tmp_path / "a.csv").write_text("texts,polarity\na,1\nb,1\n")
    ran = evaluate(*skip, "--data", "a.csv")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith("suite: a.csv:2: no column 'text' (the text); did you mean 'texts'?")


def test_no_label_at_all(evaluate: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,stars\na,1\n")
    ran = evaluate("--data", "a.csv")
    assert ran.error == (
        "suite: a.csv:2: neither label nor polarity; the file has text, stars: rename one with --columns label=YOURS"
    )


def test_one_class_only(evaluate: Cli, tmp_path: Path) -> None:
    """Figures that need two are not there, and nothing fails."""
    (tmp_path / "a.csv").write_text("text,polarity\ngood,0.5\nlovely,0.5\n")
    figures = json.loads(evaluate("--json", "--data", "a.csv").out)
    assert figures["pearson_r"] is None
    assert "nan" in evaluate("--data", "a.csv").out


def test_the_recipes_data(cli: Cli, shipped: Path) -> None:
    ran = cli("sentiment", "evaluate", "--part", "test")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error == "suite: the recipe's data is not here: run suite data get sentiment first"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--data", "a.csv", "--part", "dev"], "suite: give --data or --part, not both"),
        (["--part", "all"], "suite sentiment evaluate: Invalid value for '--part'"),
        (["--plot", "out.svg"], "suite: --plot out.svg: pictures are PNG"),
        (["--colour"], "suite sentiment evaluate: No such option"),
    ],
)
def test_bad_usage(evaluate: Cli, arguments: list[str], error: str) -> None:
    ran = evaluate(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.error.startswith(error)
