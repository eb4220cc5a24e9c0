"""Masks of steps beyond a row's length."""

from __future__ import annotations

import torch

from suite.nn.cells.masking import append_freeze_column, last_output, length_mask


def test_within() -> None:
    wanted = [[False, False, False], [True, False, False], [True, True, True]]
    assert length_mask(torch.tensor([0, 1, 3]), 3).tolist() == wanted
    assert length_mask(torch.tensor([0, 5]), 0).shape == (2, 0)


def test_last() -> None:
    y = torch.arange(12.0).reshape(3, 2, 2)
    before = torch.full((3, 2), -1.0)
    assert last_output(y, torch.tensor([2, 0, 1]), before).tolist() == [[2, 3], [-1, -1], [8, 9]]


def test_freeze_column() -> None:
    weight = torch.arange(8.0).reshape(4, 2)
    x, longer = append_freeze_column(torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4))
    assert x[0].tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 1]]
    assert torch.equal(longer[:, :2], weight)
    assert longer[:, 2].tolist() == [0, 0, 1e4, 1e4]
    # Zeros up to a multiple of what a kernel is quick at change no product; three is one of three already.
    wide, long = append_freeze_column(
        torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4), multiple=4
    )
    assert (wide.shape[2], long.shape[1]) == (4, 4)
    assert torch.equal(wide @ long.T, x @ longer.T)
    assert (
        append_freeze_column(torch.ones(1, 3, 2), weight, length_mask(torch.tensor([2]), 3), (0.0, 1e4), 3)[0].shape[2]
        == 3
    )
