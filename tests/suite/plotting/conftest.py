"""Pictures of panels, and where a colour is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suite.plotting.figure import figure


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


@pytest.fixture
def drawn() -> Callable[..., np.ndarray]:
    """``drawn(path, *panels, …)``: the pixels ``[H, W, 3]`` of a picture of some panels."""

    def drawn(path: Path, *panels: Any, **how: Any) -> np.ndarray:
        figure(panels, path, **how)
        return np.asarray(Image.open(path).convert("RGB"), np.int64)

    return drawn


@pytest.fixture
def where() -> Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]]:
    """The rows and columns in which a colour is, or nearly: scaling down changes it a little at edges."""

    def where(pixels: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return np.nonzero((np.abs(pixels - wanted) <= 60).all(axis=-1))

    return where
