"""Write the reference of the hooks from ``suite.hooks``: ``python docs/hooks_reference.py > docs/hooks.md``."""

from __future__ import annotations

import inspect

from suite import hooks
from suite.plugins.entry_points import HOOK


def reference() -> str:
    """The page, as Markdown."""
    lines = [
        "# The hooks",
        "",
        "Generated from `suite/hooks.py` by `python docs/hooks_reference.py`; a test keeps it current. How to write",
        f"what they return is in [plugins.md](plugins.md). Interface version {hooks.API_VERSION}.",
        "",
        _text(str(hooks.__doc__)),
    ]
    for group, name in HOOK.items():
        spec = getattr(hooks, name)
        arguments = ", ".join(inspect.signature(spec).parameters)
        lines += ["", f"## `{name}({arguments})`", "", f"Entry-point group `{group}`.", "", _text(str(spec.__doc__))]
        lines += ["", f"Returns `{inspect.signature(spec).return_annotation}`."]
    return "\n".join(lines) + "\n"


def _text(doc: str) -> str:
    """A docstring as Markdown: double backticks single, its indented block as code."""
    found: list[str] = []
    code = False
    for line in inspect.cleandoc(doc).replace("``", "`").splitlines():
        inside = line.startswith("    ") or (code and not line)
        if inside and not code:
            while found and not found[-1]:
                found.pop()
            found[-1] = found[-1].replace("::", ":")
            found += ["", "```toml"]
        if code and not inside:
            while not found[-1]:
                found.pop()
            found += ["```", ""]
        found.append(line[4:] if inside else line)
        code = inside
    return "\n".join(found)


if __name__ == "__main__":
    print(reference(), end="")
