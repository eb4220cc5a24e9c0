"""The model card, a Markdown page made from a checkpoint's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from suite.checkpoint import Manifest
from suite.config import from_dict, paths
from suite.task import AnyTask


def card(task: AnyTask, manifest: Manifest, graphs: Sequence[str]) -> str:
    """The model card of a checkpoint, as Markdown; ``graphs`` are the names of its graph files."""
    config: Any = from_dict(task.config, manifest.config)
    streams = "step by step, in constant memory" if manifest.streams else "no (it reads both ways)"
    lines = [
        f"# {task.name}: {task.summary}",
        "",
        *([task.about, ""] if task.about else []),
        *([note, ""] if (note := manifest.data.get("note")) else []),
        f"- Mapping: {task.mapping}; cell: {', '.join(manifest.cells)}; {manifest.parameters:,} parameters",
        f"- Streams: {streams}",
        f"- Graphs: {', '.join(graphs)}; weights once, as {config.training.weights}, in model.safetensors",
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
        chosen = f", {items[1]:,} to choose by (dev)" if items[1] else ""
        lines.append(f"- items: {items[0]:,} to train on{chosen}")
    return lines


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    """A table of the scalar metrics, and one for each metric that is a table itself (``per_class``)."""
    lines, groups = ["| part | metric | value |", "|---|---|---|"], []
    for part, values in metrics.items():
        for name, value in values.items():
            if isinstance(value, Mapping) and all(isinstance(inner, Mapping) for inner in value.values()):
                groups.append((f"{part.replace('_', ' ')}, {name.replace('_', ' ')}", value))
            else:
                lines += [f"| {part.replace('_', ' ')} | {path} | {_number(v)} |" for path, v in _flat(name, value)]
    for title, group in groups:
        keys = list(dict.fromkeys(key for inner in group.values() for key in inner))
        lines += ["", f"| {title} | {' | '.join(keys)} |", "|---" * (len(keys) + 1) + "|"]
        for name, inner in group.items():
            lines.append(f"| {name} | {' | '.join(_number(inner.get(key)) for key in keys)} |")
    return lines


def _number(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [(name, value)]
    return [pair for key, inner in value.items() for pair in _flat(f"{name}.{key}", inner)]
