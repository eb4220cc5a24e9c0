"""A published package, the client that brings it, and files to read rows from."""

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

from suite.data.readers import Row, read_rows
from suite.datasets.download import Source
from suite.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of data, not made yet."""
    monkeypatch.setenv("SUITE_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def files() -> Callable[[Path], list[str]]:
    """``files(folder)``: the paths of all files in it."""
    return lambda folder: sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# --- packages -----------------------------------------------------------------------------------------------


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


# --- rows ---------------------------------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | bytes], str]:
    """Write a file and return its plain name; the working folder is its folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write


@pytest.fixture
def values() -> Callable[..., list[dict[str, Any]]]:
    """``values(path, …)``: the values of every row."""
    return lambda path, **options: [row.values for row in read_rows(path, **options)]


@pytest.fixture
def problems() -> Callable[..., tuple[list[Row], list[str]]]:
    """``problems(path, …)``: the good rows, and the messages about the others."""

    def collect(path: str, **options: Any) -> tuple[list[Row], list[str]]:
        errors: list[DataError] = []
        rows = list(read_rows(path, on_error=errors.append, **options))
        return rows, [str(error) for error in errors]

    return collect


@pytest.fixture
def fails() -> Callable[..., str]:
    """``fails(path, …)``: the message, on one line, of the error that reading ends in."""

    def message(path: str, **options: Any) -> str:
        with pytest.raises(DataError) as caught:
            list(read_rows(path, **options))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message
