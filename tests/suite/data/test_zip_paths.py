"""A file, or one in a ZIP."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from suite.data.zip_paths import as_path, open_file, read_contents
from suite.errors import DataError


def test_a_path_may_lead_into_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"one")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("in/b.bin", b"two")
    with open_file(tmp_path / "a.bin") as file:
        assert file.read() == b"one"
    with open_file(tmp_path / "all.zip" / "in" / "b.bin") as file:
        assert file.read() == b"two"


def test_what_is_not_there_is_said_as_what_it_was_to_be(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "all.zip", "w").close()
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no such file; check the path"), open_file(tmp_path / "a.bin"):
        pass
    with (
        pytest.raises(DataError, match=r"no such thing in .*all.zip; check"),
        open_file(tmp_path / "all.zip/a", "thing"),
    ):
        pass
    with pytest.raises(DataError, match="cannot be read"), open_file(tmp_path / "bad.zip" / "a"):
        pass


def test_an_archive_that_changed_is_opened_anew(tmp_path: Path) -> None:
    for content in (b"first", b"the second"):
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("a", content)
        with open_file(tmp_path / "all.zip" / "a") as file:
            assert file.read() == content


def test_a_file_that_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert read_contents(path, 3, one="score", kind="a file of notes") == b"abc"
    with pytest.raises(DataError, match=rf"^{path}: larger than 2 bytes; give a file of one score$"):
        read_contents(path, 2, one="score", kind="a file of notes")
    with pytest.raises(DataError, match=r"none: No such file or directory; give a file of notes$"):
        read_contents(tmp_path / "none", 3, one="score", kind="a file of notes")


def test_a_name_that_is_empty() -> None:
    assert as_path("a") == as_path(Path("a")) == Path("a")
    with pytest.raises(DataError, match=r"^an empty name where a file or folder is needed; is a variable not set\?$"):
        as_path("")
