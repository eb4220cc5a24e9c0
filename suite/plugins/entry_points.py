"""What is offered: the names that installed packages and plugin folders have for plugins, found without importing any.

Entry points, and files of plugin folders → ``Offer`` (name, module, distribution). ``suite.plugins`` loads them.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

TASKS, CELLS, COMMANDS = "suite.tasks", "suite.cells", "suite.commands"
GROUPS = (TASKS, CELLS, COMMANDS)
#: The hook of each group.
HOOK = {TASKS: "suite_tasks", CELLS: "suite_cells", COMMANDS: "suite_commands"}
HOOKS = tuple(HOOK.values())
#: Folders of plugins that are one file each, for trying things out.
FOLDERS = "SUITE_PLUGIN_DIR"
#: The names of the suite's own commands: no task or command of a plugin may have one of them.
RESERVED = frozenset({"tasks", "cells", "plugins", "data", "demo", "bench"})
OWN_DISTRIBUTION = "sequence-suite"


@dataclass(frozen=True)
class Offer:
    """One entry point: a name somebody can type, and the module that stands behind it.

    Of a plugin that is a file in a folder, ``module`` is its path and ``distribution`` the folder's.
    """

    group: str
    name: str
    module: str
    distribution: str
    version: str = ""

    @property
    def label(self) -> str:
        return f"{self.module} ({self.distribution} {self.version})" if self.version else self.module


def installed() -> list[Offer]:
    """Every entry point of ours among the packages on the path.

    This reads what ``importlib.metadata`` reads, from folders only: importing that module would cost more
    than all else that ``suite --help`` does. As there, the first distribution of a name on the path counts.
    """
    offers: list[Offer] = []
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        try:
            entries = sorted(entry.name for entry in os.scandir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            stem, dot, kind = entry.rpartition(".")
            if kind not in ("dist-info", "egg-info") or not dot:
                continue
            name, _, version = stem.partition("-")
            name = canonical(name)
            if name in seen:
                continue
            seen.add(name)
            try:
                text = Path(folder, entry, "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue
            version = version.partition("-py")[0]
            offers += [Offer(group, point, module, name, version) for group, point, module in _points(text)]
    return offers


def _points(text: str) -> list[tuple[str, str, str]]:
    """(group, name, module) of our groups in the text of an ``entry_points.txt``."""
    found, group = [], ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[] ")
        elif group in GROUPS and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            module = value.partition(":")[0].partition("[")[0].strip()
            if name.strip() and module:
                found.append((group, name.strip(), module))
    return found


def plugin_folders() -> list[Path]:
    """The folders that ``SUITE_PLUGIN_DIR`` names."""
    return [Path(folder).absolute() for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]


def brought(path: Path) -> list[str]:
    """The groups whose hook a file defines, read without running it; one that cannot be read shows as a task."""
    found = _statements(path)
    if found is None:
        return [TASKS]
    names = {node.name for node in found if isinstance(node, ast.FunctionDef)}
    return [group for group, hook in HOOK.items() if hook in names]


@functools.cache
def summary_of(module: str) -> str:
    """The first line of a module's docstring."""
    try:
        path = _source(module)
        if path is None:
            return ""
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError, ValueError, ImportError, AttributeError):
        return "broken: its source cannot be read (see suite plugins)"
    return doc.partition("\n")[0].strip()


def declared_version(module: str) -> object:
    """The ``api_version`` of a module's source, read without running it; None if it does not say one."""
    for node in _statements(path_of(module)) or ():
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["api_version"]:
            return node.value.value if isinstance(node.value, ast.Constant) else None
    return None


def _statements(path: Path | None) -> list[ast.stmt] | None:
    """The statements of a source file; None where it cannot be read."""
    try:
        return None if path is None else ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return None


def canonical(name: str) -> str:
    """A distribution's name, however it is spelt."""
    return name.replace("_", "-").replace(".", "-").lower()


def path_of(module: str) -> Path | None:
    """Where a plugin's source is, without importing it; None where that cannot be said."""
    try:
        return _source(module)
    except (ImportError, AttributeError, ValueError):
        return None


def _source(module: str) -> Path | None:
    """Where a module's source is, without importing it or any plugin package above it."""
    if module.endswith(".py"):
        return Path(module)
    head, *rest = module.split(".")
    spec = importlib.util.find_spec(head) if head not in sys.modules else sys.modules[head].__spec__
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    for part in rest:
        folder = path.parent / part
        path = folder / "__init__.py" if folder.is_dir() else path.parent / f"{part}.py"
    return path if path.suffix == ".py" and path.exists() else None
