"""Plugins, loaded one by one, with every failure caught.

Data flow: entry points (``suite.plugins.entry_points``: names and modules, found without an import) → on first use the
module is imported, its output captured and every exception caught → registered with pluggy → its own hooks are
called → ``Status``. A plugin that is broken keeps its name and says why; the others are not affected.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from suite.errors import PluginError, UsageError, nearest, one_line
from suite.plugins.entry_points import (
    CELLS,
    COMMANDS,
    FOLDERS,
    GROUPS,
    OWN_DISTRIBUTION,
    RESERVED,
    TASKS,
    EntryPoint,
    canonical,
    declared_version,
    hiding_folder,
    hooks_defined,
    installed,
    path_of,
    plugin_folders,
    summary_of,
)
from suite.plugins.failures import explain, lacks_extra, outdated, refusal, unknown_hook, wrong_arguments

if TYPE_CHECKING:
    import click

    from suite.nn.cells.base import Cell
    from suite.task import AnyTask

DISABLE = "SUITE_DISABLE_PLUGINS"
#: The distribution of what is registered in this process only.
LOCAL = "registered in this process"


@dataclass
class Status:
    """The state of one plugin module: what it is, and whether it could be loaded.

    Attributes:
        module: The module's name, or the path of a file in a plugin folder.
        names: What its entry points name: kind (``tasks``, ``cells``, ``commands``) → names.
        status: ``found``, ``loaded``, ``broken``, ``unavailable`` (it needs an extra that is not installed),
            ``disabled``, or ``refused`` (one of its names is taken).
        error: What is wrong, in a line; empty if nothing is.
        cause: The exception behind the error, where its traceback helps.
        output: What the plugin printed while it was loaded.
        seconds: How long loading took; None before it is loaded.
    """

    module: str
    distribution: str
    version: str
    names: dict[str, list[str]] = field(default_factory=dict)
    status: str = "found"
    error: str = ""
    cause: BaseException | None = None
    output: str = ""
    seconds: float | None = None

    @property
    def faulty(self) -> bool:
        """Whether something is wrong that its author, or whoever installed it, should fix."""
        return self.status in ("broken", "refused") or bool(self.status == "loaded" and self.error)


class Registry:
    """All plugins of an installation: what they provide by name, each loaded on first use.

    Args:
        entry_points: The entry points to use, for tests; by default those of installed packages and of the plugin
            folders that ``SUITE_PLUGIN_DIR`` names.
        disabled: Names, modules or distributions to leave out; by default those in ``SUITE_DISABLE_PLUGINS``.
    """

    def __init__(
        self, entry_points: Iterable[EntryPoint] | None = None, *, disabled: Iterable[str] | None = None
    ) -> None:
        if disabled is None:
            disabled = os.environ.get(DISABLE, "").replace(",", " ").split()
        self._disabled = {form for name in disabled for form in (name, canonical(name))}
        self._lock = threading.RLock()
        self._entry_points: dict[tuple[str, str], EntryPoint] = {}
        self._conflicts: dict[tuple[str, str], list[EntryPoint]] = {}
        self._same_name: dict[tuple[bool, str], list[EntryPoint]] = {}
        self._left_out: dict[tuple[str, str], EntryPoint] = {}
        self._status: dict[str, Status] = {}
        self._found: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
        self._loaded: dict[str, ModuleType] = {}
        self._manager: Any = None
        for entry_point in installed() if entry_points is None else entry_points:
            self._add(entry_point)
        for folder in plugin_folders() if entry_points is None else ():
            self._add_folder(folder)

    # -- listing: imports nothing ------------------------------------------------------------------------

    def names(self, group: str) -> list[str]:
        """The names in an entry-point group, sorted; broken ones included, disabled ones not."""
        return sorted(name for found, name in self._entry_points.keys() | self._conflicts.keys() if found == group)

    def task_names(self) -> list[str]:
        """The names of tasks."""
        return self.names(TASKS)

    def cell_names(self) -> list[str]:
        """The names of cells."""
        return self.names(CELLS)

    def command_names(self) -> list[str]:
        """The names of plugins' commands."""
        return self.names(COMMANDS)

    def summary(self, group: str, name: str) -> str:
        """The first line of the module's docstring, read from its source without importing it."""
        found = self._entry_points.get((group, name))
        return summary_of(found.module) if found else "refused: two plugins have this name (see suite plugins)"

    # -- loading: one plugin at a time -------------------------------------------------------------------

    def task(self, name: str) -> AnyTask:
        """The task of that name, its plugin loaded on first use. Raises UsageError or PluginError."""
        found: AnyTask = self._get(TASKS, name, "task")
        return found

    def cell(self, name: str) -> type[Cell]:
        """The cell class of that name (this imports torch). Raises UsageError or PluginError."""
        found: type[Cell] = self._get(CELLS, name, "cell")
        return found

    def command(self, name: str, cli: click.Group) -> click.Command:
        """The plugin command of that name, added to ``cli``. Raises UsageError or PluginError."""
        entry_point = self._entry_point(COMMANDS, name, "command")
        status = self._load(entry_point)
        if status.status != "loaded":
            raise PluginError(f"command {name!r}: {entry_point.label} is broken: {status.error}") from status.cause
        with self._lock:
            before = set(cli.commands)
            self._call(entry_point.module, "suite_commands", status, cli=cli)
            for extra in set(cli.commands) - before - {name}:
                cli.commands.pop(extra)
        if status.status != "loaded" or name not in cli.commands:
            why = status.error or f"it added no command named {name!r}"
            raise PluginError(f"command {name!r}: {entry_point.label}: {why}") from status.cause
        return cli.commands[name]

    # -- registering without a package: scripts and notebooks --------------------------------------------

    def register_task(self, task: Any) -> None:
        """Add a task, or its class, to this process; registered again, it is replaced.

        Raises PluginError if its name belongs to an installed plugin, or if it is no task.
        """
        made = _task_of(task)
        self._add_local(TASKS, made.name, made, type(made))

    def register_cell(self, name: str, cell: type[Cell]) -> None:
        """Add a cell class to this process; registered again, it is replaced.

        A checkpoint that is trained with it can be loaded again, on torch, where the same cell is registered.
        Raises PluginError if the name belongs to an installed plugin.
        """
        self._add_local(CELLS, name, cell, cell)

    def report(self, *, load: bool = False) -> list[Status]:
        """One status per plugin module; with ``load``, after loading each of them."""
        if load:
            for module in list(self._status):
                self.load(module)
        return sorted(self._status.values(), key=lambda s: (s.distribution, s.module))

    def load(self, module: str) -> Status:
        """Load a plugin module, unless it is disabled, and return its status."""
        for entry_point in self._entry_points.values():
            if entry_point.module == module:
                return self._load(entry_point)
        return self._status[module]

    def find(self, name: str) -> list[Status]:
        """The plugins of that name: a module, a distribution, or a task, cell or command. Raises UsageError."""
        found = [
            status
            for status in self.report()
            if name in (status.module, Path(status.module).name)
            or canonical(name) == status.distribution
            or any(name in names for names in status.names.values())
        ]
        if not found:
            known = {n for s in self._status.values() for names in s.names.values() for n in (*names, s.module)}
            raise UsageError(f"no plugin, task, cell or command named {name!r}; {nearest(name, known)}")
        return found

    def provides(self, module: str) -> dict[str, dict[str, Any]]:
        """What the hooks of a loaded module returned: group → name → task or cell."""
        return {
            group: {n: v for n, v in found.items() if self._entry_points[group, n].module == module}
            for group, found in self._found.items()
        }

    def module(self, name: str) -> ModuleType | None:
        """The module of a plugin; None if it is not loaded."""
        return self._loaded.get(name)

    def label(self, group: str, name: str) -> str:
        """The plugin that provides a name, for messages; empty if none does, or the suite itself."""
        found = self._entry_points.get((group, name))
        return found.label if found and found.distribution != OWN_DISTRIBUTION else ""

    def is_builtin(self, group: str, name: str) -> bool:
        """Whether the suite itself provides this name."""
        found = self._entry_points.get((group, name))
        return found is not None and found.distribution == OWN_DISTRIBUTION

    def owner(self, filename: str) -> str:
        """The label of the plugin that a source file belongs to; empty if none, or the suite itself."""
        path = Path(filename)
        for entry_point in self._entry_points.values():
            home = path_of(entry_point.module)
            if home is None or entry_point.distribution == OWN_DISTRIBUTION:
                continue
            if path == home or (home.name == "__init__.py" and home.parent in path.parents):
                return entry_point.label
        return ""

    # -- inside ------------------------------------------------------------------------------------------

    def _add(self, entry_point: EntryPoint) -> None:
        """Add an entry point, unless it is disabled or its name is taken."""
        new = Status(entry_point.module, entry_point.distribution, entry_point.version)
        status = self._status.setdefault(entry_point.module, new)
        group, name = entry_point.group, entry_point.name
        status.names.setdefault(group.partition(".")[2], []).append(name)
        if {name, entry_point.module, entry_point.distribution} & self._disabled:
            status.status, status.error = "disabled", f"by {DISABLE}"
            self._left_out[group, name] = entry_point
            return
        if group != CELLS and name in RESERVED:
            status.status, status.error = "refused", f"{name!r} is a command of the suite itself; rename it"
            return
        # Tasks and commands are typed in the same place, so they share their names.
        same = self._same_name.setdefault((group == CELLS, name), [])
        same.append(entry_point)
        # A name of the suite itself cannot be taken over; between two others neither is a safe guess.
        own = [one for one in same if one.distribution == OWN_DISTRIBUTION]
        keep = entry_point if len(same) == 1 else own[0] if len(own) == 1 else None
        for one in same:
            self._entry_points.pop((one.group, one.name), None)
            self._conflicts.pop((one.group, one.name), None)
        for one in same:
            if one is keep:
                self._entry_points[one.group, one.name] = one
                continue
            if keep is None:
                self._conflicts[one.group, one.name] = same
            others = ", ".join(sorted(other.label for other in same if other is not one))
            found = self._status[one.module]
            found.status = "refused"
            found.error = f"{one.name!r} is also provided by {others}; uninstall one or set {DISABLE}"

    def _add_local(self, group: str, name: str, value: Any, defined: type) -> None:
        """Store a task or cell that no entry point names."""
        with self._lock:
            taken = self._entry_points.get((group, name))
            if (taken and taken.distribution != LOCAL) or (group, name) in self._conflicts:
                owner = taken.label if taken else "two plugins"
                raise PluginError(f"{name!r} is provided by {owner}; register it under another name")
            if taken is None:
                module = f"{defined.__module__}.{defined.__qualname__}"
                self._add(EntryPoint(group, name, module, LOCAL))
                status = self._status[module]
                if (group, name) not in self._entry_points:
                    raise PluginError(f"{name!r} cannot be registered: {status.error}")
                status.status = "loaded"
            self._found[group][name] = value

    def _add_folder(self, folder: Path) -> None:
        """Add every file of a plugin folder that defines a hook."""
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.is_file())
        except OSError as error:
            problem = f"{one_line(error)}; correct {FOLDERS} or --plugin-dir"
            self._status[str(folder)] = Status(str(folder), str(folder), "", status="broken", error=problem)
            return
        for path in files:
            for group in hooks_defined(path):
                self._add(EntryPoint(group, path.stem.replace("_", "-"), str(path), str(folder)))

    def _entry_point(self, group: str, name: str, what: str) -> EntryPoint:
        """The entry point of a name. Raises UsageError if there is none, PluginError if there are two."""
        key = (group, name)
        if key in self._conflicts:
            both = " and ".join(sorted(one.label for one in self._conflicts[key]))
            raise PluginError(
                f"{what} {name!r} is provided by {both}; uninstall one or set "
                f"{DISABLE}={self._conflicts[key][0].module}"
            )
        if key in self._left_out and key not in self._entry_points:
            raise UsageError(f"{what} {name!r} of {self._left_out[key].label} is disabled by {DISABLE}")
        if key not in self._entry_points:
            raise UsageError(f"no {what} named {name!r}; {nearest(name, self.names(group))}")
        return self._entry_points[key]

    def _get(self, group: str, name: str, what: str) -> Any:
        """A task or cell by name. Raises UsageError or PluginError."""
        entry_point = self._entry_point(group, name, what)
        status = self._load(entry_point)
        if name in self._found[group]:
            return self._found[group][name]
        if status.status == "unavailable":
            raise PluginError(f"{what} {name!r}: {status.error}")
        why = status.error or f"its hooks returned no {what} of that name"
        raise PluginError(f"{what} {name!r}: {entry_point.label} is broken: {why}; see suite plugins") from status.cause

    def _load(self, entry_point: EntryPoint) -> Status:
        """Import and register a module, once."""
        with self._lock:
            status = self._status[entry_point.module]
            local = entry_point.distribution == LOCAL
            if local or entry_point.module in self._loaded or status.status in ("broken", "unavailable"):
                return status
            refused = status.error if status.status == "refused" else ""
            started = time.perf_counter()
            module = self._guard(status, lambda: _import(entry_point.module))
            if module is not None:
                self._register(entry_point.module, module, status)
            elif (reason := refusal(declared_version(entry_point.module))) is not None:
                # What it imports may not exist in this version: the version is the cause, and the import a symptom.
                status.status, status.error, status.cause = "broken", reason, None
            status.seconds = time.perf_counter() - started
            if status.status == "loaded" and refused:
                status.status, status.error = "refused", refused
            return status

    def _register(self, name: str, module: ModuleType, status: Status) -> None:
        """Register a module's hooks with pluggy and collect what they return."""
        manager = self._plugin_manager()
        if (reason := refusal(getattr(module, "api_version", None))) is not None:
            status.status, status.error = "broken", reason
            return
        if self._guard(status, lambda: manager.register(module, name=name)) is None:
            status.error = wrong_arguments(module) or status.error
            # pluggy leaves a plugin whose registration failed half registered.
            if manager.has_plugin(name):
                manager.unregister(name=name)
            return
        if self._guard(status, lambda: (manager.check_pending(), True)) is None:
            status.error = unknown_hook(status.error)
            manager.unregister(name=name)
            return
        self._loaded[name] = module
        status.status = "loaded"
        self._guard(status, lambda: self._collect(name, status))

    def _collect(self, name: str, status: Status) -> None:
        """Store what a module's hooks return, by name."""
        for returned in self._call(name, "suite_tasks", status) or ():
            task = _task_of(returned)
            self._store(TASKS, task.name, task, status)
        if any(group == CELLS and one.module == name for (group, _), one in self._entry_points.items()):
            for cell_name, cell in dict(self._call(name, "suite_cells", status) or {}).items():
                self._store(CELLS, cell_name, cell, status)

    def _store(self, group: str, name: str, value: Any, status: Status) -> None:
        """Store a task or cell, if the module has an entry point of its name."""
        entry_point = self._entry_points.get((group, name))
        if entry_point is None or entry_point.module != status.module:
            if (group, name) not in self._conflicts and status.status == "loaded":
                other = f", which belongs to {entry_point.label}" if entry_point else ""
                status.error = f"provides {name!r} without an entry point of that name in {group}{other}; add one"
            return
        self._found[group][name] = value

    def _call(self, plugin: str, hook: str, status: Status, **arguments: Any) -> Any:
        """Call one hook of one plugin: a plugin that raises loses only its own result."""
        manager = self._plugin_manager()
        others = [p for n, p in manager.list_name_plugin() if n != plugin and p is not None]
        caller = manager.subset_hook_caller(hook, others)
        results = self._guard(status, lambda: caller(**arguments))
        return results[0] if results else None

    def _plugin_manager(self) -> Any:
        if self._manager is None:
            import pluggy

            from suite import hooks

            self._manager = pluggy.PluginManager(hooks.PROJECT)
            self._manager.add_hookspecs(hooks)
        return self._manager

    def _guard(self, status: Status, action: Callable[[], Any]) -> Any:
        """Run a plugin's code: an exception is stored as its error, and what it prints is captured."""
        captured = io.StringIO()
        try:
            with contextlib.redirect_stdout(captured):
                return action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            status.status = "unavailable" if lacks_extra(error) else "broken"
            status.error, status.cause = explain(error), error
            if declared_version(status.module) is None and (reason := outdated(error)) is not None:
                status.error, status.cause = reason, None
            return None
        finally:
            status.output += captured.getvalue()


@functools.lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this process."""
    return Registry()


def _import(module: str) -> ModuleType:
    """A plugin's module by name, or by the path of its file. Raises whatever its code raises."""
    if not module.endswith(".py"):
        if (folder := hiding_folder(module)) is not None:
            raise PluginError(
                f"{folder} is a folder without __init__.py that hides the package {module.partition('.')[0]!r}; run "
                "from another folder, or rename it"
            )
        return importlib.import_module(module)
    name = f"suite_plugin_{Path(module).stem}"
    while name in sys.modules:  # of another folder
        name += "_"
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise PluginError(f"{module} cannot be loaded as a Python file")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # dataclasses look up their annotations there
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return made


def _task_of(returned: Any) -> Any:
    """A task from what ``suite_tasks`` returned: a task, or its class. Raises PluginError for anything else."""
    task = returned
    if isinstance(returned, type):
        missing = sorted(getattr(returned, "__abstractmethods__", ()))
        if missing:
            raise PluginError(f"{returned.__name__} must override {', '.join(missing)}")
        task = returned()
    if not isinstance(getattr(task, "name", None), str) or not callable(getattr(task, "fit_codecs", None)):
        raise PluginError(f"its suite_tasks returned {returned!r:.60}, which is not a suite.Task")
    return task
