"""Metrics of groups of items."""

from __future__ import annotations

from suite.data.examples import Example
from suite.metrics import (
    per_source,
)


def test_figures_of_each_source_are_apart_and_in_order() -> None:
    examples = [Example(input=i, values={"source": name} if name else {}) for i, name in enumerate("bab")]
    examples.append(Example(input=3, values={}))  # of no source, so in none
    found = per_source("wxyz", examples, lambda results, some: {"found": results, "of": [one.input for one in some]})
    assert list(found) == ["a", "b"]
    assert found["b"] == {"found": ["w", "y"], "of": [0, 2]}
    assert per_source("z", examples[3:], lambda results, some: {}) == {}
