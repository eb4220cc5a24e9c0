"""A saved state as bytes and back: JSON with arrays in base64, a digest, and whose state it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

import numpy as np

from suite.errors import UsageError

FORMAT = "suite-session/1"
#: A saved state larger than this is refused before it is parsed.
MAX_BYTES = 64 * 2**20
_DTYPES = ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")


def dump_state(state: dict[str, Any], *, task: str, model: str) -> bytes:
    """The state of a session or a generation of ``task`` on the checkpoint ``model`` (its fingerprint) as bytes."""
    body = json.dumps({"task": task, "model": model, "state": _plain(state)}, ensure_ascii=False)
    digest = hashlib.sha256(body.encode("utf-8")).hexdigest()
    return f"{FORMAT} {digest}\n{body}".encode()


def load_state(data: bytes, *, task: str, model: str) -> dict[str, Any]:
    """The state that ``dump_state`` wrote. Raises UsageError if it is altered, or of another task or checkpoint."""
    head, _, body = data[:MAX_BYTES].partition(b"\n")
    kind, _, digest = head.decode("ascii", "replace").partition(" ")
    if kind != FORMAT or len(data) > MAX_BYTES:
        raise UsageError("not a saved session; give what dumps() returned")
    if hashlib.sha256(body).hexdigest() != digest:
        raise UsageError("the saved session is altered or incomplete (SHA-256 differs); save it again")
    try:
        values = json.loads(body)
        owner, checkpoint, state = values["task"], values["model"], _restored(values["state"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise UsageError("the saved session cannot be read; save it again") from error
    if owner != task:
        raise UsageError(f"the saved session is of task {owner!r}, not {task!r}; use it with that task")
    if checkpoint != model:
        raise UsageError("the saved session is of another checkpoint; use it with the one it came from")
    if not isinstance(state, dict):
        raise UsageError("the saved session cannot be read; save it again")
    return state


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        data = base64.b64encode(array.tobytes()).decode("ascii")
        return {"$array": data, "dtype": str(array.dtype), "shape": list(value.shape)}
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "$array" in value:
        if value["dtype"] not in _DTYPES:
            raise ValueError(f"dtype {value['dtype']!r}")
        raw = base64.b64decode(value["$array"], validate=True)
        return np.frombuffer(raw, value["dtype"]).reshape(value["shape"]).copy()
    if isinstance(value, dict):
        return {name: _restored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return value
