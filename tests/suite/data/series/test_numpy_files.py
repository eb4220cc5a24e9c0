"""Recordings in NumPy files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from suite.data.series import numpy_files, open_recording, read_recording
from suite.errors import DataError


def test_numpy_files(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float64).reshape(3, 2)
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", x=x, rate=100, channels=np.array(["l", "r"]))
    np.savez(tmp_path / "c.npz", x=x[:, 0])
    assert read_recording(tmp_path / "a.npy")[0].tolist() == x.tolist()
    both = open_recording(tmp_path / "b.npz")
    assert (both.array.tolist(), both.rate, both.channels) == (x.tolist(), 100, ("l", "r"))
    assert read_recording(tmp_path / "c.npz")[0].shape == (3, 1)


def test_a_small_file_of_a_large_array_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_files, "MAX_ARRAY_BYTES", 10_000)
    content = io.BytesIO()
    np.lib.format.write_array(content, np.zeros(100_000))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content.getvalue())
    with pytest.raises(DataError, match="split the recording"):
        read_recording(tmp_path / "a.npz")
