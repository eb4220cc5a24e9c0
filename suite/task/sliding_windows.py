"""Long recordings read in windows that overlap, and what the windows' labels say of each moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from suite.data.series import Recording


@dataclass(frozen=True, kw_only=True, eq=False)
class Window(Recording):
    """A part of a longer recording: samples ``start`` to ``end`` of it, of which there are ``per_second``."""

    start: int
    end: int
    per_second: float | None


def windows(recording: Recording, size: int, hop: int, per_second: float | None) -> list[Window]:
    """Windows of ``size`` samples, one every ``hop`` and one at the end."""
    last = len(recording.array) - size
    return [
        Window(
            array=recording.array[start : start + size], rate=recording.rate, channels=recording.channels,
            start=start, end=start + size, per_second=per_second,
        )
        for start in (*range(0, last, hop), last)
    ]  # fmt: skip


def segments(parts: Sequence[Window], probabilities: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Stretches with one label each, that follow each other: at every moment the mean of the windows over it decides.

    Each has ``start``, ``end``, ``label``, ``probability``, and the ``unit`` of start and end, ``s`` or ``samples``.
    """
    votes = np.asarray([list(one.values()) for one in probabilities])
    labels = list(probabilities[0])
    edges = sorted({*(part.start for part in parts), *(part.end for part in parts)})
    found: list[dict[str, Any]] = []
    first = last = 0  # the windows over a stretch follow each other
    for start, end in pairwise(edges):
        while last < len(parts) and parts[last].start <= start:
            last += 1
        while parts[first].end <= start:
            first += 1
        mean = votes[first:last].mean(axis=0)
        label, probability = labels[int(mean.argmax())], float(mean.max())
        if found and found[-1]["label"] == label:
            before = found[-1]
            length = before["end"] - before["start"]
            total = length + end - start
            before["probability"] = (before["probability"] * length + probability * (end - start)) / total
            before["end"] = end
        else:
            found.append({"start": start, "end": end, "label": label, "probability": probability})
    rate = parts[0].per_second
    for one in found:
        if rate:
            one["start"], one["end"] = round(one["start"] / rate, 3), round(one["end"] / rate, 3)
        one["unit"] = "s" if rate else "samples"
    return found
