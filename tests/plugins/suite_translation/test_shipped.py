"""The checkpoint that ships: small, whole, and sensible on its samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_translation import Translation

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.inference.pipeline import Pipeline

Cli = Callable[..., Any]
TASK = Translation()

pytestmark = pytest.mark.skipif(not TASK.ships, reason="no shipped checkpoint")


@pytest.fixture(scope="module")
def translate() -> Pipeline:
    return Pipeline.open("translation")


def sample(name: str) -> Path:
    assert TASK.assets is not None
    return TASK.assets / "samples" / name


def test_it_is_small_and_whole() -> None:
    opened = Checkpoint.open(TASK.checkpoint, task="translation")
    assert opened.size < 8_000_000
    assert opened.manifest.streams
    files = {"README.md", "model.safetensors", "encoder.onnx", "decoder.onnx", "curves.png"}
    assert set(opened.manifest.files) == files | {"subwords.json", "tokenizer.json"}
    assert {path.name for path in opened.path.iterdir()} == {*opened.manifest.files, "suite.json"}
    assert opened.manifest.metrics["dev"]["it"]["bleu"] > 37
    assert opened.manifest.metrics["dev"]["de"]["bleu"] > 22
    assert config.from_dict(TASK.config, opened.manifest.config) == TASK.config()


@pytest.mark.parametrize(
    ("to", "wanted"),
    [(None, "Questo pacchetto contiene la documentazione."), ("it", "Questo pacchetto contiene la documentazione."),
     ("de", "Dieses Paket enthält die Dokumentation.")],
)  # fmt: skip
def test_it_knows_what_every_package_says(translate: Pipeline, to: str | None, wanted: str) -> None:
    assert translate("This package contains the documentation.", to=to).text == wanted


def test_the_labelled_samples(translate: Pipeline) -> None:
    figures = suite.evaluate("translation", sample("labelled.tsv"))
    for language in ("it", "de"):
        assert figures[language]["items"] == 8
        assert figures[language]["chrf"] > 50


@pytest.mark.parametrize("to", ["it", "de"])
def test_lines_paragraphs_and_names_come_through(cli: Cli, to: str) -> None:
    text = sample("descriptions.txt").read_text(encoding="utf-8")
    ran = cli("translation", "predict", "--to", to, "--input", sample("descriptions.txt"))
    assert len(ran.lines) == len(text.splitlines())
    assert [line == "" for line in ran.lines] == [line == "" for line in text.splitlines()]
    for name in ("2.4.1", "/etc/example.conf", "UTF-8"):
        assert name in ran.out
    streamed = cli("translation", "stream", "--to", to, stdin=text.encode())
    assert re.sub(r"\s+", " ", streamed.out) == re.sub(r"\s+", " ", ran.out)


def test_attention_is_drawn(cli: Cli, tmp_path: Path) -> None:
    ran = cli("translation", "predict", "fast library for compressed files", "--plot", "attention.png")
    assert ran.code == 0
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_that_is_fed_makes_output_without_end(translate: Pipeline) -> None:
    for text in ("library " * 300, "x" * 900, "語" * 100, "1" * 500):
        assert len(translate(text, beam=1).text) < 40 * len(text)
