"""What people should know of their training data: rare labels, gaps, rates that differ, channels that say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from suite.data.series import Recording


def label_warnings(labels: Iterable[str], what: str = "item") -> Iterator[str]:
    """Lines on labels that are rare; ``what`` is one of what has them, in a word."""
    counts = Counter(labels)
    if single := sorted(label for label, count in counts.items() if count == 1):
        shown = ", ".join(single[:8]) + (", …" if len(single) > 8 else "")
        yield f"one {what} only of {shown}: the figures leave these out; record more"
    few, many = min(counts.values()), max(counts.values())
    if many > 3 * few:
        yield f"labels have {few:,} to {many:,} {what}s: rare ones count for more (training.balance)"


def rate_warnings(rates: Iterable[float | None], own: float | None) -> Iterator[str]:
    """Lines on recordings whose sample rates (Hz) differ or are not known; ``own`` is the model's."""
    counts = Counter(rates)
    unknown = counts.pop(None, 0)
    if len(counts) > 1:
        known = ", ".join(f"{rate:g}" for rate in sorted(rate for rate in counts if rate is not None))
        yield f"recordings come at {known} samples a second: all are brought to {own:g}"
    if unknown and counts:
        yield f"{unknown:,} recordings do not say their rate: {own:g} samples a second is taken"


def value_warnings(recordings: Sequence[Recording], channels: Sequence[str]) -> Iterator[str]:
    """Lines on values that are missing, and on channels that never change."""
    arrays = [recording.array for recording in recordings]
    if gaps := sum(int(np.isnan(array).sum()) for array in arrays) / sum(array.size for array in arrays):
        yield f"{gaps:.1%} of the values are missing: the last one known is taken"
    for i, name in enumerate(channels):
        there = [array[:, i] for array in arrays if not np.isnan(array[:, i]).all()]
        if not there or min(map(np.nanmin, there)) == max(map(np.nanmax, there)):
            yield f"channel {name} never changes: it says nothing"
