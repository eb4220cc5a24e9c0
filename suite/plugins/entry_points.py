"""Entry points: the names under which plugins can be used, found without importing any plugin.

Data flow: the entry points of installed packages, and the files of plugin folders → ``EntryPoint`` (group, name,
module, distribution) → ``suite.plugins.manager``, which loads them.
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
#: The hook of each entry-point group.
HOOK = {TASKS: "suite_tasks", CELLS: "suite_cells", COMMANDS: "suite_commands"}
HOOKS = tuple(HOOK.values())
#: The environment variable with folders of plugins that are a single file each.
FOLDERS = "SUITE_PLUGIN_DIR"
#: The names of the suite's own commands, which no task or command of a plugin may have.
RESERVED = frozenset({"tasks", "cells", "plugins", "data", "demo", "bench"})
OWN_DISTRIBUTION = "sequence-suite"


@dataclass(frozen=True)
class EntryPoint:
    """A name that users type, and the module that provides it.

    For a plugin that is a file of a plugin folder, ``module`` is the file's path and ``distribution`` the folder's.
    """

    group: str
    name: str
    module: str
    distribution: str
    version: str = ""

    @property
    def label(self) -> str:
        """The module with its distribution and version, for messages."""
        return f"{self.module} ({self.distribution} {self.version})" if self.version else self.module


def installed() -> list[EntryPoint]:
    """The entry points, in the groups of the suite, of all packages on ``sys.path``.

    Reads the same files as ``importlib.metadata``, from folders only: importing that module would take longer than
    everything else that ``suite --help`` does. As there, the first distribution of a name on the path counts.
    """
    found: list[EntryPoint] = []
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
            found += [EntryPoint(group, point, module, name, version) for group, point, module in _parsed(text)]
    return found


def _parsed(text: str) -> list[tuple[str, str, str]]:
    """(group, name, module) of each entry point of the suite's groups in an ``entry_points.txt``."""
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


def hooks_defined(path: Path) -> list[str]:
    """The groups whose hook a file defines, read without running it; a file that cannot be parsed counts as a task."""
    found = _statements(path)
    if found is None:
        return [TASKS]
    names = {node.name for node in found if isinstance(node, ast.FunctionDef)}
    return [group for group, hook in HOOK.items() if hook in names]


@functools.cache
def summary_of(module: str) -> str:
    """The first line of a module's docstring, read without importing it; empty if there is none."""
    try:
        path = _source(module)
        if path is None:
            return ""
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError, ValueError, ImportError, AttributeError):
        return "broken: its source cannot be read (see suite plugins)"
    return doc.partition("\n")[0].strip()


def declared_version(module: str) -> object:
    """The ``api_version`` that a module's source assigns, read without running it; None if it does not."""
    for node in _statements(path_of(module)) or ():
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["api_version"]:
            return node.value.value if isinstance(node.value, ast.Constant) else None
    return None


def _statements(path: Path | None) -> list[ast.stmt] | None:
    """The top-level statements of a source file; None if it cannot be parsed."""
    try:
        return None if path is None else ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return None


def canonical(name: str) -> str:
    """The normalized form of a distribution's name."""
    return name.replace("_", "-").replace(".", "-").lower()


def path_of(module: str) -> Path | None:
    """The source file of a plugin, found without importing it; None if it cannot be found."""
    try:
        return _source(module)
    except (ImportError, AttributeError, ValueError):
        return None


def hiding_folder(module: str) -> Path | None:
    """The folder without an ``__init__.py`` that Python finds under a plugin's name instead of the plugin, if one does.

    Python takes any folder of that name on ``sys.path`` for a namespace package where no regular package comes first.
    """
    head, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(head)
    except ValueError:  # a module without a spec: not a folder
        return None
    if spec is None or spec.origin is not None or not spec.submodule_search_locations:
        return None
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    paths = [folder.joinpath(*rest) for folder in folders] if rest else []
    if any(path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() for path in paths):
        return None  # a namespace package on purpose
    return folders[0]


def _source(module: str) -> Path | None:
    """The source file of a module, found without importing it or a package above it."""
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
