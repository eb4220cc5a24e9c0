"""``suite plugins doctor``: diagnose an installation, loading its plugins in a process of their own.

Data flow: the names of all plugin modules → a child process loads them one by one and reports on each → faults and
notes. If a plugin ends the process, or hangs, it is named and another child continues with the rest, so that this works
even if every plugin is broken. This process itself loads no plugin.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import IO, Any

from suite.plugins import DISABLE, Registry, Status, registry
from suite.plugins.entry_points import CELLS, FOLDERS, OWN_DISTRIBUTION

#: Seconds from which loading a plugin counts as slow, without what the suite itself needs.
SLOW = 1.0
#: Seconds that a child process may take before it loads the first plugin.
START = 300.0
#: The environment variables that the suite reads.
VARIABLES = ("SUITE_DATA", "SUITE_THREADS", DISABLE, FOLDERS)
_BASE = ("click", "pluggy", "numpy", "onnxruntime", "tokenizers", "tqdm", "pillow")


def examine(
    *, timeout: float = 60.0, say: Callable[[str], None] | None = None, preload: Sequence[str] = ()
) -> dict[str, Any]:
    """A report on the installation, as JSON values; ``say`` is called with its lines for people.

    Keys: ``environment``, ``versions``, ``extras`` (what is missing of each), ``plugins`` (each with ``status``,
    ``error``, ``traceback``, ``notes``), and ``faults``, one line each.

    Args:
        timeout: Seconds that a plugin may take to load.
        preload: Modules imported before any plugin, so that their time is not counted as a plugin's.
    """
    tell = say or (lambda line: None)
    environment = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    versions = {name: _version(name) for name in (OWN_DISTRIBUTION, *_BASE)}
    tell("environment")
    for name, value in {**environment, **{n: v or "not installed" for n, v in versions.items()}}.items():
        tell(f"  {name:<22}{value}")
    faults = [f"{name} is not installed: install {OWN_DISTRIBUTION} again" for name, v in versions.items() if not v]

    extras = {extra: missing for extra, missing in _extras().items() if missing}
    tell("extras")
    for extra, missing in extras.items():
        tell(f"  [{extra}] lacks {', '.join(missing)}: pip install '{OWN_DISTRIBUTION}[{extra}]'")
    if not extras:
        tell("  all installed")

    tell("plugins")
    plugins = []
    for found in _plugins(registry(), timeout, preload):
        plugins.append(found)
        label = " ".join(filter(None, [found["distribution"], found["version"]]))
        if found["status"] in ("broken", "refused") or (found["status"] == "loaded" and found["error"]):
            faults.append(f"{found['module']} ({label}): {found['error']}")
        for line in _lines(found, label):
            tell(line)
    tell("")
    tell("faults" if faults else "no faults")
    for fault in faults:
        tell(f"  {fault}")
    return {"environment": environment, "versions": versions, "extras": extras, "plugins": plugins, "faults": faults}


def _lines(found: dict[str, Any], label: str) -> Iterator[str]:
    """The report on one plugin, for people."""
    mark = {"loaded": "!" if found["error"] or found["notes"] else "✓", "broken": "✗", "refused": "✗"}
    state = "" if found["status"] == "loaded" else f": {found['status']}"
    state += f": {found['error']}" if found["error"] else ""
    yield f"  {mark.get(found['status'], '–')} {found['module']} ({label}){state}"
    yield from (f"      {note}" for note in found["notes"])
    yield from (f"      {line}" for line in (found["traceback"] or "").splitlines())


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _extras() -> dict[str, list[str]]:
    """The packages missing of each extra that a user may want: extra → names."""
    try:
        required = metadata.requires(OWN_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in required:
        wanted, _, condition = line.partition(";")
        extra = condition.partition("extra ==")[2].strip(" '\"")
        name = wanted.split("[")[0].split("<")[0].split(">")[0].split("=")[0].split("~")[0].split("!")[0].strip()
        if extra in ("train", "evaluate") and name != OWN_DISTRIBUTION:
            found.setdefault(extra, []).extend([] if _version(name) else [name])
    return found


# -- plugins, in processes of their own ----------------------------------------------------------------------


def _plugins(found: Registry, timeout: float, preload: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The report on each plugin."""
    statuses = {status.module: status for status in found.report()}
    # Plugins that must not import torch come first: it shows if one does.
    waiting = sorted(
        (s.module for s in statuses.values() if s.status != "disabled" and s.names),
        key=lambda module: (set(statuses[module].names) == {CELLS.partition(".")[2]}, module),
    )
    cells = {m for m in waiting if set(statuses[m].names) == {CELLS.partition(".")[2]}}
    yield from (_described(status) for status in statuses.values() if status.module not in waiting)
    while waiting:
        with _Child(waiting, preload) as child:
            while waiting:
                module = waiting.pop(0)
                answer = child.answer(timeout)
                if isinstance(answer, dict):
                    yield _described(statuses[module], answer, is_cell=module in cells)
                    continue
                yield _described(statuses[module], {"status": "broken", "error": answer})
                break


def _described(status: Status, answer: dict[str, Any] | None = None, *, is_cell: bool = False) -> dict[str, Any]:
    """The report on a plugin as JSON values, from its status here and the child's answer."""
    torch = bool((answer or {}).pop("torch", False))
    values: dict[str, Any] = {
        "module": status.module, "distribution": status.distribution, "version": status.version,
        "names": status.names, "status": status.status, "error": status.error, "seconds": None, "printed": "",
        "traceback": None, **(answer or {}),
    }  # fmt: skip
    notes = []
    if values["seconds"] is not None and values["seconds"] > SLOW:
        notes.append(f"slow: it takes {values['seconds']:.1f} s to load; import heavy modules where they are used")
    if values["printed"]:
        notes.append(f"it prints while it loads: {' '.join(values['printed'].split())[:60]!r}; remove that")
    if torch and not is_cell:
        notes.append("it imports torch while it loads; import torch inside the functions that need it")
    return {**values, "notes": notes}


class _Child:
    """A process that loads modules one by one and reports on each."""

    def __init__(self, modules: Sequence[str], preload: Sequence[str]) -> None:
        code = "from suite.plugins.doctor import child; child()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        if self._process.stdin is not None:
            given = {"path": sys.path, "modules": list(modules), "preload": list(preload)}
            with contextlib.suppress(OSError):  # it has ended: `answer` reports that
                self._process.stdin.write(json.dumps(given))
                self._process.stdin.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def answer(self, timeout: float) -> dict[str, Any] | str:
        """The report on the next module, or why there is none."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return f"it has not loaded after {timeout:g} s; is it waiting for something?"
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        return f"it ends the process while it loads (exit code {self._process.wait()})"

    def __enter__(self) -> _Child:
        self.answer(START)  # that it is ready; if it is not, the next answer says why
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def child() -> None:
    """Load the modules that standard input names, and write a line of JSON on each to standard output."""
    wanted = json.load(sys.stdin)
    sys.path[:] = wanted["path"]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin writes to the file descriptor must not reach the answers
    for module in wanted["preload"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    answers.write("{}\n")
    answers.flush()
    found = registry()
    cells = set()
    for status in found.report():
        cells |= {status.module} if list(status.names) == ["cells"] else set()
    torch = False
    for module in wanted["modules"]:
        if module in cells and not torch:
            torch = True
            _import_torch()
        answers.write(json.dumps(_loaded(found, module)) + "\n")
        answers.flush()
    _end(answers)


def _loaded(found: Registry, module: str) -> dict[str, Any]:
    before, started = "torch" in sys.modules, time.perf_counter()
    status = found.load(module)
    seconds = time.perf_counter() - started
    trace = "".join(traceback.format_exception(status.cause)) if status.cause and status.status == "broken" else None
    return {
        "status": status.status, "error": status.error, "printed": status.output, "seconds": seconds,
        "traceback": trace, "torch": "torch" in sys.modules and not before,
    }  # fmt: skip


def _import_torch() -> None:
    with contextlib.suppress(Exception):
        importlib.import_module("torch")  # cells may need it; its time is not theirs


def _end(answers: IO[str]) -> None:
    answers.close()
    sys.stdout.flush()
    os._exit(0)  # whatever a plugin has left running
