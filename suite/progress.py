"""What is done of long work, for people who wait for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(items: Iterable[T], count: Callable[[], int | None], what: str) -> Iterator[T]:
    """Pass items on; show a bar with speed and time left where one helps.

    It is drawn on standard error, only on a terminal, and only while results go elsewhere: on a terminal
    they are progress enough. ``count`` says how many items there will be; it is called only for a bar.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, what, count(), leave=False, file=sys.stderr, unit=" items", dynamic_ncols=True)
