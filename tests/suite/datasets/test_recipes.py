"""The whole way of a task's data: from packages to files in place, or nothing at all."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from suite.datasets import archives
from suite.datasets.archives import unpack
from suite.datasets.recipes import Recipe, Source, digest, fetch, find_prepared, prepare, status
from suite.errors import DataError, PluginError


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
        "train": (2, digest(["doc:2", "doc:2"])),
        "dev": (1, digest(["doc:1"])),
        "test": (0, digest([])),
    }
    return Recipe(sources=(source,), build=build, note="Rows of a test.", parts=parts)


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    return dataclasses.replace(recipe, **changes)


def test_get(recipe: Recipe, sdist: Path, home: Path, files: Any, bringing: Any, never: Any) -> None:
    assert find_prepared("example", recipe) is None
    assert status("example", recipe).to_fetch == recipe.sources[0].size
    said: list[str] = []
    folder = prepare("example", recipe, client_runner=bringing(sdist), progress=said.append)
    assert folder == home / "example" == find_prepared("example", recipe)
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
    assert prepare("example", recipe, client_runner=never) == folder
    (folder / "train.jsonl").write_text("mine\n")
    assert find_prepared("example", recipe) is None
    assert prepare("example", recipe, client_runner=never) == folder
    assert prepare("example", recipe, client_runner=never, force=True) == folder
    assert find_prepared("example", recipe) == folder


def test_get_with_files_fetched_by_hand(recipe: Recipe, sdist: Path, home: Path, tmp_path: Path, never: Any) -> None:
    renamed = tmp_path / "somewhere.bin"
    shutil.copy(sdist, renamed)
    assert prepare("example", recipe, from_files=[renamed], client_runner=never) == home / "example"
    other = tmp_path / "other.bin"
    other.write_bytes(b"x")
    with pytest.raises(DataError, match=r"other.bin: none of the files this data is made of \(example-1.0.tar.gz\)"):
        prepare("example", recipe, from_files=[other])
    with pytest.raises(DataError, match="no such file"):
        prepare("example", recipe, from_files=[tmp_path / "absent"])


def test_other_counts_or_digests_are_an_error(
    recipe: Recipe, sdist: Path, home: Path, files: Any, bringing: Any
) -> None:
    for expected in ((3, recipe.parts["train"][1]), (2, "0" * 16)):
        wrong = changed(recipe, parts={**recipe.parts, "train": expected})
        with pytest.raises(DataError, match="train came out as 2 rows"):
            prepare("example", wrong, client_runner=bringing(sdist))
        assert files(home) == [".archives/example-1.0.tar.gz"]
    # What is not stated is recorded, not compared.
    folder = prepare("example", changed(recipe, parts={}), client_runner=bringing(sdist))
    assert status("example", changed(recipe, parts={})).rows == {"train": 2, "dev": 1, "test": 0}
    assert find_prepared("example", recipe) == folder


def test_other_counts_are_only_said_where_a_source_moves(
    recipe: Recipe, sdist: Path, home: Path, bringing: Any
) -> None:
    moving = dataclasses.replace(recipe.sources[0], moves=True, sha256="0" * 64)
    other = changed(recipe, sources=(moving,), parts={**recipe.parts, "train": (3, "0" * 16)})
    said: list[str] = []
    folder = prepare("example", other, client_runner=bringing(sdist), progress=said.append)
    assert any("train came out as 2 rows" in line and "not quite comparable" in line for line in said)
    assert find_prepared("example", other) == folder
    record = json.loads((folder / "SOURCE.json").read_text())
    assert record["archives"] == {sdist.name: hashlib.sha256(sdist.read_bytes()).hexdigest()}


def test_a_source_that_is_no_archive_is_built_from_as_it_is(tmp_path: Path, home: Path) -> None:
    content = tmp_path / "index"
    content.write_text("doc:1\n")
    plain = Source(
        purl="pkg:generic/debian/i18n-it@bookworm", filename="an-index", size=6, licence="free", origin="a test",
        sha256=hashlib.sha256(content.read_bytes()).hexdigest(),
    )  # fmt: skip

    def copied(folders: Mapping[str, Path], out: Path) -> None:
        key = (folders[plain.purl] / "an-index").read_text().strip()
        for name in ("train", "dev", "test"):
            (out / f"{name}.jsonl").write_text(json.dumps({"key": f"{key}:{name}"}) + "\n")

    folder = prepare("example", Recipe(sources=(plain,), build=copied), from_files=[content])
    assert json.loads((folder / "dev.jsonl").read_text()) == {"key": "doc:1:dev"}


def test_a_changed_recipe_does_not_find_the_old_data(recipe: Recipe, sdist: Path, bringing: Any) -> None:
    prepare("example", recipe, client_runner=bringing(sdist))
    other = dataclasses.replace(recipe.sources[0], purl="pkg:pypi/example@1.1")
    assert find_prepared("example", changed(recipe, sources=(other,))) is None
    assert find_prepared("example", changed(recipe, parts={**recipe.parts, "dev": (1, "0" * 16)})) is None
    assert find_prepared("example", changed(recipe, train=("train.jsonl", "more.jsonl"))) is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "did not write train.jsonl"),
        ('{"text": "a"}\n', "train.jsonl:1: the recipe wrote a row without a string key"),
        ("[1]\n", "not a JSON object"),
        ("nonsense\n", "not a JSON object"),
    ],
)
def test_a_recipe_that_writes_nonsense(
    recipe: Recipe, sdist: Path, home: Path, content: Any, word: str, files: Any, bringing: Any
) -> None:
    def bad(folders: Mapping[str, Path], out: Path) -> None:
        build(folders, out)
        (out / "train.jsonl").unlink()
        if content is not None:
            (out / "train.jsonl").write_text(content)

    with pytest.raises(DataError, match=word):
        prepare("example", changed(recipe, build=bad), client_runner=bringing(sdist))
    assert files(home) == [".archives/example-1.0.tar.gz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, DataError])
def test_an_interrupted_build_leaves_what_was_there(
    recipe: Recipe, sdist: Path, home: Path, error: type[BaseException], files: Any, bringing: Any
) -> None:
    folder = prepare("example", recipe, client_runner=bringing(sdist))
    before = {name: (home / name).read_bytes() for name in files(home)}

    def interrupted(folders: Mapping[str, Path], out: Path) -> None:
        build(folders, out)
        raise error("stopped")

    with pytest.raises(error):
        prepare("example", changed(recipe, build=interrupted), force=True)
    assert {name: (home / name).read_bytes() for name in files(home)} == before
    assert find_prepared("example", recipe) == folder


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the disk be full once some bytes are written."""
    pour, room = archives._pour, [after]

    def failing(reading: Any, writing: Any, size: int) -> int:
        room[0] -= size
        if room[0] < 0:
            writing.write(reading.read(7))
            raise OSError(errno.ENOSPC, "No space left on device")
        return pour(reading, writing, size)

    monkeypatch.setattr(archives, "_pour", failing)


def test_a_full_disk_while_unpacking(
    recipe: Recipe, sdist: Path, home: Path, monkeypatch: pytest.MonkeyPatch, files: Any
) -> None:
    fetch(recipe.sources[0], from_file=sdist)
    for after in (0, 200):  # the archive itself, and the one inside it
        full_disk(monkeypatch, after)
        with pytest.raises(DataError, match=r"No space left on device; nothing was kept; make room under"):
            prepare("example", recipe)
        assert files(home) == [".archives/example-1.0.tar.gz"]


def test_somebody_elses_folder_is_left_alone(recipe: Recipe, home: Path, files: Any, never: Any) -> None:
    (home / "example").mkdir(parents=True)
    (home / "example" / "thesis.txt").write_text("x")
    with pytest.raises(DataError, match="was not made here"):  # before anything is fetched
        prepare("example", recipe, client_runner=never)
    assert "example/thesis.txt" in files(home)


def test_a_home_that_is_a_file(recipe: Recipe, home: Path, never: Any) -> None:
    home.write_text("x")
    with pytest.raises(DataError, match="set SUITE_DATA to a folder you can write to"):
        prepare("example", recipe, client_runner=never)


@pytest.mark.parametrize("name", ["../x", "", ".archives", "a/b", "-x"])
def test_task_names_stay_inside(recipe: Recipe, name: str) -> None:
    with pytest.raises(PluginError):
        prepare(name, recipe)


def test_two_at_once(recipe: Recipe, sdist: Path, home: Path, bringing: Any) -> None:
    errors: list[BaseException] = []

    def one() -> None:
        try:
            prepare("example", recipe, client_runner=bringing(sdist), force=True)
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
    assert find_prepared("example", recipe) == home / "example"
