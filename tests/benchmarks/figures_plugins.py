"""The figures of the plugin interface: ``make figures TASK=plugins``."""

from __future__ import annotations

import ast
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine
from engine import row

from suite.plugins import registry

ROOT = Path(__file__).parents[2]
HELP = [str(engine.BIN / "suite"), "--help"]


def measure() -> Iterator[dict[str, Any]]:
    cost = help_with_plugins(50)
    yield row("suite --help with 50 installed plugins over none", cost.pop("ratio"), 2, 1.2, **cost)
    names = sum(named(path) for path in sorted((ROOT / "suite").rglob("*.py")))
    yield row("names of tasks in suite/", names, 0, 0)


def help_with_plugins(count: int, runs: int = 21) -> dict[str, float]:
    """``suite --help`` with so many installed packages that offer a task each, over the same with none."""
    with tempfile.TemporaryDirectory() as place:
        for i in range(count):
            info = Path(place) / f"suite_many_{i}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: suite-many-{i}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[suite.tasks]\nmany-{i} = suite_many_{i}\n")
            # As large as a generated task, since its first line is read.
            body = "".join(f"\ndef f{n}(x):\n    return x + {n}\n" for n in range(40))
            (Path(place) / f"suite_many_{i}.py").write_text(
                f'"""Task number {i}."""\n\nfrom __future__ import annotations\n{body}'
            )

        def helping(path: str) -> Callable[[], float]:
            environment = {**os.environ, "PYTHONPATH": path}

            def run() -> float:
                began = time.perf_counter()
                done = subprocess.run(HELP, env=environment, check=True, capture_output=True, text=True)
                seconds = time.perf_counter() - began
                assert (f"many-{count - 1} " in done.stdout) == (path == place), "not the packages that were meant"
                return seconds

            return run

        with tempfile.TemporaryDirectory() as empty:
            return engine.paired(helping(place), helping(empty), runs)


def named(path: Path) -> int:
    """How many strings of a core module, docstrings apart, are the name of a task."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    names = set(registry().task_names())
    return sum(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names and id(node) not in docs
        for node in ast.walk(tree)
    )
