"""Plots of recordings: the log-mel spectrogram that the model sees, with the words at their times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.codecs.audio import AudioCodec
from suite.plotting.canvas import Box, Canvas
from suite.plotting.figure import figure
from suite.plotting.heatmap import Heatmap
from suite.plotting.panel import Panel, Place
from suite.plotting.style import GLOW, SMALL

#: How many recordings are drawn, and how many seconds of each.
SHOWN, SECONDS = 4, 15.0
INK, EDGE = "#ffffff", "#ffffff66"


class Spectrogram(Heatmap):
    """A spectrogram ``[bands, frames]`` with each word at its time."""

    def __init__(self, values: np.ndarray, words: Sequence[Any], seconds: float, title: str) -> None:
        super().__init__(
            values, title=title, x="seconds", y="band", colours=GLOW, x_range=(0, seconds), y_range=(0, len(values))
        )  # fmt: skip
        self._words, self._top = words, len(values)

    def paint(self, canvas: Canvas, place: Place) -> None:
        super().paint(canvas, place)
        with canvas.window(place.box) as window:
            for number, word in enumerate(self._words):
                left, right = (float(place.at(word[end], 0)[0]) for end in ("start", "end"))
                window.rectangle(Box(left, place.box.top, left + 1, place.box.bottom), EDGE)
                # On three lines in turn, so that neighbours do not overlap.
                window.text((left + right) / 2, place.box.top + 12 + 16 * (number % 3), word["word"], SMALL, INK)


def spectrograms(codec: AudioCodec, recordings: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    """Draw the first recordings, as the model sees them."""
    panels: list[Panel] = []
    for recording, result in list(zip(recordings, results, strict=True))[:SHOWN]:
        bands = codec.encode(recording).reshape(-1, codec.spec.mels)
        bands = bands[: round(SECONDS / codec.step_seconds) * codec.spec.stack]
        seconds = len(bands) * codec.spec.frame[1] / codec.spec.rate
        words = [word for word in result.words if word["start"] < seconds]
        panels.append(
            Spectrogram(bands.T, words, seconds, f"{Path(str(result.input)).name}  ({result.confidence:.2f})")
        )
    figure(panels, path, height=220)
