"""From items to batches and losses: what is counted, how long sequences are cut, where chance comes from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.data.batching import batches_by_length, batches_by_tokens
from suite.nn.build import series_to_each, series_to_one, tokens_to_tokens
from suite.nn.specs import AttentionSpec, EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.training.encoded import EncodedInputs
from suite.training.losses import LOSSES, SEQUENCE_LOSSES, cross_entropy, quantile
from suite.training.objectives import (
    Stretch,
    aligned,
    many_to_one,
    mean_loss,
    plan,
    sequence_loss,
    steps_each,
    unaligned,
)
from suite.training.specs import TrainingSpec

LENGTHS = [7, 1, 4, 9, 3, 3, 8, 2]


def series(seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.standard_normal((length, 2)).astype(np.float32) for length in LENGTHS]


def labels(seed: int = 0) -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 3, length) for length in LENGTHS]


def steps(**sizes: Any) -> Any:
    torch.manual_seed(0)
    return series_to_each(2, RecurrentSpec(cell="gru", hidden=6, **sizes), StepHeadSpec(), 3).eval()


# -- the plan of an epoch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, 3])
def test_without_bptt_a_step_is_a_batch(epoch: int) -> None:
    spec = TrainingSpec(batch_size=3, epochs=4)
    batches = batches_by_length(LENGTHS, 3, 5, epoch)
    assert plan(LENGTHS, spec, 5, epoch) == [Stretch(items, 0, None) for items in batches]
    assert steps_each(LENGTHS, spec, 5) == [3] * 4
    spec = TrainingSpec(batch_size=3, window=1)
    assert plan(LENGTHS, spec, 5, epoch) == [
        Stretch(items) for items in batches_by_length(LENGTHS, 3, 5, epoch, window=1)
    ]


@pytest.mark.parametrize("bptt", [1, 3, 4, 9, 50])
def test_stretches_follow_each_other_and_cover_their_batch(bptt: int) -> None:
    spec = TrainingSpec(batch_size=3, epochs=20, bptt=bptt)
    counts = []
    for epoch in range(20):
        stretches = plan(LENGTHS, spec, 0, epoch)
        counts.append(len(stretches))
        at = 0
        for items in batches_by_length(LENGTHS, 3, 0, epoch):
            longest = max(LENGTHS[i] for i in items)
            begins = list(range(0, longest, bptt))
            mine = stretches[at : at + len(begins)]
            assert [s.items for s in mine] == [items] * len(begins)
            assert [s.begin for s in mine] == begins
            assert [s.end for s in mine] == [*begins[1:], None]
            at += len(begins)
        assert at == len(stretches)
    assert steps_each(LENGTHS, spec, 0) == counts


def test_epochs_may_have_different_numbers_of_steps() -> None:
    # Company changes where there are more items than a window of batches holds.
    lengths = np.random.default_rng(0).integers(1, 30, 250).tolist()
    assert len(set(steps_each(lengths, TrainingSpec(batch_size=2, epochs=9, bptt=2), 0))) > 1


def test_items_without_steps_are_a_step_all_the_same() -> None:
    assert plan([0, 0], TrainingSpec(batch_size=2, bptt=4), 0, 0)[0].end is None
    assert plan([0, 0], TrainingSpec(batch_size=2), 0, 0)[0].begin == 0


# -- many to one -------------------------------------------------------------------------------------------


def test_batch_of_a_many_to_one_objective() -> None:
    inputs = [np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)]
    objective = many_to_one(inputs, np.array([5, 7]), cross_entropy)
    assert list(objective.lengths) == [3, 1]
    stretch = Stretch([1, 0])
    assert objective.count(stretch) == 2
    batch = objective.batch(stretch, np.random.default_rng)
    assert batch["lengths"].tolist() == [1, 3]
    assert batch["targets"].tolist() == [7, 5]
    assert batch["inputs"][0].tolist() == [[1, 1], [0, 0], [0, 0]]


def test_loss_of_many_to_one_is_a_weighted_sum_over_rows() -> None:
    torch.manual_seed(0)
    model = series_to_one(2, RecurrentSpec(hidden=4), HeadSpec(), 3).eval()
    targets, weights = np.arange(8) % 3, np.linspace(0.5, 1.5, 8)
    objective = many_to_one(series(), targets, cross_entropy, weights=weights)
    plain = many_to_one(series(), targets, cross_entropy)

    def loss(of: Any, *items: int) -> float:
        total, _ = of.loss(model, of.batch(Stretch(items), np.random.default_rng), {})
        return float(total.detach())

    wanted = sum(loss(plain, i) * weights[i] for i in (2, 5, 1))
    assert loss(objective, 2, 5, 1) == pytest.approx(wanted, rel=1e-5)


# -- aligned -----------------------------------------------------------------------------------------------


def test_every_step_counts_the_same_and_padding_nothing() -> None:
    model, objective = steps(), aligned(series(), labels(), cross_entropy)
    stretch = Stretch([3, 1, 2])
    assert objective.count(stretch) == 9 + 1 + 4
    total, _ = objective.loss(model, objective.batch(stretch, np.random.default_rng), {})
    wanted = 0.0
    for i in stretch.items:
        x = torch.from_numpy(series()[i])[None]
        outputs, _ = model(x, torch.tensor([len(x[0])]), model.initial(1))
        wanted += float(cross_entropy(outputs[0].detach(), torch.from_numpy(labels()[i])).sum())
    assert float(total.detach()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_stretches_with_carried_state_lose_what_the_whole_loses(size: int) -> None:
    model, objective = steps(layers=2), aligned(series(), labels(), cross_entropy)
    items = [3, 1, 2, 0]
    whole, _ = objective.loss(model, objective.batch(Stretch(items), np.random.default_rng), {})
    total, count, state = 0.0, 0, {}
    for begin in range(0, 9, size):
        stretch = Stretch(items, begin, begin + size)
        loss, state = objective.loss(model, objective.batch(stretch, np.random.default_rng), state)
        total += float(loss.detach())
        count += objective.count(stretch)
    assert total == pytest.approx(float(whole.detach()), rel=1e-5)
    assert count == objective.count(Stretch(items)) == 9 + 1 + 4 + 7


def test_a_row_that_has_ended_drops_out() -> None:
    objective = aligned(series(), labels(), cross_entropy)
    stretch = Stretch([3, 1, 2], 3, 6)
    assert objective.count(stretch) == 3 + 0 + 1
    batch = objective.batch(stretch, np.random.default_rng)
    assert batch["lengths"].tolist() == [3, 0, 1]
    np.testing.assert_array_equal(batch["inputs"][0], series()[3][3:6])
    np.testing.assert_array_equal(batch["targets"][0], labels()[3][3:6])


def test_rows_that_have_all_ended_give_gradients_of_zero() -> None:
    """As those of a process' share may have, while others have not: both give their sums to the other."""
    model, objective = steps(), aligned(series(), labels(), cross_entropy)
    total, _ = objective.loss(model, objective.batch(Stretch([1, 7], 4, 8), np.random.default_rng), {})
    total.backward()
    assert total.detach() == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_works_over_steps(name: str) -> None:
    torch.manual_seed(0)
    model = series_to_each(2, RecurrentSpec(hidden=4), StepHeadSpec(), 2)
    targets = [t % 2 if name == "cross_entropy" else t.astype(np.float32) for t in labels()]
    objective = aligned(series(), targets, LOSSES[name])
    total, _ = objective.loss(model, objective.batch(Stretch([0, 1, 6]), np.random.default_rng), {})
    total.backward()
    assert total.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("horizon", [1, 3])
def test_targets_of_several_steps_ahead(horizon: int) -> None:
    """Each item, or each step of one, is followed by a horizon of values, with three quantiles for each."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    whole = random.standard_normal((8, horizon)).astype(np.float32)
    each = [random.standard_normal((length, horizon)).astype(np.float32) for length in LENGTHS]
    sizes = RecurrentSpec(hidden=4, dropout=0)
    one = series_to_one(2, sizes, HeadSpec(dropout=0), 3 * horizon)
    every = series_to_each(2, sizes, StepHeadSpec(dropout=0), 3 * horizon)
    both: Any = [(one, many_to_one(series(), whole, quantile)), (every, aligned(series(), each, quantile))]
    for model, objective in both:
        together, _ = objective.loss(model, objective.batch(Stretch([3, 1, 2]), np.random.default_rng), {})
        alone = [objective.loss(model, objective.batch(Stretch([i]), np.random.default_rng), {})[0] for i in (3, 1, 2)]
        assert float(together.detach()) == pytest.approx(sum(float(loss.detach()) for loss in alone), rel=1e-5)
        together.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("room", [0, 100, 10**9])
def test_inputs_that_are_encoded_again_are_the_same_batches(room: int) -> None:
    kept = EncodedInputs(lambda i: series()[i], room)
    for i, array in enumerate(series()):
        kept.append(i, array)
    plain, again = aligned(series(), labels(), cross_entropy), aligned(kept, labels(), cross_entropy)
    assert list(plain.lengths) == list(again.lengths)
    stretch = Stretch([3, 1, 2], 1, 6)
    one, two = (objective.batch(stretch, np.random.default_rng) for objective in (plain, again))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


# -- chance ------------------------------------------------------------------------------------------------


def noisy(item: int, random: np.random.Generator) -> np.ndarray:
    array = series()[item]
    return array + random.standard_normal(array.shape).astype(array.dtype)


def test_an_items_chance_is_its_own() -> None:
    """Whoever it is collated with, and in whatever order, so that it does not matter which process does it."""
    objective = many_to_one(series(), np.zeros(8, np.int64), cross_entropy, vary=noisy)
    together = objective.batch(Stretch([4, 5, 7]), lambda item: np.random.default_rng([1, item]))["inputs"]
    alone = objective.batch(Stretch([7]), lambda item: np.random.default_rng([1, item]))["inputs"]
    assert torch.equal(alone[0], together[2, :2])
    assert not torch.equal(together[0], together[1])


def test_nobody_asks_for_chance_that_needs_none() -> None:
    def refuse(item: int) -> np.random.Generator:
        raise AssertionError("a generator costs more than a small batch")

    many_to_one(series(), np.zeros(8, np.int64), cross_entropy).batch(Stretch([0, 1]), refuse)
    aligned(series(), labels(), cross_entropy).batch(Stretch([0, 1]), refuse)


def test_stretches_of_an_augmented_item_fit_together() -> None:
    objective = aligned(series(), labels(), cross_entropy, vary=lambda i, chance: (noisy(i, chance), labels()[i]))

    def inputs(begin: int, end: int | None) -> Tensor:
        return objective.batch(Stretch([3], begin, end), np.random.default_rng)["inputs"][0]

    assert torch.equal(torch.cat([inputs(0, 4), inputs(4, 8), inputs(8, None)]), inputs(0, None))
    assert not np.array_equal(inputs(0, None), series()[3])


def test_what_changes_its_length_is_taken_as_it_is() -> None:
    objective = aligned(series(), labels(), cross_entropy, vary=lambda i, chance: (series()[i][1:], labels()[i][1:]))
    batch = objective.batch(Stretch([0]), np.random.default_rng)
    assert np.array_equal(batch["inputs"][0], series()[0])
    assert np.array_equal(batch["targets"][0], labels()[0])


# -- unaligned ---------------------------------------------------------------------------------------------

START, END = 1, 2


def sides() -> tuple[list[np.ndarray], list[np.ndarray]]:
    random = np.random.default_rng(0)
    sources = [random.integers(3, 12, length) for length in LENGTHS]
    targets = [np.append(random.integers(3, 12, length % 4 + 1), END) for length in LENGTHS]
    return sources, targets


def translator() -> Any:
    torch.manual_seed(0)
    sizes = RecurrentSpec(cell="gru", hidden=6, bidirectional=True), RecurrentSpec(cell="gru", hidden=7, layers=2)
    embedding, head = EmbeddingSpec(features=5), StepHeadSpec(tied=True)
    return tokens_to_tokens(12, embedding, *sizes, AttentionSpec(features=4), head).eval()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_unaligned_loss_is_that_of_every_target_token_and_counts_each_once(smoothing: float) -> None:
    sources, targets = sides()
    objective = unaligned(sources, targets, start=START, smoothing=smoothing)
    model, everything = translator(), Stretch(range(len(LENGTHS)))
    assert objective.count(everything) == sum(map(len, targets))
    loss, state = objective.loss(model, objective.batch(everything, np.random.default_rng), {})
    assert state == {}
    wanted = 0.0
    for source, target in zip(sources, targets, strict=True):
        before = torch.tensor([[START, *target[:-1]]])
        features = model(torch.from_numpy(source)[None], torch.tensor([len(source)]), before)[0]
        logits = features @ model.head[0].T + model.head[1]
        wanted += cross_entropy(logits, torch.from_numpy(target), smoothing).sum().item()
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_the_mean_loss_does_not_depend_on_the_batches() -> None:
    sources, targets = sides()
    objective, model = unaligned(sources, targets, start=START), translator()
    specs = [TrainingSpec(batch_size=1), TrainingSpec(batch_size=3), TrainingSpec(batch_tokens=30)]
    found = [mean_loss(model.train(), objective, spec) for spec in specs]
    assert found == pytest.approx([found[0]] * 3, rel=1e-5)
    assert not model.training


def test_pairs_are_changed_anew_and_counted_as_they_were() -> None:
    sources, targets = sides()
    asked = []

    def vary(index: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        asked.append((index, int(random.integers(100))))
        return np.repeat(sources[index], 2), np.insert(targets[index], 0, 3)

    objective = unaligned(sources, targets, start=START, vary=vary)
    batch = objective.batch(Stretch([4, 2]), lambda item: np.random.default_rng(item))
    assert asked == [(i, int(np.random.default_rng(i).integers(100))) for i in (4, 2)]
    assert batch["lengths"].tolist() == [6, 8]
    assert batch["steps"].tolist() == [len(targets[4]) + 1, len(targets[2]) + 1]
    assert batch["tokens"][:, :2].tolist() == [[START, 3], [START, 3]]
    assert objective.count(Stretch([4, 2])) == len(targets[4]) + len(targets[2])


def test_epochs_of_batches_filled_by_tokens_may_differ_in_steps() -> None:
    sources, targets = sides()
    lengths = unaligned(sources, targets, start=START).lengths
    assert lengths == [(len(s), len(t)) for s, t in zip(sources, targets, strict=True)]
    spec = TrainingSpec(batch_tokens=24, epochs=6)
    assert plan(lengths, spec, 3, 2) == [Stretch(items) for items in batches_by_tokens(lengths, 24, 3, 2)]
    assert steps_each(lengths, spec, 3) == [len(plan(lengths, spec, 3, epoch)) for epoch in range(6)]


def test_a_number_of_steps_may_end_training_in_the_middle_of_an_epoch() -> None:
    spec = TrainingSpec(batch_size=2, epochs=4)
    each = steps_each(LENGTHS, spec, 5)[0]
    assert steps_each(LENGTHS, dataclasses.replace(spec, steps=each + 1), 5) == [each, 1]
    assert steps_each(LENGTHS, dataclasses.replace(spec, steps=2 * each), 5) == [each, each]
    assert steps_each(LENGTHS, dataclasses.replace(spec, steps=99 * each), 5) == [each] * 4


# --- targets of their own length ------------------------------------------------------------------------------


def test_targets_of_their_own_length_are_counted_in_steps_and_lose_the_same_in_any_batch() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(steps, 4)).astype(np.float32) for steps in (9, 6, 12)]
    targets = [np.array(letters, np.int64) for letters in ([1, 2], [2], [1, 1, 2])]
    model = series_to_each(4, RecurrentSpec(hidden=5, dropout=0, residual=False), StepHeadSpec(dropout=0), 3).eval()
    objective = sequence_loss(inputs, targets, SEQUENCE_LOSSES["ctc"])
    assert objective.count(Stretch([0, 2])) == 21
    assert list(objective.lengths) == [9, 6, 12]
    whole = objective.batch(Stretch([0, 1, 2]), np.random.default_rng)
    assert whole["targets"].tolist() == [[1, 2, 0], [2, 0, 0], [1, 1, 2]]
    assert whole["sizes"].tolist() == [2, 1, 3]
    with torch.no_grad():
        loss, _ = objective.loss(model, whole, {})
        alone = [objective.loss(model, objective.batch(Stretch([i]), np.random.default_rng), {})[0] for i in range(3)]
    assert float(loss) == pytest.approx(sum(map(float, alone)), rel=1e-5)


def test_what_is_changed_may_have_another_length() -> None:
    def vary(index: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((3 + index, 4), np.float32), np.array([1], np.int64)

    inputs, targets = [np.zeros((9, 4), np.float32)] * 2, [np.array([1, 2], np.int64)] * 2
    objective = sequence_loss(inputs, targets, SEQUENCE_LOSSES["ctc"], vary=vary)
    batch = objective.batch(Stretch([0, 1]), np.random.default_rng)
    assert batch["lengths"].tolist() == [3, 4]
    assert batch["inputs"].shape == (2, 4, 4)
    assert objective.count(Stretch([0, 1])) == 18
