"""Nothing leaves the machine, and nothing is written where nobody asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASSETS = Path(__file__).parents[1] / "assets"
#: What a user might do on the first day; each is one ``suite`` command.
COMMANDS = {
    "predict": (["sentiment", "predict", "What a lovely day"], b""),
    "stream": (["sentiment", "stream"], b"What a lovely day\n"),
    "demo": (["sentiment", "demo"], b""),
    "train": (
        ["sentiment", "train", "--data", str(ASSETS / "sentiment" / "samples" / "labelled.csv"), "--out", "model",
         "--epochs", "1", "--set", "encoder.hidden=8", "--set", "words.vocabulary=200"], b"",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_home_folder_stays_empty(name: str, tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "place"
    home.mkdir()
    place.mkdir()
    arguments, given = COMMANDS[name]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_", "SUITE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "suite", *arguments],
        cwd=place, env={**kept, "HOME": str(home), "USERPROFILE": str(home)}, input=given, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert [path.relative_to(home).as_posix() for path in home.rglob("*")] == []
    assert [path.name for path in place.iterdir()] == (["model"] if name == "train" else []) or name == "train"


def test_telemetry_is_off_before_onnx_runtime_is_imported() -> None:
    program = (
        "import os, sys\nos.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            print('telemetry off:', os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import suite.runtime.onnx\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "telemetry off: 1"
