"""Which tokens may follow when a piece is written: the constraint for a codec of tunes or of chorales."""

from __future__ import annotations

from suite_music.notation.chorale_rules import ChoraleRules
from suite_music.notation.piece_codec import PieceCodec
from suite_music.notation.tune_rules import TuneRules
from suite_music.notation.tunes import TuneCodec


def rules_of(
    codec: PieceCodec, *, key: str | None = None, meter: str | None = None, bars: int | None = None,
    endless: bool = False,
) -> TuneRules | ChoraleRules:  # fmt: skip
    """The rules of what a codec writes. Raises UsageError for what cannot be asked for."""
    if isinstance(codec, TuneCodec):
        return TuneRules(codec, key=key, meter=meter, bars=bars, endless=endless)
    return ChoraleRules(key=key, meter=meter, bars=bars, endless=endless)
