"""Unpacking: what is right comes out, whole; anything else leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.datasets import archives
from suite.datasets.archives import unpack
from suite.errors import DataError


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_of_every_kind(tmp_path: Path, mode: str, files: Any, tar: Any) -> None:
    long = "deep/" * 40 + "name.txt"
    archive = tar(
        tmp_path / "x",
        [(special("./", tarfile.DIRTYPE), b""), ("./a/b.txt", b"one"), (long, b"two")],
        mode,
    )
    out = unpack(archive, tmp_path / "out")
    assert files(out) == ["a/b.txt", long]
    assert (out / "a/b.txt").read_bytes() == b"one"
    assert not (out / "a/b.txt").stat().st_mode & stat.S_IXUSR


def test_zip(tmp_path: Path, files: Any) -> None:
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
def test_deb(tmp_path: Path, name: str, mode: str, files: Any, tar: Any) -> None:
    members = [
        (special("./usr/share/doc", tarfile.DIRTYPE), b""),
        ("./usr/share/sounds/a.wav", b"sound"),
        (special("./usr/share/sounds/b.wav", tarfile.SYMTYPE, "a.wav"), b""),
    ]
    path = deb(tmp_path / "x.deb", name, tar(tmp_path / "data", members, mode).read_bytes())
    assert files(unpack(path, tmp_path / "out", links="skip")) == ["usr/share/sounds/a.wav"]
    with pytest.raises(DataError, match="is a link"):
        unpack(path, tmp_path / "other")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd command")
def test_deb_with_zstd_through_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], files: Any, tar: Any
) -> None:
    monkeypatch.setattr(archives, "_module", lambda name: None)
    plain_tar = tar(tmp_path / "data", [("./a.txt", b"one" * 100_000)], "w").read_bytes()
    packed = subprocess.run(["zstd", "-c"], input=plain_tar, capture_output=True, check=True).stdout
    assert files(unpack(deb(tmp_path / "x.deb", "data.tar.zst", packed), tmp_path / "out")) == ["a.txt"]
    with pytest.raises(DataError, match="cut short"):
        unpack(deb(tmp_path / "y.deb", "data.tar.zst", packed[:-10]), tmp_path / "cut")
    assert capfd.readouterr().err == ""  # the one line is ours
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="install the zstandard package or the zstd command"):
        unpack(tmp_path / "x.deb", tmp_path / "none")


def test_zstd_through_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Any, tar: Any) -> None:
    class Error(Exception):
        pass

    class Damaged(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= sound:
                raise Error("wrong checksum")
            return super().read(size)

    content: Callable[[bytes], Any] = Damaged
    module = types.SimpleNamespace(open=lambda file: content(plain_tar), ZstdError=Error)
    monkeypatch.setattr(archives, "_module", lambda name: module if name == "zstandard" else None)
    plain_tar = tar(tmp_path / "data", [("./a.txt", b"one" * 100_000)], "w").read_bytes()
    path = tmp_path / "x.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd and so on")
    for sound in (0, 100_000):  # at once, and within a member
        with pytest.raises(DataError, match="wrong checksum"):
            unpack(path, tmp_path / "damaged")
    content = io.BytesIO
    assert files(unpack(path, tmp_path / "out")) == ["a.txt"]


EVIL = {
    "parent": [("../evil", b"x")],
    "parent inside": [("a/../../evil", b"x")],
    "absolute": [("/tmp/evil", b"x")],
    "drive": [("C:/evil", b"x")],
    "backslash": [("..\\evil", b"x")],
    "symlink": [(special("a", tarfile.SYMTYPE, "/etc"), b""), ("a/evil", b"x")],
    "harmless symlink": [(special("a", tarfile.SYMTYPE, "b"), b"")],
    "symlink outside": [(special("../evil", tarfile.SYMTYPE, "b"), b"")],
    "hardlink": [(special("a", tarfile.LNKTYPE, "../../evil"), b"")],
    "device": [(special("a", tarfile.CHRTYPE), b"")],
    "fifo": [(special("a", tarfile.FIFOTYPE), b"")],
    "twice": [("a", b"x"), ("./a", b"y")],
    "file as folder": [("a", b"x"), ("a/b", b"y")],
    "folder as file": [("a/b", b"x"), ("a", b"y")],
    "root as file": [(".", b"x")],
    "directory with dots": [(special("../evil", tarfile.DIRTYPE), b"")],
}


@pytest.mark.parametrize("name", list(EVIL))
@pytest.mark.parametrize("links", ["refuse", "skip"])
def test_malicious_tars(tmp_path: Path, name: str, links: Any, files: Any, tar: Any) -> None:
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
def test_malicious_zips(tmp_path: Path, fill: Callable[[zipfile.ZipFile], None], files: Any) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        fill(archive)
    with pytest.raises(DataError, match="refused"):
        unpack(path, tmp_path / "deep" / "out")
    assert files(tmp_path) == ["x.zip"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_bombs(tmp_path: Path, kind: str, files: Any, tar: Any) -> None:
    path = tmp_path / "x"
    if kind == "tar":
        tar(path, [(str(number), bytes(100_000)) for number in range(20)])
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20):
                archive.writestr(str(number), bytes(100_000))
    assert len(files(unpack(path, tmp_path / "all"))) == 20
    with pytest.raises(DataError, match="unpacks to more than 1,500,000 bytes; refused"):
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
def test_archives_that_are_cut_short_or_damaged(tmp_path: Path, mode: str, tar: Any) -> None:
    whole = tar(tmp_path / "x", [("a", os.urandom(50_000)), ("b", b"x")], mode).read_bytes()
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


def test_a_zip_whose_directory_points_before_its_start(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "x")
    content = path.read_bytes()
    start = int.from_bytes(content[-6:-2], "little") + 100
    path.write_bytes(content[:-6] + start.to_bytes(4, "little") + content[-2:])
    with pytest.raises(DataError, match="damaged"):
        unpack(path, tmp_path / "out")


def test_unpacking_wants_a_folder_of_its_own(tmp_path: Path, sdist: Path, files: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        unpack(sdist, tmp_path / "out")
    assert files(tmp_path / "out") == ["mine"]
