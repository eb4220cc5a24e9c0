"""Plugins, loaded one by one, guarded.

Data flow: offers (``suite.plugins.entry_points``: names and modules, found without an import) → on first use the
module is imported with its output held back and every exception caught → registered with pluggy → its own hooks are
called → ``Status``.
A plugin that is broken keeps its name and says why; the others never notice.
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
    HOOKS,
    OWN_DISTRIBUTION,
    RESERVED,
    TASKS,
    Offer,
    brought,
    canonical,
    declared_version,
    installed,
    path_of,
    plugin_folders,
    summary_of,
)

if TYPE_CHECKING:
    import click

    from suite.nn.cells.base import Cell
    from suite.task import AnyTask

DISABLE = "SUITE_DISABLE_PLUGINS"


@dataclass
class Status:
    """What became of one plugin module."""

    module: str
    distribution: str
    version: str
    names: dict[str, list[str]] = field(default_factory=dict)
    status: str = "found"  # found | loaded | broken | unavailable | disabled | refused
    error: str = ""
    cause: BaseException | None = None
    output: str = ""
    seconds: float | None = None

    @property
    def faulty(self) -> bool:
        """Whether something is wrong with it that its author, or whoever installed it, should mend."""
        return self.status in ("broken", "refused") or bool(self.status == "loaded" and self.error)


class Registry:
    """Everything installed plugins offer. ``offers`` may be given for tests; else the entry points are read, and
    the plugin folders that ``SUITE_PLUGIN_DIR`` names.
    """

    def __init__(self, offers: Iterable[Offer] | None = None, *, disabled: Iterable[str] | None = None) -> None:
        if disabled is None:
            disabled = os.environ.get(DISABLE, "").replace(",", " ").split()
        self._disabled = {form for name in disabled for form in (name, canonical(name))}
        self._lock = threading.RLock()
        self._offers: dict[tuple[str, str], Offer] = {}
        self._conflicts: dict[tuple[str, str], list[Offer]] = {}
        self._rivals: dict[tuple[bool, str], list[Offer]] = {}
        self._off: dict[tuple[str, str], Offer] = {}
        self._status: dict[str, Status] = {}
        self._found: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
        self._loaded: dict[str, ModuleType] = {}
        self._manager: Any = None
        for offer in installed() if offers is None else offers:
            self._add(offer)
        for folder in plugin_folders() if offers is None else ():
            self._add_folder(folder)

    # -- listing: imports nothing ------------------------------------------------------------------------

    def names(self, group: str) -> list[str]:
        """The names offered in a group, sorted; broken ones included, disabled ones not."""
        return sorted(name for found, name in self._offers.keys() | self._conflicts.keys() if found == group)

    def task_names(self) -> list[str]:
        return self.names(TASKS)

    def cell_names(self) -> list[str]:
        return self.names(CELLS)

    def command_names(self) -> list[str]:
        return self.names(COMMANDS)

    def summary(self, group: str, name: str) -> str:
        """The first line of the module's docstring, read from its source without importing it."""
        offer = self._offers.get((group, name))
        return summary_of(offer.module) if offer else "refused: offered twice (see suite plugins)"

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
        """The plugin command of that name, added to ``cli``."""
        offer = self._offer(COMMANDS, name, "command")
        status = self._load(offer)
        if status.status != "loaded":
            raise PluginError(f"command {name!r}: {offer.label} is broken: {status.error}") from status.cause
        with self._lock:
            before = set(cli.commands)
            self._call(offer.module, "suite_commands", status, cli=cli)
            for extra in set(cli.commands) - before - {name}:
                cli.commands.pop(extra)
        if status.status != "loaded" or name not in cli.commands:
            why = status.error or f"it added no command named {name!r}"
            raise PluginError(f"command {name!r}: {offer.label}: {why}") from status.cause
        return cli.commands[name]

    def report(self, *, load: bool = False) -> list[Status]:
        """One status per plugin module; with ``load``, after loading each of them."""
        if load:
            for module in list(self._status):
                self.load(module)
        return sorted(self._status.values(), key=lambda s: (s.distribution, s.module))

    def load(self, module: str) -> Status:
        """Load a plugin module by itself, unless it is disabled; returns what became of it."""
        for offer in self._offers.values():
            if offer.module == module:
                return self._load(offer)
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

    def brings(self, module: str) -> dict[str, dict[str, Any]]:
        """What a loaded module's hooks gave: group → name → task or cell."""
        return {
            group: {n: v for n, v in found.items() if self._offers[group, n].module == module}
            for group, found in self._found.items()
        }

    def loaded(self, module: str) -> ModuleType | None:
        """A plugin's module, if it was loaded."""
        return self._loaded.get(module)

    def label(self, group: str, name: str) -> str:
        """Whose a name is, for messages; empty for one that nobody, or the suite itself, offers."""
        offer = self._offers.get((group, name))
        return offer.label if offer and offer.distribution != OWN_DISTRIBUTION else ""

    def ships(self, group: str, name: str) -> bool:
        """Whether the suite itself brings what has this name."""
        offer = self._offers.get((group, name))
        return offer is not None and offer.distribution == OWN_DISTRIBUTION

    def whose(self, filename: str) -> str:
        """The label of the plugin that a source file belongs to; empty for none, and for the suite's own."""
        path = Path(filename)
        for offer in self._offers.values():
            home = path_of(offer.module)
            if home is None or offer.distribution == OWN_DISTRIBUTION:
                continue
            if path == home or (home.name == "__init__.py" and home.parent in path.parents):
                return offer.label
        return ""

    # -- inside ------------------------------------------------------------------------------------------

    def _add(self, offer: Offer) -> None:
        status = self._status.setdefault(offer.module, Status(offer.module, offer.distribution, offer.version))
        status.names.setdefault(offer.group.partition(".")[2], []).append(offer.name)
        if {offer.name, offer.module, offer.distribution} & self._disabled:
            status.status, status.error = "disabled", f"by {DISABLE}"
            self._off[offer.group, offer.name] = offer
            return
        if offer.group != CELLS and offer.name in RESERVED:
            status.status, status.error = "refused", f"{offer.name!r} is a command of the suite itself; rename it"
            return
        # Tasks and commands are typed in the same place, so they share their names.
        rivals = self._rivals.setdefault((offer.group == CELLS, offer.name), [])
        rivals.append(offer)
        # A name the suite itself ships cannot be taken over; between two others neither is a safe guess.
        own = [rival for rival in rivals if rival.distribution == OWN_DISTRIBUTION]
        keep = offer if len(rivals) == 1 else own[0] if len(own) == 1 else None
        for rival in rivals:
            self._offers.pop((rival.group, rival.name), None)
            self._conflicts.pop((rival.group, rival.name), None)
        for rival in rivals:
            if rival is keep:
                self._offers[rival.group, rival.name] = rival
                continue
            if keep is None:
                self._conflicts[rival.group, rival.name] = rivals
            others = ", ".join(sorted(o.label for o in rivals if o is not rival))
            found = self._status[rival.module]
            found.status = "refused"
            found.error = f"{rival.name!r} is also offered by {others}; uninstall one or set {DISABLE}"

    def _add_folder(self, folder: Path) -> None:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.is_file())
        except OSError as error:
            problem = f"{one_line(error)}; mend {FOLDERS} or --plugin-dir"
            self._status[str(folder)] = Status(str(folder), str(folder), "", status="broken", error=problem)
            return
        for path in files:
            for group in brought(path):
                self._add(Offer(group, path.stem.replace("_", "-"), str(path), str(folder)))

    def _offer(self, group: str, name: str, what: str) -> Offer:
        key = (group, name)
        if key in self._conflicts:
            both = " and ".join(sorted(o.label for o in self._conflicts[key]))
            raise PluginError(
                f"{what} {name!r} is offered by {both}; uninstall one or set {DISABLE}={self._conflicts[key][0].module}"
            )
        if key in self._off and key not in self._offers:
            raise UsageError(f"{what} {name!r} of {self._off[key].label} is disabled by {DISABLE}")
        if key not in self._offers:
            raise UsageError(f"no {what} named {name!r}; {nearest(name, self.names(group))}")
        return self._offers[key]

    def _get(self, group: str, name: str, what: str) -> Any:
        offer = self._offer(group, name, what)
        status = self._load(offer)
        if name in self._found[group]:
            return self._found[group][name]
        if status.status == "unavailable":
            raise PluginError(f"{what} {name!r}: {status.error}")
        why = status.error or f"its hooks returned no {what} of that name"
        raise PluginError(f"{what} {name!r}: {offer.label} is broken: {why}; see suite plugins") from status.cause

    def _load(self, offer: Offer) -> Status:
        with self._lock:
            status = self._status[offer.module]
            if offer.module in self._loaded or status.status in ("broken", "unavailable"):
                return status
            refused = status.error if status.status == "refused" else ""
            started = time.perf_counter()
            module = self._guard(status, lambda: _import(offer.module))
            if module is not None:
                self._register(offer.module, module, status)
            elif (newer := _refusal(declared_version(offer.module))) is not None:
                # What it imports may not be here yet: this is why, and what helps.
                status.status, status.error = "broken", newer
            status.seconds = time.perf_counter() - started
            if status.status == "loaded" and refused:
                status.status, status.error = "refused", refused
            return status

    def _register(self, name: str, module: ModuleType, status: Status) -> None:
        manager = self._plugin_manager()
        if (refusal := _refusal(getattr(module, "api_version", None))) is not None:
            status.status, status.error = "broken", refusal
            return
        if self._guard(status, lambda: manager.register(module, name=name)) is None:
            status.error = _hook_arguments(module) or status.error
            # pluggy leaves a plugin whose registration failed half registered.
            if manager.has_plugin(name):
                manager.unregister(name=name)
            return
        if self._guard(status, lambda: (manager.check_pending(), True)) is None:
            wrong = _quoted(status.error)
            status.error = f"unknown hook {wrong!r}; {nearest(wrong, HOOKS)}"
            manager.unregister(name=name)
            return
        self._loaded[name] = module
        status.status = "loaded"
        self._guard(status, lambda: self._collect(name, status))

    def _collect(self, name: str, status: Status) -> None:
        """What the module's hooks return, kept by name."""
        for given in self._call(name, "suite_tasks", status) or ():
            task = _task_of(given)
            self._keep(TASKS, task.name, task, status)
        if any(group == CELLS and o.module == name for (group, _), o in self._offers.items()):
            for cell_name, cell in dict(self._call(name, "suite_cells", status) or {}).items():
                self._keep(CELLS, cell_name, cell, status)

    def _keep(self, group: str, name: str, value: Any, status: Status) -> None:
        offer = self._offers.get((group, name))
        if offer is None or offer.module != status.module:
            if (group, name) not in self._conflicts and status.status == "loaded":
                whose = f", which is that of {offer.label}" if offer else ""
                status.error = f"brings {name!r} without an entry point of that name in {group}{whose}; add one"
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
        """Run a plugin's code: whatever it raises is kept as its error, whatever it prints is held back."""
        held = io.StringIO()
        try:
            with contextlib.redirect_stdout(held):
                return action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            status.status = "unavailable" if _lacks_extra(error) else "broken"
            status.error = _explain(error)
            status.cause = error
            return None
        finally:
            status.output += held.getvalue()


@functools.lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this process."""
    return Registry()


def _import(module: str) -> ModuleType:
    """A plugin's module by name, or by the path of its file."""
    if not module.endswith(".py"):
        return importlib.import_module(module)
    name = f"suite_plugin_{Path(module).stem}"
    while name in sys.modules:  # of another folder
        name += "_"
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # where its dataclasses look for their annotations
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return made


def _task_of(given: Any) -> Any:
    """A task from what ``suite_tasks`` gave: a task, or its class. Raises PluginError for anything else."""
    task = given
    if isinstance(given, type):
        unwritten = sorted(getattr(given, "__abstractmethods__", ()))
        if unwritten:
            raise PluginError(f"{given.__name__} does not override {', '.join(unwritten)} yet")
        task = given()
    if not isinstance(getattr(task, "name", None), str) or not callable(getattr(task, "fit_codecs", None)):
        raise PluginError(f"its suite_tasks gave {given!r:.60}, which is not a suite.Task")
    return task


def _refusal(wanted: object) -> str | None:
    """Why a plugin written for this version of the interface cannot be used; None if it can.

    ``wanted`` is None for a plugin that does not say its version.
    """
    from suite.hooks import API_VERSION

    if wanted is None or wanted == API_VERSION:
        return None
    if isinstance(wanted, int) and wanted < API_VERSION:
        return (
            f"written for plugin interface {wanted}, this suite has {API_VERSION}, where a task is a class: see "
            "docs/plugins.md, 'From interface 1'"
        )
    return f"written for plugin interface {wanted!r}, this suite has {API_VERSION}: upgrade sequence-suite"


def _hook_arguments(module: ModuleType) -> str:
    """What is wrong with the arguments of a module's hooks, in words; empty if nothing is."""
    import inspect

    from suite import hooks

    for name in HOOKS:
        own = getattr(module, name, None)
        if callable(own):
            known = list(inspect.signature(getattr(hooks, name)).parameters)
            extra = [argument for argument in inspect.signature(own).parameters if argument not in known]
            if extra:
                return f"hook {name} has no argument {extra[0]!r}; write def {name}({', '.join(known)})"
    return ""


def _lacks_extra(error: BaseException) -> bool:
    """Whether a module failed only because torch is not installed, which a plain install does without."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "torch"


def _explain(error: BaseException) -> str:
    if _lacks_extra(error):
        return "needs the [train] extra: pip install 'sequence-suite[train]'"
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) while loading"
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {error.filename}:{error.lineno}: {error.msg}"
    return one_line(error)


def _quoted(message: str) -> str:
    return message.split("'")[1] if "'" in message else ""
