"""What tunes and chorales may not do, whatever a model says."""

from __future__ import annotations

import pytest
from suite_music.notation.chorale_rules import ChoraleRules
from suite_music.notation.chorales import ChoraleCodec
from suite_music.notation.rules import rules_of
from suite_music.notation.tune_rules import TuneRules
from suite_music.notation.tunes import TuneCodec

from suite.errors import UsageError


def test_a_codec_has_its_rules(codec: TuneCodec) -> None:
    tune, four = rules_of(codec, key="D", bars=4), rules_of(ChoraleCodec(), endless=True)
    assert isinstance(tune, TuneRules)
    assert (tune.codec, tune.bars, tune.endless) == (codec, 4, False)
    assert isinstance(four, ChoraleRules)
    assert (four.bars, four.endless) == (None, True)
    for own in (codec, ChoraleCodec()):
        with pytest.raises(UsageError, match=r"bars 0: a (tune|chorale) has at least 1"):
            rules_of(own, bars=0)
