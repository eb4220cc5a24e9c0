"""Batches hold every item once, waste little, and come out the same again."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data.batching import batches_by_length, batches_by_tokens, pad, padding_share


@pytest.fixture
def lengths() -> list[int]:
    return np.random.default_rng(5).integers(1, 200, 1003).tolist()


@pytest.mark.parametrize("size", [1, 7, 32, 5000])
def test_every_item_comes_once(lengths: list[int], size: int) -> None:
    batches = batches_by_length(lengths, size, seed=1, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(batches)
    assert sorted(map(len, batches), reverse=True)[:-1] == [size] * (len(batches) - 1)


def test_the_same_seed_and_epoch_give_the_same_batches(lengths: list[int]) -> None:
    assert batches_by_length(lengths, 16, 3, 2) == batches_by_length(lengths, 16, 3, 2)
    assert batches_by_length(lengths, 16, 3, 2) != batches_by_length(lengths, 16, 3, 3)
    assert batches_by_length(lengths, 16, 3, 2) != batches_by_length(lengths, 16, 4, 2)


def test_items_of_like_length_are_together_and_batches_are_not_in_order(lengths: list[int]) -> None:
    batches = batches_by_length(lengths, 16, 0, 0)
    plain = [list(range(at, min(at + 16, len(lengths)))) for at in range(0, len(lengths), 16)]
    assert padding_share(lengths, batches) < 0.05 < 0.3 < padding_share(lengths, plain)
    longest = [max(lengths[index] for index in batch) for batch in batches]
    assert longest != sorted(longest)


def test_in_a_window_of_one_batch_items_are_together_by_chance(lengths: list[int]) -> None:
    batches = batches_by_length(lengths, 16, 0, 0, window=1)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert padding_share(lengths, batches) > 0.3
    assert padding_share(lengths, batches_by_length(lengths, 16, 0, 0, window=4)) < padding_share(lengths, batches)


def test_no_items_no_batches() -> None:
    assert batches_by_length([], 4, 0, 0) == []
    assert padding_share([], []) == 0
    assert padding_share([0, 0], [[0, 1]]) == 0


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        batches_by_length([1], 0, 0, 0)
    with pytest.raises(ValueError, match="window"):
        batches_by_length([1], 1, 0, 0, window=0)
    with pytest.raises(ValueError, match="negative"):
        batches_by_length([1], 1, -1, 0)


def test_pad_fills_up_and_gives_lengths() -> None:
    padded, lengths = pad([np.array([1, 2, 3]), np.array([], dtype=np.int64), np.array([4])], value=-1)
    assert padded.tolist() == [[1, 2, 3], [-1, -1, -1], [4, -1, -1]]
    assert lengths.dtype == np.int64
    assert lengths.tolist() == [3, 0, 1]


def test_pad_keeps_further_dimensions_and_the_type() -> None:
    rows = [np.ones((2, 6), dtype=np.float32), np.ones((4, 6), dtype=np.float32)]
    padded, lengths = pad(rows)
    assert padded.shape == (2, 4, 6)
    assert padded.dtype == np.float32
    assert padded[0, 2:].sum() == 0
    assert lengths.tolist() == [2, 4]


def test_pad_to_no_less_than() -> None:
    assert pad([np.ones((0, 2)), np.ones((0, 2))], least=1)[0].tolist() == [[[0, 0]], [[0, 0]]]
    assert pad([np.ones(3)], least=2)[0].shape == (1, 3)


def test_pad_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="no rows"):
        pad([])
    with pytest.raises(ValueError, match="more than their length"):
        pad([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match="time axis"):
        pad([np.array(1.0)])


def test_padding_share() -> None:
    assert padding_share([1, 3, 4], [[0, 1], [2]]) == pytest.approx(2 / 10)


# -- filled by tokens --------------------------------------------------------------------------------------


@pytest.fixture
def pairs() -> list[tuple[int, int]]:
    """Lengths of sentences and of their translations: mostly short, some long, and not proportional."""
    random = np.random.default_rng(5)
    source = np.minimum(random.gamma(1.3, 18, 30_000) + 2, 300).astype(int)
    target = np.clip(source * random.normal(1.1, 0.15, 30_000) + random.normal(0, 1.5, 30_000), 2, 338).astype(int)
    return list(zip(source.tolist(), target.tolist(), strict=True))


@pytest.mark.parametrize("tokens", [1500, 3000, 8000])
def test_batches_filled_by_tokens_waste_under_a_tenth_over_both_sides(
    pairs: list[tuple[int, int]], tokens: int
) -> None:
    batches = batches_by_tokens(pairs, tokens, 0, 0)
    assert sorted(index for batch in batches for index in batch) == list(range(len(pairs)))
    assert padding_share(pairs, batches) < 0.1
    for batch in batches:
        longest = max(pairs[i][0] for i in batch) + max(pairs[i][1] for i in batch)
        assert len(batch) * longest <= tokens or len(batch) == 1
    sizes = [sum(sum(pairs[i]) for i in batch) for batch in batches]
    assert np.median(sizes) > 0.85 * tokens


def test_a_batch_filled_by_tokens_changes_with_seed_and_epoch_alone(pairs: list[tuple[int, int]]) -> None:
    assert batches_by_tokens(pairs, 3000, 1, 2) == batches_by_tokens(pairs, 3000, 1, 2)
    assert batches_by_tokens(pairs, 3000, 1, 2) != batches_by_tokens(pairs, 3000, 1, 3)
    assert batches_by_tokens(pairs, 3000, 1, 2) != batches_by_tokens(pairs, 3000, 2, 2)


def test_lengths_may_be_of_one_side(lengths: list[int]) -> None:
    batches = batches_by_tokens(lengths, 1000, 0, 0)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 1000 for batch in batches)
    assert batches_by_tokens([], 10, 0, 0) == []
    assert sorted(batches_by_tokens([50, 3, 60], 10, 0, 0)) == [[0], [1], [2]]


def test_nothing_to_fill_batches_with() -> None:
    for wrong in ((0, 0, 0), (10, -1, 0), (10, 0, -1)):
        with pytest.raises(ValueError, match="must"):
            batches_by_tokens([3], *wrong)
