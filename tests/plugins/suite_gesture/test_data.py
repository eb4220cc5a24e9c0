"""The recipes of the gesture task's data, on made-up packages of the published form."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_gesture import data

from suite.data.series import read_labelled
from suite.errors import DataError


def package(folder: Path) -> Path:
    """aeon's folder with every set, ten series a label in each part."""
    root = folder / "aeon" / "datasets" / "data"
    random = np.random.default_rng(0)
    for given in data.SETS.values():
        (root / given.problem).mkdir(parents=True)
        for part in ("TRAIN", "TEST"):
            lines = [f"@univariate {str(len(given.channels) == 1).lower()}", "@equalLength false"]
            lines += [f"@classLabel true {' '.join(given.labels)}", "@data"]
            for number in range(10):
                for label in given.labels:
                    values = random.normal(size=(len(given.channels), 3 + number)).round(3)
                    lines.append(":".join([",".join(map(str, row)) for row in values] + [label]))
            (root / given.problem / f"{given.problem}_{part}.ts").write_text("\n".join(lines))
    return folder


def parts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        part: [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
        for part in ("train", "dev", "test")
    }


def test_every_set_has_its_parts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data.build({data.AEON.purl: package(tmp_path / "in")}, out)
    for name, given in data.SETS.items():
        found = parts(out if name == "wiimote" else out / name)
        labels = len(given.labels)
        assert [len(found[part]) for part in ("train", "dev", "test")] == [8 * labels, 2 * labels, 10 * labels]
        for label in given.labels:
            assert sum(row["label"] == label for row in found["dev"]) == 2
        keys = [row["key"] for rows in found.values() for row in rows]
        assert len(set(keys)) == len(keys)
        assert all(row["key"].startswith(f"{given.problem}:") for row in found["dev"])


def test_rows_hold_exactly_what_the_files_held(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    folder = package(tmp_path / "in")
    data.build({data.AEON.purl: folder}, out)
    path = folder / "aeon" / "datasets" / "data" / "BasicMotions" / "BasicMotions_TEST.ts"
    for ours, theirs in zip(read_labelled(out / "activity" / "test.jsonl"), read_labelled(path), strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array)
        assert (ours.label, ours.rate, len(ours.channels)) == (theirs.label, 10, 6)


def test_another_file_is_not_taken_for_the_published_one(tmp_path: Path) -> None:
    folder = package(tmp_path / "in")
    path = folder / "aeon" / "datasets" / "data" / "GunPoint" / "GunPoint_TRAIN.ts"
    path.write_text("@univariate true\n@classLabel true 1 2 3\n@data\n1,2,3:3\n")
    with pytest.raises(DataError, match="not the published GunPoint"):
        list(data.rows(data.SETS["gunpoint"], path.parents[1], "TRAIN"))


def test_watch_windows_keep_people_apart(tmp_path: Path) -> None:
    folder = tmp_path / "seglearn" / "data"
    folder.mkdir(parents=True)
    people = [1, 8, 9, 10]
    x = np.empty(4, dtype=object)
    x[:] = [np.random.default_rng(p).normal(size=(450, 6)) for p in people]
    values = {"X": x, "y": np.array([0, 1, 2, 0]), "subject": np.array(people), "y_labels": ["PEN", "ABD", "FEL"]}
    np.save(folder / "watch_dataset.npy", np.array(values, dtype=object), allow_pickle=True)
    data.build_watch({data.SEGLEARN.purl: tmp_path}, tmp_path)
    found = parts(tmp_path)
    assert [len(found[part]) for part in ("train", "dev", "test")] == [3, 3, 6]
    assert {row["key"].split(":")[1] for row in found["test"]} == {"9", "10"}
    assert np.shape(found["dev"][0]["x"]) == (200, 6)
    np.testing.assert_array_equal(np.float32(found["train"][1]["x"]), np.float32(x[0][100:300]))


def test_a_pickle_that_is_more_than_arrays_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run",)

    for name, bad in (("a", Evil()), ("b", Path("x"))):
        np.save(tmp_path / f"{name}.npy", np.array({"x": bad}, dtype=object), allow_pickle=True)
        with pytest.raises(DataError, match="refused"):
            data.read_objects(tmp_path / f"{name}.npy")


def test_no_codec_but_one_is_reached_through_a_pickle() -> None:
    class Hex:
        def __reduce__(self) -> tuple[Any, ...]:
            import codecs

            return codecs.encode, ("a", "rot13")

    import io

    with pytest.raises(DataError, match="refused"):
        data._Arrays(io.BytesIO(pickle.dumps(Hex(), protocol=2))).load()


def test_the_recipes_name_what_they_need() -> None:
    for recipe in (data.recipe(), data.watch_recipe()):
        assert set(recipe.parts) == {"train", "dev", "test"}
        assert all(len(source.sha256) == 64 for source in recipe.sources)
    assert next(iter(data.SETS)) == "wiimote"
    assert data.SETS["wiimote"].labels["1"] == "person 1"
