"""Pictures, by matplotlib, imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.errors import SuiteError, one_line


def figure(width: float = 8.0, height: float = 4.5, *, rows: int = 1, columns: int = 1) -> tuple[Any, list[Any]]:
    """A figure and the list of its axes, row by row, without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    axes = list(made.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
    return made, axes


def write(made: Any, path: Path) -> None:
    """Write a figure as PNG. Raises SuiteError if the file cannot be written."""
    try:
        made.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise SuiteError(f"cannot write {path}: {one_line(error)}; choose another file") from error


def curves(history: Sequence[Mapping[str, Any]], metric: str, path: Path) -> None:
    """Loss, dev metric and gradient norm by epoch."""
    made, axes = figure(10, 3.2, columns=3)
    epochs = [entry["epoch"] for entry in history]
    for ax, key, title in zip(
        axes, ("loss", "dev", "grad_norm"), ("training loss", f"dev {metric}", "gradient norm"), strict=True
    ):
        ax.plot(epochs, [entry[key] for entry in history], marker="o", markersize=3)
        ax.set_title(title)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    best = max(range(len(history)), key=lambda i: history[i]["dev"])
    axes[1].axvline(epochs[best], color="0.6", linestyle=":")
    write(made, path)


def confusion_matrix(ax: Any, counts: Any, names: Sequence[str]) -> None:
    """Counts ``[K, K]`` (rows true, columns predicted), coloured by each row's share."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            ax.text(j, i, str(count), ha="center", va="center", color="white" if shares[i, j] > 0.5 else "0.2")
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.grid(False)
