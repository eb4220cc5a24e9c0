"""A readout in closed form: the recurrent weights stay as they start, and only the last layer is learnt.

Data flow: items → copies that the task's augmentation changed, and cuts that end early → the model's pooled
vectors ``[M, F]`` → ridge regression onto ±1 by label, each item weighted → its strength, and a temperature that
makes probabilities of it, chosen by leaving one item out with all that was made of it → the head's weights.

A recurrent network with fixed weights and a learnt readout is an echo state network (Jaeger, 2001); on a few dozen
recordings it generalises better than one whose every weight is learnt, and takes a second. Leaving an item out needs
no second fit: the hat matrix says exactly what the others would have predicted (Allen's PRESS, 1974, in blocks).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from suite.codecs.targets import Labels
from suite.data.batching import pad
from suite.decoding.sampling import log_softmax
from suite.errors import UsageError
from suite.nn.models import ManyToOne, Model
from suite.task import Codecs
from suite.training.specs import TrainingSpec

#: Vectors in all, so that large sets take no more time and memory: they need fewer copies.
MOST = 40_000
#: A pooled feature that varies less than this is not blown up to the others' size.
FLOOR = 0.1
STRENGTHS = np.logspace(-2, 4, 13)
SHARPNESS = np.geomspace(0.5, 8, 30)
#: An early exit is taken at the probability at which the first such label was right this often.
RIGHT = 0.95
#: As many items it takes to say so.
ENOUGH = 10
BATCH = 64


@dataclass(frozen=True)
class Solution:
    """A linear readout: ``weight [K, F]``, ``bias [K]``, and what leaving out says of it.

    ``outputs [J, K]`` are the judged rows' logits by the readout that never saw their items. ``path`` has an entry
    a strength: ``strength``, ``loss`` and ``accuracy`` of those.
    """

    weight: np.ndarray
    bias: np.ndarray
    outputs: np.ndarray
    path: list[dict[str, float]]
    strength: float


@dataclass(frozen=True)
class Readout:
    """``outputs [N, K]`` (or ``[N, 2K]``) are each item's logits by a readout learnt without it.

    ``judged [N]`` is false where that says nothing, since the item is the only one of its label. ``path`` is the
    search for the strength; ``sure`` the early-exit threshold, a probability.
    """

    outputs: np.ndarray
    judged: np.ndarray
    path: list[dict[str, float]]
    sure: float | None


def learn(
    model: Model,
    inputs: Sequence[np.ndarray],
    targets: np.ndarray,
    spec: TrainingSpec,
    *,
    classes: int,
    early: bool,
    weights: np.ndarray | None = None,
    vary: Callable[[int, np.random.Generator], np.ndarray] | None = None,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Readout:
    """Learn the last layer of ``model`` in place.

    ``inputs`` are N encoded items ``[T, …]``, ``targets [N]`` int64 labels below ``classes``, ``weights [N]`` what
    each item counts; ``vary(index, random)`` gives an item changed and encoded. With ``early`` the head has two
    sets of outputs: the first learns from whole items, the second from items cut off anywhere. ``report`` gets
    the vectors made, and how many there will be.
    Raises UsageError for a head that is not linear.
    """
    if not isinstance(model, ManyToOne) or not isinstance(model.head, nn.Sequential):
        raise UsageError("training.method=readout is for tasks that give one answer for a whole input")
    head = model.head[-1]
    if len(model.head) > 2 or not isinstance(head, nn.Linear):
        raise UsageError("training.method=readout learns a linear head: leave head.hidden at 0")
    count = len(inputs)
    copies = min(spec.copies, MOST // (2 * count)) if vary is not None else 0
    cuts = max(1, min(spec.cuts, MOST // count - 1 - copies)) if early else 0
    random = np.random.default_rng([seed, 1])

    def made() -> Any:
        yield from inputs
        for number in range(copies + cuts):
            for index in range(count):
                array = inputs[index] if vary is None else vary(index, random)
                # Each cut ends later than the one before; most end early, where a stream has least to go by.
                share = ((number - copies + random.random()) / cuts) ** 2 if number >= copies else 1.0
                yield array[: max(1, math.ceil(len(array) * share))]

    total = count * (1 + copies + cuts)
    vectors = pooled(model, made(), total, report)
    owners = np.tile(np.arange(count), 1 + copies + cuts)
    shares = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    # A label with one item says nothing of what was left out.
    judged = np.bincount(targets, minlength=classes)[targets] > 1

    whole = count * (1 + copies)
    late = solve(vectors[:whole], targets[owners[:whole]], owners[:whole], shares, classes, np.flatnonzero(judged))
    found, path, sure = [late], late.path, None
    outputs = np.zeros((count, classes), np.float32)
    outputs[judged] = late.outputs
    if early:
        rest = owners[whole:]
        which = np.flatnonzero(judged[rest])
        soon = solve(vectors[whole:], targets[rest], rest, shares, classes, which)
        found.append(soon)
        outputs = np.concatenate([outputs, np.zeros_like(outputs)], axis=1)
        sure = out_of_doubt(soon.outputs.reshape(cuts, -1, classes), targets[judged])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(np.concatenate([s.weight for s in found])))
        head.bias.copy_(torch.from_numpy(np.concatenate([s.bias for s in found])))
    return Readout(outputs, judged, path, sure)


def with_early_exit(codecs: Codecs[Any, Labels], learnt: Readout) -> Codecs[Any, Labels]:
    """The codecs, their labels with the early-exit threshold that the readout found."""
    if learnt.sure is None:
        return codecs
    return codecs.replace(target=replace(codecs.target, sure=learnt.sure))


def draw(learnt: Readout, path: Path) -> None:
    """How likely and how right the items left out were, against the strength of the ridge."""
    from suite.plotting.charts import Chart
    from suite.plotting.figure import figure

    across = [float(np.log10(entry["strength"])) for entry in learnt.path]
    charts = [
        Chart(x="log10 of the ridge's strength", y=f"{name}, each item left out").line(
            across, [entry[name] for entry in learnt.path], markers=True
        )
        for name in ("loss", "accuracy")
    ]
    figure(charts, path, columns=2)


def pooled(model: ManyToOne, arrays: Any, total: int, report: Callable[[int, int], None]) -> np.ndarray:
    """What the head gets for each of ``arrays``, ``[total, F]`` float32, like lengths computed together."""
    model.eval()
    head, model.head = model.head, nn.Sequential()
    found: np.ndarray | None = None
    done = 0
    try:
        with torch.inference_mode():
            for window in _windows(arrays, 16 * BATCH):
                order = sorted(range(len(window)), key=lambda i: len(window[i]))
                for start in range(0, len(window), BATCH):
                    chosen = order[start : start + BATCH]
                    inputs, lengths = pad([window[i] for i in chosen])
                    state = model.initial(len(chosen))
                    vectors, _ = model(torch.from_numpy(inputs), torch.from_numpy(lengths), state)
                    if found is None:
                        found = np.empty((total, vectors.shape[1]), np.float32)
                    found[[done + i for i in chosen]] = vectors.numpy()
                done += len(window)
                report(done, total)
    finally:
        model.head = head
    assert found is not None
    return found


def _windows(arrays: Any, size: int) -> Any:
    window = []
    for array in arrays:
        window.append(array)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window


def solve(
    vectors: np.ndarray, targets: np.ndarray, owners: np.ndarray, shares: np.ndarray, classes: int, judged: np.ndarray
) -> Solution:
    """Weighted ridge regression of ±1 by label on ``vectors [M, F]``.

    ``targets [M]`` are labels, ``owners [M]`` the item that each row was made of, ``shares`` what each item counts.
    The strength is that under which the rows ``judged``, each predicted without its own item, are likeliest, with
    the best temperature; where none is judged it is the middle one.
    """
    rows, copies = len(vectors), len(vectors) / len(np.unique(owners))
    root = np.sqrt(shares[owners])  # a weighted problem is a plain one whose rows are scaled
    middle = np.average(vectors, axis=0, weights=root**2).astype(np.float64)
    spread = np.maximum(vectors.std(axis=0, dtype=np.float64), FLOOR)
    scaled = (vectors - middle) / spread * root[:, None]
    wanted = np.full((rows, classes), -1.0)
    wanted[np.arange(rows), targets] = 1.0
    offset = np.average(wanted, axis=0, weights=root**2)
    aims = (wanted - offset) * root[:, None]

    # Whichever Gram matrix is smaller: the eigenvectors serve every strength.
    if rows <= scaled.shape[1]:
        values, vectors_of = np.linalg.eigh(scaled @ scaled.T)
        turned = vectors_of * np.sqrt(np.maximum(values, 0))
        values = np.maximum(values, 0)
        basis = scaled.T @ (vectors_of / np.sqrt(np.maximum(values, 1e-12)))
    else:
        values, basis = np.linalg.eigh(scaled.T @ scaled)
        values = np.maximum(values, 0)
        turned = scaled @ basis
    along = turned.T @ aims
    blocks = _blocks(owners)
    average = root / np.sqrt(root @ root)  # the mean is over the item too

    path: list[dict[str, float]] = []
    best: tuple[float, float, float, np.ndarray] | None = None
    truth = targets[judged]
    for strength in STRENGTHS:
        shrunk = turned / np.sqrt(values + strength * copies)
        left = aims - turned @ (along / (values + strength * copies)[:, None])
        outputs = np.empty_like(left)
        for block in blocks:
            hat = shrunk[block] @ shrunk[block].T + np.outer(average[block], average[block])
            missing = np.linalg.solve(np.eye(len(block)) - hat, left[block])
            outputs[block] = wanted[block] - missing / root[block, None]
        loss, sharpness = _sharpest(outputs[judged], truth) if len(judged) else (float("nan"), 2.0)
        right = float(np.mean(outputs[judged].argmax(axis=1) == truth)) if len(judged) else float("nan")
        path.append({"strength": float(strength), "loss": loss, "accuracy": right})
        if best is None or loss < best[0]:
            best = (loss, float(strength), sharpness, outputs[judged] * sharpness)
    assert best is not None
    _, strength, sharpness, outputs = best
    if not len(judged):
        strength = float(STRENGTHS[len(STRENGTHS) // 2])
    weight = (basis @ (along / (values + strength * copies)[:, None]) / spread[:, None]).T
    bias = offset - weight @ middle
    return Solution(
        (weight * sharpness).astype(np.float32), (bias * sharpness).astype(np.float32), outputs.astype(np.float32),
        path, strength,
    )  # fmt: skip


def _blocks(owners: np.ndarray) -> list[np.ndarray]:
    """The rows of each item."""
    order = np.argsort(owners, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(owners[order])) + 1)


def _sharpest(outputs: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The least mean −log p of the true labels over the factors that outputs may be multiplied by, and the factor."""
    losses = [float(-log_softmax(outputs * factor)[np.arange(len(truth)), truth].mean()) for factor in SHARPNESS]
    best = int(np.argmin(losses))
    return losses[best], float(SHARPNESS[best])


def out_of_doubt(outputs: np.ndarray, truth: np.ndarray) -> float | None:
    """The least probability such that the first answer that reaches it is right often enough.

    ``outputs [cuts, N, K]`` are the answers about N items as they go on, ``truth [N]`` their labels. None where too
    few items ever get there.
    """
    if not outputs.size:
        return None
    probabilities = np.exp(log_softmax(outputs.astype(np.float64).reshape(-1, outputs.shape[2]))).max(axis=1)
    peaks, right = probabilities.reshape(outputs.shape[:2]), outputs.argmax(axis=2) == truth
    for level in np.arange(0.5, 1.0, 0.005):
        reached = peaks >= level
        there = reached.any(axis=0)
        if there.sum() < ENOUGH:
            return None
        first = reached.argmax(axis=0)[there]
        if right[first, np.flatnonzero(there)].mean() >= RIGHT:
            return round(float(level), 3)
    return None
