"""One feed of speech stays within few files at each step of its search."""

from __future__ import annotations

import pytest
from call_crossings import measure
from suite_speech import Speech

TASK = Speech()


@pytest.mark.parametrize("name", list(TASK.shipped))
def test_calls_from_one_file_to_another_are_few(name: str) -> None:
    for sample in (path for path in TASK.samples if path.suffix == ".wav"):
        found = measure(sample, name)
        assert 0 < found.total() < 300, found.most_common(10)
