"""Fixed splits by rule: a row's key alone says whether it is train, dev or test.

A rule needs no list of names, gives everybody the same parts, and keeps rows that share a key (variants of a
tune, sentences of one document) on one side.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence


def bucket(key: str, n: int) -> int:
    """The SHA-1 of the UTF-8 key, read as a whole number, modulo ``n``."""
    return int(hashlib.sha1(key.encode("utf-8"), usedforsecurity=False).hexdigest(), 16) % n


def part(key: str, n: int = 10) -> str:
    """``"test"`` for bucket 0 of ``n``, ``"dev"`` for bucket 1, ``"train"`` for the rest."""
    return {0: "test", 1: "dev"}.get(bucket(key, n), "train")


def hold_out(keys: Sequence[str], strata: Sequence[str] | None = None, share: float = 0.1) -> list[bool]:
    """Which rows form the dev part of data that comes without one.

    Inside each stratum (a label, say) the distinct keys are ranked by their SHA-1 and the first ``share`` of
    them is held out: at least one, and never all, where a stratum has two or more. Rows that share a key are
    held out together. The order of the rows does not matter.

    A key found in several strata is ranked in the first of them by name, so that it is still on one side; a
    stratum left without any held-out key by that gives its lowest-ranked one.

    Returns one flag a row, True for dev. Raises ValueError for a share outside 0 ≤ share < 1, or when
    ``strata`` is not one a key. A share of 0 holds nothing out.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, not {share}")
    if strata is not None and len(strata) != len(keys):
        raise ValueError(f"{len(keys)} keys but {len(strata)} strata")
    if share == 0:
        return [False] * len(keys)

    members: dict[str, set[str]] = {}
    home: dict[str, str] = {}
    for index, key in enumerate(keys):
        stratum = strata[index] if strata is not None else ""
        members.setdefault(stratum, set()).add(key)
        home[key] = min(home.get(key, stratum), stratum)

    held: set[str] = set()
    for stratum in sorted(members):
        ranked = sorted((key for key in members[stratum] if home[key] == stratum), key=_rank)
        if len(ranked) >= 2:
            count = math.floor(share * len(ranked) + 0.5)
            held.update(ranked[: min(max(count, 1), len(ranked) - 1)])
    for stratum in sorted(members):
        if len(members[stratum]) >= 2 and not members[stratum] & held:
            held.add(min(members[stratum], key=_rank))
    return [key in held for key in keys]


def _rank(key: str) -> tuple[str, str]:
    return hashlib.sha1(key.encode("utf-8"), usedforsecurity=False).hexdigest(), key
