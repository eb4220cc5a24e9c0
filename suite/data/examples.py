"""Labelled examples: one item of data, and which of them are held out for dev."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.data.splits import hold_out
from suite.errors import DataError, one_line


@dataclass(frozen=True, kw_only=True)
class Example:
    """One item of labelled data. ``key`` decides which part it belongs to; ``where`` is for messages."""

    input: Any
    target: Any = None
    key: str = ""
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def split_dev(
    examples: Sequence[Example], share: float = 0.1, *, by_label: bool = True
) -> tuple[list[Example], list[Example]]:
    """Train and dev parts, by rule: ranked by a hash of each item's key inside each label, whatever the order.

    Without ``by_label`` targets are no labels, and the ranking is one of all items.
    Raises DataError if there are too few items to hold any out.
    """
    keys = [example.key for example in examples]
    held = hold_out(keys, [stratum(example.target) for example in examples] if by_label else None, share)
    train = [e for e, out in zip(examples, held, strict=True) if not out]
    dev = [e for e, out in zip(examples, held, strict=True) if out]
    if not train or not dev:
        raise DataError(f"{len(examples)} items are too few to hold some out for dev; add data or give --dev FILE")
    return train, dev


def stratum(target: object) -> str:
    """The group of a target whose share a held-out part keeps: its label, or the tenth a number falls in."""
    return f"{target:.1f}" if isinstance(target, float) else str(target)


def identity(paths: Iterable[str | Path]) -> dict[str, str]:
    """Which files and folders these are: name → SHA-256 of the contents. A second one of a name is numbered."""
    found: dict[str, str] = {}
    for path in map(Path, paths):
        name, number = path.name, 2
        while name in found:
            name, number = f"{path.name} ({number})", number + 1
        try:
            found[name] = _digest(path)
        except OSError as error:
            raise DataError(f"{one_line(error)}; check the path") from error
    return found


def _digest(path: Path) -> str:
    """SHA-256 of a file, or for a folder of the names and digests of its files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for inner in sorted(p for p in path.rglob("*") if p.is_file()):
        whole.update(f"{inner.relative_to(path).as_posix()}\0{_digest(inner)}\n".encode())
    return whole.hexdigest()
