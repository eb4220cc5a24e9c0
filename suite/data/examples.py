"""One item of labelled data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Example:
    """One item of labelled data. ``key`` decides which part it belongs to; ``where`` is for messages."""

    input: Any
    target: Any = None
    key: str = ""
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
