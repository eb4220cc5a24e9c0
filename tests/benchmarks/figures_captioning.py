"""The figures of the captioning task: emoji by an artist never seen in training, and stamps.

What both are held against is looking up: the caption of the training picture that is nearest by its edges (histograms
of oriented gradients) and colours. For emoji that was measured before on the same parts, and is measured again here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import engine
import numpy as np
from engine import row
from suite_captioning import Captioning, CaptionTarget

from suite.codecs.images import ImageCodec
from suite.inference.evaluation import evaluate
from suite.inference.model import LoadedModel
from suite.plugins import registry
from suite.task.seq2seq import GeneratedText

CaptioningModel = LoadedModel[ImageCodec, CaptionTarget]
TASK, BEAM = "captioning", 5
examples_of = partial(engine.examples_of, TASK)
#: By part of the test artist's pictures, and by metric: the floor, the aim, and the figure of looking up that was
#: measured before.
EMOJI: dict[str, dict[str, tuple[float | None, float | None, float]]] = {
    "seen": {
        "exact_match": (0.42, 0.60, 0.321),
        "exact_match_skin_tone_aside": (0.55, 0.72, 0.451),
        "bleu4": (56, 68, 50.6),
        "chrf": (69, 78, 64.3),
    },
    "unseen": {
        "exact_match": (0.05, 0.25, 0.0),
        "exact_match_skin_tone_aside": (None, None, 0.190),
        "bleu4": (None, None, 38.5),
        "chrf": (52, 62, 51.4),
    },
}


def measure(places: dict[str, Path] | None = None) -> Iterator[dict[str, Any]]:
    """Every row; of other checkpoints than the shipped ones, if given. ``stamps`` may be missing."""
    places = places or dict(registry().task(TASK).shipped)
    emoji, stamps = engine.folders(TASK, "stamps")

    found, near = figures_of(places["emoji"], emoji)
    for part, metrics in EMOJI.items():
        items = found[part]["items"]
        for metric, (floor, aim, before) in metrics.items():
            measured = f"{metric}, noto, {items:,} {part}"
            known = {"nearest image": before, "nearest image, in this run": near[part][metric]}
            yield row(measured, found[part][metric], floor, aim, higher=True, references=known)
    if "stamps" in places:
        found, near = figures_of(places["stamps"], stamps)
        more, values = found["chrf"] - near["chrf"], {"reference": near["chrf"], "items": found["items"]}
        yield row("chrf less the nearest image's, stamps, test", more, 3, 8, higher=True, ours=found["chrf"], **values)

    arguments = (str(places["emoji"]), str(emoji / "dev.jsonl"))
    cost = engine.in_process("speed", *arguments, module=f"figures_{TASK}")
    yield row("images/s on ONNX over torch, batch 16", cost.pop("ratio"), 1, 1.5, higher=True, **cost)
    for name, place in places.items():
        yield row(f"checkpoint directory of {name}, MB", engine.directory_mb(place), 12, 8)


def figures_of(place: Path, folder: Path, part: str = "test") -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a checkpoint on a part, and those of looking up the nearest training picture."""
    model: CaptioningModel = LoadedModel.open(TASK, place)
    found, _, examples = evaluate(model, examples_of(folder / f"{part}.jsonl"), beam=BEAM)
    train = examples_of(folder / "train.jsonl")
    encode = model.codecs.input.encode
    known, wanted = (
        np.stack([described(encode(example.input)) for example in some]) for some in (train, examples)
    )  # fmt: skip
    nearest = [
        GeneratedText(input="", text=train[at].target[0], score=0.0)
        for begin in range(0, len(wanted), 256)
        for at in (wanted[begin : begin + 256] @ known.T).argmax(1)
    ]
    return found, Captioning().metrics(nearest, examples)


# --- looking up -------------------------------------------------------------------------------------------------

#: Directions of an edge, and pixels of a cell's side for edges and for colours.
DIRECTIONS, CELL, PATCH = 9, 8, 12


def described(picture: np.ndarray) -> np.ndarray:
    """A picture ``[3, H, W]`` by its edges and colours, as long as 1: pictures are alike whose product is large.

    Histograms of oriented gradients (Dalal and Triggs, 2005), each cell with its three neighbours made as long as 1,
    beside the mean colours of patches.
    """
    colours = picture.astype(np.float32) / 255
    down, across = np.gradient(colours.mean(0))
    strength = np.hypot(down, across)
    place = (np.arctan2(down, across) / np.pi % 1) * DIRECTIONS
    lower = place.astype(int) % DIRECTIONS
    share = place - np.floor(place)
    split = np.zeros((DIRECTIONS, *strength.shape), np.float32)
    np.put_along_axis(split, lower[None], (strength * (1 - share))[None], 0)
    upper = ((lower + 1) % DIRECTIONS)[None]
    np.put_along_axis(split, upper, (strength * share)[None] + np.take_along_axis(split, upper, 0), 0)
    cells = blocks(split, CELL)
    around = [cells[:, i : i - 1 or None, j : j - 1 or None] for i in (0, 1) for j in (0, 1)]
    edges = np.concatenate(around)
    edges /= np.sqrt((edges**2).sum(0) + 1e-3)
    parts = [edges.ravel(), blocks(1 - colours, PATCH).ravel()]
    whole = np.concatenate([part / (np.linalg.norm(part) + 1e-6) for part in parts])
    return whole / np.float32(np.sqrt(len(parts)))


def blocks(planes: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of so many pixels, of each plane; what does not fill a square at the far edges is left out."""
    count, height, width = planes.shape
    rows, columns = height // side, width // side
    cut = planes[:, : rows * side, : columns * side]
    return cut.reshape(count, rows, side, columns, side).mean((2, 4))


# --- what it costs ----------------------------------------------------------------------------------------------


def speed(checkpoint: str, file: str, count: int = 128, runs: int = 5) -> dict[str, float]:
    """Pictures a second that both runtimes caption on one thread, greedily, 16 at a time; reading them is apart."""
    import torch

    torch.set_num_threads(1)
    os.environ["SUITE_THREADS"] = "1"
    paths = [example.input for example in examples_of(Path(file), count)]

    def of(kind: Any) -> Callable[[], float]:
        model: CaptioningModel = LoadedModel.open(TASK, checkpoint, runtime=kind)
        task = Captioning()
        arrays = [model.codecs.input.encode(path) for path in paths]

        def run() -> float:
            started = time.perf_counter()
            for some in batches(len(paths), 16):
                task.predict(model, paths[some], arrays[some], beam=1, length_penalty=1.0)
            return len(paths) / (time.perf_counter() - started)

        return run

    return engine.paired(of("onnx"), of("torch"), runs)


def batches(count: int, size: int) -> Sequence[slice]:
    """So many items in slices of a size."""
    return [slice(begin, begin + size) for begin in range(0, count, size)]
