"""Names that labels are shown by, out of a JSON file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from suite.errors import DataError, nearest, one_line

_EXAMPLE = '{"1": "circle", "2": "square"}'


def read_display_names(path: Path, labels: Iterable[str]) -> dict[str, str]:
    """Display names out of a JSON file ``{label: name}``. Raises DataError unless every label is shown differently."""
    try:
        pairs = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=list)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or one_line(error)}; give a JSON file of names by label") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); write {_EXAMPLE}") from error
    names = dict(pairs) if isinstance(pairs, list) and all(isinstance(pair, tuple) for pair in pairs) else None
    if names is None or not all(isinstance(name, str) and name for name in names.values()):
        raise DataError(f"{path}: not names by label; write {_EXAMPLE}")
    if len(names) < len(pairs):
        twice = next(label for label, _ in pairs if sum(label == other for other, _ in pairs) > 1)
        raise DataError(f"{path}: the label {twice!r} is named twice; leave one out")
    known = sorted(set(labels))
    for label in names:
        if label not in known:
            raise DataError(f"{path}: no recording has the label {label!r}; {nearest(label, known)}")
    shown = Counter(names.get(label, label) for label in known)
    if alike := [name for name, count in shown.items() if count > 1]:
        raise DataError(f"{path}: two labels would be shown as {alike[0]!r}; give them different names")
    return names
