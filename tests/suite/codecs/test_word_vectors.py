"""Word vectors from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.codecs.word_vectors import read_vectors, read_words
from suite.errors import DataError


def test_text(tmp_path: Path) -> None:
    file = tmp_path / "glove.txt"
    file.write_text("the 1 2 3\ncafé -0.5 1e-3 0\n\n", encoding="utf-8")
    assert read_words(file) == ["the", "café"]
    found = read_vectors(file)
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "the": [1, 2, 3], "café": pytest.approx([-0.5, 0.001, 0]),
    }  # fmt: skip
    assert found["the"].dtype == np.float32


def test_the_header_of_fasttext_files(tmp_path: Path) -> None:
    file = tmp_path / "wiki.vec"
    file.write_text("2 3\nthe 1 2 3\na 4 5 6\n")
    assert read_words(file) == ["the", "a"]
    assert read_vectors(file)["a"].tolist() == [4, 5, 6]


def test_npz(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npz"
    np.savez(file, words=np.array(["the", "café"]), vectors=np.array([[1, 2], [3, 4]], np.float16))
    assert read_words(file) == ["the", "café"]
    found = read_vectors(file)
    assert (found["café"].tolist(), found["café"].dtype) == ([3, 4], np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2\na 1 x\n", r"glove\.txt:2: not a word and numbers"),
        ("the 1 2\na 1 2 3\n", r"glove\.txt:2: 3 numbers where the lines before have 2"),
        ("2 2\nthe 1 2\na 1\n", r"glove\.txt:3: 1 numbers where the lines before have 2"),
        ("", r"glove\.txt: no word vectors in it"),
    ],
)
def test_bad_text(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "glove.txt"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_vectors(file)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for name in ("nowhere.txt", "nowhere.npz"):
        with pytest.raises(DataError, match=f"{name}.*No such file"):
            read_vectors(tmp_path / name)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.txt: UnicodeDecodeError"):
        read_words(tmp_path / "binary.txt")
    (tmp_path / "text.npz").write_text("the 1 2")
    with pytest.raises(DataError, match=r"text\.npz: .*expected an \.npz with words and vectors"):
        read_vectors(tmp_path / "text.npz")


def test_an_npz_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(DataError, match=r"other\.npz: .*expected an \.npz with words and vectors"):
        read_words(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", words=np.array([{}], object), vectors=np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"pickled\.npz: .*expected an \.npz"):
        read_vectors(tmp_path / "pickled.npz")
    np.savez(tmp_path / "odd.npz", words=np.array(["a", "b"]), vectors=np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"odd\.npz: .*2 words.*1 vectors"):
        read_vectors(tmp_path / "odd.npz")
