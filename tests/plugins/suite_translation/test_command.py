"""The commands of translation, with good and bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suite

Cli = Callable[..., Any]

SENTENCES = {
    "The game is small.": "La gioco è piccola.", "Is it a tool?": "È una strumento?",
    "This package contains a server.": "Questo pacchetto contiene una servente.", "a library": "una libreria",
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    sides = [folder / "pairs.en.txt", folder / "pairs.it.txt"]
    for side, lines in zip(sides, zip(*(3 * list(SENTENCES.items())), strict=True), strict=True):
        side.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return suite.train("translation", data=sides, out=folder / "it", settings=tiny).path


# --- good input -----------------------------------------------------------------------------------------------


def test_a_file_comes_back_line_by_line_with_its_empty_lines(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("The game is small. Is it a tool?\n\n\na library\n \n", encoding="utf-8")
    for given in (("--input", "text.txt"), ("--input", "-")):
        stdin = (tmp_path / "text.txt").read_bytes() if given[1] == "-" else b""
        ran = cli("translation", "predict", "--checkpoint", checkpoint, *given, stdin=stdin)
        assert ran.out == "La gioco è piccola. È una strumento?\n\n\nuna libreria\n \n"
        assert ran.code == 0


def test_several_answers_with_their_scores(cli: Cli, checkpoint: Path) -> None:
    ran = cli("translation", "predict", "a library", "--n-best", "2", "--checkpoint", checkpoint)
    scores = [float(line.split()[0]) for line in ran.lines]
    assert scores == sorted(scores, reverse=True)
    assert ran.lines[0].endswith("una libreria")
    (values,) = cli("translation", "predict", "a library", "--n-best", "2", "--json", "--checkpoint", checkpoint).values
    assert values["text"] == "una libreria"
    assert len(values["alternatives"]) == 1


def test_a_stream_gives_back_what_it_was_given_in_another_language(cli: Cli, checkpoint: Path) -> None:
    text = b"The game is small. Is it a\ntool?\n\na library"
    pieces = [text[i : i + 5] for i in range(0, len(text), 5)]
    ran = cli("translation", "stream", "--checkpoint", checkpoint, stdin=pieces)
    assert ran.out.startswith("La gioco è piccola. ")
    assert ran.out.endswith("\n\nuna libreria\n")
    assert ran.out.count("\n") == text.count(b"\n") + 1
    last = cli("translation", "stream", "--json", "--checkpoint", checkpoint, stdin=pieces).values[-1]
    assert last["final"] is True


def test_two_text_files_are_evaluated_like_a_table(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join(SENTENCES.values()) + "\n", encoding="utf-8")
    (tmp_path / "pairs.tsv").write_text(
        "source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in SENTENCES.items()), encoding="utf-8"
    )
    found = [
        cli("translation", "evaluate", "--checkpoint", checkpoint, "--json", *data).values[0]
        for data in (("--data", "a.txt", "--data", "b.txt"), ("--data", "pairs.tsv"))
    ]
    assert found[0]["bleu"] == found[1]["bleu"] > 90


@pytest.mark.parametrize("text", ["game\x07 \x1b[31m tool\x0b", "\u202egame\ufeff", "語" * 30, "🙂 game"])
def test_odd_characters_are_read_like_any_other(cli: Cli, checkpoint: Path, text: str) -> None:
    ran = cli("translation", "predict", "--json", "--checkpoint", checkpoint, text)
    assert ran.code == 0
    assert ran.values[0]["input"] == text


def test_a_line_of_a_megabyte_ends(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("a library. " * 9_000 + "x" * 1_000, encoding="utf-8")
    ran = cli("translation", "predict", "--input", "long.txt", "--beam", "1", "--checkpoint", checkpoint)
    assert ran.code == 0
    assert len(ran.out) < 3_000_000


# --- bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.txt": "a\nb\n"}, "a.txt: text files are read side by side: give one for each of source, target"),
        ({"a.txt": "a\nb\n", "b.txt": "a\n"}, "b.txt ends after line 1, where a.txt goes on"),
        ({"a.txt": "a\nb\n", "b.txt": "a\n\n"}, "b.txt:2: empty, and its other side is not"),
        ({"a.tsv": "source\ttarget\na\n"}, "a.tsv:2: "),
        ({"a.tsv": "one\ttwo\na\tb\n"}, "no column 'source'"),
        ({"a.jsonl": '{"source": "a", "target": 3}\n'}, "target is int, not a string"),
        ({"a.jsonl": '{"source": "a"}\n{"source": "b"}\n'}, "no target"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_pairs_that_are_none(
    cli: Cli, checkpoint: Path, tmp_path: Path, verb: str, files: dict[str, str], said: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    given = [part for name in files for part in ("--data", name)]
    ran = cli("translation", verb, *given, *(() if verb == "train" else ("--checkpoint", checkpoint)))
    assert ran.code == 1
    assert said in ran.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "de"), "--to 'de': this model has a single target language"),
        (("--beam", "0"), "beam=0: expected a whole number of at least 1"),
        (("--length-penalty", "-1"), "length_penalty=-1.0: expected a number of at least 0"),
        (("--n-best", "0"), "n_best=0: expected a whole number of at least 1"),
        (("--sample", "--n-best", "2"), "--n-best needs beam search: leave out --n-best or --sample"),
        (("--sample", "--temperature", "-1"), "temperature=-1.0: expected a number of at least 0"),
        (("--sample", "--top-p", "2"), "top_p=2.0: expected a number of at most 1"),
        (("--sample", "--top-p", "0"), "top_p must be above 0 and at most 1"),
        (("--sample", "--seed", "-1"), "seed=-1: expected a whole number of at least 0"),
        (("--plot", "nowhere/a.png"), "nowhere"),
    ],
)
def test_options_that_make_no_sense(cli: Cli, checkpoint: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = cli("translation", "predict", "a library", "--checkpoint", checkpoint, *arguments)
    assert ran.code != 0
    assert said in ran.err.splitlines()[-1]
    assert "defect" not in ran.err


def test_a_tokenizer_of_another_model(cli: Cli, checkpoint: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in SENTENCES.items()))
    other = suite.train("translation", data=data, out=tmp_path / "other", settings=tiny, epochs=1).path
    mixed = tmp_path / "mixed"
    shutil.copytree(checkpoint, mixed)
    shutil.copyfile(other / "tokenizer.json", mixed / "tokenizer.json")
    ran = cli("translation", "predict", "a library", "--checkpoint", mixed)
    assert "tokenizer.json" in ran.error
