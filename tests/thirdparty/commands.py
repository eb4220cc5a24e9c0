"""Several command lines in one process, which loads torch once: JSON on standard input, JSON on standard output."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from suite.cli import run


def done(arguments: list[str], stdin: str) -> dict[str, Any]:
    """Run one: its exit code and what it wrote. ``stdin`` are bytes as Latin-1, or ``@`` and a file's path."""
    given = open(stdin[1:], "rb").read() if stdin[:1] == "@" else stdin.encode("latin-1")  # noqa: SIM115
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    said, failed = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return {"arguments": arguments, "code": code, "stdout": said, "stderr": failed}


if __name__ == "__main__":
    json.dump([done(*command) for command in json.load(sys.stdin)], sys.stdout)
