"""A codec fitted on a handful of real tunes."""

from __future__ import annotations

import pytest

from suite.notation.tunes import TuneCodec, TuneSpec


@pytest.fixture(scope="session")
def codec(tunes: list[str]) -> TuneCodec:
    """A codec with a token for everything in the samples."""
    return TuneCodec.fit(tunes, TuneSpec(min_count=1, min_layout=1))
