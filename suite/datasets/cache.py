"""Where data is kept, a folder to work in there, and the disk's troubles told in one line."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from suite.errors import DataError, one_line

_DAY = 86_400
_CACHES = {"win32": ("LOCALAPPDATA", "~/AppData/Local"), "darwin": ("", "~/Library/Caches")}


def data_home() -> Path:
    """The folder of fetched and prepared data: ``$SUITE_DATA``, else ``suite`` in the user's cache folder."""
    if chosen := os.environ.get("SUITE_DATA"):
        return Path(chosen).expanduser().absolute()
    variable, usual = _CACHES.get(sys.platform, ("XDG_CACHE_HOME", "~/.cache"))
    cache = Path(os.environ.get(variable, ""))
    try:
        # The XDG specification has a relative path ignored.
        return (cache if cache.is_absolute() else Path(usual).expanduser()) / "suite"
    except RuntimeError as error:
        raise DataError("there is no home folder to keep data in; set SUITE_DATA to a folder") from error


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder to work in, beside the results and gone at the end; sweeps up what a crash has left."""
    parent = data_home() / ".working"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk, a folder that is read-only and the like into one line that says what to do."""
    try:
        yield
    except OSError as error:
        advice = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = f"; make room under {data_home()}, or set SUITE_DATA to a folder on another disk"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            advice = f"; data goes under {data_home()}: set SUITE_DATA to a folder you can write to"
        raise DataError(f"{one_line(error)}; nothing was kept{advice}") from error
