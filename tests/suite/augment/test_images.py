from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from suite.augment.images import augment_image
from suite.augment.specs import PictureChanges

STILL = PictureChanges(turn=0, shear=0, shift=0, scale=0, perspective=0, colour=0, hue=0, blur=0, erase=0, flip=0)
PICTURE = np.full((3, 24, 24), 255, np.uint8)
PICTURE[:, 6:18, 4:10] = np.array([200, 40, 90], np.uint8)[:, None, None]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_nothing_changes_a_picture_that_is_left_alone() -> None:
    np.testing.assert_array_equal(augment_image(PICTURE, STILL, random()), PICTURE)


@pytest.mark.parametrize(
    "spec",
    [
        PictureChanges(), replace(STILL, turn=20), replace(STILL, shift=0.2), replace(STILL, scale=0.3),
        replace(STILL, perspective=0.9), replace(STILL, colour=0.5), replace(STILL, hue=0.3), replace(STILL, blur=0.99),
    ],
)  # fmt: skip
def test_each_setting_changes_it_and_the_seed_alone_says_how(spec: PictureChanges) -> None:
    changed = augment_image(PICTURE, spec, random(1))
    assert (changed.dtype, changed.shape) == (np.uint8, PICTURE.shape)
    assert (changed != PICTURE).any()
    torch.rand(3)  # what else is drawn has no say
    np.testing.assert_array_equal(augment_image(PICTURE, spec, random(1)), changed)
    assert (augment_image(PICTURE, spec, random(2)) != changed).any()


def test_what_comes_in_at_the_edges_is_white() -> None:
    dark = np.zeros((3, 24, 24), np.uint8)
    values = np.unique(augment_image(dark, replace(STILL, shift=0.3), random(1)))
    assert values.min() == 0
    assert values.max() == 255


@pytest.mark.parametrize("spec", [replace(STILL, turn=30), replace(STILL, scale=0.4), replace(STILL, perspective=0.5)])
def test_no_line_is_left_where_white_and_picture_meet(spec: PictureChanges) -> None:
    pale = np.full((3, 24, 24), 200, np.uint8)
    for seed in range(8):
        assert augment_image(pale, spec, random(seed)).min() >= 199


def test_erased_and_mirrored_are_chances() -> None:
    erasing = replace(STILL, erase=0.99)
    assert (augment_image(np.zeros_like(PICTURE), erasing, random(1)) == 255).any()
    mirrored = replace(STILL, flip=0.5)
    ways = {augment_image(PICTURE, mirrored, random(seed)).tobytes() for seed in range(12)}
    assert ways == {PICTURE.tobytes(), np.ascontiguousarray(PICTURE[:, :, ::-1]).tobytes()}


def test_the_chance_of_others_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    augment_image(PICTURE, PictureChanges(), random())
    torch.testing.assert_close(torch.rand(2), wanted)
