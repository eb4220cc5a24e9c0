"""Natural sort order: numbers inside names compare by value."""

from __future__ import annotations

import re


def natural_key(text: str) -> list[tuple[int, str]]:
    """A sort key by which ``2`` comes before ``10``."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", text)]
