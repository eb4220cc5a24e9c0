"""``suite TASK predict``: every way in and out, and every bad input."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.cli import run

Cli = Callable[..., Any]
GOOD, BAD = "What a lovely film, I adore it!", "The soup was bad and we were sad"


@pytest.fixture
def predict(cli: Cli, tiny_checkpoint: Path) -> Cli:
    def call(*arguments: str | Path, stdin: bytes | list[bytes] = b"") -> Any:
        return cli("sentiment", "predict", "--checkpoint", tiny_checkpoint, *arguments, stdin=stdin)

    return call


def objects(ran: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.lines]


# --- in and out ---------------------------------------------------------------------------------------------


def test_for_people(predict: Cli) -> None:
    ran = predict(GOOD, BAD)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].startswith("positive +")
    assert ran.lines[0].endswith(GOOD)
    assert ran.lines[1].startswith("negative -")
    assert ran.lines[1].endswith(BAD)


def test_json(predict: Cli) -> None:
    (found,) = objects(predict("--json", GOOD))
    assert list(found) == ["input", "label", "polarity", "probabilities"]
    assert found["input"] == GOOD
    assert found["label"] == "positive"
    assert -1 <= found["polarity"] <= 1
    assert sum(found["probabilities"].values()) == pytest.approx(1)


def test_timing(predict: Cli) -> None:
    (found,) = objects(predict("--json", "--timing", GOOD))
    assert 0 < found["seconds"] < 60


def test_labels_have_no_polarity(cli: Cli, tiny_labels_checkpoint: Path) -> None:
    ran = cli("sentiment", "predict", "--json", "--checkpoint", tiny_labels_checkpoint, GOOD)
    (found,) = objects(ran)
    assert found["polarity"] is None
    assert set(found["probabilities"]) == {"negative", "neutral", "positive"}
    assert "+" not in cli("sentiment", "predict", "--checkpoint", tiny_labels_checkpoint, GOOD).out


def test_the_shipped_checkpoint_is_the_default(cli: Cli, shipped: Path) -> None:
    assert cli("sentiment", "predict", GOOD).code == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.txt", f"{GOOD}\n\n{BAD}\n"),
        ("in.csv", f'id,text\n1,"{GOOD}"\n2,"{BAD}"\n'),
        ("in.tsv", f"text\tid\n{GOOD}\t1\n{BAD}\t2\n"),
        ("in.jsonl", f'{{"text": "{GOOD}"}}\n{{"text": "{BAD}"}}\n'),
        ("in.json", f'[{{"text": "{GOOD}"}}, {{"text": "{BAD}"}}]'),
    ],
)
def test_files(predict: Cli, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [found["input"] for found in objects(predict("--json", "--input", name))] == [GOOD, BAD]


def test_columns_and_format(predict: Cli, tmp_path: Path) -> None:
    (tmp_path / "export").write_text(f"id,review\n1,{BAD}\n", encoding="utf-8")
    ran = predict("--json", "--input", "export", "--format", "csv", "--columns", "text=review")
    assert [found["input"] for found in objects(ran)] == [BAD]


def test_standard_input(predict: Cli) -> None:
    text = f"{GOOD}\n{BAD}\n".encode()
    for arguments in (["--json"], ["--json", "--input", "-"]):
        assert [found["input"] for found in objects(predict(*arguments, stdin=text))] == [GOOD, BAD]
    lines = f'{{"text": "{BAD}"}}\n'.encode()
    assert objects(predict("--json", "--format", "jsonl", stdin=lines))[0]["input"] == BAD


def test_a_named_pipe_is_read_once(predict: Cli, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(f"{GOOD}\n"))
    writer.start()
    ran = predict("--input", "pipe", "--format", "txt")
    writer.join()
    assert (ran.code, len(ran.lines)) == (0, 1)


def test_answers_come_in_order_and_do_not_depend_on_batches(predict: Cli) -> None:
    texts = [f"{GOOD if i % 3 else BAD} {'very ' * (i % 7)}number {i}" for i in range(50)]
    whole = objects(predict("--json", "--batch-size", "50", *texts))
    assert [found["input"] for found in whole] == texts
    singles = objects(predict("--json", "--batch-size", "1", *texts))
    assert [f["polarity"] for f in singles] == pytest.approx([f["polarity"] for f in whole], abs=1e-5)


def test_answers_come_while_input_does(
    predict: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No more than one batch is read before the answers to it are printed."""
    seen: list[int] = []

    def lines() -> Iterator[Any]:
        for i in range(100):
            seen.append(i)
            yield f"line:{i}", GOOD

    printed = []
    monkeypatch.setattr("suite.cli.task._read", lambda *arguments: lines())
    monkeypatch.setattr("suite.cli.task.click.echo", lambda *a, **k: printed.append(len(seen)))
    assert predict("--batch-size", "4").code == 0
    assert printed == [4 * (i // 4 + 1) for i in range(100)]


def test_both_runtimes(predict: Cli) -> None:
    onnx, torch = (objects(predict("--json", "--runtime", kind, GOOD))[0] for kind in ("onnx", "torch"))
    assert onnx["polarity"] == pytest.approx(torch["polarity"], abs=1e-4)


def test_plot(predict: Cli, tmp_path: Path) -> None:
    ran = predict("--plot", "out.png", GOOD, BAD, "naïve 😀 $5 שלום")
    assert ran.code == 0
    assert ran.said == "drawn: out.png"
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


# --- unusual text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "😀", "👩‍👩‍👧‍👦 family", "🇩🇪", "שלום עולם", "مرحبا بالعالم", "\u202eright to left\u202c", "你好世界",
        "e\u0301te", "a\u0001b", "\x1b[31mred", "&amp; &lt;b&gt;", "!!!!!!!!", "_____", "²³", "-", "<pad>", "..." * 500,
    ],
)  # fmt: skip
def test_any_text_has_an_answer(predict: Cli, text: str) -> None:
    ran = predict("--json", "--", text)
    assert (ran.code, ran.err) == (0, "")
    assert objects(ran)[0]["input"] == text


@pytest.mark.parametrize("word", ["good ", "good"], ids=["words", "no spaces"])
def test_ten_megabytes_of_text(predict: Cli, tmp_path: Path, word: str) -> None:
    (tmp_path / "long.txt").write_text((word * (10_000_000 // len(word))).rstrip() + "\nshort\n")
    started = time.monotonic()
    ran = predict("--json", "--input", "long.txt")
    assert (ran.code, ran.err) == (0, "")
    assert [len(found["input"]) for found in objects(ran)] == [10_000_000 - word.count(" "), 5]
    assert time.monotonic() - started < 60


# --- bad input: one line, the right exit code, and nothing lost -----------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u00a0\u2003"])
def test_empty_text(predict: Cli, text: str) -> None:
    ran = predict(text)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: the text is empty; give at least one word"


def test_an_empty_argument_is_named_and_those_before_it_answered(predict: Cli) -> None:
    ran = predict(GOOD, "", BAD)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert ran.error == "suite: argument 2: the text is empty; give at least one word"


def test_an_argument_that_is_not_utf8(predict: Cli) -> None:
    ran = predict(os.fsdecode(b"caf\xe9 is good"))
    assert ran.code == 1
    assert ran.error == r"suite: 'caf\udce9' is not UTF-8 text; convert it first"


def test_an_empty_file_and_an_empty_pipe(predict: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert predict("--input", "empty.txt").error == "suite: empty.txt: empty; is it the right file?"
    ran = predict()
    assert (ran.code, ran.error) == (1, "suite: stdin: empty; is it the right file?")


def test_a_missing_file(predict: Cli, tmp_path: Path) -> None:
    (tmp_path / "reviews.txt").write_text(GOOD)
    ran = predict("--input", "review.txt")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: review.txt: no such file; did you mean 'reviews.txt'?"


def test_a_folder(predict: Cli, tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    assert predict("--input", "folder.txt").error == "suite: folder.txt: a folder, not a file; name a file in it"


def test_an_unreadable_file(predict: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(GOOD)
    file.chmod(0)
    if os.access(file, os.R_OK):  # an administrator may read anything
        real = Path.open

        def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.name == "secret.txt":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse)
    ran = predict("--input", "secret.txt")
    assert ran.code == 1
    assert ran.error == "suite: secret.txt: Permission denied; check the file and its permissions"
    file.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)), bytes(1000), b"PK\x03\x04\x00\x00"])
def test_a_binary_file(predict: Cli, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.txt").write_bytes(content)
    ran = predict("--skip-errors", "--input", "in.txt")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith("suite: in.txt: not UTF-8 text but ")


def test_utf16(predict: Cli, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(GOOD.encode("utf-16"))
    ran = predict("--input", "in.txt")
    assert (ran.code, ran.error) == (1, "suite: in.txt: not UTF-8 text but UTF-16 text; save it as UTF-8")


def test_a_wrong_byte_names_its_line_and_those_before_are_answered(predict: Cli, tmp_path: Path) -> None:
    lines = [f"{GOOD} {i}".encode() for i in range(100)]
    lines[69] = "das schöne Café".encode("latin-1")
    (tmp_path / "in.txt").write_bytes(b"\n".join(lines))
    ran = predict("--input", "in.txt")
    assert (ran.code, len(ran.lines)) == (1, 69)
    assert ran.error == "suite: in.txt:70: not UTF-8 (byte 0xF6 at position 8); save the file as UTF-8"
    ran = predict("--skip-errors", "--input", "in.txt")
    assert (ran.code, len(ran.lines)) == (0, 99)
    first, second = ran.err.splitlines()
    assert first.startswith("suite: in.txt:70: not UTF-8")
    assert first.endswith("(skipped)")
    assert second == "suite: 1 skipped"


def test_bad_lines_of_a_long_input_are_named_and_counted(predict: Cli, tmp_path: Path) -> None:
    rows: list[str] = [json.dumps({"text": f"{GOOD} {i}"}) for i in range(1, 501)]
    rows[41], rows[99], rows[299], rows[449] = "not json", '{"text": "  "}', '{"txt": "no"}', '{"text": 5}'
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    ran = predict("--skip-errors", "--json", "--input", "in.jsonl")
    assert ran.code == 0
    assert len(ran.lines) == 496
    *named, last = ran.err.splitlines()
    assert [line.split(": ")[1] for line in named] == [f"in.jsonl:{n}" for n in (42, 100, 300, 450)]
    assert last == "suite: 4 skipped"
    ran = predict("--json", "--input", "in.jsonl")
    assert (ran.code, len(ran.lines)) == (1, 41)
    assert ran.error.startswith("suite: in.jsonl:42: not JSON")


def test_an_unusable_item_is_named_where_it_stands(predict: Cli, tmp_path: Path) -> None:
    rows = [f"{GOOD} {i}" for i in range(1, 101)]
    rows[87] = '""'
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(f'"{row}"' if row != '""' else row for row in rows))
    ran = predict("--batch-size", "8", "--input", "in.csv")
    assert (ran.code, len(ran.lines)) == (1, 87)
    assert ran.error == "suite: in.csv:89: the text is empty; give at least one word"


@pytest.mark.parametrize("skip", [[], ["--skip-errors"]])
def test_a_table_without_the_column(predict: Cli, tmp_path: Path, skip: list[str]) -> None:
    (tmp_path / "in.csv").write_text("id,texts\n1,good\n2,bad\n")
    ran = predict(*skip, "--input", "in.csv")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == (
        "suite: in.csv:2: no column 'text' (the text); did you mean 'texts'? --columns text=YOURS renames one"
    )
    ran = predict(*skip, "--input", "in.csv", "--columns", "text=review")
    assert ran.error.startswith("suite: in.csv:1: no column 'review' (for 'text')")


def test_a_full_disk_at_the_output(predict: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        if not options.get("err"):
            raise OSError(28, "No space left on device")
        print(*arguments, file=sys.stderr)

    monkeypatch.setattr("suite.cli.task.click.echo", full)
    ran = predict(GOOD)
    assert ran.code == 1
    assert ran.error == "suite: No space left on device; is the disk full, or the output closed?"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--beam", "4", "x"], "suite sentiment predict: No such option"),
        (["--batch-size", "0", "x"], "suite sentiment predict: Invalid value for '--batch-size'"),
        (["--batch-size", "many", "x"], "suite sentiment predict: Invalid value for '--batch-size'"),
        (["--runtime", "tpu", "x"], "suite sentiment predict: Invalid value for '--runtime'"),
        (["--format", "xlsx"], "suite sentiment predict: Invalid value for '--format'"),
        (["--columns", "text"], "suite: --columns: 'text' is not OURS=THEIRS"),
        (["--input", "a.txt", "x"], "suite: give inputs as arguments or with --input, not both"),
        (["--plot", "out.jpg", "x"], "suite: --plot out.jpg: pictures are PNG"),
        (["--plot", "no/such/out.png", "x"], "suite: --plot no/such/out.png: no such directory"),
    ],
)
def test_bad_usage(predict: Cli, arguments: list[str], error: str) -> None:
    ran = predict(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.error.startswith(error)


def test_nothing_given_at_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    assert run(["sentiment", "predict"]) == 2
    assert capsys.readouterr().err.startswith("suite: give inputs as arguments, --input FILE, or on standard input")


def test_a_plot_of_labels(cli: Cli, tiny_labels_checkpoint: Path, tmp_path: Path) -> None:
    ran = cli("sentiment", "predict", "--checkpoint", tiny_labels_checkpoint, "--plot", "out.png", GOOD)
    assert ran.code == 2
    assert len(ran.lines) == 1
    assert "no polarity to draw" in ran.error
    assert not (tmp_path / "out.png").exists()


# --- checkpoints that cannot be used --------------------------------------------------------------------------


def flip(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "encoder.onnx", "tokenizer.json", "words.json", "target.json", "README.md"]
)
def test_a_flipped_byte(cli: Cli, damage: Cli, name: str) -> None:
    folder = damage(name, flip)
    ran = cli("sentiment", "predict", "--checkpoint", folder, GOOD)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == f"suite: {folder / name}: altered since it was saved (SHA-256 differs); copy it again"


@pytest.mark.parametrize("name", ["model.safetensors", "encoder.onnx", "tokenizer.json"])
def test_a_file_of_the_checkpoint_is_missing(cli: Cli, damage: Cli, name: str) -> None:
    folder = damage(name, bytes)
    (folder / name).unlink()
    ran = cli("sentiment", "predict", "--checkpoint", folder, GOOD)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: {folder / name}: No such file or directory; the checkpoint is incomplete")


def edited(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (edited(schema=99), "schema 99 is newer than this suite's 1; upgrade"),
        (edited(colour="red"), "colour: no such setting"),
        (edited(task="speech"), "is a checkpoint of 'speech', not 'sentiment'"),
        (edited(config={"encoder": {"hiden": 3}}), "config.encoder.hiden: no such setting; did you mean 'hidden'?"),
        (edited(files={"../../etc/passwd": "0"}), "'../../etc/passwd' is not a plain file name"),
        (lambda content: content[:100], "cannot be read"),
        (lambda content: b"[1]", "has no schema number"),
        (lambda content: b'{"schema": 1}', "task is missing"),
    ],
)
def test_a_manifest_that_is_wrong(cli: Cli, damage: Cli, change: Any, error: str) -> None:
    ran = cli("sentiment", "predict", "--checkpoint", damage("suite.json", change), GOOD)
    assert (ran.code, ran.out) == (1, "")
    assert error in ran.error


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("encoder.onnx", lambda content: content[: len(content) // 2]),
        ("encoder.onnx", lambda content: b""),
        ("model.safetensors", lambda content: content[:50]),
        ("tokenizer.json", lambda content: b"{}"),
        ("tokenizer.json", lambda content: b"\xff"),
        ("words.json", lambda content: b"[]"),
        ("words.json", lambda content: b'{"words": {"speling": 1}}'),
        ("target.json", lambda content: b'{"kind": "other"}'),
        ("target.json", lambda content: b'{"kind": "labels"}'),
        ("target.json", lambda content: b"nothing"),
    ],
)
def test_contents_that_are_wrong(cli: Cli, damage: Cli, name: str, change: Any) -> None:
    ran = cli("sentiment", "predict", "--checkpoint", damage(name, change, sealed=True), GOOD)
    assert (ran.code, ran.out) == (1, "")
    assert name in ran.error or "encoder.onnx: cannot be loaded" in ran.error
    assert "defect" not in ran.error


def test_not_a_checkpoint(cli: Cli, tmp_path: Path) -> None:
    assert cli("sentiment", "predict", "--checkpoint", "nowhere", GOOD).error == (
        "suite: nowhere: no such directory; give one that suite … train --out wrote"
    )
    ran = cli("sentiment", "predict", "--checkpoint", tmp_path, GOOD)
    assert ran.error == f"suite: {tmp_path}: no suite.json in it: not a checkpoint; give a folder that training wrote"
