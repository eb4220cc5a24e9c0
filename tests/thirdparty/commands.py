"""Several command lines in one process, which loads torch once: JSON on standard input, JSON on standard output."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from suite.cli import run


def done(arguments: list[str], stdin: str) -> dict[str, Any]:
    """Run one command line. ``stdin`` is text (Latin-1), or ``@`` and a file's path."""
    given = open(stdin[1:], "rb").read() if stdin[:1] == "@" else stdin.encode("latin-1")  # noqa: SIM115
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    out, err = io.BytesIO(), io.BytesIO()
    written = [io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in (out, err)]
    with contextlib.redirect_stdout(written[0]), contextlib.redirect_stderr(written[1]):
        code = run(arguments)
    return {
        "arguments": arguments, "code": code, "stdout": out.getvalue().decode(), "stderr": err.getvalue().decode(),
    }  # fmt: skip


if __name__ == "__main__":
    json.dump([done(*command) for command in json.load(sys.stdin)], sys.stdout)
