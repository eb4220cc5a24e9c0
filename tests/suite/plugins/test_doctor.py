"""The doctor: it works when everything else is broken, and names what is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.plugins import doctor, registry

GOOD = """
from suite.hooks import hookimpl
import suite_sentiment
class Good(suite_sentiment.Sentiment):
    name = "good"
@hookimpl
def suite_tasks():
    return [Good]
"""
FAULTS = {
    "dies.py": ("import os\nos._exit(3)\n", "it ends the process while it loads (exit code 3)"),
    "hangs.py": ("import time\ntime.sleep(600)\n", "it has not loaded after 8 s; is it waiting for something?"),
    "syntax.py": ("def suite_tasks(:\n", "SyntaxError in "),
    "raises.py": ("raise RuntimeError('no luck')\n", "RuntimeError: no luck"),
}
NOTES = {
    "prints.py": ("import os\nprint('hello')\nos.write(1, b'past Python')\n", "it prints while it loads: 'hello'"),
    "slow.py": ("import time\ntime.sleep(1.3)\n", "slow: it takes "),
    "heavy.py": ("import sys\nsys.modules['torch'] = sys\n", "it imports torch while it loads"),
}
HOOK = "def suite_tasks(): ...\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SUITE_PLUGIN_DIR", str(tmp_path))
    # First-party cells take seconds, and have tests of their own.
    cells = "suite.nn.cells.gru suite.nn.cells.lstm suite.nn.cells.mingru suite.nn.cells.rglru suite.nn.cells.rnn"
    monkeypatch.setenv("SUITE_DISABLE_PLUGINS", cells)
    registry.cache_clear()
    yield tmp_path
    registry.cache_clear()


def test_every_fault_is_named_and_the_rest_is_examined(folder: Path) -> None:
    for name, (source, _) in {**FAULTS, **NOTES}.items():
        (folder / name).write_text(source if "suite_tasks" in source else source + HOOK)
    (folder / "good.py").write_text(GOOD)
    lines: list[str] = []
    found = doctor.examine(timeout=8, say=lines.append, preload=("suite.inference.pipeline",))
    plugins: dict[str, Any] = {Path(plugin["module"]).name: plugin for plugin in found["plugins"]}
    for name, (_, reason) in FAULTS.items():
        assert plugins[name]["status"] == "broken"
        assert reason in plugins[name]["error"]
        assert any(fault.startswith(str(folder / name)) and reason in fault for fault in found["faults"])
    assert len(found["faults"]) == len(FAULTS)
    for name, (_, reason) in NOTES.items():
        assert any(note.startswith(reason) for note in plugins[name]["notes"]), name
    assert "no luck" in plugins["raises.py"]["traceback"]
    assert "Traceback" in "\n".join(lines)
    assert plugins["good.py"]["status"] == plugins["suite_sentiment"]["status"] == "loaded"
    assert plugins["good.py"]["notes"] == []
    assert plugins["suite.nn.cells.gru"]["status"] == "disabled"
    assert f"  {'SUITE_PLUGIN_DIR':<22}{folder}" in lines


def test_where_nothing_is_wrong(folder: Path) -> None:
    lines: list[str] = []
    found = doctor.examine(say=lines.append, preload=("suite.inference.pipeline",))
    assert found["faults"] == []
    assert lines[-1] == "no faults"
    assert found["versions"]["click"]
    assert found["environment"]["executable"] == sys.executable


def test_what_is_missing_of_an_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("onnx", "click") else have(name))
    monkeypatch.setattr(doctor, "_plugins", lambda found, timeout, preload: iter(()))
    lines: list[str] = []
    found = doctor.examine(say=lines.append)
    assert found["extras"] == {"train": ["onnx"]}
    assert "  [train] lacks onnx: pip install 'sequence-suite[train]'" in lines
    assert found["faults"] == ["click is not installed: install sequence-suite again"]
