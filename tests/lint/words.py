"""The word list of what people read: phrases that a reader who knows the field would have to translate.

Checked are every ``--help``, the README and the documentation. Run by ``make lint``; exits with 1 where one stands.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHRASES = (
    r"what is (said|read|learnt|written|known|there|meant|asked|heard|drawn|kept|given)",
    r"so many",
    r"leans? on",
    r"\bby chance\b|where chance|of chance",
    r"out of doubt|in doubt|no longer in doubt",
    r"where there (is|are)|where it is there",
    r"goes? on (from|with)|gone on with",
    r"likeliest",
    r"\bof (a|some) (folder|device|stretch)\b",
    r"none is known|there are no other",
    r"\bpassed over\b",
    r"\banew\b",
    r"\bmend(s|ed)?\b",
    r"\blearnt\b",
)  # fmt: skip
PATTERN = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.IGNORECASE)


def findings() -> list[str]:
    """``file:line: phrase``, for each phrase of the list that stands in a text."""
    pages = [
        ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "examples").glob("*")), *sorted((ROOT / "tests" / "help").glob("*.txt")),
    ]  # fmt: skip
    found = []
    for page in pages:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{page.relative_to(ROOT)}:{number}: {match[0]!r}" for match in PATTERN.finditer(line)]
    return found


if __name__ == "__main__":
    lines = findings()
    print("\n".join(lines) or "words: nothing to translate")
    sys.exit(bool(lines))
