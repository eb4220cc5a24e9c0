"""Count the changes of file while one chunk of speech is fed to an open session: ``python call_crossings.py [NAME]``.

Counted are the function calls whose caller and callee lie in different files of ``suite/`` or ``plugins/``. One 0.2 s
chunk from the middle of a sample is fed, with the default options. A high count means that modules which work
together at every step are cut in the wrong place, which costs both a reader and the interpreter.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import suite
from suite.data.audio import read_audio, split_samples
from suite.inference.sessions import Session, open_session
from suite.plugins import registry

#: The folders that count.
HOME = tuple(f"{folder}/" for folder in (Path(suite.__file__).parent, Path(suite.__file__).parents[1] / "plugins"))
CHUNK_SECONDS = 0.2
#: How many pairs of files are printed.
SHOWN = 20


def crossings(session: Session, chunk: Any) -> Counter[tuple[str, str]]:
    """Calls from one file to another while ``session`` is fed with ``chunk``, by (caller, callee)."""
    found: Counter[tuple[str, str]] = Counter()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or frame.f_back is None:
            return
        caller, callee = frame.f_back.f_code.co_filename, frame.f_code.co_filename
        if caller != callee and caller.startswith(HOME) and callee.startswith(HOME):
            found[short(caller), short(callee)] += 1

    sys.setprofile(profile)
    try:
        session.feed(chunk)
    finally:
        sys.setprofile(None)
    return found


def short(file: str) -> str:
    return str(Path(file).relative_to(Path(suite.__file__).parents[1]))


def measure(sample: Path, checkpoint: str | None = None) -> Counter[tuple[str, str]]:
    """The crossings of the chunk in the middle of ``sample``, after all before it were fed."""
    samples, rate = read_audio(sample)
    chunks = list(split_samples(samples, round(CHUNK_SECONDS * rate)))
    session = open_session(suite.pipeline("speech", checkpoint).model, sample_rate=rate)
    for chunk in chunks[: len(chunks) // 2]:
        session.feed(chunk)
    return crossings(session, chunks[len(chunks) // 2])


def main() -> None:
    task = registry().task("speech")
    names = sys.argv[1:] or list(task.shipped)
    for name in names:
        for sample in (path for path in task.samples if path.suffix == ".wav"):
            found = measure(sample, name)
            print(f"{name}, {sample.name}: {found.total():,} calls from one file to another")
            for (caller, callee), count in found.most_common(SHOWN):
                print(f"  {count:>6,}  {caller} → {callee}")


if __name__ == "__main__":
    main()
