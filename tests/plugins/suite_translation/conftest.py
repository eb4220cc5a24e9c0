"""What the tests of translation share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings of a model that learns a few pairs by heart in a second."""
    return (
        "subwords.vocabulary=512", "subwords.min_count=1", "embedding.features=24", "embedding.dropout=0",
        "encoder.hidden=16", "encoder.layers=1", "encoder.dropout=0", "decoder.hidden=32", "decoder.dropout=0",
        "attention.features=16", "attention.heads=2", "head.dropout=0", "training.epochs=60",
        "training.batch_tokens=100", "training.lr=0.01", "training.ema=0", "training.patience=0",
        "training.label_smoothing=0", "training.hold_out=0",
    )  # fmt: skip
