"""Files on disk: rows out of files, fixed splits, batches, and data that is fetched once and checked.

``suite.data.sources`` (fetching) is imported by its own name, where it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.data.readers import Row, parse_columns, read_rows
from suite.data.splits import bucket, hold_out, part

if TYPE_CHECKING:
    from suite.data.batching import bucketed, pad, padding_share

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


def __getattr__(name: str) -> Any:
    # Batching needs numpy, which costs a tenth of a second that reading rows and `--help` should not pay.
    if name in ("bucketed", "pad", "padding_share"):
        from suite.data import batching

        return getattr(batching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
