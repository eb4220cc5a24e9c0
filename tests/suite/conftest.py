"""The command line in this process, and a small checkpoint in the place of the shipped one."""

from __future__ import annotations

import dataclasses
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


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
    def error(self) -> str:
        """The error, which must be one line and all there is on standard error."""
        (line,) = self.err.splitlines()
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


@pytest.fixture
def shipped(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The sentiment task with the small checkpoint as the one it ships; the assets folder."""
    from suite.plugins import TASKS, registry

    task = registry().task("sentiment")
    assets = tmp_path_factory.mktemp("assets")
    shutil.copytree(tiny_checkpoint, assets / "checkpoint")
    if task.assets is not None:
        shutil.copytree(task.assets / "samples", assets / "samples")
    found = {**registry()._found[TASKS], "sentiment": dataclasses.replace(task, assets=assets)}
    monkeypatch.setitem(registry()._found, TASKS, found)
    return assets


@pytest.fixture
def damage(tmp_path: Path, tiny_checkpoint: Path) -> Callable[..., Path]:
    """``damage("model.safetensors", change)``: a copy of the small checkpoint with one file's bytes changed.

    With ``sealed`` the manifest says the new SHA-256, so that only the contents are wrong.
    """
    from suite.checkpoint import sha256

    def make(name: str, change: Callable[[bytes], bytes], *, sealed: bool = False) -> Path:
        import json

        copy = tmp_path / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tiny_checkpoint, copy)
        (copy / name).write_bytes(change((copy / name).read_bytes()))
        if sealed:
            manifest = json.loads((copy / "suite.json").read_text())
            manifest["files"][name] = sha256(copy / name)
            (copy / "suite.json").write_text(json.dumps(manifest))
        return copy

    return make
