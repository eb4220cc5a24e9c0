"""Files on disk: rows out of files, fixed splits, batches, and data that is fetched once and checked.

``suite.data.sources`` (fetching) is imported by its own name, where it is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.data.batching import bucketed, pad, padding_share
    from suite.data.readers import Row, parse_columns, read_rows
    from suite.data.splits import bucket, hold_out, part

__all__ = [
    "Row",
    "bucket",
    "bucketed",
    "hold_out",
    "pad",
    "padding_share",
    "parse_columns",
    "part",
    "read_rows",
]

# Each name is imported when it is first used: batching needs numpy, and a prediction reads no files.
_HOMES = {
    "batching": ("bucketed", "pad", "padding_share"),
    "readers": ("Row", "parse_columns", "read_rows"),
    "splits": ("bucket", "hold_out", "part"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"suite.data.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
