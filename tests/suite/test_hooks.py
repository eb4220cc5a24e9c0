"""The extension manual is complete."""

from __future__ import annotations

import inspect

from suite import hooks
from suite.plugins.entry_points import GROUPS, HOOKS


def test_every_hook_is_known_and_explained() -> None:
    specs = {name: f for name, f in vars(hooks).items() if inspect.isfunction(f) and name.startswith("suite_")}
    assert tuple(specs) == HOOKS
    for name, spec in specs.items():
        assert spec.__doc__, name
    for group in GROUPS:
        assert f'[project.entry-points."{group}"]' in str(hooks.__doc__)


def test_the_interface_has_a_version() -> None:
    assert hooks.API_VERSION == 2
    assert hooks.PROJECT == "suite"
