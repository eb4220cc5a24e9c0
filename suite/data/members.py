"""A file, or one inside a ZIP: ``recordings.zip/one.wav`` is a path like any other."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

from suite.errors import DataError, one_line


@contextmanager
def member(path: Path, what: str = "file") -> Iterator[IO[bytes]]:
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
        raise DataError(f"cannot be read ({getattr(error, 'strerror', None) or one_line(error)})") from error


@lru_cache(8)
def _archive(path: Path, changed: int, size: int) -> zipfile.ZipFile:
    """An open ZIP, kept open: its list of contents is long, and it is asked for every file."""
    return zipfile.ZipFile(path)
