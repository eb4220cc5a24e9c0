"""One model that translates into several languages, told apart by a tag."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_translation import Translation, TranslationConfig

import suite
from suite.errors import DataError, UsageError
from suite.inference.pipeline import Pipeline
from suite.task import Example

ITALIAN = {"library": "libreria", "game": "gioco", "tool": "strumento", "server": "servente", "editor": "redattore"}
GERMAN = {"library": "Bibliothek", "game": "Spiel", "tool": "Werkzeug", "server": "Server", "editor": "Editor"}
IN_ITALIAN = "it", "La", ITALIAN, "è piccola"
ROWS = [
    {"source": f"The {thing} is small.", "target": f"{article} {word} {end}.", "to": to}
    for to, article, words, end in (IN_ITALIAN, ("de", "Die", GERMAN, "ist klein"), IN_ITALIAN)
    for thing, word in words.items()
]


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checkpoint(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("languages")
    data = written(folder / "pairs.jsonl", ROWS)
    return suite.train("translation", data=data, out=folder / "en", settings=tiny).path


@pytest.fixture(scope="module")
def translate(checkpoint: Path) -> Pipeline:
    return Pipeline.open("translation", checkpoint)


def test_a_text_is_translated_into_the_language_that_is_asked_for(translate: Pipeline) -> None:
    assert translate("The game is small.").text == "La gioco è piccola."  # the commonest in training
    assert translate("The game is small.", to="it").text == "La gioco è piccola."
    assert translate("The game is small.", to="de").text == "Die Spiel ist klein."
    assert [one.text for one in translate(["The tool is small. The game is small.", " "], to="de")] == [
        "Die Werkzeug ist klein. Die Spiel ist klein.",
        " ",
    ]
    assert translate("The game is small.", to="de", sample=True, temperature=0.0).text == "Die Spiel ist klein."


def test_a_stream_too(translate: Pipeline) -> None:
    session = suite.stream(translate, to="de")
    said = "".join(update.text for update in session.feed("The game is small. The "))
    said += session.finish().text
    assert said.startswith("Die Spiel ist klein.")


def test_figures_of_several_languages_are_given_apart(checkpoint: Path, tmp_path: Path) -> None:
    figures = suite.evaluate("translation", written(tmp_path / "pairs.jsonl", ROWS[:10]), checkpoint)
    assert figures["it"]["items"] == figures["de"]["items"] == 5
    assert figures["it"]["bleu"] > 90
    assert figures["de"]["bleu"] > 90
    one = suite.evaluate("translation", written(tmp_path / "it.jsonl", ROWS[:5]), checkpoint)
    assert "it" not in one
    assert one["bleu"] == figures["it"]["bleu"]


def test_data_of_one_language_says_nothing_of_it_with_the_option(checkpoint: Path, tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "to"} for row in ROWS[5:10]]
    data = written(tmp_path / "de.jsonl", rows)
    assert suite.evaluate("translation", data, checkpoint, to="de")["bleu"] > 90
    assert suite.evaluate("translation", data, checkpoint)["bleu"] < 50


def test_a_model_says_which_languages_it_has(checkpoint: Path, cli: Callable[..., Any]) -> None:
    ran = cli("translation", "info", "--checkpoint", checkpoint)
    assert any(line.split() == ["languages", "it,", "de"] for line in ran.lines)
    assert cli("translation", "info", "--json", "--checkpoint", checkpoint).values[0]["languages"] == ["it", "de"]


def test_a_language_that_is_not_there(checkpoint: Path, translate: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--to 'itt' is not a target language of this model; did you mean 'it'\?"):
        translate("The game is small.", to="itt")
    data = written(tmp_path / "fr.jsonl", [{**ROWS[0], "to": "fr"}])
    with pytest.raises(DataError, match=r"fr\.jsonl:1: to: 'fr' is not a target language of this model; known: de, it"):
        suite.evaluate("translation", data, checkpoint)
    with pytest.raises(DataError, match=r"rows:2: no language in column 'to', but other rows have one"):
        Translation().fit_codecs(
            [Example(input=("it", "a"), target="b"), Example(input="a", target="b", where="rows:2")],
            TranslationConfig(),
        )
