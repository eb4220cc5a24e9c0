"""``make figures TASK=x``: measure a task's published figures into ``docs/figures.json``.

Every row has a value, the floor and the aim it is held against, and which way is better. Speeds are ratios
against a named reference in the same run. The test part is read for these figures and for nothing else.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = HERE.parents[1] / "docs" / "figures.json"


def main() -> None:
    sys.path.insert(0, str(HERE))
    task = sys.argv[1] if len(sys.argv) > 1 else "sentiment"
    rows: list[dict[str, Any]] = []
    for row in importlib.import_module(f"figures_{task}").measure():
        rows.append(row)
        print(line(row), flush=True)
        # After every row: what was measured is kept, whatever comes after it.
        write(task, rows)
    print(f"written: {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}")


def write(task: str, rows: list[dict[str, Any]], file: Path = FILE) -> None:
    """Put a task's rows in the place of those it had."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known[task] = {
        "command": f"make figures TASK={task}",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("sequence-suite", "torch", "onnxruntime", "numpy", "tokenizers")},
        "rows": rows,
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def line(row: dict[str, Any]) -> str:
    """One row for people: measure, value, and what it is held against."""
    better = max if row.get("higher", False) else min
    verdict = ""
    for name in ("aim", "floor"):
        if row.get(name) is not None and better(row["value"], row[name]) == row["value"]:
            verdict = f"meets the {name}"
            break
    else:
        verdict = "misses the floor" if row.get("floor") is not None else ""
    against = ", ".join(f"{name} {row[name]:g}" for name in ("floor", "aim") if row.get(name) is not None)
    return f"{row['measure']:<58} {row['value']:>8.3f}  ({against})  {verdict}"


if __name__ == "__main__":
    main()
