"""The plugin hooks: every function that a plugin may implement.

A plugin is an installed package that names a module under one of three entry-point groups; the entry point's
*name* is what users type, so listing needs no import::

    [project.entry-points."suite.tasks"]
    sentiment = "suite_sentiment"          # suite sentiment …

    [project.entry-points."suite.cells"]
    lstm = "suite.nn.cells.lstm"           # --cell lstm

    [project.entry-points."suite.commands"]
    shout = "suite_shout"                  # suite shout …

The first line of the module's docstring is its one-line summary; it is read without importing the module.
On first use the module is imported, every failure caught, and the hooks below are called. A module under
``suite.tasks`` or ``suite.commands`` must not import torch; one under ``suite.cells`` may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from suite.nn.cells.base import Cell
    from suite.task import AnyTask

PROJECT = "suite"
#: The version of this interface; a plugin written for another one is refused with a clear message.
API_VERSION = 2

hookspec = pluggy.HookspecMarker(PROJECT)
#: Decorate a plugin's functions with this: ``from suite.hooks import hookimpl``.
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def suite_tasks() -> Sequence[AnyTask | type[AnyTask]]:  # type: ignore[empty-body]
    """The tasks this module provides, as classes. The name of each is an entry point of the module."""


@hookspec
def suite_cells() -> Mapping[str, type[Cell]]:  # type: ignore[empty-body]
    """The recurrent cells this module provides, by the name that ``--cell`` takes."""


@hookspec
def suite_commands(cli: click.Group) -> None:
    """Add commands to the ``suite`` command line. The command's name must be the entry point's name."""
