"""Where data is kept, and what is left there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from suite.datasets.cache import data_home, workspace


def test_data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert data_home() == tmp_path / "home"
    monkeypatch.setenv("SUITE_DATA", "relative")
    assert data_home() == Path.cwd() / "relative"
    monkeypatch.delenv("SUITE_DATA")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_home() == tmp_path / "cache" / "suite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert data_home() == Path.home() / ".cache" / "suite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_home() == Path.home() / "Library" / "Caches" / "suite"


def test_leftovers_of_a_crash_are_swept_up(home: Path, files: Any) -> None:
    for name, age in (("old", 200_000), ("new", 10)):
        folder = home / ".working" / name
        folder.mkdir(parents=True)
        (folder / "half.tar").write_text("x")
        when = folder.stat().st_mtime - age
        os.utime(folder, (when, when))
    with workspace() as folder:
        assert folder.parent == home / ".working"
    assert files(home / ".working") == ["new/half.tar"]
