"""A session's state as bytes: small, whole or refused, and of its checkpoint alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.errors import UsageError
from suite.inference.pipeline import Pipeline
from suite.inference.session_state import FORMAT, MAX_BYTES, dump_state, load_state
from suite.inference.sessions import open_session, stream

STATE = {
    "arrays": {
        "state.h": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
        "half": np.array([0.1, np.inf, -0.0], np.float16), "count": np.array([[2**62]], np.int64),
        "flags": np.array([True, False]), "empty": np.zeros((0, 5), np.float64), "image": np.zeros((2, 2), np.uint8),
    },
    "outputs": None, "pending": {"text": "naïve 😀", "bytes": [195]}, "steps": 3, "last": "café",
}  # fmt: skip


def dumped(state: dict[str, Any]) -> bytes:
    return dump_state(state, task="echo", model="abc")


def loaded(data: bytes) -> dict[str, Any]:
    return load_state(data, task="echo", model="abc")


def sealed(body: str) -> bytes:
    """Any body with a digest that fits."""
    return f"{FORMAT} {hashlib.sha256(body.encode()).hexdigest()}\n{body}".encode()


def test_a_state_survives_bit_for_bit() -> None:
    found = loaded(dumped(STATE))
    assert found.keys() == STATE.keys()
    assert {name: found[name] for name in found if name != "arrays"} == {
        n: v for n, v in STATE.items() if n != "arrays"
    }
    arrays: Any = STATE["arrays"]
    assert found["arrays"].keys() == arrays.keys()
    for name, array in arrays.items():
        again = found["arrays"][name]
        assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())
        again[...] = 1  # an array of one's own, that can be written to
    assert dumped(loaded(dumped(STATE))) == dumped(STATE)


def test_plain_values_of_every_kind() -> None:
    found = loaded(dumped({"a": np.float32(0.5), "b": (1, [np.int64(2)]), "c": np.arange(6).reshape(2, 3).T}))
    assert (found["a"], found["b"]) == (0.5, [1, [2]])
    np.testing.assert_array_equal(found["c"], np.arange(6).reshape(2, 3).T)


def of_echo(state: str) -> str:
    return f'{{"task": "echo", "model": "abc", "state": {state}}}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "cannot be read"),
        ("[1]", "cannot be read"),
        ("{}", "cannot be read"),
        (of_echo("[1]"), "cannot be read"),
        (of_echo('{"a": {"$array": "!", "dtype": "float32", "shape": [1]}}'), "cannot be read"),
        (of_echo('{"a": {"$array": "", "dtype": "object", "shape": [0]}}'), "cannot be read"),
        (of_echo('{"a": {"$array": "AAAA", "dtype": "uint8", "shape": [2]}}'), "cannot be read"),
        (of_echo('{"a": {"$array": "AAAA"}}'), "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"task": "words", "model": "abc", "state": {}}', "is of task 'words', not 'echo'; use it with that task"),
        ('{"task": "echo", "model": "xyz", "state": {}}', "of another checkpoint; use it with the one it came from"),
    ],
)
def test_what_somebody_made_up_is_refused(body: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        loaded(sealed(body))
    assert str(error.value).startswith("the saved session ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_saved_session_is_refused() -> None:
    good = dumped(STATE)
    for wrong in (b"", b"x", b"\n", b"suite-session/2 00\n{}", json.dumps({"state": {}}).encode(), b"\xff\xfe\n"):
        with pytest.raises(UsageError, match=r"^not a saved session; give what .*dumps\(\) returned$"):
            loaded(wrong)
    with pytest.raises(UsageError, match="not a saved session"):
        loaded(good + b" " * MAX_BYTES)
    for wrong in (good[:-1], good + b" ", good.replace(b"echo", b"ecco")):
        with pytest.raises(
            UsageError, match=r"^the saved session is altered or incomplete \(SHA-256 differs\); save it"
        ):
            loaded(wrong)


def test_a_saved_session_is_small_and_names_what_is_wrong_with_it(
    tiny_checkpoint: Path, tiny_labels_checkpoint: Path
) -> None:
    pipeline = Pipeline.open("sentiment", tiny_checkpoint)
    session = open_session(pipeline.model)
    session.feed("a good da")
    saved = session.dumps()
    assert len(saved) < 4096
    assert open_session(pipeline.model).loads(saved).finish() == session.finish()
    for at in range(0, len(saved), 7):
        altered = bytes([*saved[:at], saved[at] ^ 1, *saved[at + 1 :]])
        with pytest.raises(UsageError, match=r"^(the saved session is altered|not a saved session)"):
            stream(pipeline, state=altered)
    for wrong in (b"", b"x", saved[:-1], saved + b" "):
        with pytest.raises(UsageError, match="saved session"):
            stream(pipeline, state=wrong)
    with pytest.raises(UsageError, match="of another checkpoint; use it with the one it came from"):
        stream("sentiment", tiny_labels_checkpoint, state=saved)
