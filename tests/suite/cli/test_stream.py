"""``suite TASK stream``: text as it comes, a line a word."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
GOOD, BAD = "What a lovely film, I adore it!", "The soup was bad"


@pytest.fixture
def stream(cli: Cli, tiny_checkpoint: Path) -> Cli:
    def call(*arguments: str | Path, stdin: bytes | list[bytes] = b"") -> Any:
        return cli("sentiment", "stream", "--checkpoint", tiny_checkpoint, *arguments, stdin=stdin)

    return call


def updates(ran: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.lines]


def test_for_people(stream: Cli) -> None:
    ran = stream(stdin=GOOD.encode())
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.lines if line] == [*GOOD.split(), "─" * 16]


def test_json(stream: Cli) -> None:
    *words, last = updates(stream("--json", stdin=GOOD.encode()))
    assert [word["input"] for word in words] == GOOD.split()
    assert all(word["final"] is False for word in words)
    assert last["final"] is True
    assert list(last) == ["input", "final", "label", "polarity", "probabilities"]


def test_the_last_update_is_the_offline_answer(cli: Cli, stream: Cli, tiny_checkpoint: Path) -> None:
    last = updates(stream("--json", stdin=GOOD.encode()))[-1]
    offline = json.loads(cli("sentiment", "predict", "--json", "--checkpoint", tiny_checkpoint, GOOD).out)
    assert last["polarity"] == pytest.approx(offline["polarity"], abs=1e-4)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n\n"])
@pytest.mark.parametrize("between", [b"\n\n", b"\r\n\r\n", b"\n \t\n\n\n", b"\r\r"])
def test_a_blank_line_ends_a_text(stream: Cli, between: bytes, end: bytes) -> None:
    whole = b"\xef\xbb\xbf" + GOOD.encode() + between + BAD.encode() + end
    expected = updates(stream("--json", stdin=whole))
    assert [u["input"] for u in expected if not u["final"]] == [*GOOD.split(), *BAD.split()]
    assert sum(u["final"] for u in expected) == 2
    for size in (1, 2, 7):
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        assert updates(stream("--json", stdin=pieces)) == expected


def test_texts_do_not_leak_into_each_other(stream: Cli) -> None:
    found = updates(stream("--json", stdin=f"{GOOD}\n\n{BAD}\n\n{GOOD}\n".encode()))
    finals = [u["polarity"] for u in found if u["final"]]
    assert finals[0] == finals[2] != finals[1]


@pytest.mark.parametrize("nothing", [b"", b"\n", b"\n\n \n", b"\xef\xbb\xbf"])
def test_nothing_gives_nothing(stream: Cli, nothing: bytes) -> None:
    ran = stream(stdin=nothing)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_words_come_out_while_more_are_awaited(tiny_checkpoint: Path) -> None:
    """The answer to a word is there before the next one is written."""
    command = [sys.executable, "-m", "suite", "sentiment", "stream", "--json", "--checkpoint", str(tiny_checkpoint)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for word in ("lovely", "café", "😀"):
            process.stdin.write(f"{word} ".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["input"] == word
        process.stdin.close()
        assert json.loads(process.stdout.readline())["final"] is True
        assert process.wait() == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_wrong_byte_names_its_line_and_what_came_before_is_answered(stream: Cli, size: int) -> None:
    whole = b"good day\n\nbad caf\xe9 here\n"
    ran = stream("--json", stdin=[whole[i : i + size] for i in range(0, len(whole), size)])
    assert ran.code == 1
    assert ran.error == "suite: standard input: line 3: not UTF-8 text; convert it first"
    assert [u["input"] for u in updates(ran) if not u["final"]] == ["good", "day", "bad"]


def test_text_cut_off_inside_a_character(stream: Cli) -> None:
    ran = stream(stdin="naïve é".encode()[:-1])
    assert (ran.code, ran.error) == (1, "suite: standard input: line 1: not UTF-8 text; convert it first")


def test_binary(stream: Cli) -> None:
    ran = stream(stdin=b"\x89PNG\r\n\x1a\n")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith("suite: standard input: line 1: not UTF-8")


def test_a_model_that_reads_both_ways(cli: Cli, tmp_path: Path, labels_file: Path, tiny_settings: list[str]) -> None:
    from suite.training.train import train

    made = train(
        "sentiment", data=labels_file, out=tmp_path / "both", epochs=1,
        settings=[*tiny_settings, "encoder.bidirectional=true"],
    )  # fmt: skip
    ran = cli("sentiment", "stream", "--checkpoint", made.path, stdin=b"good")
    assert (ran.code, ran.out) == (2, "")
    assert "a bidirectional model needs the whole input and cannot stream" in ran.error
    assert cli("sentiment", "predict", "--checkpoint", made.path, "good").code == 0


def test_options(stream: Cli) -> None:
    assert stream("--runtime", "torch", "--json", stdin=b"good\n").code == 0
    assert stream("--nope").code == 2
    assert stream("an argument").code == 2


def test_megabytes_without_a_space(cli: Cli, tiny_checkpoint: Path) -> None:
    """A stream cuts what no word is, as a whole text does: 256 letters at a time."""
    ran = cli("sentiment", "stream", "--json", "--checkpoint", tiny_checkpoint, stdin=[b"good" * 16_384] * 32)
    words = updates(ran)
    assert (ran.code, len(words)) == (0, 2_097_152 // 256 + 1)
