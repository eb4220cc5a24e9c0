"""The model card: what a checkpoint is, in a page generated from its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from suite.checkpoint import Manifest
from suite.config import from_dict, paths
from suite.task import Task


def card(task: Task, manifest: Manifest, graphs: Sequence[str]) -> str:
    """The card as Markdown."""
    config: Any = from_dict(task.config, manifest.config)
    streams = "word by word or step by step, in constant memory" if manifest.streams else "no (it reads both ways)"
    lines = [
        f"# {task.name}: {task.summary}",
        "",
        *([task.about, ""] if task.about else []),
        f"- Mapping: {task.mapping}; cell: {', '.join(manifest.cells)}; {manifest.parameters:,} parameters",
        f"- Streams: {streams}",
        f"- Graphs: {', '.join(graphs)}; weights once, in half precision, in model.safetensors",
        f"- Seed: {manifest.seed}; versions: {', '.join(f'{k} {v}' for k, v in manifest.versions.items())}",
        "",
        "## Data",
        "",
        *_data(manifest.data),
        "",
        "## Figures",
        "",
        *_figures(manifest.metrics),
        "",
        "## Use",
        "",
        "```",
        f"suite {task.name} predict --checkpoint THIS_DIRECTORY …",
        f"suite {task.name} info --checkpoint THIS_DIRECTORY",
        "```",
        "",
        "## Settings",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| `{path}` | {json.dumps(value)} |" for path, value in paths(config).items()),
    ]
    return "\n".join(lines) + "\n"


def _data(data: Mapping[str, Any]) -> list[str]:
    lines = [
        f"- {part}: `{name}`, SHA-256 `{digest}`"
        for part in ("train", "dev")
        for name, digest in data.get(part, {}).items()
    ]
    if items := data.get("items"):
        lines.append(f"- items: {items[0]:,} to train on, {items[1]:,} to choose by (dev)")
    return lines


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    lines = ["| part | metric | value |", "|---|---|---|"]
    for part, values in metrics.items():
        for name, value in _flat(values):
            missing = value is None or value != value
            shown = "-" if missing else f"{value:.4f}" if isinstance(value, float) else str(value)
            lines.append(f"| {part} | {name} | {shown} |")
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return found
