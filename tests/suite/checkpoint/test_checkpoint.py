"""Checkpoints: saved whole or not at all, and opened only when every byte is right."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.checkpoint import MANIFEST, SCHEMA, Checkpoint, Manifest, check_place, replace_directory, save, staging
from suite.errors import CheckpointError, SuiteError

PLAIN = Manifest(task="sentiment", mapping="many-to-one", config={"a": [1, None]}, cells=("lstm",))


def listing(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- saving -------------------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "b.bin").write_bytes(b"\x00\x01")
    made = save(tmp_path / "new" / "ck", PLAIN, {"a.json": b"{}"}, more)
    opened = Checkpoint.open(made.path, task="sentiment")
    assert opened.manifest == made.manifest
    assert opened.manifest.schema == SCHEMA
    assert opened.manifest.files == {
        name: hashlib.sha256(content).hexdigest() for name, content in (("a.json", b"{}"), ("b.bin", b"\x00\x01"))
    }
    assert dataclasses.replace(opened.manifest, files={}) == PLAIN
    assert opened.read("a.json", "nothing") == {"a.json": b"{}"}
    assert opened.codec_files() == {"a.json": b"{}"}
    assert opened.size == sum(len(content) for content in listing(made.path).values())
    assert oct((made.path).stat().st_mode & 0o777) == "0o755"


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    save(tmp_path / "ck", PLAIN, {"old.json": b"1"})
    save(tmp_path / "ck", PLAIN, {"new.json": b"2"})
    assert set(listing(tmp_path / "ck")) == {"new.json", MANIFEST}
    assert [p.name for p in tmp_path.iterdir()] == ["ck"]


def test_an_empty_folder_may_be_taken(tmp_path: Path) -> None:
    (tmp_path / "ck").mkdir()
    save(tmp_path / "ck", PLAIN, {})
    assert Checkpoint.open(tmp_path / "ck").manifest.task == "sentiment"


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_no_checkpoint_is_never_replaced(tmp_path: Path, what: str) -> None:
    place = tmp_path / "thesis"
    if what == "folder":
        place.mkdir()
        (place / "chapter.tex").write_text("years")
    else:
        place.write_text("years")
    for call in (lambda: save(place, PLAIN, {}), lambda: check_place(place)):
        with pytest.raises(CheckpointError, match=r"thesis: exists and is not a checkpoint; choose another --out$"):
            call()
    assert (place / "chapter.tex" if what == "folder" else place).read_text() == "years"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


FAILURES = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("odd")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("when", ["a.json", "b.bin", MANIFEST, "rename"])
@pytest.mark.parametrize("before", [True, False])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, when: str, before: bool
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "b.bin").write_bytes(b"x")
    place = tmp_path / "place"
    if before:
        save(place / "ck", PLAIN, {"old.json": b"1"})
    there = listing(tmp_path)

    def failing(real: Callable[..., Any], position: int) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if when == "rename" or Path(arguments[position]).name == when:
                raise error
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        if when == "rename":
            patch.setattr(os, "replace", failing(os.replace, 0))
        else:
            patch.setattr(Path, "write_bytes", failing(Path.write_bytes, 0))
            patch.setattr(Path, "write_text", failing(Path.write_text, 0))
            patch.setattr(shutil, "copyfile", failing(shutil.copyfile, 1))
        expected = SuiteError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected) as raised:
            save(place / "ck", PLAIN, {"a.json": b"{}"}, more)
    if isinstance(error, OSError):
        assert str(raised.value) == (
            f"cannot write {place / 'ck'}: No space left on device; nothing was changed, make room"
        )
    assert listing(tmp_path) == there
    assert [p.name for p in place.iterdir()] == (["ck"] if before else [])


@pytest.mark.parametrize("error", FAILURES, ids=lambda e: type(e).__name__)
def test_a_failure_between_the_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """The moment when the old directory is aside and the new one not yet in its place."""
    for name in ("old", "fresh"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    real, calls = os.replace, []

    def replace(source: Any, target: Any) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise error
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(type(error)):
        replace_directory(tmp_path / "fresh", tmp_path / "old")
    assert (tmp_path / "old" / "which").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fresh", "old"]


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SuiteError, match=r"^cannot write .*file/ck: .*; choose another place$"):
        save(tmp_path / "file" / "ck", PLAIN, {})


def test_staging_gives_a_folder_that_vanishes_on_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staging(tmp_path / "x") as fresh:
        1 / len(list(fresh.iterdir()))
    assert list(tmp_path.iterdir()) == []


# --- opening ------------------------------------------------------------------------------------------------


def test_every_flipped_byte_is_noticed(damage: Callable[..., Path], tiny_checkpoint: Path) -> None:
    for file in sorted(tiny_checkpoint.iterdir()):
        size = file.stat().st_size
        for at in {0, size // 2, size - 1}:
            folder = damage(
                file.name, lambda content, at=at: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            )
            if file.name == MANIFEST:
                continue  # a flipped letter of a figure cannot be seen; what matters of it is checked below
            with pytest.raises(CheckpointError, match=f"{file.name}: altered since it was saved"):
                Checkpoint.open(folder)


def test_every_missing_file_is_noticed(damage: Callable[..., Path], tiny_checkpoint: Path) -> None:
    for file in sorted(tiny_checkpoint.iterdir()):
        folder = damage(file.name, bytes)
        (folder / file.name).unlink()
        with pytest.raises(CheckpointError, match=file.name):
            Checkpoint.open(folder)
        (folder / file.name).mkdir()
        with pytest.raises(CheckpointError, match=file.name):
            Checkpoint.open(folder)


def edit(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit(schema=SCHEMA + 1), f"schema {SCHEMA + 1} is newer than this suite's {SCHEMA}; upgrade: pip install -U"),
        (edit(schema="one"), "has no schema number"),
        (edit(schema=None), "has no schema number"),
        (edit(unknown=1), "unknown: no such setting"),
        (edit(seed="x"), "seed: expected int, got 'x'"),
        (edit(task=None), "task: expected str, got None"),
        (edit(files=[]), "files: expected"),
        (edit(cells="lstm", config=[]), "config: expected"),
        (edit(files={"../model.safetensors": "0"}), r"'\.\./model\.safetensors' is not a plain file name"),
        (edit(files={"/etc/passwd": "0"}), "'/etc/passwd' is not a plain file name"),
        (edit(files={"a/b": "0"}), "'a/b' is not a plain file name"),
        (edit(files={"..": "0"}), "the checkpoint is incomplete"),
        (edit(files={"suite.json": "0"}), "altered since it was saved"),
        (edit(files={"README.md": 5}), "altered since it was saved"),
        (lambda content: b"", "cannot be read"),
        (lambda content: b"{", "cannot be read"),
        (lambda content: b"\xff", "cannot be read"),
        (lambda content: b"[]", "has no schema number"),
        (lambda content: b'{"schema": 1, "task": "sentiment"}', "is missing"),
    ],
)
def test_a_manifest_that_is_wrong(damage: Callable[..., Path], change: Any, message: str) -> None:
    folder = damage(MANIFEST, change)
    with pytest.raises(CheckpointError, match=message) as error:
        Checkpoint.open(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("nowhere", "file"):
        with pytest.raises(CheckpointError, match=f"{place}: no such directory"):
            Checkpoint.open(tmp_path / place)
    with pytest.raises(CheckpointError, match=r"no suite.json in it: not a checkpoint"):
        Checkpoint.open(tmp_path)


def test_another_tasks(tiny_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="is a checkpoint of 'sentiment', not 'speech'; use suite sentiment"):
        Checkpoint.open(tiny_checkpoint, task="speech")


def test_extra_files_are_ignored(damage: Callable[..., Path]) -> None:
    folder = damage("README.md", bytes)
    (folder / "notes.txt").write_text("mine")
    assert "notes.txt" not in Checkpoint.open(folder).manifest.files
