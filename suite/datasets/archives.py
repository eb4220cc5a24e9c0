"""Unpacking archives that are not trusted.

Every member is looked at here: tarfile's own filter has been got round (CVE-2025-4517).
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import importlib
import io
import lzma
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from suite.errors import DataError, one_line

# Limits on what one archive may hold. The largest data set in use is a tenth of either.
MAX_BYTES = 4 * 2**30
MAX_FILES = 200_000
# A tar header that only describes the next one (long name, pax) is read into memory whole, so it has its own.
MAX_HEADER = 2**20
COPY_BYTES = 2**20

# What the archive modules raise for content that makes no sense; zipfile's for a password is a RuntimeError.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_OPENERS: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZSTD = b"\x28\xb5\x2f\xfd"
_Kind = Literal["file", "folder", "link", "odd"]


def unpack(
    archive: Path,
    into: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    links: Literal["refuse", "skip"] = "refuse",
) -> Path:
    """Unpack an archive into a folder that is new or empty, and return that folder.

    Takes tar (plain, gz, bz2, xz, zst), zip and whl, and a deb's data; told apart by content, not by name.
    Only plain files and folders come out, without execute bits. Raises DataError, and removes ``into``, for a
    path that is absolute, has ``..`` or a backslash, or comes twice; for a device; for a link
    (``links="skip"`` passes over them, as Debian packages need); for more than ``max_bytes`` or
    ``max_files``; and for an archive that is damaged or cut short. Archives inside the archive stay as they
    are: call this again on them.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise DataError(f"{into}: not empty; an archive is unpacked into a new folder only")
    try:
        with archive.open("rb") as file:
            _unpack(file, _Target(archive, into, max_bytes, max_files, links))
    except BaseException as error:
        # Half an archive must not be taken for a whole one.
        shutil.rmtree(into, ignore_errors=True)
        # An OSError is the disk's trouble, save those for a wrong byte (without a number) and a place before the
        # start (EINVAL).
        if isinstance(error, _DAMAGE) or (isinstance(error, OSError) and error.errno in (None, errno.EINVAL)):
            raise DataError(f"{archive}: damaged, cut short, or not an archive: {one_line(error)}") from error
        raise
    return into


@dataclass
class _Target:
    """Where an archive's members go, one by one: what must not come out is refused."""

    archive: Path
    into: Path
    max_bytes: int
    max_files: int
    links: Literal["refuse", "skip"]
    count: int = 0
    size: int = 0

    def add(self, name: str, kind: _Kind, size: int = 0, content: IO[bytes] | None = None) -> None:
        """Make a file, of ``size`` bytes of ``content``, or a folder."""
        self.count += 1
        if self.count > self.max_files:
            raise DataError(f"{self.archive}: more than {self.max_files:,} members; refused")
        if name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise DataError(f"{self.archive}: the path {name!r} is absolute; refused")
        if ".." in name.split("/") or "\\" in name or "\0" in name:
            raise DataError(f"{self.archive}: the path {name!r} leads outside; refused")
        path = self.into / name
        try:
            if kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
            elif content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(path, size, content)
            elif kind == "odd":
                raise DataError(f"{self.archive}: {name!r} is neither a file nor a folder; refused")
            elif self.links == "refuse":
                raise DataError(f"{self.archive}: {name!r} is a link; refused")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise DataError(f"{self.archive}: {name!r} clashes with another member; refused") from error

    def _write(self, path: Path, size: int, content: IO[bytes]) -> None:
        # Counted before a byte of it is read.
        self.size += size
        if self.size > self.max_bytes:
            raise DataError(f"{self.archive}: unpacks to more than {self.max_bytes:,} bytes; refused")
        with path.open("xb") as file:
            if _pour(content, file, size) != size:
                raise DataError(f"{self.archive}: {path.name!r} is not as long as it says; refused")


def _pour(reading: IO[bytes], writing: IO[bytes], size: int) -> int:
    """Copy a stream to its end, or just past ``size`` bytes; returns how many there were."""
    done = 0
    while done <= size and (chunk := reading.read(COPY_BYTES)):
        done += len(chunk)
        writing.write(chunk)
    return done


# --- what is in an archive ----------------------------------------------------------------------------------


def _unpack(file: io.BufferedReader, target: _Target) -> None:
    start = file.peek(8)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _unpack_zip(file, target)
    elif start.startswith(b"!<arch>\n"):
        _unpack_tar(_data_of_deb(file, target.archive), target)
    else:
        _unpack_tar(file, target)


class _CheckedInfo(tarfile.TarInfo):
    """A tar header that refuses what tarfile would read into memory whole, whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _CheckedInfo:
        info = super().frombuf(buf, encoding, errors)
        plain = info.type in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
        if not plain and info.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _unpack_tar(file: io.BufferedReader, target: _Target) -> None:
    # Decompressed here and read as a plain stream: gzip and lzma then check their sums, and report a short
    # file.
    with (
        _decompressed(file, target.archive) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_CheckedInfo) as tar,
    ):
        for info in tar:
            if info.issym() or info.islnk():
                target.add(info.name, "link")
            elif info.isdir():
                target.add(info.name, "folder")
            elif info.isreg() and not info.issparse():
                target.add(info.name, "file", info.size, tar.extractfile(info))
            else:
                target.add(info.name, "odd")
        # Read on to the end of the stream, so that its checksum is looked at, within reason.
        for _ in range(target.max_bytes // COPY_BYTES + 2):
            if not stream.read(COPY_BYTES):
                break


def _unpack_zip(file: io.BufferedReader, target: _Target) -> None:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                target.add(info.filename, "link")
            elif info.is_dir():
                target.add(info.filename, "folder")
            elif kind in (0, stat.S_IFREG):
                with archive.open(info) as content:
                    target.add(info.filename, "file", info.file_size, content)
            else:
                target.add(info.filename, "odd")


def _data_of_deb(file: io.BufferedReader, archive: Path) -> io.BufferedReader:
    """The ``data.tar…`` inside a deb, which is an ar archive: 60-byte headers, members on even offsets."""
    file.seek(8)
    while (header := file.read(60))[58:] == b"`\n" and (digits := header[48:58].strip()).isdigit():
        size = int(digits)
        if header.startswith(b"data.tar"):
            return io.BufferedReader(_FileSection(file, size))
        file.seek(size + size % 2, io.SEEK_CUR)
    raise DataError(f"{archive}: damaged, or a deb without data")


class _FileSection(io.RawIOBase):
    """The next ``size`` bytes of a file as a file of their own."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self.file.read(min(len(view), self.left))
        view[: len(data)] = data
        self.left -= len(data)
        return len(data)


# --- compression --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _decompressed(file: io.BufferedReader, archive: Path) -> Iterator[IO[bytes]]:
    """The stream inside a gz, bz2, xz or zst stream; any other stream as it is."""
    start = file.peek(6)
    if start.startswith(_ZSTD):
        with _zstd(file, archive) as stream:
            yield stream
        return
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), contextlib.nullcontext)
    with opener(file) as stream:
        yield stream


@contextlib.contextmanager
def _zstd(file: IO[bytes], archive: Path) -> Iterator[IO[bytes]]:
    """A zstd stream's content, through Python's own module (3.14), the zstandard package, or the command."""
    if (module := _module("compression.zstd") or _module("zstandard")) is not None:
        try:
            with module.open(file) as stream:
                yield stream
        except module.ZstdError as error:
            raise DataError(f"{archive}: damaged or cut short: {one_line(error)}") from error
        return
    program = shutil.which("zstd")
    if program is None:
        raise DataError(f"{archive}: zstd-compressed; install the zstandard package or the zstd command")
    with tempfile.TemporaryFile() as content:
        # A real file, since the command reads from a descriptor and the stream may be part of a larger file.
        shutil.copyfileobj(file, content, COPY_BYTES)
        content.seek(0)
        command = [program, "--decompress", "--stdout"]
        with subprocess.Popen(command, stdin=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
                if process.stdout.read(1) == b"" and process.wait() != 0:
                    raise DataError(f"{archive}: damaged or cut short (zstd exit status {process.returncode})")
            finally:
                process.kill()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
