"""A published package, and the client that brings it."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.datasets.download import Source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of data, not made yet."""
    monkeypatch.setenv("SUITE_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def files() -> Callable[[Path], list[str]]:
    """``files(folder)``: the paths of all files in it."""
    return lambda folder: sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def tar() -> Callable[..., Path]:
    """``tar(path, members, mode)``: an archive of (name or header, content)."""

    def make(path: Path, members: Sequence[tuple[str | tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for name, content in members:
                info = tarfile.TarInfo(name) if isinstance(name, str) else name
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return make


@pytest.fixture
def sdist(tmp_path: Path, tar: Callable[..., Path]) -> Path:
    """A published package: an archive of rows inside an archive."""
    (tmp_path / "published").mkdir()
    inner = tar(tmp_path / "inner.tar.gz", [("texts/rows.txt", b"doc:1\tgood\ndoc:2\tbad\ndoc:2\tworse\n")])
    folder = tarfile.TarInfo("example-1.0")
    folder.type = tarfile.DIRTYPE
    members = [(folder, b""), ("example-1.0/inner.tar.gz", inner.read_bytes())]
    return tar(tmp_path / "published" / "example-1.0.tar.gz", members)


@pytest.fixture
def source(sdist: Path) -> Source:
    """The published package's description."""
    content = sdist.read_bytes()
    return Source(
        purl="pkg:pypi/example@1.0",
        filename=sdist.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        licence="MIT",
        origin="a test",
    )


class Client:
    """A package client that copies a file to where it was told, and remembers what it was asked."""

    def __init__(self, published: Path, name: str = "", code: int = 0, stderr: str = "") -> None:
        self.published, self.name, self.code, self.stderr = published, name, code, stderr
        self.calls: list[list[str]] = []
        self.requirements = ""

    def __call__(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(args))
        folder = Path(options["cwd"])
        if (folder / "requirements.txt").exists():
            self.requirements = (folder / "requirements.txt").read_text()
        if not self.code:
            shutil.copy(self.published, folder / (self.name or self.published.name))
        return subprocess.CompletedProcess(args, self.code, "", self.stderr)


@pytest.fixture
def bringing() -> type[Client]:
    """``bringing(published, …)``: a stand-in for a package client."""
    return Client


@pytest.fixture
def never() -> Callable[..., Any]:
    """A client that must not be called."""

    def fail(args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        raise AssertionError("nothing should have been fetched")

    return fail
