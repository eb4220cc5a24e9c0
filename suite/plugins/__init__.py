"""Plugins: found without an import, loaded one by one, checked, begun from templates."""

from suite.plugins.manager import (
    DISABLE,
    Registry,
    Status,
    registry,
)

__all__ = [
    "DISABLE",
    "Registry",
    "Status",
    "registry",
]
