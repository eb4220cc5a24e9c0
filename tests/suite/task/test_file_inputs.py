"""Tasks whose inputs are files: an argument of ``predict`` names a file or a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_sentiment import Sentiment

from suite.errors import DataError
from suite.task import Column, DataSpec, recursive_option


class OfFiles(Sentiment):
    """Files, and those in folders."""

    data = DataSpec(
        columns=(Column(name="text", help="a .txt", required=True),), inputs="files", item="text", endings=(".txt",)
    )
    options = (recursive_option("text"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    for name in ("b.txt", "a.TXT", "c.csv", "below/d.txt"):
        (tmp_path / name).write_text("good")
    return tmp_path


def found(argument: str | Path, *, recursive: bool = False) -> list[str]:
    pairs = list(OfFiles().expand_inputs(str(argument), recursive=recursive))
    assert all(place == value for place, value in pairs)
    return [value for _, value in pairs]


def test_a_file_is_itself_whatever_its_name() -> None:
    assert found("nowhere.csv") == ["nowhere.csv"]


def test_a_folder_is_the_files_in_it_with_such_a_name(folder: Path) -> None:
    assert found(folder) == [f"{folder}/a.TXT", f"{folder}/b.txt"]
    assert found(folder, recursive=True) == [f"{folder}/a.TXT", f"{folder}/b.txt", f"{folder}/below/d.txt"]


def test_a_folder_without_any(folder: Path) -> None:
    empty = folder / "empty"
    empty.mkdir()
    for name in ("a.TXT", "b.txt"):
        (folder / name).unlink()
    with pytest.raises(DataError, match=r"no text in it \(\.txt\); --recursive searches its subfolders too$"):
        found(folder)
    with pytest.raises(DataError, match=r"no text in it \(\.txt\); is it the right folder\?$"):
        found(empty)


def test_recursive_is_an_option_of_predict() -> None:
    assert [option.name for option in OfFiles().options_of("predict")] == ["recursive"]
    assert OfFiles().options_of("evaluate") == []


def test_a_task_of_files_says_which() -> None:
    class Unknown(OfFiles):
        data = DataSpec(columns=OfFiles.data.columns, inputs="files")

    with pytest.raises(NotImplementedError, match=r"Unknown\.expand_inputs must be overridden, since data\.inputs"):
        Unknown().expand_inputs("a.txt")
