"""A picture of recordings and of what the model thinks while it reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.series import Recording
from suite.inference.model import LoadedModel
from suite.inference.sessions import open_session
from suite.plotting.charts import Chart
from suite.plotting.figure import figure
from suite.plotting.panel import Panel

SHOWN, LABELS, STEPS = 4, 3, 600


def over_time(
    model: LoadedModel[Any, Any], recordings: Sequence[Recording], results: Sequence[Any], path: Path
) -> None:
    """The channels of the first recordings, and beside them the probabilities of their likeliest labels so far."""
    codec = model.codecs.input
    panels: list[Panel] = []
    for recording, result in zip(recordings[:SHOWN], results[:SHOWN], strict=True):
        rate = recording.rate or codec.given or codec.rate
        unit = "seconds" if rate else "samples"
        array = recording.array[:STEPS]
        seconds = np.arange(len(array)) / (rate or 1)
        left = Chart(f"{Path(str(result.input)).name}", x=unit)
        names = recording.channels or codec.channels
        for i, name in enumerate(names[:6]):
            left.line(seconds, array[:, i], name if len(names) > 1 else "", markers=False)
        panels.append(left)

        updates: list[Any] = [
            *(session := open_session(model)).feed(replace(recording, array=array, rate=rate)),
            *session.flush(),
        ]
        after = (np.arange(len(updates)) + 1) / (codec.rate or 1)
        peaks = {name: max(u.probabilities[name] for u in updates) for name in updates[0].probabilities}
        title = f"{result.label} {result.probabilities[result.label]:.2f}"
        first = next((i for i, u in enumerate(updates) if u.sure), None)
        if first is not None:
            title += f"; {updates[first].label} confident from {after[first]:.3g} {unit}"
        right = Chart(title, x=unit, y="probability so far", y_range=(0, 1))
        for name in sorted(peaks, key=peaks.__getitem__, reverse=True)[:LABELS]:
            right.line(after, [u.probabilities[name] for u in updates], name, markers=False)
        if first is not None:
            right.vertical(float(after[first]))
        panels.append(right)
    figure(panels, path, columns=2, height=210)
