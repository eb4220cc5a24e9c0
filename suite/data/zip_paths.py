"""Files that lie together: in a folder, or in a ZIP, where ``recordings.zip/one.wav`` is a path like any other."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from suite.errors import DataError, one_line

#: Key, name in the ZIP, the rest of its row, and the file's bytes.
Member = tuple[str, str, dict[str, Any], bytes]


@contextmanager
def open_file(path: Path, what: str = "file") -> Iterator[IO[bytes]]:
    """The opened file. Raises DataError, calling it ``what``, where there is none or it cannot be read."""
    try:
        archive = next((p for p in path.parents if p.suffix.lower() == ".zip" and p.is_file()), None)
        if archive is None:
            with path.open("rb") as file:
                yield file
            return
        stamp = archive.stat()
        with _archive(archive, stamp.st_mtime_ns, stamp.st_size).open(path.relative_to(archive).as_posix()) as file:
            yield file
    except FileNotFoundError as error:
        raise DataError("no such file; check the path") from error
    except KeyError as error:
        raise DataError(f"no such {what} in {archive}; check the path") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot be read ({getattr(error, 'strerror', None) or one_line(error)}); check the file"
        ) from error


@lru_cache(8)
def _archive(path: Path, changed: int, size: int) -> zipfile.ZipFile:
    """An open ZIP, kept open: its list of contents is long, and it is asked for every file."""
    return zipfile.ZipFile(path)


def as_path(argument: str | Path) -> Path:
    """A path as it was typed. Raises DataError for an empty name, which would be the current folder."""
    if not str(argument):
        raise DataError("an empty name where a file or folder is needed; is a variable not set?")
    return Path(argument)


def read_contents(path: Path, largest: int, *, one: str, kind: str) -> bytes:
    """A file of ``one`` thing whole, which is read into memory. Raises DataError for a larger one, or none."""
    try:
        if path.stat().st_size > largest:
            raise DataError(f"{path}: larger than {largest:,} bytes; give a file of one {one}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{one_line(error)}; give {kind}") from error


def files_in_folder(
    argument: str, endings: Sequence[str], what: str, *, recursive: bool = False
) -> Iterator[tuple[str, str]]:
    """A file, or the files in a folder with one of these endings, sorted; with ``recursive`` in its subfolders too.

    Each as (place, path), as ``Task.expand_inputs`` gives them. Raises DataError for a folder without any, calling one
    ``what``.
    """
    folder = as_path(argument)
    if not folder.is_dir():
        yield argument, argument
        return
    try:
        inside = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise DataError(f"{one_line(error)}; check the path and its permissions") from error
    files = [str(path) for path in inside if path.suffix.lower() in endings and path.is_file()]
    if not files:
        deeper = not recursive and any(path.is_dir() for path in inside)
        advice = "--recursive searches its subfolders too" if deeper else "is it the right folder?"
        raise DataError(f"{argument}: no {what} in it ({', '.join(endings)}); {advice}")
    yield from ((path, path) for path in files)


def write_members(out: Path, name: str, column: str, members: Iterable[Member]) -> None:
    """Write a part of prepared data: its rows, and its files in a ZIP that is not packed once more.

    A row has its ``key``, in ``column`` where its file lies, and the rest.
    """
    with (
        (out / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n") as rows,
        zipfile.ZipFile(out / f"{name}.zip", "w", zipfile.ZIP_STORED) as files,
    ):
        for key, place, rest, content in members:
            # Without a date, so that the same files are the same ZIP.
            files.writestr(zipfile.ZipInfo(place), content)
            rows.write(json.dumps({"key": key, column: f"{name}.zip/{place}", **rest}, ensure_ascii=False) + "\n")
