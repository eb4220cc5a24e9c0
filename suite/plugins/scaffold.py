"""``suite plugins new``: create a small plugin that works, from a template.

The templates are working packages named ``my-task`` and ``my-cell``; the chosen name replaces that. A package has a
``src/`` layout, so that a folder that it was created in never hides the installed package.
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
#: Files that are written with a leading dot, which packaging tools would leave out of a package's data.
HIDDEN = {"gitignore": ".gitignore", "github": ".github"}

MAPPINGS = {
    "many-to-one": "one result for a whole input: a label, a value",
    "one-to-many": "a sequence for an input of a fixed size: a caption",
    "aligned": "a result at every step: tags, next values",
    "unaligned": "a sequence from another of any length: rewriting",
}


@dataclass(frozen=True)
class _Example:
    """What a README shows: arguments of ``predict``, a command whose output is streamed, and a row of its table."""

    predict: str
    stream: str
    row: str = ""


_EXAMPLES = {
    "many-to-one": _Example("'il gatto dorme'", "echo 'the cat is asleep'"),
    "one-to-many": _Example(
        "'#ff8800'",
        "echo '#1a2b7c'",
        "| `src/my_task/colours.py` | the input codec: a colour as numbers |\n"
        "| `src/my_task/model.py` | the model; the only file that imports torch |\n",
    ),
    "aligned": _Example("'the dog sees a red house'", "echo 'my friend opens every window'"),
    "unaligned": _Example("42", "seq 7 9"),
}


def checked_name(name: str) -> str:
    """A name that can be typed, installed and imported. Raises UsageError for any other."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name):
        raise UsageError(f"{name!r}: use lowercase letters, digits and hyphens, as in my-task")
    module, found = _module(name), registry()
    if name in RESERVED or module == "suite" or any(found.is_builtin(group, name) for group in GROUPS):
        raise UsageError(f"{name!r} is a name of the suite itself; choose another")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise UsageError(f"{name!r} is a name of Python itself; choose another")
    return name


def write(name: str, mapping: str | None, out: Path | None = None) -> Path:
    """Write a package with a task of ``mapping``, or with a cell (None), into ``out`` (default ./NAME).

    Raises UsageError for a name that cannot be used, and for a folder that is not empty.
    """
    checked_name(name)
    place = Path(name) if out is None else out
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} exists already; choose another --out")
    kind = "cell" if mapping is None else "task"
    words: dict[str, str] = {}
    if mapping is not None:
        shown = _EXAMPLES[mapping]
        words |= {"EXTRA": shown.row, "MAPPING": mapping, "PREDICT": shown.predict, "STREAM": shown.stream}
    words |= {f"my-{kind}": name, f"my_{kind}": _module(name), f"My{kind.title()}": _class(name)}
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
