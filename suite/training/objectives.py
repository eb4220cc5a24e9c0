"""What is minimised: how some items become a batch, and a batch becomes a loss. One objective a mapping."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.batching import Length, batches_by_length, batches_by_tokens, pad
from suite.nn.cells.masking import length_mask
from suite.nn.cells.state import State
from suite.training.encoded import EncodedInputs
from suite.training.losses import chunked_cross_entropy
from suite.training.specs import TrainingSpec

Batch = dict[str, Tensor]
#: The chance of an item by its number: a generator of its own, made when it is asked for.
Chance = Callable[[int], np.random.Generator]


@dataclass(frozen=True)
class Stretch:
    """What one step reads: some items, by number, from time ``begin`` to ``end`` (None: to each one's own end)."""

    items: Sequence[int]
    begin: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Objective:
    """What is minimised, over which items.

    ``lengths`` of the N items, or of both sides of each, decide which go together. ``count(stretch)`` is how many
    losses a stretch has, ``batch(stretch, chance)`` collates it, and ``loss(model, batch, state)`` gives the sum of
    its losses and the state it ends in; ``state`` is that of the stretch before, empty at the beginning.
    """

    lengths: Sequence[Length]
    count: Callable[[Stretch], int]
    batch: Callable[[Stretch, Chance], Batch]
    loss: Callable[[nn.Module, Batch, State], tuple[Tensor, State]]


def plan(lengths: Sequence[Length], spec: TrainingSpec, seed: int, epoch: int) -> list[Stretch]:
    """The steps of an epoch, in order: each batch whole, or with ``bptt`` one stretch of it after the other."""
    if spec.batch_tokens:
        batches = batches_by_tokens(lengths, spec.batch_tokens, seed, epoch)
    else:
        batches = batches_by_length(lengths, spec.batch_size, seed, epoch, spec.window)
    if not spec.bptt:
        return [Stretch(items) for items in batches]
    steps = []
    for items in batches:
        longest = max(lengths[i] for i in items)
        assert isinstance(longest, int)
        ends = [*range(spec.bptt, longest, spec.bptt), None]
        steps += [Stretch(items, number * spec.bptt, end) for number, end in enumerate(ends)]
    return steps


def steps_each(lengths: Sequence[Length], spec: TrainingSpec, seed: int) -> list[int]:
    """How many steps each epoch has; with ``spec.steps``, of those that come before the end."""
    if not spec.bptt and not spec.batch_tokens:
        found = [len(plan(lengths, spec, seed, 0))] * spec.epochs
    else:
        # How often a batch is cut, or full, depends on its longest item, and so on its company, which changes.
        found = [len(plan(lengths, spec, seed, epoch)) for epoch in range(spec.epochs)]
    if not spec.steps:
        return found
    left = [spec.steps - sum(found[:epoch]) for epoch in range(len(found))]
    return [min(count, rest) for count, rest in zip(found, left, strict=True) if rest > 0]


def many_to_one(
    inputs: Sequence[np.ndarray],
    targets: np.ndarray,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    weights: np.ndarray | None = None,
    vary: Callable[[int, np.random.Generator], np.ndarray] | None = None,
) -> Objective:
    """The objective of a many-to-one model: one loss an item, of the item as a whole.

    ``inputs`` are arrays ``[T, …]``, ``targets`` ``[N, …]``; ``weights [N]`` says what each item counts, and
    ``vary(index, random)`` gives an input changed, anew each time it is used.
    """
    wanted = torch.from_numpy(targets)
    shares = None if weights is None else torch.from_numpy(np.asarray(weights, np.float32))

    def count(stretch: Stretch) -> int:
        return len(stretch.items)

    def batch(stretch: Stretch, chance: Chance) -> Batch:
        items = list(stretch.items)
        padded, lengths = pad([inputs[i] if vary is None else vary(i, chance(i)) for i in items])
        made = {"inputs": torch.from_numpy(padded), "lengths": torch.from_numpy(lengths), "targets": wanted[items]}
        return made if shares is None else {**made, "weights": shares[items]}

    def summed(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
        outputs, following = _read(model, batch, state)
        losses = loss(outputs, batch["targets"])
        return (losses * batch["weights"] if "weights" in batch else losses).sum(), following

    return Objective(lengths_of(inputs), count, batch, summed)


def aligned(
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    vary: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Objective:
    """The objective of an aligned model: one loss a step, and every step counts the same.

    ``inputs`` are arrays ``[T, …]``, ``targets`` arrays of the same lengths ``[T, …]``. ``vary(index, random)``
    gives an input and its target changed, anew each time they are used; where their length is another, the item
    is taken as it is.
    """
    given = _pairs(inputs, targets, vary)

    def count(stretch: Stretch) -> int:
        return sum(len(targets[i][stretch.begin : stretch.end]) for i in stretch.items)

    def changed(i: int, chance: Chance) -> tuple[np.ndarray, np.ndarray]:
        # Whole, before it is cut: the stretches of an item must fit together.
        pair = given(i, chance)
        same = len(pair[0]) == len(pair[1]) == len(targets[i])
        return pair if same else (inputs[i], targets[i])

    def batch(stretch: Stretch, chance: Chance) -> Batch:
        cut = slice(stretch.begin, stretch.end)
        pairs = [changed(i, chance) for i in stretch.items]
        padded, lengths, wanted, _ = _both([(array[cut], target[cut]) for array, target in pairs])
        return _tensors(inputs=padded, lengths=lengths, targets=wanted)

    def summed(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
        outputs, following = _read(model, batch, state)
        losses = loss(outputs.flatten(0, 1), batch["targets"].flatten(0, 1))
        inside = length_mask(batch["lengths"], outputs.shape[1]).flatten()
        return (losses * inside).sum(), following

    return Objective(lengths_of(inputs), count, batch, summed)


def sequence_loss(
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    loss: Callable[[Any, Batch, Tensor], Tensor],
    *,
    vary: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Objective:
    """The objective of an aligned model whose targets have lengths of their own: a loss an item, counted in steps.

    ``inputs`` are arrays ``[T, …]``, ``targets`` arrays ``[U]``; ``loss(model, batch, outputs [B, T, K])``
    gives ``[B]``. ``vary(index, random)`` gives an input and its target changed, anew each time they are used.
    """
    given = _pairs(inputs, targets, vary)
    lengths = lengths_of(inputs)

    def count(stretch: Stretch) -> int:
        return sum(lengths[i] for i in stretch.items)

    def batch(stretch: Stretch, chance: Chance) -> Batch:
        padded, lengths, wanted, sizes = _both([given(i, chance) for i in stretch.items])
        return _tensors(inputs=padded, lengths=lengths, targets=wanted, sizes=sizes)

    def summed(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
        outputs, following = _read(model, batch, state)
        return loss(model, batch, outputs).sum(), following

    return Objective(lengths_of(inputs), count, batch, summed)


def unaligned(
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    *,
    start: int,
    smoothing: float = 0.0,
    vary: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Objective:
    """The objective of an unaligned model: one loss a target token, −log of its probability, and all count the same.

    ``inputs`` are arrays ``[S, …]``, ``targets`` arrays ``[T]`` of what is written, its end included; ``start``
    is the token before the first. ``vary(index, random)`` gives a pair changed, anew each time it is used; where
    that changes how many tokens a target has, the losses still count as those of the target as it was.
    """
    given = _pairs(inputs, targets, vary)

    def count(stretch: Stretch) -> int:
        return sum(len(targets[i]) for i in stretch.items)

    def batch(stretch: Stretch, chance: Chance) -> Batch:
        padded, lengths, wanted, steps = _both([given(i, chance) for i in stretch.items])
        before = np.concatenate([np.full_like(wanted[:, :1], start), wanted[:, :-1]], axis=1)
        return _tensors(inputs=padded, lengths=lengths, tokens=before, targets=wanted, steps=steps)

    def summed(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
        features = model(batch["inputs"], batch["lengths"], batch["tokens"])
        # The head is the largest product of all: padding is left out of it.
        there = length_mask(batch["steps"], features.shape[1]).flatten().nonzero()[:, 0]
        features, wanted = features.flatten(0, 1).index_select(0, there), batch["targets"].flatten()[there]
        weight, bias = model.head
        return chunked_cross_entropy(features, weight, bias, wanted, smoothing), {}

    lengths = [(source, len(target)) for source, target in zip(lengths_of(inputs), targets, strict=True)]
    return Objective(lengths, count, batch, summed)


@torch.no_grad()
def mean_loss(model: nn.Module, objective: Objective, spec: TrainingSpec) -> float:
    """The objective's mean loss over its items, by the model as it stands."""
    model.eval()
    device = next(model.parameters()).device
    total = 0.0
    # In no order of chance, and without any.
    whole = dataclasses.replace(spec, bptt=0)
    stretches = plan(objective.lengths, whole, 0, 0)
    for stretch in stretches:
        batch = {name: value.to(device) for name, value in objective.batch(stretch, np.random.default_rng).items()}
        total += float(objective.loss(model, batch, {})[0])
    return total / sum(map(objective.count, stretches))


def lengths_of(inputs: Sequence[np.ndarray]) -> list[int]:
    """The length of each encoded input."""
    return inputs.lengths if isinstance(inputs, EncodedInputs) else [len(array) for array in inputs]


def _pairs(
    inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray],
    vary: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] | None,
) -> Callable[[int, Chance], tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """What gives an item by its number: its input and its target, changed where ``vary`` does."""
    return lambda i, chance: (inputs[i], targets[i]) if vary is None else vary(i, chance(i))


def _both(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The inputs of some pairs, padded, and their lengths; then the same of their targets.

    One step at least: a process whose rows have all ended has gradients like the others, of zero.
    """
    padded, lengths = pad([source for source, _ in pairs], least=1)
    wanted, sizes = pad([target for _, target in pairs], least=1)
    return padded, lengths, wanted, sizes


def _tensors(**arrays: np.ndarray) -> Batch:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _read(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
    outputs, following = model(batch["inputs"], batch["lengths"], state or model.initial(len(batch["lengths"])))
    # A loss is a sum of many small numbers, which autocast's half precision would lose.
    return outputs.float(), following
