"""Pictures changed a little, as another artist or photographer would have made them; by torchvision, for training."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from suite.augment.specs import PictureChanges

BLACK, WHITE = 0, 255


def augment_image(array: np.ndarray, spec: PictureChanges, random: np.random.Generator) -> np.ndarray:
    """An image ``[3, H, W]`` (uint8), augmented with draws from ``random``."""
    # Torchvision draws from torch's own chance: it is given a seed for this picture, and put back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(random.integers(2**62)))
        changed: torch.Tensor = _transforms(spec)(torch.from_numpy(array))
    return changed.numpy()


@lru_cache
def _transforms(spec: PictureChanges) -> Any:
    steps: list[Any] = [
        v2.RandomAffine(
            spec.turn, translate=(spec.shift, spec.shift), scale=(1 - spec.scale, 1 + spec.scale), shear=spec.shear,
            interpolation=v2.InterpolationMode.BILINEAR, fill=BLACK,
        )
    ]  # fmt: skip
    if spec.perspective:
        steps.append(v2.RandomPerspective(spec.perspective, fill=BLACK))
    # As a negative: what is moved in from outside is mixed with black at its edge, whatever the fill.
    steps = [v2.RandomInvert(1.0), *steps, v2.RandomInvert(1.0)]
    if spec.colour or spec.hue:
        steps.append(v2.ColorJitter(spec.colour, spec.colour, spec.colour, spec.hue))
    if spec.blur:
        steps.append(v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.2))], spec.blur))
    if spec.flip:
        steps.append(v2.RandomHorizontalFlip(spec.flip))
    if spec.erase:
        steps.append(v2.RandomErasing(spec.erase, scale=(0.02, 0.12), value=WHITE))
    return v2.Compose(steps)
