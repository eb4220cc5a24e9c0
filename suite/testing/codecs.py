"""The laws of codecs, and the ways to cut an input into pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from suite.data.series import Recording
from suite.errors import DataError, one_line
from suite.testing.base import LawBroken

#: Sizes of the pieces that inputs are cut into, in characters, bytes or steps, and of those that long inputs are.
PIECES, LONG_PIECES = (1, 2, 3, 7), (997, 2503)
#: Steps from which an input is long: in the smallest pieces it would take too many calls.
LONG = 5000
#: All ways to cut one input that are checked, each as the pieces in order.
Cuts = Callable[[Any], Iterable[Sequence[Any]]]


def check_codec(codec: Any, raws: Sequence[Any], *, pieces: Cuts | None = None) -> None:
    """A codec read back from its files encodes the same, and so does its feeder, for an input cut anywhere.

    Args:
        raws: Short inputs, or targets for a codec of targets.
        pieces: ``pieces(raw)`` gives the ways to cut an input; by default ``cuts``, and for a text also its UTF-8 bytes
            cut in two at every place.

    What a feeder holds back must survive JSON: after each piece a fresh feeder goes on from ``pending``.

    Raises:
        LawBroken: If the arrays differ.
    """
    again = type(codec).from_files(codec.files())
    incremental = hasattr(codec, "incremental")
    for number, raw in enumerate(raws, 1):
        wanted = np.asarray(codec.encode(raw if incremental else [raw]))
        law, where = "a codec survives saving", f"the encoding of input {number}"
        _exactly(law, where, np.asarray(again.encode(raw if incremental else [raw])), wanted)
        if not incremental:
            continue
        law = "feeding pieces equals encoding the whole"
        for cut in _all_cuts(raw, pieces):
            where = f"the encoding of input {number} in {len(cut)} pieces ({', '.join(map(repr, cut[:20]))})"
            where = where if len(where) < 200 else f"{where[:200]} …)"
            _exactly(law, where, _fed(codec, cut, law, where), wanted)
            _exactly(law, f"{where}, saved after each", _fed(codec, cut, law, where, saving=True), wanted)


def cuts(raw: Any) -> Iterator[Sequence[Any]]:
    """The ways to cut an input that are checked by default.

    A text: whole, every 1, 2, 3 and 7 characters, and its UTF-8 bytes one by one and in threes. An array, a list or a
    recording: whole, and every 1, 2, 3 and 7 steps, or 997 and 2,503 of a long one. Anything else: whole.
    """
    yield [raw]
    if isinstance(raw, Recording):
        steps = len(raw.array)
        for size in LONG_PIECES if steps > LONG else PIECES:
            yield [replace(raw, array=raw.array[i : i + size]) for i in range(0, steps, size)]
    if isinstance(raw, str | bytes | list | tuple | np.ndarray):
        for size in LONG_PIECES if len(raw) > LONG else PIECES:
            yield [raw[i : i + size] for i in range(0, len(raw), size)]
    if isinstance(raw, str):
        coded = raw.encode()
        for size in (1, 3):
            yield [coded[i : i + size] for i in range(0, len(coded), size)]


def _all_cuts(raw: Any, pieces: Cuts | None) -> Iterator[Sequence[Any]]:
    yield from (pieces or cuts)(raw)
    if pieces is None and isinstance(raw, str):
        coded = raw.encode()
        yield from ([coded[:i], coded[i:]] for i in range(len(coded) + 1))


def _fed(codec: Any, pieces: Sequence[Any], law: str, where: str, *, saving: bool = False) -> np.ndarray:
    feeder = codec.incremental()
    steps: list[Any] = []
    try:
        for piece in pieces:
            steps += feeder.feed(piece)
            if saving:
                feeder = codec.incremental(json.loads(json.dumps(feeder.pending)))
        steps += feeder.flush()
    except (DataError, TypeError, ValueError) as error:
        raise LawBroken(f"{law}: {where}{', saved after each' if saving else ''}: {one_line(error)}") from error
    if not steps:
        raise LawBroken(f"{law}: {where} gives no steps")
    return np.concatenate([array for _, array in steps])


def _exactly(law: str, where: str, found: np.ndarray, wanted: np.ndarray) -> None:
    if found.shape != wanted.shape or found.dtype != wanted.dtype or not np.array_equal(found, wanted):
        raise LawBroken(
            f"{law}: {where} is {found.dtype} {found.shape} {_short(found)}, "
            f"expected {wanted.dtype} {wanted.shape} {_short(wanted)}"
        )


def _short(array: np.ndarray) -> str:
    return " ".join(str(array.ravel()[:12].tolist()).split()) + (" …" if array.size > 12 else "")
