"""What every test may use: one thread, an empty data folder, two small checkpoints, and the command line."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before torch or onnxruntime is imported anywhere: small tests are slower on many threads than on one.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "SUITE_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# What a shell starts in the background is deaf to Ctrl-C, and tests of it are to be the same there.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Settings of a model that trains in about a second.
TINY = (
    "encoder.hidden=8", "words.vocabulary=200", "words.pieces=60", "embedding.features=8",
    "embedding.dropout=0", "encoder.dropout=0", "head.dropout=0",
    "training.batch_size=8", "training.epochs=12", "training.lr=0.02", "training.ema=0", "training.patience=0",
)  # fmt: skip

_THINGS = ("film", "soup", "café", "phone", "song", "train ride", "hotel", "book", "teacher", "garden")
_FEELINGS = (
    ("What a lovely {}, I adore it!", 0.9),
    ("The {} was good and we were happy :)", 0.6),
    ("I like this {} – really nice 😀", 0.5),
    ("The {} is on the table.", 0.0),
    ("An awful {}, I HATE it!!!", -0.9),
    ("The {} was bad and we were sad", -0.6),
)


#: Tunes that ship as samples.
_TUNES = Path(__file__).parents[1] / "assets" / "music" / "samples" / "labelled.abc"


def rows() -> list[dict[str, Any]]:
    """Sixty made-up texts with a polarity and the label that goes with it."""
    found = []
    for feeling, polarity in _FEELINGS:
        for thing in _THINGS:
            label = "positive" if polarity > 0 else "negative" if polarity < 0 else "neutral"
            found.append({"text": feeling.format(thing), "polarity": polarity, "label": label})
    return found


@pytest.fixture(scope="session", autouse=True)
def _no_data_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUITE_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def tunes() -> list[str]:
    """The text form of seven real tunes."""
    from suite_music.notation.files import split_tunes

    return [text for _, text in split_tunes(_TUNES.read_text(encoding="utf-8"))]


@pytest.fixture(scope="session")
def chorale() -> Any:
    """Two bars in G minor with a pickup: held notes, a repeated one, a passing sixteenth, a rest in the tenor."""
    from suite_music.notation.chorales import Chorale

    beats = [(70, 62, 55, 43), (70, 62, -1, 42), (69, 60, 0, 43), (67, 62, 55, 38), (66, 62, 57, 38), (67, 62, 58, 43)]
    beats += [(67, 60, 55, 48), (-1, -1, 54, 50)]
    steps = [step for beat in beats for step in (beat, *[tuple(0 if v == 0 else -1 for v in beat)] * 3)]
    steps[6] = (72, -1, -1, -1)
    return Chorale(tuple((s, a, t, b) for s, a, t, b in steps), -2, "minor", "4/4", 4)


@pytest.fixture(scope="session")
def tiny_settings() -> list[str]:
    """Settings for ``train(…, settings=…)``: a sentiment model that trains in about a second."""
    return list(TINY)


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty texts with a polarity, as JSON lines (columns ``text``, ``polarity``)."""
    return _written(tmp_path_factory.mktemp("ratings") / "ratings.jsonl", ("text", "polarity"))


@pytest.fixture(scope="session")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same texts with a label, as JSON lines (columns ``text``, ``label``)."""
    return _written(tmp_path_factory.mktemp("labels") / "labels.jsonl", ("text", "label"))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, ratings_file: Path) -> Path:
    """The directory of a small sentiment checkpoint trained on ratings. Read it; do not change it."""
    return _trained(tmp_path_factory.mktemp("tiny") / "checkpoint", ratings_file)


@pytest.fixture(scope="session")
def tiny_labels_checkpoint(tmp_path_factory: pytest.TempPathFactory, labels_file: Path) -> Path:
    """The directory of a small sentiment checkpoint trained on labels. Read it; do not change it."""
    return _trained(tmp_path_factory.mktemp("tiny-labels") / "checkpoint", labels_file)


def _written(path: Path, columns: tuple[str, ...]) -> Path:
    lines = [json.dumps({name: row[name] for name in columns}, ensure_ascii=False) for row in rows()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _trained(out: Path, data: Path) -> Path:
    from suite.training.train import train

    return train("sentiment", data=data, out=out, settings=TINY).path


@dataclass(frozen=True)
class Ran:
    """What a command did. ``lines`` are those of its output."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def values(self) -> list[dict[str, Any]]:
        """What ``--json`` printed."""
        return [json.loads(line) for line in self.lines]

    @property
    def said(self) -> str:
        """The one line that is all there is on standard error."""
        (line,) = self.err.splitlines()
        return line

    @property
    def error(self) -> str:
        """The error, which must be one line and all there is on standard error."""
        line = self.said
        assert line.startswith("suite")
        assert "this is a defect" not in line
        return line


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.pieces.pop(0) if self.pieces else b""
        if len(piece) > len(buffer):
            self.pieces.insert(0, piece[len(buffer) :])
            piece = piece[: len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ran]:
    """``cli("sentiment", "predict", …, stdin=b"…")``, run in an empty folder."""
    from suite.cli import run

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path, stdin: bytes | list[bytes] = b"") -> Ran:
        pieces = [stdin] if isinstance(stdin, bytes) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(_Pieces(pieces))))
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call
