"""Mel filter banks."""

from __future__ import annotations

import numpy as np
import pytest

from suite.codecs.mel import mel_bank


def test_bands_are_weighted_means_that_cover_everything_between() -> None:
    bank = mel_bank(40, 256, 8000, 80, 3800)
    np.testing.assert_allclose(bank.sum(0), 1, atol=1e-6)
    covered = bank.sum(1)[5:120]
    assert (covered > 0).all()
    assert mel_bank(80, 64, 8000, 80, 3800).sum(0) == pytest.approx(1), "narrow bands take the nearest frequency"
