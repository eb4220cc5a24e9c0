"""Registered cells by name, built in and from plugins."""

from __future__ import annotations

from suite.nn.cells.base import Cell
from suite.plugins import registry


def cell_class(name: str) -> type[Cell]:
    """The cell class registered under ``name``.

    Raises:
        UsageError: If no cell has that name.
        PluginError: If the plugin that provides it cannot be loaded.
    """
    return registry().cell(name)
