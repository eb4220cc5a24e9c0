"""Errors a user can act on.

Every message is one line: what is wrong, where, and what to do next. The command line prints that line and
exits with the error's code: 1 for bad data or a failure, 2 for bad usage. A traceback is printed only with
``--debug``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SuiteError(Exception):
    """A failure with a one-line message; the root of everything the suite raises on purpose."""

    exit_code = 1


class DataError(SuiteError):
    """A file or an item that cannot be used: missing, unreadable, malformed, or of the wrong kind."""


class CheckpointError(SuiteError):
    """A checkpoint directory that is missing, incomplete, altered, or made for something else."""


class PluginError(SuiteError):
    """A plugin that failed to load, or broke the contract of a hook."""


class MissingExtra(SuiteError):
    """A feature whose optional dependencies are not installed."""

    def __init__(self, what: str, extra: str, cause: ImportError | None = None) -> None:
        reason = f" ({cause})" if cause is not None else ""
        super().__init__(f"{what} needs the [{extra}] extra{reason}: pip install 'sequence-suite[{extra}]'")


class UsageError(SuiteError):
    """A wrong argument, option or configuration path."""

    exit_code = 2


def stop(error: SuiteError) -> None:
    """What is done with a bad item where nobody asked for it (``on_error`` is None): the error is raised."""
    raise error


def one_line(error: BaseException) -> str:
    """The message of any exception on one line, its type first unless it is one of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, SuiteError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what the user most likely meant, or lists what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is known"
