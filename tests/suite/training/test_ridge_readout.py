"""The readout in closed form: what it solves, what leaving out says, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from suite.errors import UsageError
from suite.nn.build import series_to_one
from suite.nn.specs import HeadSpec, RecurrentSpec
from suite.training import ridge_readout as readout
from suite.training.ridge_readout import learn, out_of_doubt, pooled, solve
from suite.training.specs import TrainingSpec


def problem(items: int, copies: int, features: int, classes: int = 3, seed: int = 0) -> tuple[Any, ...]:
    """Vectors of items and of their copies, in no order."""
    random = np.random.default_rng(seed)
    labels = np.arange(items) % classes
    middles = random.normal(size=(classes, features))
    own = middles[labels] + random.normal(size=(items, features))
    owners = random.permutation(np.tile(np.arange(items), copies))
    vectors = (own[owners] + 0.3 * random.normal(size=(len(owners), features))).astype(np.float32)
    return vectors, labels[owners], owners, random.uniform(0.5, 2, size=items)


def fitted(vectors: Any, targets: Any, weights: Any, strength: float, classes: int, middle: Any, spread: Any) -> Any:
    """Weighted ridge regression with a free offset, by its normal equations."""
    x = np.concatenate([(vectors - middle) / spread, np.ones((len(vectors), 1))], axis=1)
    y = np.where(np.arange(classes) == targets[:, None], 1.0, -1.0)
    penalty = strength * np.eye(x.shape[1])
    penalty[-1, -1] = 0
    w = np.linalg.solve((x * weights[:, None]).T @ x + penalty, (x * weights[:, None]).T @ y)
    return lambda rows: np.concatenate([(rows - middle) / spread, np.ones((len(rows), 1))], axis=1) @ w


@pytest.mark.parametrize("features", [5, 60])  # fewer than rows, and more
def test_the_solution_is_weighted_ridge_regression(features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, targets, owners, shares = problem(12, 3, features)
    monkeypatch.setattr(readout, "STRENGTHS", np.array([2.0]))
    found = solve(vectors, targets, owners, shares, 3, np.arange(len(vectors)))
    weights = shares[owners]
    middle = np.average(vectors.astype(np.float64), axis=0, weights=weights)
    spread = np.maximum(vectors.std(axis=0, dtype=np.float64), readout.FLOOR)
    by_hand = fitted(vectors, targets, weights, 2.0 * 3, 3, middle, spread)(vectors)
    ours = vectors @ found.weight.T + found.bias
    factor = (ours * by_hand).sum() / (by_hand**2).sum()
    np.testing.assert_allclose(ours, by_hand * factor, atol=1e-3)


@pytest.mark.parametrize("features", [5, 60])
def test_leaving_an_item_out_is_exact(features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as fitting without it and its copies (on the same scale of features)."""
    vectors, targets, owners, shares = problem(12, 3, features)
    monkeypatch.setattr(readout, "STRENGTHS", np.array([2.0]))
    monkeypatch.setattr(readout, "SHARPNESS", np.array([1.0]))
    found = solve(vectors, targets, owners, shares, 3, np.arange(len(vectors)))
    middle = np.average(vectors.astype(np.float64), axis=0, weights=shares[owners])
    spread = np.maximum(vectors.std(axis=0, dtype=np.float64), readout.FLOOR)
    for item in range(12):
        rest, own = owners != item, owners == item
        predict = fitted(vectors[rest], targets[rest], shares[owners[rest]], 2.0 * 3, 3, middle, spread)
        np.testing.assert_allclose(found.outputs[own], predict(vectors[own]), atol=2e-3)


def test_the_strength_is_the_one_under_which_the_left_out_are_likeliest() -> None:
    found = solve(*problem(30, 2, 40), 3, np.arange(60))
    losses = [entry["loss"] for entry in found.path]
    assert found.strength == found.path[int(np.argmin(losses))]["strength"]
    assert 0 < int(np.argmin(losses)) < len(losses) - 1  # neither end of the search


def test_nothing_judged_takes_the_middle() -> None:
    found = solve(*problem(3, 2, 4), 3, np.arange(0))
    assert found.strength == pytest.approx(10.0)
    assert np.isfinite(found.weight).all()


def answers(levels: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Logits ``[cuts, N, 2]`` whose larger probability is ``levels``; label 0 is said where that is right."""
    margins = np.log(levels / (1 - levels))
    return np.stack([np.where(right, margins, 0), np.where(right, 0, margins)], axis=2)


def test_out_of_doubt_is_a_matter_of_the_first_answer_that_is_sure() -> None:
    truth = np.zeros(40, np.int64)
    early = np.linspace(0.6, 0.8, 40)
    levels = np.stack([early, np.full(40, 0.95)])
    right = np.stack([np.zeros(40, bool), np.ones(40, bool)])  # too early is wrong
    sure = out_of_doubt(answers(levels, right), truth)
    assert sure is not None
    assert 0.78 < sure <= 0.81  # as soon as no more than 2 of 40 are there too early
    assert out_of_doubt(answers(levels, ~right), truth) == 0.5
    assert out_of_doubt(answers(levels[:, :5], right[:, :5]), truth[:5]) is None  # too few to say
    assert out_of_doubt(answers(levels, np.zeros((2, 40), bool)), truth) is None  # never right


# --- a model ------------------------------------------------------------------------------------------------


def recordings(count: int = 24, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    arrays = []
    for label in labels:
        at = np.linspace(0, 3, random.integers(20, 40))
        arrays.append(
            (np.sin((label + 1) * 2 * at)[:, None] + 0.1 * random.normal(size=(len(at), 2))).astype(np.float32)
        )
    return arrays, labels


def model(cell: str = "lstm", outputs: int = 6, hidden: int = 0) -> Any:
    torch.manual_seed(0)
    return series_to_one(
        2, RecurrentSpec(cell=cell, hidden=24, dropout=0, residual=False), HeadSpec(hidden=hidden), outputs
    )


def test_it_learns_and_leaves_the_recurrence_alone() -> None:
    inputs, targets = recordings()
    made = model()
    before = {n: p.clone() for n, p in made.named_parameters()}
    reports: list[tuple[int, int]] = []
    found = learn(
        made, inputs, targets, TrainingSpec(), classes=3, early=True, seed=0, report=lambda *r: reports.append(r)
    )
    changed = {n for n, p in made.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {"head.1.weight", "head.1.bias"}
    assert found.outputs.shape == (24, 6)
    assert found.judged.all()
    assert np.mean(found.outputs[:, :3].argmax(axis=1) == targets) > 0.9
    assert reports[-1] == (24 * 9, 24 * 9)  # whole once (nothing varies), and eight cuts
    fresh, truth = recordings(30, seed=1)
    lengths = torch.tensor([len(a) for a in fresh])
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(a) for a in fresh], batch_first=True)
    with torch.inference_mode():
        outputs, _ = made.eval()(padded, lengths, made.initial(30))
    assert np.mean(outputs[:, :3].numpy().argmax(axis=1) == truth) > 0.9


def test_the_same_seed_gives_the_same_readout() -> None:
    inputs, targets = recordings()

    def run(seed: int) -> torch.Tensor:
        made = model()
        vary = lambda i, random: inputs[i] + random.normal(size=(1, 2)).astype(np.float32)  # noqa: E731
        learn(made, inputs, targets, TrainingSpec(), classes=3, early=True, vary=vary, seed=seed)
        return made.head[-1].weight.detach().clone()

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_an_item_alone_of_its_label_is_not_judged() -> None:
    inputs, targets = recordings(7)
    targets[:] = [0, 0, 0, 1, 1, 1, 2]
    found = learn(model(), inputs, targets, TrainingSpec(), classes=3, early=True, seed=0)
    assert found.judged.tolist() == [True] * 6 + [False]
    alone = learn(model(), inputs[:3], np.arange(3), TrainingSpec(), classes=3, early=True, seed=0)
    assert not alone.judged.any()
    assert alone.sure is None


def test_weights_count() -> None:
    """A rare label that counts for more is found more often."""
    random = np.random.default_rng(0)
    targets = (np.arange(120) % 12 == 0).astype(np.int64)
    inputs = [(t + 1.5 * random.normal(size=(6, 2))).astype(np.float32) for t in targets]

    def found(weights: np.ndarray | None) -> int:
        out = learn(model(outputs=2), inputs, targets, TrainingSpec(), classes=2, early=False, weights=weights, seed=0)
        return int((out.outputs.argmax(axis=1) == 1).sum())

    assert found(np.where(targets == 1, 11.0, 1.0)) > found(None) + 10


def test_pooled_vectors_come_in_the_order_of_the_items() -> None:
    inputs, _ = recordings(200)
    made = model()
    together = pooled(made, iter(inputs), 200, lambda done, total: None)
    alone = np.concatenate([pooled(made, iter([a]), 1, lambda done, total: None) for a in inputs[::50]])
    np.testing.assert_allclose(together[::50], alone, atol=1e-5)
    assert len(made.head) == 2  # put back


def test_a_hidden_head_is_refused() -> None:
    inputs, targets = recordings()
    with pytest.raises(UsageError, match=r"leave head\.hidden at 0"):
        learn(model(hidden=8), inputs, targets, TrainingSpec(), classes=3, early=True, seed=0)
