"""Write the pages of the API reference, one a package, for ``make docs``: each names its modules for mkdocstrings.

Every public module must import and have a docstring; anything else fails here, so that CI notices.
"""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "api"
#: The public packages, in the order of a reader; what is behind the command line is not part of the API.
PACKAGES = {
    "suite": "pipelines, sessions, training and evaluation in one line each",
    "suite.task": "the plugin interface: tasks, families, options, streaming",
    "suite.inference": "loaded models, pipelines, sessions, evaluation",
    "suite.codecs": "raw values to arrays",
    "suite.decoding": "sampling, beam search, CTC, transducers, language models",
    "suite.metrics": "metrics",
    "suite.nn": "cells, layers, models and builders",
    "suite.training": "training",
    "suite.export": "ONNX export and checkpoints of trained models",
    "suite.checkpoint": "checkpoints on disk",
    "suite.runtime": "graphs over named arrays",
    "suite.testing": "the laws as checks",
    "suite.plugins": "finding, loading and checking plugins",
    "suite.hooks": "the hooks",
    "suite.data": "readers of files",
    "suite.datasets": "recipes of data sets",
    "suite.augment": "data augmentation",
    "suite.plotting": "figures",
    "suite.config": "configurations",
    "suite.errors": "errors",
}


def modules(package: str) -> list[str]:
    """The package and the public modules in it, also of packages below."""
    path = ROOT / package.replace(".", "/")
    if not path.is_dir():
        return [package]
    if package == "suite":
        return ["suite"]
    found = []
    for file in sorted(path.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        found.append(".".join(part for part in parts if part != "__init__"))
    return sorted(found)


def summary(module: str) -> str:
    """The first line of a module's docstring. Raises ValueError for none."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    if not doc:
        raise ValueError(f"{file}: no docstring")
    return doc.partition("\n")[0]


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    lines = [
        "# API reference",
        "",
        "Made from the docstrings of the code.",
        "",
        "| package | what is in it |",
        "|---|---|",
    ]
    for package, what in PACKAGES.items():
        lines.append(f"| [`{package}`]({package}.md) | {what} |")
        page = [f"# {package}", ""]
        for module in modules(package):
            summary(module)
            page += [f"::: {module}", ""]
        (OUT / f"{package}.md").write_text("\n".join(page), encoding="utf-8")
    (OUT / "index.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(f"{len(PACKAGES)} pages in {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
