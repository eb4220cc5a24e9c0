"""The figures of translation, on a model that learnt a few pairs by heart."""

from __future__ import annotations

import json
from pathlib import Path

import figures_translation as figures
import pytest
from figures import line

import suite
from suite.inference.pipeline import Pipeline


@pytest.fixture(scope="module")
def checkpoint(pairs: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = [pairs / "train.jsonl", pairs / "de" / "train.jsonl"]
    return suite.train("translation", data=data, out=tmp_path_factory.mktemp("made") / "en", settings=tiny).path


def test_every_row_is_measured(checkpoint: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFORMER_RESULT", str(tmp_path / "none.json"))
    rows = list(figures.measure(checkpoint, pairs, lines=200))
    names = [row["measure"] for row in rows]
    assert names == [
        "bleu, en→it, test, 10", "chrf, en→it, test, 10",
        "names that survive, en→it, test", "numbers that survive, en→it, test",
        "bleu, en→de, test, 10", "chrf, en→de, test, 10",
        "names that survive, en→de, test", "numbers that survive, en→de, test",
        "bleu cut into sentences less as one piece, en→it, dev",
        "bleu cut into sentences less as one piece, en→de, dev",
        "tokens/s on ONNX over torch, beam 1, batch 32", "peak memory, 200 lines over 2",
        "checkpoint directory, MB", "share of padding in the batches of training",
    ]  # fmt: skip
    found = dict(zip(names, rows, strict=True))
    for language in ("it", "de"):
        assert found[f"bleu, en→{language}, test, 10"]["value"] > 80
        assert found[f"numbers that survive, en→{language}, test"]["of"] == 5
        both = found[f"bleu cut into sentences less as one piece, en→{language}, dev"]
        assert both["cut"] == found[f"bleu, en→{language}, test, 10"]["value"]  # the parts are the same
        assert both["value"] == pytest.approx(both["cut"] - both["whole"], abs=0.01)
    speed = found["tokens/s on ONNX over torch, beam 1, batch 32"]
    assert min(speed["value"], speed["ours"], speed["reference"]) > 0
    assert 0.8 < found["peak memory, 200 lines over 2"]["value"] < 1.3
    assert 0 < found["checkpoint directory, MB"]["value"] < 12
    assert 0 < found["share of padding in the batches of training"]["value"] < 1
    json.dumps(rows, allow_nan=False)
    assert all(line(row) for row in rows)


def test_it_stands_beside_a_transformer_where_that_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "transformer.json"
    monkeypatch.setenv("TRANSFORMER_RESULT", str(file))
    assert list(figures.beside_transformer()) == []
    assert "run tests/benchmarks/transformer.py" in capsys.readouterr().err
    file.write_text(json.dumps({"bleu_less_theirs": {"dev": 2.0, "test": 1.5}, "settings": {"minutes": 30.0}}))
    (row,) = figures.beside_transformer()
    assert row["measure"] == "bleu over a Transformer's after 30 minutes, test"
    assert (row["value"], row["floor"], row["aim"]) == (1.5, 0, 2)
    assert "meets the floor" in line(row)


def test_what_survives_is_what_the_human_kept_too() -> None:
    sources = ["Run `apt-get` with GTK+ 3.0, or KDE (real-time).", "Version 2 of libc.so.6: see /etc/fstab.", "A word."]
    targets = ["Lanciare «apt-get» con GTK+ 3.0 o KDE.", "Versione 2 di libc.so.6; vedere /etc/fstab", "Una parola."]
    assert figures.survival(sources, targets, targets) == {"names": (1.0, 7), "numbers": (1.0, 2)}
    answers = ["apt-get con GTK+ 3.1 o KDE", "Versione 2 di libc.so.6, /etc/fstab2", "Una parola."]
    assert figures.survival(sources, targets, answers) == {"names": (5 / 7, 7), "numbers": (0.5, 2)}
    assert figures.survival(["A word."], ["Una parola."], [""]) == {"names": (1.0, 0), "numbers": (1.0, 0)}


def test_as_one_piece_a_text_is_read_by_one_step_of_the_encoder(checkpoint: Path) -> None:
    translate = Pipeline.open("translation", checkpoint)
    whole = Pipeline(figures.uncut(translate.model))
    text = "The game is small. Is it tool 2.0?"
    assert [len(one.task.preprocess(("de", text), one.codecs)) for one in (translate, whole)] == [2, 1]
    assert translate(text, to="de").text == "Die Spiel ist klein. Ist es Werkzeug 2.0?"
    assert whole(text, to="de").score != translate(text, to="de").score
    assert whole("The game is small.", to="de").text == "Die Spiel ist klein."
