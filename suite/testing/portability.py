"""The law of saved sessions (13): another process continues one, and no session takes another's state.

Data flow: sessions that have read half of their input → ``dumps()`` and the remaining pieces, as JSON → a process
of its own → how each stream ends there, compared with how it ends here.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import PluginError, UsageError, one_line
from suite.testing.base import LawBroken
from suite.testing.codecs import Cuts
from suite.testing.streams import ending, first_difference, not_streaming, some_pieces

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.inference.sessions import Session

#: Streams that are continued in another process, at most.
MOVED = 4

PORTABLE = "a saved session continues in another process"


def state_is_portable(
    model: LoadedModel[Any, Any], inputs: Sequence[Any], stream_pieces: Cuts | None = None
) -> list[str]:
    """Law 13: a session's ``dumps()``, loaded by another process, goes on as if nothing had happened.

    Its updates, its last result and its state at the end are the same there, to the bit. A state that is altered or
    incomplete, or of another task, checkpoint or model, is refused. Returns a note if the model cannot stream, or if
    another process cannot open it.
    """
    if notes := not_streaming(model, 13, stream_pieces):
        return notes
    streams = [some_pieces(model, raw, stream_pieces) for raw in inputs[:MOVED]]
    saved, wanted = [], []
    for pieces in streams:
        session, stop = _session(model, pieces), len(pieces) // 2
        saved.append((session.dumps(), pieces[stop:]))
        wanted.append(ending(session, [update for piece in pieces[stop:] for update in session.feed(piece)]))
    _refuses_others(model, saved[-1][0])
    if reason := _unreachable(model):
        return [f"law 13 was not checked in another process: {reason}"]
    found = _elsewhere(model, saved)
    if isinstance(found, str):
        return [f"law 13 was not checked in another process: {found}"]
    for number, (there, here) in enumerate(zip(found, wanted, strict=True), 1):
        if difference_at := first_difference(there, here):
            raise LawBroken(f"{PORTABLE}: input {number}, continued there, has another {difference_at}")
    return []


def _session(model: LoadedModel[Any, Any], pieces: Sequence[Any]) -> Session:
    """A session that has read the first half of the pieces."""
    from suite.inference.sessions import open_session

    session = open_session(model)
    for piece in pieces[: len(pieces) // 2]:
        session.feed(piece)
    return session


def _refuses_others(model: LoadedModel[Any, Any], data: bytes) -> None:
    """A session refuses a state that is not its own, or that is damaged."""
    from suite.inference.session_state import dump_state, load_state
    from suite.inference.sessions import open_session

    name, checkpoint = model.task.name, model.fingerprint
    state = load_state(data, task=name, model=checkpoint)
    middle = len(data) // 2
    wrong = {
        "is altered": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "is incomplete": data[:-10],
        "is of another task": dump_state(state, task=f"not-{name}", model=checkpoint),
        "is of another checkpoint": dump_state(state, task=name, model=f"not-{checkpoint}"),
        "lacks a part": dump_state(dict(list(state.items())[1:]), task=name, model=checkpoint),
    }
    for key, array in list(state.get("arrays", {}).items())[:1]:
        arrays = {**state["arrays"], key: np.concatenate([array, array], axis=-1)}
        wrong["has arrays of another model"] = dump_state({**state, "arrays": arrays}, task=name, model=checkpoint)
    for what, damaged in wrong.items():
        try:
            open_session(model).loads(damaged)
        except UsageError:
            continue
        except Exception as error:
            raise LawBroken(f"{PORTABLE}: a state that {what} is not refused but fails: {one_line(error)}") from error
        raise LawBroken(f"{PORTABLE}: a state that {what} is not refused")


def _unreachable(model: LoadedModel[Any, Any]) -> str:
    """Why another process cannot open the model; empty if it can."""
    from suite.plugins import registry

    if not model.fingerprint:
        return "the model is in memory only"
    name = model.task.name
    if name not in registry().task_names() or type(registry().task(name)) is not type(model.task):
        return f"{name} is not an installed task"
    return ""


def _elsewhere(model: LoadedModel[Any, Any], saved: Sequence[tuple[bytes, Sequence[Any]]]) -> list[list[str]] | str:
    """How the saved sessions end in another process, or why it cannot continue them."""
    try:
        streams = [[_to_json(state), _to_json(list(pieces))] for state, pieces in saved]
    except TypeError as error:
        return str(error)
    given = {
        "path": sys.path, "task": model.task.name, "checkpoint": model.name, "runtime": model.runtime.kind,
        "streams": streams,
    }  # fmt: skip
    code = "from suite.testing.portability import continue_saved; continue_saved()"
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(given).encode(), capture_output=True, check=False
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        raise LawBroken(f"{PORTABLE}: there it fails: {last}")
    found: list[list[str]] | str = json.loads(done.stdout.decode("utf-8").splitlines()[-1])
    return found


def continue_saved() -> None:
    """Continue the sessions on standard input; a line of JSON on standard output says how each ends.

    Run by `state_is_portable` in a process of its own.
    """
    from suite.plugins import registry

    given = json.load(sys.stdin)
    sys.path[:] = given["path"]
    answers, sys.stdout = sys.stdout, io.StringIO()  # what plugins print is not an answer
    found: list[list[str]] | str
    try:
        task = registry().task(given["task"])
    except (UsageError, PluginError) as error:
        found = one_line(error)
    else:
        from suite.inference.model import LoadedModel

        found = _continued(LoadedModel.open(task, given["checkpoint"], runtime=given["runtime"]), given["streams"])
    answers.write(json.dumps(found) + "\n")
    answers.flush()


def _continued(model: LoadedModel[Any, Any], streams: Sequence[Sequence[Any]]) -> list[list[str]]:
    """How each saved session ends, fed the remaining pieces."""
    from suite.inference.sessions import open_session

    found = []
    for state, pieces in streams:
        session = open_session(model).loads(_from_json(state))
        found.append(ending(session, [update for piece in _from_json(pieces) for update in session.feed(piece)]))
    return found


# -- pieces as JSON --------------------------------------------------------------------------------------------------


def _to_json(value: Any) -> Any:
    """A piece of a stream as JSON. Raises TypeError for one that is not made of plain values and dataclasses."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_to_json(item) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, np.generic):
        return _to_json(value.item())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return {"array": _to_json(value.tobytes()), "dtype": value.dtype.str, "shape": list(value.shape)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"dataclass": [type(value).__module__, type(value).__name__], "fields": fields}
    raise TypeError(f"a piece of type {type(value).__name__} cannot be sent there")


def _from_json(value: Any) -> Any:
    """The piece that `_to_json` was given."""
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_from_json(value["tuple"]))
    if "bytes" in value:
        return base64.b64decode(value["bytes"])
    if "path" in value:
        return Path(value["path"])
    if "array" in value:
        return np.frombuffer(_from_json(value["array"]), value["dtype"]).reshape(value["shape"]).copy()
    module, name = value["dataclass"]
    kind = getattr(importlib.import_module(module), name)
    return kind(**{field: _from_json(item) for field, item in value["fields"].items()})
