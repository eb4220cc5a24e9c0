"""What a codec keeps in a checkpoint as JSON, written and read: one wording for all that can be wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from suite.errors import CheckpointError, one_line


def json_file(name: str, values: Mapping[str, Any], indent: int | None = 1) -> dict[str, bytes]:
    """Some values as a checkpoint's file of this name."""
    return {name: (json.dumps(values, ensure_ascii=False, indent=indent) + "\n").encode()}


def read_json_file(files: Mapping[str, bytes], name: str, *keys: str) -> dict[str, Any]:
    """The values of one of a checkpoint's files, with these keys, or any where none are named.

    Raises CheckpointError, naming the file, where it is not there or has others.
    """
    if name not in files:
        raise CheckpointError(f"{name}: missing; the checkpoint is incomplete: copy it again")
    try:
        values = json.loads(files[name], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name}: {one_line(error)}; copy the checkpoint again") from error
    if not isinstance(values, dict) or (keys and values.keys() != {*keys}):
        wanted = f"the keys {', '.join(sorted(keys))}" if keys else "an object"
        raise CheckpointError(f"{name}: expected {wanted}, got {values!r:.80}; copy the checkpoint again")
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def read_tokenizer(files: Mapping[str, bytes], name: str) -> Any:
    """The ``tokenizers.Tokenizer`` of one of a checkpoint's files. Raises CheckpointError where it is none."""
    from tokenizers import Tokenizer

    if name not in files:
        raise CheckpointError(f"{name}: missing; the checkpoint is incomplete: copy it again")
    try:
        return Tokenizer.from_str(files[name].decode())
    except Exception as error:  # tokenizers raises plain Exception for a file that is not its own
        raise CheckpointError(f"{name}: {one_line(error)}; copy the checkpoint again") from error
