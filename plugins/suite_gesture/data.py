"""The data of the gesture task: four sets of the UCR and UEA archives with their official parts, and one of a watch.

The archives' sets come with aeon, as ``.ts``: what their classes and channels mean is taken from the files' own
headers. The watch recordings come with seglearn: shoulder exercises of ten people, by its author (Burns et al.,
2018, doi:10.1088/1361-6579/aacfd9).
"""

from __future__ import annotations

import importlib
import io
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.series import Array, read_labelled
from suite.data.splits import hold_out
from suite.datasets.download import Source
from suite.datasets.recipes import Recipe
from suite.errors import DataError

AEON = Source(
    purl="pkg:pypi/aeon@1.6.0",
    filename="aeon-1.6.0-py3-none-any.whl",
    sha256="d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
    size=6_421_000,
    licence="BSD-3-Clause",
    origin="aeon's developers; the sets are of the UCR and UEA time series archives, which ask to be cited",
)
SEGLEARN = Source(
    purl="pkg:pypi/seglearn@1.2.5",
    filename="seglearn-1.2.5-py3-none-any.whl",
    sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
    size=11_320_941,
    licence="BSD-3-Clause",
    origin="David M. Burns: seglearn, with the watch recordings of his study (Burns et al., 2018)",
)


@dataclass(frozen=True)
class SeriesSet:
    """A published set: its files' name, its channels, Hz (None: not stated), and what its labels mean."""

    problem: str
    about: str
    channels: tuple[str, ...]
    rate: float | None
    labels: Mapping[str, str]


#: By the name the suite gives them; the first is the task's own.
SETS: dict[str, SeriesSet] = {
    # The header lists ten gestures, but of the whole recording from which five sets were made; this one is the
    # first of them, "pick-up", and its "classes are based on subject" (Guna et al., 2012: identifying the user).
    "wiimote": SeriesSet(
        problem="PickupGestureWiimoteZ",
        about="ten people pick up a held remote control; which of them is it",
        channels=("z",),
        rate=None,
        labels={str(i): f"person {i}" for i in range(1, 11)},
    ),
    "activity": SeriesSet(
        problem="BasicMotions",
        about="a watch's acceleration and rotation while standing, walking, running and playing badminton",
        channels=("ax", "ay", "az", "gx", "gy", "gz"),
        rate=10.0,
        labels={name: name.lower() for name in ("Standing", "Running", "Walking", "Badminton")},
    ),
    "gunpoint": SeriesSet(
        problem="GunPoint",
        about="the right hand's position while a person draws a replica of a gun, or only points",
        channels=("x",),
        rate=30.0,
        labels={"1": "draw", "2": "point"},
    ),
    "vowels": SeriesSet(
        problem="JapaneseVowels",
        about="nine men say the vowels 'ae', as 12 cepstral coefficients of linear prediction; which of them is it",
        channels=tuple(f"c{i}" for i in range(1, 13)),
        rate=156.25,  # a frame every 6.4 ms
        labels={str(i): f"speaker {i}" for i in range(1, 10)},
    ),
}
#: The watch's exercises, as their author calls them, in words.
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "lower trapezius row",
    "ROW": "bent over row",
}
WATCH = SeriesSet(
    problem="watch",
    about="a watch's acceleration and rotation during seven shoulder exercises of ten people",
    channels=("ax", "ay", "az", "wx", "wy", "wz"),
    rate=50.0,
    labels=EXERCISES,
)
# Of each label's training series, this share is dev: one of five, in the smallest set.
DEV = 0.2
WINDOW, HOP = 200, 100  # samples: 4 s, every 2 s
#: Beside the parts of a set: what its labels are to be shown as, ``{label: name}``.
NAMES = "names.json"


def recipe() -> Recipe:
    """The archives' sets: ``wiimote`` as train, dev and test, and the same three files in a folder for each other."""
    return Recipe(
        sources=(AEON,),
        build=build,
        note=(
            "Series of the UCR and UEA archives (Dau et al., 2019; Bagnall et al., 2018) with their official test "
            "parts; of each label's training series a fifth, by the rank of their keys' SHA-1, is dev. The "
            "final model is trained on train and dev together."
        ),
        parts={
            "train": (40, "8989bb61c8885ebf"),
            "dev": (10, "1530e0d1df7cc9a8"),
            "test": (50, "e96505815bec33a7"),
        },
        train=("train.jsonl", "dev.jsonl"),
        options={"names": NAMES},
    )


def watch_recipe() -> Recipe:
    """The watch's exercises, in windows of 4 s every 2 s; the people 9 and 10 are test, 8 is dev."""
    return Recipe(
        sources=(SEGLEARN,),
        build=build_watch,
        note="Windows of 200 samples, every 100, of 140 recordings at 50 Hz; a person is in one part only.",
        parts={
            "train": (1_522, "755cd1b92cd61f2e"),
            "dev": (229, "27847107461ad345"),
            "test": (478, "51ed5e4a16702440"),
        },
        train=("train.jsonl", "dev.jsonl"),
        options={"names": NAMES},
    )


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write the parts of every set; a row is ``key``, ``label``, ``x [T, C]``, ``channels``, ``rate``."""
    package = folders[AEON.purl] / "aeon" / "datasets" / "data"
    for name, given in SETS.items():
        folder = out if name == "wiimote" else out / name
        folder.mkdir(exist_ok=True)
        train = list(rows(given, package, "TRAIN"))
        held = hold_out([row["key"] for row in train], [row["label"] for row in train], DEV)
        _write(folder / "train.jsonl", (row for row, dev in zip(train, held, strict=True) if not dev))
        _write(folder / "dev.jsonl", (row for row, dev in zip(train, held, strict=True) if dev))
        _write(folder / "test.jsonl", rows(given, package, "TEST"))
        (folder / NAMES).write_text(json.dumps(given.labels, indent=1) + "\n", encoding="utf-8")


def rows(given: SeriesSet, package: Path, part: str) -> Iterator[dict[str, Any]]:
    """The rows of an official part, in the file's order; keys are ``PROBLEM:part:number``."""
    path = package / given.problem / f"{given.problem}_{part}.ts"
    for number, series in enumerate(read_labelled(path), 1):
        if series.array.shape[1] != len(given.channels) or series.label not in given.labels:
            raise DataError(f"{series.where}: not the published {given.problem}; fetch the package again")
        yield _row(f"{given.problem}:{part.lower()}:{number}", series.label, series.array, given)


def build_watch(folders: Mapping[str, Path], out: Path) -> None:
    """Write the parts of the watch set; keys are ``watch:person:recording:window``."""
    data = read_objects(folders[SEGLEARN.purl] / "seglearn" / "data" / "watch_dataset.npy")
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "dev": [], "test": []}
    names = [str(name) for name in data["y_labels"]]
    for number, (array, label, person) in enumerate(zip(data["X"], data["y"], data["subject"], strict=True), 1):
        part = {8: "dev", 9: "test", 10: "test"}.get(int(person), "train")
        for window, start in enumerate(range(0, len(array) - WINDOW + 1, HOP), 1):
            values = np.asarray(array[start : start + WINDOW], dtype=np.float32)
            key = f"watch:{int(person)}:{number}:{window}"
            parts[part].append(_row(key, names[int(label)], values, WATCH))
    for part, found in parts.items():
        _write(out / f"{part}.jsonl", found)
    (out / NAMES).write_text(json.dumps(EXERCISES, indent=1) + "\n", encoding="utf-8")


def _row(key: str, label: str, array: Array, given: SeriesSet) -> dict[str, Any]:
    # The shortest decimals that are this float32 again.
    x = [[float(str(value)) for value in step] for step in array]
    return {"key": key, "label": label, "x": x, "channels": list(given.channels), "rate": given.rate}


def _write(path: Path, found: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in found:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def read_objects(path: Path) -> Any:
    """The object in an ``.npy`` that holds one, taking nothing from its pickle but arrays of numbers and text.

    Raises DataError for a pickle that names anything else.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        array = _Arrays(io.BytesIO(file.read()), encoding="latin1").load()
    return array.item()


class _Arrays(pickle.Unpickler):
    """An unpickler that knows how arrays are put together, and no other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name in ("_reconstruct", "scalar"):
            try:
                return getattr(importlib.import_module("numpy._core.multiarray"), name)
            except ModuleNotFoundError:  # numpy 1
                return getattr(importlib.import_module("numpy.core.multiarray"), name)
        raise DataError(f"a pickle that asks for {module}.{name}, not an array; refused")


def _latin(text: str, encoding: str) -> bytes:
    """``codecs.encode`` as Python 2 pickles use it for bytes; no other codec is reached through it."""
    if encoding != "latin1":
        raise DataError(f"a pickle that asks for the codec {encoding!r}; refused")
    return text.encode("latin1")
