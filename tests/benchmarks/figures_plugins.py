"""The figures of the plugin interface: ``make figures TASK=plugins``."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine
from engine import row

from suite.plugins import registry

ROOT = Path(__file__).parents[2]
#: Files of a first-party plugin that make its data, not its task.
RECIPES = {"data.py", "svg_augmentation.py", "teacher.py", "texts.py", "voices.py"}
HELP = [str(engine.BIN / "suite"), "--help"]


def measure() -> Iterator[dict[str, Any]]:
    cost = help_with_plugins(50)
    yield row("suite --help with 50 installed plugins over none", cost.pop("ratio"), 2, 1.2, **cost)
    beyond = beyond_the_template()
    yield row("lines a sentiment-like task needs beyond what is generated", beyond, 80, 40)
    for folder in sorted((ROOT / "plugins").iterdir()):
        if folder.is_dir() and any(folder.glob("*.py")):
            files = [path for path in folder.glob("*.py") if path.name not in RECIPES]
            lines = sum(map(code_lines, files))
            yield row(f"lines of {folder.name}, recipes apart", lines, 350, 200, files=len(files))
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


#: What makes the generated many-to-one task one that rates texts, −1 … 1: (file, what is there, what takes its place).
RATED = (
    ("__init__.py", "from suite.codecs.targets import Labels", "from suite.codecs.targets import Value"),
    ("__init__.py", "import accuracy, macro_f1", "import accuracy, pearson_r, sign_accuracy"),
    ("__init__.py", "api_version = 1\n", """api_version = 1
POLARITY = Value(-1.0, 1.0, cuts=(-0.05, 0.05), classes=("negative", "neutral", "positive"))
"""),
    ("__init__.py", "    label: str\n", "    label: str\n    polarity: float\n"),
    ("__init__.py", "Labels.fit(example.target for example in examples)",
     "POLARITY.fit(example.target for example in examples)"),
    ("__init__.py", """    codecs["target"].encode([example.target])  # raises DataError, which names the nearest
""", """    codecs["target"].encode([example.target])  # raises DataError, which names the range
"""),
    ("__init__.py", """    probabilities = codecs["target"].probabilities(outputs)
    label = max(probabilities, key=probabilities.get)
    return JudgedResult(input=text, final=final, label=label, probabilities=probabilities)
""", """    target = codecs["target"]
    polarity, spread = target.moments(outputs)
    probabilities = target.probabilities(polarity, spread)
    return JudgedResult(
        input=text, final=final, label=target.label(polarity), polarity=polarity, probabilities=probabilities
    )
"""),
    ("__init__.py", """    truth, found = [example.target for example in examples], [result.label for result in results]
    return {"items": len(truth), "accuracy": accuracy(truth, found), "macro_f1": macro_f1(truth, found)}
""", """    truth, found = [example.target for example in examples], [result.polarity for result in results]
    return {
        "items": len(truth),
        "accuracy": accuracy([POLARITY.label(value) for value in truth], [result.label for result in results]),
        "pearson_r": pearson_r(truth, found),
        "sign_accuracy": sign_accuracy(truth, found),
    }
"""),
    ("__init__.py", """{result.probabilities[result.label]:.2f}""", "{result.polarity:+.2f}"),
    ("__init__.py", "Labels.from_files", "Value.from_files"),
    ("__init__.py", """best=("accuracy",)""", """best=("pearson_r",)"""),
    ("data.py", """Column(name="label", help="its language, by any name")""",
     """Column(name="polarity", help="how it is rated, from −1 to 1")"""),
    ("data.py", """row.values.get("label")""", """row.values.get("polarity")"""),
    ("data.py", """    if label in (None, ""):
        raise DataError(f"{row.where}: no label; --columns label=YOURS names your column")
    return Example(input=text, target=str(label), key=text, where=row.where, values=row.values)
""", """    try:
        rating = float(label)
    except (TypeError, ValueError):
        raise DataError(f"{row.where}: polarity {label!r} is no number; −1 … 1 is expected") from None
    return Example(input=text, target=rating, key=text, where=row.where, values=row.values)
"""),
)  # fmt: skip


def beyond_the_template() -> int:
    """Code lines of a task that rates texts which the generated many-to-one task does not have; it is trained, too."""
    from suite.plugins.scaffold import write

    with tempfile.TemporaryDirectory() as place:
        folder = write("judged", "many-to-one", Path(place) / "package")
        generated = {line for path in folder.glob("judged/*.py") for line in _code(path)}
        for name, before, after in RATED:
            path = folder / "judged" / name
            text = path.read_text(encoding="utf-8")
            assert text.count(before) == 1, before
            path.write_text(text.replace(before, after), encoding="utf-8")
        info = folder / "judged-0.1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("[suite.tasks]\njudged = judged\n")
        data = ROOT / "assets" / "sentiment" / "samples" / "labelled.csv"
        for verb in (["train", "--data", str(data), "--epochs", "2"], ["evaluate", "--data", str(data)]):
            environment = {**os.environ, "PYTHONPATH": str(folder)}
            done = subprocess.run(
                [sys.executable, "-m", "suite", "judged", *verb], cwd=place, env=environment, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert "pearson_r" in done.stdout
        return sum(line not in generated for path in folder.glob("judged/*.py") for line in _code(path))


def code_lines(path: Path) -> int:
    """Lines of a file that are code: no blank ones, comments or docstrings."""
    return len(_code(path))


def _code(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    text = "\n".join(line for line in ast.unparse(tree).splitlines())
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"], input=text,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.strip() for line in done.stdout.splitlines() if line.strip() not in ("", "pass")]


def named(path: Path) -> int:
    """How many strings and names of a core module, docstrings apart, hold the name of a task; MusicXML is a format."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    words = [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs
    ]
    words += [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
    words = [word.lower().replace("musicxml", "") for word in words]
    return sum(task in word for word in words for task in registry().task_names())
