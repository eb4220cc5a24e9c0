"""Metrics computed apart for groups of items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from suite.data.examples import Example

R = TypeVar("R")
M = TypeVar("M", bound=Mapping[str, object])


def per_source(
    results: Sequence[R], examples: Sequence[Example], figures: Callable[[list[R], list[Example]], M]
) -> dict[str, M]:
    """The figures of each source that examples name (``values["source"]``), sorted by its name."""
    groups: dict[str, list[int]] = {}
    for i, example in enumerate(examples):
        if source := example.values.get("source"):
            groups.setdefault(str(source), []).append(i)
    return {
        source: figures([results[i] for i in members], [examples[i] for i in members])
        for source, members in sorted(groups.items())
    }
