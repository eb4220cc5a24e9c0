"""Whole small plugins from templates: ``suite plugins new``.

The templates are packages that work, under the names ``my-task`` and ``my-cell``; the chosen name takes their place.
"""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from suite.errors import UsageError
from suite.plugins import registry
from suite.plugins.entry_points import GROUPS, RESERVED

TEMPLATES = Path(__file__).parent / "templates"
ENDING = ".tmpl"
#: Written with a dot in front, which packaging tools would leave out of a package's data.
HIDDEN = {"gitignore": ".gitignore", "github": ".github"}

MAPPINGS = {
    "many-to-one": "one answer for a whole input: a label, a value",
    "one-to-many": "something of a fixed size to a sequence: a caption",
    "aligned": "an answer at every step: tags, next values",
    "unaligned": "a sequence to another one of any length: rewriting",
}


@dataclass(frozen=True)
class _Shown:
    """What a README says to type."""

    predict: str
    stream: str


_SHOWN = {
    "many-to-one": _Shown("'il gatto dorme'", "echo 'the cat is asleep'"),
    "one-to-many": _Shown("'#ff8800'", "echo '#1a2b7c'"),
    "aligned": _Shown("'the dog sees a red house'", "echo 'my friend opens every window'"),
    "unaligned": _Shown("42", "seq 7 9"),
}


def checked_name(name: str) -> str:
    """A name that can be typed, installed and imported. Raises UsageError."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name):
        raise UsageError(f"{name!r}: a name is of small letters, digits and hyphens, as my-task")
    module, found = _module(name), registry()
    own = any(found.ships(group, name) for group in GROUPS)
    if name in RESERVED or own or module == "suite":
        raise UsageError(f"{name!r} is a name that the suite itself has; choose another")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise UsageError(f"{name!r} is a name that Python itself has; choose another")
    return name


def write(name: str, mapping: str | None, out: Path | None = None) -> Path:
    """Write a package with a task of ``mapping``, or with a cell (None), into ``out`` (default ./NAME).

    Raises UsageError for a name that will not do, and for a folder that has something in it.
    """
    checked_name(name)
    place = Path(name) if out is None else out
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} is there already; choose another --out")
    kind = "cell" if mapping is None else "task"
    words = {f"my-{kind}": name, f"my_{kind}": _module(name), f"My{kind.title()}": _class(name)}
    if mapping is not None:
        shown = _SHOWN[mapping]
        words |= {"MAPPING": mapping, "PREDICT": shown.predict, "STREAM": shown.stream}
    for folder in [kind, *([mapping] if mapping else [])]:
        for file in sorted((TEMPLATES / folder).rglob(f"*{ENDING}")):
            parts = [HIDDEN.get(part, part) for part in file.relative_to(TEMPLATES / folder).parts]
            path = place / _replaced("/".join(parts).removesuffix(ENDING), words)
            path = path.with_name(HIDDEN.get(path.name, path.name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_replaced(file.read_text(encoding="utf-8"), words), encoding="utf-8")
    return place


def _module(name: str) -> str:
    return name.replace("-", "_")


def _class(name: str) -> str:
    return "".join(part.title() for part in re.split("[-_]", name))


def _replaced(text: str, words: dict[str, str]) -> str:
    for before, after in words.items():
        text = text.replace(before, after)
    return text
